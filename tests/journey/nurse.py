"""A nurse at a virtual device: she presses what is engraved and reads what is lit.

She works with a device that may die under her hands: whatever she does, she looks first, does
one thing, and looks again. ``enough`` is asked between two looks; when it says so she stops
in the middle of whatever she was at.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from appliance.simulator.remote import BedsideError, Remote, View
from cli.virtual_site import VirtualSite
from tests.waiting import until

FINGER: Final = 0.05
"""Seconds a finger stays on a button: more than the contact's 20 ms, less than any hold."""

_LOOK: Final = 0.005
_AGAIN: Final = 2.2
"""A CONSENT within 2 s of the last one means nothing."""

_DEAD: Final = 1.2
"""A menu that closes by itself leaves CAPTURE without a meaning for a second."""

_UNSEEN: Final = 1.5
"""After so many seconds without an answer a press was none."""

_MENU: Final = {"BACK", "UNDO LAST", "UNDO ALL", "+TEACHING", "EMERGENCY", "NO", "PROXY"}

Enough = Callable[[], bool]


def never() -> bool:
    """Go on to the end."""
    return False


def in_menu(view: View) -> bool:
    """Whether a menu is open: it shows one item and nothing else."""
    if re.fullmatch(r"UNDO [0-9]{2}:[0-9]{2}", " ".join(view.words)):
        return True  # outside a window
    return view.words[:1] != () and view.words[0] in _MENU and view.words[1:] in ((), ("CAPACITY",))


