"""One long journey of the crash campaign: a nurse works on while things die around her.

Each card of the deck sets a trap; the nurse opens windows, takes photos, undoes and finishes
until it is sprung. She reads every loss off the screen before she goes on. At the end all comes
to rest, and the audit compares device, screen, hospital and record.
"""

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from appliance.simulator.world import SCENES
from cli import story
from cli.virtual_site import Virtual, VirtualSite
from tests.faults.deck import Blow, Leg
from tests.faults.points import Point, Sentry, Trap
from tests.journey.audit import Auditor, taken_under_consent
from tests.journey.nurse import Nurse
from tests.waiting import until
from wire.ledger import MAX_ENTRY, read_frames

WIDTH, HEIGHT = 1014, 760
_SPRUNG_WITHIN: Final = 120.0
_IMPATIENT: Final = 2.0
_PATIENT: Final = 10.0
_REST_WITHIN: Final = 180.0
_QUESTION: Final = 20.0
"""An uplink asks for the acknowledgement of an UNDO after 15 s; it must live that long."""


class Journey:
    """One site, one nurse, one auditor, and a sentry with a trap."""

    def __init__(self, leg: Leg, folder: Path) -> None:
        self.leg = leg
        self._dice = random.Random(f"{leg}")
        scenes = folder / "scenes"
        scenes.mkdir(parents=True)
        scene = scenes / "retina.jpg"
        scene.write_bytes((SCENES / "retina.jpg").read_bytes())
        made = Virtual(release_seconds=0.0, width=WIDTH, height=HEIGHT)
        self.site = VirtualSite(folder / "state", made)
        self.site.world.point_at(scene)
        self.auditor = Auditor(self.site)
        self.sentry = Sentry(self.site, self.auditor.key, scene)
        self.auditor.envelopes = self.sentry.envelopes
        self.nurse = Nurse(self.site, self._read_losses)
        self._ledger = self.site.device.config.paths.ledger
        self.kills: Counter[str] = Counter()
        self.missed: list[Point] = []
        self._losses_read = 0
        self._power_was_cut = False

    # -- dying ----------------------------------------------------------------------------------

    def _kill(self, victim: str) -> None:
        """In the sentry's thread, at the point itself."""
        if victim == "power":
            self._power_was_cut = True
            self.site.device.cut_power()
        else:
            # The newest darkroom is the one in use; of the others there is one each.
            running = self.site.keeper.pids(victim)
            if not running:
                return  # it is dead already, and about to be started again
            self.site.keeper.kill(max(running, key=lambda name: (len(name), name)))
        self.kills[victim] += 1

    def _play(self, card: tuple[Blow, ...]) -> None:
        """Set the card's traps and work until all are sprung."""
        trap: Trap | None = None
        for blow in reversed(card):
            trap = Trap(blow.point, partial(self._kill, blow.victim), blow.jitter, trap)
        assert trap is not None
        self.sentry.set(trap)
        deadline = time.monotonic() + _SPRUNG_WITHIN
        while trap is not None:
            patience = _IMPATIENT
            while not trap.sprung.is_set() and time.monotonic() < deadline:
                self._work_towards(trap)
                if not trap.sprung.wait(patience):
                    self._wake_the_line()
                    # On a busy machine they need longer to come back.
                    patience = min(2 * patience, _PATIENT)
            if not trap.sprung.is_set():
                self.missed.append(trap.point)
            if self._power_was_cut:
                self._restore_power()
            trap = trap.then
        self.sentry.take_up()

    def _strike_what_is_owed(self) -> None:
        """A blow that found its victim dead already falls now, in the middle of some photo."""
        victim = self.leg.victim
        while self.kills[victim] < self.leg.count:
            self.nurse.open_window()
            self.nurse.capture()
            if victim != "power":
                until(lambda: self.site.keeper.pids(victim), 30, f"{victim} to run")
            self._kill(victim)
            if self._power_was_cut:
                self._restore_power()

    def _restore_power(self) -> None:
        """Somebody finds the plug; the last append may have been torn by its fall."""
        self._power_was_cut = False
        if self._dice.random() < 0.5 and (file := story.current(self._ledger)) is not None:
            length = self._dice.randint(100, MAX_ENTRY)
            torn = length.to_bytes(4, "big") + os.urandom(self._dice.randint(0, length - 1))
            data = file.read_bytes()
            if read_frames(data)[1] == len(data):  # else the last fall's is still there
                file.write_bytes(data + torn)
        self.site.device.power_on()
        self.sentry.powered_on()

    # -- working --------------------------------------------------------------------------------

    def _work_towards(self, trap: Trap) -> None:
        """Do what a nurse does, as far as that goes before the trap is sprung."""
        point, sprung = trap.point, trap.sprung.is_set
        if point in (Point.CONSENT, Point.CAMERA) and self.nurse.look().open:
            self.nurse.finish(sprung)
        if not self._power_was_cut and not sprung():
            self.nurse.open_window(sprung)
        if not sprung() and point is not Point.WINDOW:
            self.nurse.capture()
        if not sprung() and point is Point.UNDO:
            self.nurse.undo_last(sprung)
        if not sprung() and (point is Point.WINDOW or self._dice.random() < 0.2):
            self.nurse.finish(sprung)

    def _wake_the_line(self) -> None:
        """Whoever waits to connect again waits longer each time; a fresh start does not."""
        for name in ("uplink", "gateway"):
            self._kill(name)

    def _read_losses(self) -> None:
        """Every loss on the ledger is on the screen before anybody presses anything (P5)."""
        losses = sum(fate.outcome == "LOST" for fate in self.auditor.book().fates())
        if losses > self._losses_read:
            self.nurse.wait_for_words("LOST")
            self._losses_read = losses

    # -- the whole ------------------------------------------------------------------------------

    def travel(self) -> None:
        """Deal out this leg's cards, come to rest, and have everything audited."""
        self.site.start()
        self.sentry.powered_on()
        for card in self.leg.cards():
            self._play(card)
        self._strike_what_is_owed()
        self.nurse.finish()
        self._come_to_rest()
        self._read_losses()
        wrong = self.auditor.audit()
        wrong += taken_under_consent(self.auditor.book().entries)
        assert not wrong, self.report(wrong)
        assert len(self.missed) <= len(self.leg.cards()) // 5, self.report(["too many misses"])

    def _come_to_rest(self) -> None:
        deadline = time.monotonic() + _REST_WITHIN
        impatient = time.monotonic() + _IMPATIENT
        while waits := self.auditor.waits_for():
            now = time.monotonic()
            assert now < deadline, self.report([f"waited {_REST_WITHIN:g} s in vain for {waits}"])
            if now > impatient:
                impatient = now + _QUESTION
                self._wake_the_line()
            with contextlib.suppress(AssertionError):
                until(lambda: not self.auditor.waits_for(), 0.2, "rest")

    def report(self, wrong: list[str]) -> str:
        """What went wrong, and what had happened before."""
        lines = [f"journey {self.leg} ({sum(self.kills.values())} kills: {dict(self.kills)})"]
        lines += wrong
        lines += [f"never reached: {point}" for point in self.missed]
        lines += [f"... {reached.at:.3f} {reached.point}" for reached in self.sentry.trace[-40:]]
        for name in ("panel", "uplink", "gateway"):
            log = self.site.state / "logs" / f"{name}.log"
            lines += [f"--- {name}", *log.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(lines)

    def close(self) -> None:
        self.nurse.close()
        self.site.close()
        self.sentry.close()


def travel(legs: Sequence[Leg], folder: Path) -> Counter[str]:
    """Some legs side by side, from start to end; return how often each victim was killed."""
    with ThreadPoolExecutor(len(legs)) as pool:
        journeys = [pool.submit(_travel, leg, folder / str(leg)) for leg in legs]
    return sum((journey.result() for journey in journeys), Counter())


def _travel(leg: Leg, folder: Path) -> Counter[str]:
    journey = Journey(leg, folder)
    try:
        journey.travel()
    finally:
        journey.close()
    return journey.kills
