"""One shift at one virtual bedside: a nurse, and what ledger, logs and hospital say meanwhile.

Several tests share a shift, so each reads from a mark on: ``new``, ``said_in_log`` and
``logged`` tell what has happened since ``mark`` was called.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from appliance.simulator.remote import View
from cli.virtual_site import Virtual, VirtualSite
from tests.journey.audit import Auditor
from tests.journey.nurse import Nurse
from tests.journey.on_device import Fate
from tests.waiting import until
from wire import events

T = TypeVar("T")

_AGAIN: Final = 2.2
"""A CONSENT within 2 s of a window means nothing."""

_BAD: Final = {"LOST", "REJECTED", "CAMERA"}
_READ: Final = 1.2
"""A press dismisses what could be read for a second."""


class Shift:
    """One site with a small sensor and no release time, and somebody at work there."""

    def __init__(
        self,
        folder: Path,
        extra: dict[str, dict[str, object]] | None = None,
        *,
        cable: bool = False,
    ) -> None:
        made = Virtual(release_seconds=0.0, width=1014, height=760, extra=extra or {}, cable=cable)
        self.site = VirtualSite(folder / "state", made)
        self.auditor = Auditor(self.site)
        self.hospital = self.auditor.hospital
        self.nurse = Nurse(self.site)
        self.paths = self.site.device.config.paths
        self._entries = 0
        self._logs: dict[str, int] = {}

    def begin(self) -> Self:
        """Start everything; return when the device is on and connected."""
        self.site.start()
        self.nurse.wait_until_up()
        self.mark()
        return self

    def close(self) -> None:
        self.nurse.close()
        self.site.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- reading --------------------------------------------------------------------------------

    def mark(self) -> None:
        """From here on things are new."""
        self._entries = len(self.auditor.book().entries)
        self._logs = {path.stem: path.stat().st_size for path in self._log_folder.glob("*.log")}

    def new(self, kind: type[T]) -> list[T]:
        """The bodies of one kind that were entered since the mark."""
        fresh = self.auditor.book().entries[self._entries :]
        bodies = (events.body_of(signed.entry) for signed in fresh)
        return [body for body in bodies if isinstance(body, kind)]

    def faults(self) -> list[tuple[str, str]]:
        """Code and words of every FAULT since the mark."""
        return [(fault.code, fault.why) for fault in self.new(events.Fault)]

    def logged(self, role: str) -> str:
        """What a process has logged since the mark."""
        data = (self._log_folder / f"{role}.log").read_bytes()
        return data[self._logs.get(role, 0) :].decode(errors="replace")

    def wait_for_log(self, role: str, words: str, seconds: float = 15) -> None:
        """Return when a process has logged these words since the mark."""
        until(lambda: words in self.logged(role), seconds, f"the {role} to log {words!r}")

    def fate(self) -> Fate:
        """What became of the latest photo."""
        return self.auditor.book().fates()[-1]

    def wait_for_outcome(self, outcome: str, seconds: float = 30) -> Fate:
        """Return the latest photo once this has become of it and its envelope is gone."""
        until(
            lambda: self.fate().settled and self.fate().outcome == outcome,
            seconds,
            f"the photo to be {outcome}",
        )
        return self.fate()

    @property
    def on_its_way(self) -> list[str]:
        """What lies in the outbox."""
        return sorted(path.name for path in self.paths.outbox.iterdir())

    @property
    def _log_folder(self) -> Path:
        return self.site.state / "logs"

    # -- working --------------------------------------------------------------------------------

    def ask(self, *words: str) -> View:
        """Press CONSENT, again whenever that meant nothing, until the screen says these words."""
        assert not set(words) <= set(self.nurse.look().words), "this is said already"
        return self._press_until(lambda view: set(words) <= set(view.words), " and ".join(words))

    def refused(self, *words: str) -> View:
        """Press CONSENT until the buzzer refuses, and the screen says these words with it."""
        self._press_until(lambda view: view.buzzer == "refused", "the refusal")
        return self.nurse.wait_for_words(*words, seconds=3)

    def end_the_window(self) -> None:
        """Press CONSENT until no window is open; the camera may take longer."""
        pressed = 0.0

        def closed(view: View) -> bool:
            nonlocal pressed
            if view.open and time.monotonic() - pressed > _AGAIN:
                pressed = time.monotonic()
                self.nurse.press("consent")
            return not view.open

        self.nurse.wait_until(closed, "the window to close")

    def _press_until(self, answer: Callable[[View], bool], what: str) -> View:
        pressed = 0.0

        def answered(view: View) -> bool:
            nonlocal pressed
            if answer(view):
                return True
            if view.alive and not view.open and time.monotonic() - pressed > _AGAIN:
                pressed = time.monotonic()
                self.nurse.press("consent")
            return False

        return self.nurse.wait_until(answered, what)

    def read_the_screen(self) -> None:
        """Press bad outcomes away with CAPTURE, which without a window only says NO CONSENT."""
        pressed = 0.0

        def clean(view: View) -> bool:
            nonlocal pressed
            bad = _BAD & set(view.words)
            # A press that came too early is answered by a notice, which covers what is below it.
            if view.alive and not bad and "NO CONSENT" not in view.words:
                return True
            if bad and time.monotonic() - pressed > _READ:
                pressed = time.monotonic()
                self.nurse.press("capture")
            return False

        self.nurse.wait_until(clean, "the screen to be clean")

    def take(self) -> None:
        """Open a window, take one photo, see that it was kept."""
        self.nurse.open_window()
        before = len(self.auditor.book().fates())
        assert self.nurse.capture()
        until(lambda: len(self.auditor.book().fates()) > before, 10, "INTENT")

    def take_and_file(self) -> Fate:
        """One photo all the way, the window closed behind it: everything works."""
        self.take()
        self.wait_for_outcome("FILED")
        self.nurse.finish()
        return self.fate()

    def wait_until_dark(self) -> View:
        """Return when no window is open and the lamp is off."""
        return self.nurse.wait_until(
            lambda view: view.alive and not view.open and not view.lamp, "the lamp to go off"
        )