class Nurse:
    """One pair of hands and eyes; ``reads`` is done before CONSENT or CAPTURE is pressed."""

    def __init__(self, site: VirtualSite, reads: Callable[[], None] = lambda: None) -> None:
        self._site = site
        self._reads = reads
        self._remote: Remote | None = None
        self._pressed = 0.0
        self._let_go = 0.0
        self._menu_seen = 0.0

    @property
    def remote(self) -> Remote:
        """The line to the bedside; it mends itself."""
        if self._remote is None:
            self._remote = Remote(self._site.device.config.paths.world_socket)
        return self._remote

    def look(self) -> View:
        """What can be seen now."""
        return self.remote.view

    def close(self) -> None:
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    # -- reading --------------------------------------------------------------------------------

    def wait_until(self, seen: Callable[[View], bool], what: str, seconds: float = 30) -> View:
        """Return the first view that pleases ``seen``."""
        last = View()

        def look() -> bool:
            nonlocal last
            last = self.look()
            return seen(last)

        try:
            until(look, seconds, what)
        except AssertionError as e:
            raise AssertionError(f"{e}; {_said(last)}") from e
        return last

    def wait_for_words(self, *words: str, seconds: float = 30) -> View:
        """Return the first view whose lines have all of these among them."""
        return self.wait_until(
            lambda view: set(words) <= set(view.words), f"{' and '.join(words)} to be said", seconds
        )

    def wait_until_up(self) -> View:
        """Return when the device is on and connected."""
        return self.wait_until(lambda view: view.alive and view.online, "the device to be online")

    # -- pressing -------------------------------------------------------------------------------

    def press(self, *lines: str) -> None:
        """Press and let go."""
        self.down(*lines)
        time.sleep(FINGER)
        self.up(*lines)

    def hold(self, *lines: str, for_words: tuple[str, ...] = ()) -> View:
        """Press, stay there until the screen says so, let go."""
        self.down(*lines)
        view = self.wait_for_words(*for_words, seconds=10)
        self.up(*lines)
        return view

    def down(self, *lines: str) -> None:
        """Press; a finger that has just come up needs a moment to go down again."""
        time.sleep(max(0.0, self._let_go + FINGER - time.monotonic()))
        for line in lines:
            self.remote.press(line)

    def up(self, *lines: str) -> None:
        """Let go."""
        for line in lines:
            self.remote.release(line)
        self._let_go = time.monotonic()

    def choose(self, *item: str) -> None:
        """Step through the open menu with CONSENT to an item, and choose it with CAPTURE."""
        for _ in range(8):
            view = self.wait_until(in_menu, "a menu to be open", 5)
            if view.words == item:
                self._take_it(f"{item} to be chosen")
                return
            self._next_item(view.words)
        raise AssertionError(f"the menu has no {item}")

    def _next_item(self, shown: tuple[str, ...]) -> None:
        """Press CONSENT; again when nothing came of it: a busy device may not see 50 ms.

        Should the first one only have been slow, then an item was stepped over, and comes again.
        """
        pressed = 0.0

        def another(now: View) -> bool:
            nonlocal pressed
            if now.words == shown and time.monotonic() - pressed > _UNSEEN:
                self.press("consent")
                pressed = time.monotonic()
            return now.words != shown

        self.wait_until(another, f"another item than {shown}", 10)

    def _take_it(self, what: str) -> None:
        """Choose what the menu shows: CAPTURE acts when pressed, so stay there until it has."""
        self.down("capture")
        self.wait_until(lambda now: not in_menu(now), what, 10)
        self.up("capture")

    def _leave_menu(self) -> None:
        """Step to BACK and choose it, unless the menu is gone by itself meanwhile."""
        view = self.look()
        if view.words == ("BACK",):
            self._take_it("the menu to be gone")
        elif in_menu(view):
            self._next_item(view.words)

    # -- working, whatever happens --------------------------------------------------------------

    def open_window(self, enough: Enough = never, seconds: float = 40) -> bool:
        """Press CONSENT until a window is open and the camera ready."""
        return self._until(self._opened, enough, seconds, "a window to open")

    def may_press_consent(self) -> bool:
        """Whether the latest CONSENT is long enough ago for another one to mean anything."""
        return time.monotonic() - self._pressed > _AGAIN

    def _opened(self) -> bool:
        view = self.look()
        if in_menu(view):
            self._leave_menu()
        elif view.ready and view.open:
            return True
        elif view.alive and not view.open and self.may_press_consent():
            self._reads()
            self._pressed = time.monotonic()
            self.press("consent")
        return False

    def finish(self, enough: Enough = never, seconds: float = 40) -> bool:
        """Press CONSENT until no window is open and the lamp is off."""
        return self._until(self._finished, enough, seconds, "the window to close")

    def _finished(self) -> bool:
        view = self.look()
        if in_menu(view):
            self._menu_seen = time.monotonic()
            self._leave_menu()
        elif view.alive and not view.open and not view.lamp:
            return time.monotonic() - self._menu_seen > _DEAD
        elif view.open and self.may_press_consent():
            self._reads()
            self._pressed = time.monotonic()
            self.press("consent")
        return False

    def capture(self) -> bool:
        """Press CAPTURE if the camera is ready."""
        try:
            if self.look().ready:
                self._reads()
                self.press("capture")
                return True
        except BedsideError:
            pass
        return False

    def undo_last(self, enough: Enough = never) -> bool:
        """In an open window: hold CONSENT, step to UNDO LAST, choose it."""
        try:
            if not self.look().open:
                return False
            self.down("consent")
            self._until(lambda: in_menu(self.look()), enough, 5, "the menu")
            self.up("consent")
            if not enough():
                self.choose("UNDO LAST")
            return True
        except (BedsideError, AssertionError):
            return False

    def _until(self, done: Callable[[], bool], enough: Enough, seconds: float, what: str) -> bool:
        """Try until ``done``, True, or ``enough``, False."""
        deadline = time.monotonic() + seconds
        while not enough():
            try:
                if done():
                    return True
            except BedsideError:
                pass  # it has just gone off; it will be back
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited {seconds:g} s in vain for {what}: {_said(self.look())}"
                )
            time.sleep(_LOOK)
        return False


def _said(view: View) -> str:
    """A view for people."""
    return str(replace(view, picture=b""))
