"""Having parts of a picture taken out, by a process that has nothing to lose.

As with looking at a photo (gateway.decoding), nobody who has a key or a session decodes.
"""

import fcntl
import os
import re
import threading
from dataclasses import dataclass
from typing import Final, Self

from base.errors import WardsealError
from gateway.decoding import WORDS, Life
from gateway.sharing import redactor

MOST: Final = 40
_SECONDS: Final = 20.0
_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Each takes some nine bytes for every pixel; who else wants a copy waits for his turn."""
_WAITING: Final = threading.BoundedSemaphore(8)
"""With those at work: who waits keeps a worker thread, and every page needs one (of 40)."""
_TURN_SECONDS: Final = 10.0
_EDGES: Final = 2 * 1024 * 1024
_ZEROS: Final = bytes(1024 * 1024)
_OK: Final = re.compile(r"ok ([1-9][0-9]{0,4}) ([1-9][0-9]{0,4}) ([1-9][0-9]{0,8})")
_BOX: Final = re.compile(r"\s*,\s*".join([r"([0-9]{1,5})"] * 4))


class NotRedacted(WardsealError):
    """The picture could not be made anew."""


class Busy(NotRedacted):
    """Too many copies are being made at the moment; the same may work a moment later."""

    def __init__(self) -> None:
        super().__init__("others are having copies made; try again in a few seconds")


@dataclass(frozen=True)
class Box:
    """A part of a picture, in its pixels, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``x,y,width,height``. Raises NotRedacted."""
        match = _BOX.fullmatch(text.strip())
        if match is None or not (int(match[3]) and int(match[4])):
            raise NotRedacted(
                f"{text[:40]!r} is no part of a picture: use left,top,width,height in pixels"
            )
        return cls(*(int(number) for number in match.groups()))

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


@dataclass(frozen=True)
class Plan:
    """What is taken out: all but ``keep``, if it is given, and every box of ``black``."""

    keep: Box | None = None
    black: tuple[Box, ...] = ()

    @classmethod
    def of(cls, keep: str, black: str) -> Self:
        """Read what a form, an address or a command line says. Raises NotRedacted."""
        parts = [part for part in black.split(";") if part.strip()]
        if len(parts) > MOST:
            raise NotRedacted(f"at most {MOST} parts can be blacked out; make larger ones")
        boxes = tuple(Box.of(part) for part in parts)
        return cls(Box.of(keep) if keep.strip() else None, boxes)

    @property
    def words(self) -> str:
        """What was taken out, for the record of it."""
        parts = [f"{len(self.black)} blacked out"] if self.black else []
        return ", ".join([*parts, *(["cut"] if self.keep else [])]) or "nothing taken out"

    @property
    def blacked(self) -> str:
        return ";".join(map(str, self.black))


@dataclass(frozen=True)
class Redacted:
    """A JPEG that was made anew: the same plan for the same picture gives the same bytes."""

    jpeg: bytes
    width: int
    height: int


def redact(jpeg: memoryview, plan: Plan, *, pixels: int) -> Redacted:
    """Have a picture of at most ``pixels`` made anew.

    Raises NotRedacted, Busy when it is not its turn in time, EnvironmentProblem.
    """
    if not _WAITING.acquire(blocking=False):
        raise Busy
    try:
        if not _AT_ONCE.acquire(timeout=_TURN_SECONDS):
            raise Busy
        try:
            return _redact(jpeg, plan, pixels)
        finally:
            _AT_ONCE.release()
    finally:
        _WAITING.release()


def _redact(jpeg: memoryview, plan: Plan, pixels: int) -> Redacted:
    # What comes back stands in the same memory: three bytes a pixel, whole blocks, at the worst.
    room = max(len(jpeg), pixels * 3 + _EDGES)
    memory = os.memfd_create("redacted", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, room)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        at = 0
        while at < len(jpeg):
            at += os.pwrite(memory, jpeg[at:], at)
        keep = "" if plan.keep is None else str(plan.keep)
        life = Life(memory, room, pixels, redactor.BOOT, keep, plan.blacked)
        try:
            life.wait_until_ready()
            life.look(len(jpeg))
            line, _ = life.verdict(_SECONDS)
        finally:
            life.close()
        match = _OK.fullmatch(line)
        if match is None or int(match[3]) > room:
            why = WORDS.get(line, "its decoder came to no end")
            raise NotRedacted(f"the picture could not be made anew: {why}")
        return Redacted(os.pread(memory, int(match[3]), 0), int(match[1]), int(match[2]))
    finally:
        for at in range(0, room, len(_ZEROS)):
            os.pwrite(memory, _ZEROS[: room - at], at)
        os.close(memory)
