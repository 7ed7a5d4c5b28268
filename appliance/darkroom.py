"""Role: the darkroom. One process, one consent, then it is dead.

It is started ahead of time with a connection to the panel as its standard input, does its
imports, and waits with the camera closed. While it waits it says what the camera lacks, so that
nobody is asked for a consent that no photo could follow. An ``Open`` order that is backed by a
fresh consent entry opens the camera; each ``Capture`` order makes one sealed photo. End of file
closes the camera, wipes everything and ends the process, as does every fault. It never forks:
libcamera does not survive that, and a child would hold copies.

Wristband and badge are read in the viewfinder's frames; their codes are in this process and in
the envelopes, and nowhere else.

Plaintext is in the camera's buffers and in the sealer's; both are zeroed as soon as a photo is
sealed, again when the camera closes, and the process ends right after. What libraries leave on
the heap is overwritten by the allocator, whose settings are checked before anything else.

Nothing waits for ever. A call into the camera that does not return is reported by the watchdog,
which then wipes what it can reach and ends the process from its own thread.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from typing import Final, NoReturn

from appliance import apriltag, reader, sight, viewfinder
from appliance.admission import WINDOW_NS, Doorkeeper, Permit, Refusal
from appliance.camera import Camera, CameraError
from appliance.clock import SystemClock, boot_id
from appliance.codes import Patterns
from appliance.config import ApplianceConfig
from appliance.crypto.keys import load_public
from appliance.crypto.sealing import Sealer
from appliance.lookout import Lookout
from appliance.orders import (
    VIEW_BYTES,
    Capture,
    Fault,
    FaultCode,
    Health,
    Idle,
    Line,
    Open,
    Ready,
    Refused,
    Sealed,
    Verdict,
)
from appliance.quality import Verdict as Judgement
from appliance.watchdog import Watchdog
from base import memory, turbojpeg
from base.errors import EnvironmentProblem, FormatError, WardsealError
from base.memory import Buffer, wipe_live_buffers
from base.notify import Pulse
from wire.hpke import RecipientPublic

log = logging.getLogger(__name__)

_VIEW_SECONDS: Final = 0.25
_STOP_SECONDS: Final = 1.5
"""To stop the camera; the panel kills after two seconds, and should hear of it before."""
_GRACE_SECONDS: Final = 0.5
"""The camera reports its own time-outs first; the watchdog is for when it does not."""
_TEST_SECONDS: Final = 2.0
"""From one self-test to the next: how long a plugged-in camera is still called missing."""
_STALE_SECONDS: Final = 30.0
"""For a camera that stays missing a fresh process looks again, with libcamera started anew."""
_LEAST_SECONDS: Final = 0.1
_LIFE_SECONDS: Final = WINDOW_NS / 1e9
_WORDS: Final = 200
"""Bytes of UTF-8 that an order has for words (``wire.shapes.ShortText``)."""
_MIB: Final = 1024 * 1024

SealerFor = Callable[[tuple[RecipientPublic, ...]], Sealer]


class Exit(IntEnum):
    """Exit codes. 1 and 2 (a wrong environment, wrong arguments) come from ``__main__``."""

    ENDED = 0
    """The panel hung up, or SIGTERM."""
    REFUSED = 3
    """An order that was not backed by the ledger, or was no order at all."""
    CAMERA_FAULT = 4
    """The camera failed and said so."""
    HUNG = 5
    """A deadline passed; the watchdog ended the process."""
    OVERSTAYED = 6
    """The window's longest time was over and the panel had not hung up."""


class Darkroom:
    """One life. ``sealer_for`` makes the sealer once the recipients are known.

    ``announce`` is called before the camera opens: from then on somebody may be seen.
    """

    def __init__(
        self,
        *,
        line: Line,
        camera: Camera,
        doorkeeper: Doorkeeper,
        sealer_for: SealerFor,
        lookout: Lookout,
        announce: Callable[[], None],
        deadline_seconds: float,
    ) -> None:
        self._line = line
        self._camera = camera
        self._doorkeeper = doorkeeper
        self._sealer_for = sealer_for
        self._lookout = lookout
        self._announce = announce
        self._deadline = deadline_seconds
        self._watchdog = Watchdog()
        # Ours bites first; the service manager's is for a call that lets no thread of ours run.
        self._pulse = Pulse(longest_turn=deadline_seconds + _GRACE_SECONDS)
        self._sealer: Sealer | None = None
        self._bits = Buffer(VIEW_BYTES)
        self._next_view = 0.0
        self._next_test = 0.0
        self._missing: FaultCode | None = None
        self._missing_since = 0.0
        self._end = 0.0

    def live(self) -> Exit:
        """Wait for a consent, carry out orders, end. Closes the camera; the line ends with us."""
        try:
            return self._live()
        except ConnectionError:
            return Exit.ENDED
        finally:
            self._close()

    def _live(self) -> Exit:
        # Imports take what the machine takes: as long as the unit's TimeoutStartSec= allows.
        self._camera.prepare()
        with self._limit(FaultCode.NO_CAMERA, "the camera's self-test hangs"):
            self._line.send(Idle(os.getpid(), *self._self_test()))
        with DefaultSelector() as selector:
            selector.register(self._line, EVENT_READ)
            while True:
                self._pulse.beat()
                if selector.select(self._pulse.patience(self._patience())):
                    ended = self._obey()
                elif self._sealer is None:
                    ended = self._look_after()
                elif time.monotonic() >= self._end:
                    log.error("the panel has not hung up; the window's longest time is over")
                    ended = Exit.OVERSTAYED
                else:
                    ended = self._show()
                if ended is not None:
                    return ended

    def _patience(self) -> float:
        """Seconds until there is something to do without an order."""
        if self._sealer is None:
            return max(0.0, self._next_test - time.monotonic())
        return max(0.0, min(self._next_view, self._end) - time.monotonic())

    def _self_test(self) -> tuple[FaultCode | None, str | None]:
        self._next_test = time.monotonic() + _TEST_SECONDS
        found = self._camera.self_test()
        missing = None if found is None else found.code
        if missing != self._missing:
            self._missing, self._missing_since = missing, time.monotonic()
        return (None, None) if found is None else (found.code, _words(found))

    def _look_after(self) -> Exit | None:
        """Test the closed camera, when it is time to, and say what has changed."""
        if time.monotonic() < self._next_test:
            return None  # awake only for the next beat
        before = self._missing
        with self._limit(FaultCode.NO_CAMERA, "the camera's self-test hangs"):
            result = self._self_test()
        if self._missing != before:
            self._line.send(Health(*result))
        elif self._missing is not None and (
            time.monotonic() - self._missing_since > _STALE_SECONDS
        ):
            return Exit.ENDED
        return None

    def _obey(self) -> Exit | None:
        """Carry out one order; return how the life ends, if it does."""
        n: int | None = None
        try:
            match self._line.receive():
                case None:
                    return Exit.ENDED
                case Open(consent=consent, keyset=keyset):
                    self._open(consent, keyset)
                case Capture(intent=intent, header=fields, consent=later):
                    permit = self._doorkeeper.photo(intent, fields, later)
                    n = permit.header.seq
                    self._capture(permit)
                case _:
                    raise FormatError("only the panel gives orders")
        except CameraError as e:
            return self._failed(e, n)
        except WardsealError as e:
            log.error("refused: %s", e)
            self._line.send(Refused(_words(e), n))
            # Without a photo's number it was the order itself that could not be believed.
            return None if n is not None else Exit.REFUSED
        return None

    def _open(self, consent: bytes, keyset: bytes) -> None:
        """Steps 1 and 2 of the journey: check the entry, then let the camera see."""
        begun = time.monotonic()
        admitted = self._doorkeeper.admit(consent, keyset)
        self._sealer = self._sealer_for(admitted.keyset.keyset.recipients)
        self._end = begun + _LIFE_SECONDS
        self._announce()
        with self._limit(FaultCode.NO_FRAMES, "the camera did not start in time"):
            started = time.monotonic()
            self._camera.open()
            # One deadline for both, so that the camera's own report comes before the watchdog's.
            left = self._deadline - (time.monotonic() - started)
            self._camera.wait_ready(max(_LEAST_SECONDS, left))
        self._line.send(Ready(_milliseconds(begun)))

    def _capture(self, permit: Permit) -> None:
        """Steps 3 to 6: frame, verdict, JPEG, envelope; nothing is left of the first three."""
        assert self._sealer is not None
        header, attest = permit.header, permit.attest
        if attest not in (None, self._lookout.commitment):
            raise Refusal("the intent names a badge that was not read in this window")
        inside = self._lookout.inside(attest)
        begun = time.perf_counter_ns()
        with (
            self._limit(FaultCode.NO_FRAMES, "the camera did not deliver in time", header.seq),
            self._camera.capture(self._deadline) as frame,
        ):
            exposed = time.perf_counter_ns()
            photo = self._sealer.seal(frame, header, partial(self._tell, header.seq), inside)
            stages = {**photo.stages_us, "expose": (exposed - begun) // 1000}
            stages["all"] = (time.perf_counter_ns() - exposed) // 1000
            self._line.send(Sealed(header.seq, photo.name, photo.size, stages))
        self._sealer.make_room()

    def _tell(self, n: int, judgement: Judgement) -> None:
        """Step 4, from the sealer's thread. A panel that is gone must not cost the photo."""
        with suppress(OSError):
            self._line.send(Verdict(n, judgement.poor, judgement.measured))

    def _show(self) -> Exit | None:
        """One viewfinder frame, and what band or badge can be read in it."""
        self._next_view = time.monotonic() + _VIEW_SECONDS
        try:
            with (
                self._limit(FaultCode.NO_FRAMES, "the camera stopped delivering"),
                self._camera.view(self._deadline) as frame,
            ):
                viewfinder.draw(frame, self._bits.view)
                self._line.offer_view(self._bits.view)
                self._bits.wipe()
                news = self._lookout.look(frame)
        except CameraError as e:
            return self._failed(e, None)
        for one in news:
            self._line.send(one)
        return None

    def _failed(self, error: CameraError, n: int | None) -> Exit:
        log.error("%s: %s", error.code, error)
        self._line.send(Fault(error.code, _words(error), n))
        return Exit.CAMERA_FAULT

    @contextmanager
    def _limit(
        self, code: FaultCode, why: str, n: int | None = None, seconds: float | None = None
    ) -> Iterator[None]:
        seconds = self._deadline + _GRACE_SECONDS if seconds is None else seconds
        with self._watchdog.limit(seconds, partial(self._give_up, code, why, n)):
            yield

    def _give_up(self, code: FaultCode, why: str, n: int | None) -> NoReturn:
        """In the watchdog's thread: the other one is stuck in the camera."""
        with suppress(OSError):
            self._line.send(Fault(code, why, n), wait=False)
        wipe_live_buffers()
        os._exit(Exit.HUNG)

    def _close(self) -> None:
        if self._sealer is not None:
            with self._limit(
                FaultCode.STOP_BLOCKED, "the camera cannot be stopped", None, _STOP_SECONDS
            ):
                self._camera.close()
            self._sealer.close()
        self._bits.close()
        self._line.leave()


def _words(error: WardsealError) -> str:
    """An error's text, as much of it as an order has room for."""
    return str(error).encode()[:_WORDS].decode(errors="ignore")


def _milliseconds(since: float) -> int:
    return round((time.monotonic() - since) * 1000)


def run(config: ApplianceConfig) -> int:
    """Build this role's parts and live; standard input is the connection to the panel.

    Returns an ``Exit`` code. Raises WardsealError when the environment is not fit for it.
    """
    memory.assert_allocator(os.environ)
    memory.harden_process()
    signal.signal(signal.SIGTERM, _terminated)
    # Loads the libraries, so that a missing one is said now and not under a nurse's hand.
    turbojpeg.bound(config.camera.width, config.camera.height)
    apriltag.library()
    doorkeeper = Doorkeeper(
        device=config.device.id,
        device_key=load_public(config.keys.public, "keys.public"),
        root=load_public(config.keys.root, "keys.root"),
        boot=boot_id(config.paths.boot_id),
        now=SystemClock().monotonic_ns,
    )
    sealer_for = partial(
        Sealer,
        sealing=config.paths.sealing,
        width=config.camera.width,
        height=config.camera.height,
        jpeg_quality=config.camera.quality,
        bed=config.device.bed,
        usual_size=config.spool.photo_mib * _MIB,
        alg=config.camera.content_alg,
        thresholds=config.quality,
    )
    return Darkroom(
        line=_standard_input(),
        camera=camera_of(config),
        doorkeeper=doorkeeper,
        sealer_for=lambda recipients: sealer_for(recipients=recipients),
        lookout=Lookout(patterns=Patterns(config.codes), read=reader.read),
        announce=partial(sight.hold, config.paths.sealing),
        deadline_seconds=config.camera.deadline_seconds,
    ).live()


def camera_of(config: ApplianceConfig) -> Camera:
    """Return the camera that the configuration names, closed."""
    settings = config.camera
    if settings.adapter == "simulated":
        from appliance.simulator.camera import SimulatedCamera

        return SimulatedCamera(
            width=settings.width,
            height=settings.height,
            rotation=settings.rotation,
            world_file=config.paths.world,
            production=config.paths.production,
        )
    from appliance.picamera import Picamera2Camera

    return Picamera2Camera(width=settings.width, height=settings.height, rotation=settings.rotation)


def _standard_input() -> Line:
    try:
        return Line(socket.socket(fileno=0))
    except (OSError, FormatError) as e:
        raise EnvironmentProblem(
            "a darkroom is started by its socket: standard input has to be the connection to the"
            " panel (Accept=yes, StandardInput=socket)"
        ) from e


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """Leave by the ordinary way, which wipes."""
    raise SystemExit(int(Exit.ENDED))
