"""Having a JPEG looked at by somebody who has nothing to lose.

A decoder of pictures is where hostile bytes become hostile code. So the gateway never decodes:
it hands each photo to a fresh process of gateway.decoder, which has no key, no file and no
network. It believes one line of it, and takes a small picture for lists. Decoders are started
ahead of time, for starting one takes as long as looking at a photo, and each dies with its photo.
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.errors import EnvironmentProblem, WardsealError
from base.memory import ALLOCATOR_ENV
from base.turbojpeg import plane_sizes
from gateway.decoder import SHRINK, small_room

WORDS: Final = {
    "no-jpeg": "it is not a JPEG",
    "cut-off": "the JPEG is cut off",
    "segment": "the JPEG holds something that our devices do not write",
    "trailing": "something follows the end of the JPEG",
    "too-large": "the picture has more pixels than allowed",
    "undecodable": "the JPEG cannot be decoded",
}
BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    "from gateway import decoder; decoder.life(sys.argv[1:])"
)
"""What a decoder runs: isolated Python (-I -S) knows no folder but the one it is told."""

_ROOT: Final = Path(__file__).resolve().parent.parent
_OK: Final = re.compile(r"ok ([1-9][0-9]{0,4}) ([1-9][0-9]{0,4})")
_READY: Final = "ready"
_START_SECONDS: Final = 10.0
_LONGEST_LINE: Final = 600
_WIPE_SECONDS: Final = 0.5
_ZEROS: Final = bytes(1024 * 1024)


class Undecodable(WardsealError):
    """The photo is no picture of ours. ``alarm``: looking at it ended as only attacks do."""

    def __init__(self, why: str, *, alarm: bool = False) -> None:
        super().__init__(why)
        self.alarm = alarm


@dataclass(frozen=True)
class Picture:
    """A JPEG that decodes from first byte to last, in pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Small:
    """A picture an eighth as wide and high: planes Y, U, V in one, 4:2:0, rows without padding."""

    width: int
    height: int
    planes: bytearray


class Decoders:
    """A few decoders that wait, each for one photo. Used by one thread at a time.

    ``room``: bytes of the largest JPEG; ``pixels``: of the largest picture; ``seconds``: what
    one look may take; ``boot``: what a decoder runs, for the tests of its walls.

    All are shown their photo in the same memory, one after the other: whoever has seen a photo
    is dead, and the photo wiped, before the next is put there.
    """

    def __init__(
        self, *, room: int, pixels: int, seconds: float, ahead: int = 2, boot: str = BOOT
    ) -> None:
        self._room, self._pixels, self._seconds = room, pixels, seconds
        self._ahead, self._boot = ahead, boot
        self._waiting: deque[Life] = deque()
        self._spent: Life | None = None
        self._shown = 0
        self._memory = os.memfd_create("photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._memory, room)
        # Nobody can cut the memory short under another, which would be a SIGBUS.
        fixed = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self._memory, fcntl.F_ADD_SEALS, fixed)

    def check(self) -> None:
        """Raise EnvironmentProblem unless a decoder starts here and can be shut in."""
        self.refill()
        self._waiting[0].wait_until_ready()

    def show(self, jpeg: memoryview) -> Callable[[], Picture]:
        """Give the JPEG to a decoder, and return what to call for its verdict.

        The call waits for it, and returns a Picture or raises Undecodable. Call ``bury`` soon
        after, and ``refill`` when there is time.
        """
        if len(jpeg) > self._room:
            raise Undecodable(WORDS["too-large"])
        self.bury()
        self._spent = life = self._waiting.popleft()
        life.wait_until_ready()
        # It may put the small picture in place of the JPEG, which may be shorter.
        self._shown = min(self._room, max(len(jpeg), small_room(self._pixels)))
        at = 0
        while at < len(jpeg):
            at += os.pwrite(self._memory, jpeg[at:], at)
        life.look(len(jpeg))
        return lambda: _understand(*life.verdict(self._seconds))

    def small(self, picture: Picture) -> Small:
        """Return the small picture of the one that has just been looked at, until ``bury``."""
        width, height = -(-picture.width // SHRINK), -(-picture.height // SHRINK)
        sizes = plane_sizes(width, height)
        planes = bytearray(sum(across * down for across, down in sizes))
        os.preadv(self._memory, [planes], 0)
        return Small(width, height, planes)

    def bury(self) -> None:
        """See the spent one gone, wipe what it was shown, and never be without a next one."""
        self._end_spent()
        if not self._waiting:
            self._waiting.append(self._start())

    def refill(self) -> None:
        """Bury, and start who else is missing, without waiting for it."""
        self.bury()
        while len(self._waiting) < self._ahead:
            self._waiting.append(self._start())

    def close(self) -> None:
        """End them all."""
        self._end_spent()
        while self._waiting:
            self._waiting.popleft().close()
        os.close(self._memory)

    def _end_spent(self) -> None:
        if self._spent is not None:
            self._spent.close()
            self._spent = None
        for at in range(0, self._shown, len(_ZEROS)):
            os.pwrite(self._memory, _ZEROS[: self._shown - at], at)
        self._shown = 0

    def _start(self) -> "Life":
        return Life(self._memory, self._room, self._pixels, self._boot)


def _understand(line: str, ended: int) -> Picture:
    """Take a decoder's one line for what it may be, and for nothing else."""
    if match := _OK.fullmatch(line):
        return Picture(int(match[1]), int(match[2]))
    if line in WORDS:
        raise Undecodable(WORDS[line])
    if ended == -signal.SIGSYS:
        raise Undecodable("its decoder tried what no decoder does, and was ended", alarm=True)
    if ended == -signal.SIGKILL:
        raise Undecodable("its decoder came to no end, and was ended", alarm=True)
    raise Undecodable("its decoder gave no verdict", alarm=True)


class Life:
    """One decoder process; ``memory`` is where it will be shown a photo.

    ``more`` is what else it is told at its start.
    """

    def __init__(self, memory: int, room: int, pixels: int, boot: str, *more: str) -> None:
        arguments = [str(_ROOT), str(memory), str(room), str(pixels), *more]
        self._ready = self._answered = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", boot, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A second arena, for a second thread, would take a call that the walls forbid.
            env={"GLIBC_TUNABLES": ALLOCATOR_ENV["GLIBC_TUNABLES"] + ":glibc.malloc.arena_max=1"},
            cwd="/",
            bufsize=0,
            pass_fds=(memory,),
        )

    def wait_until_ready(self) -> None:
        """Return when it has shut itself in; raise EnvironmentProblem if it cannot."""
        if self._ready:
            return
        line = self._line(_START_SECONDS)
        if line != _READY:
            why = line.removeprefix("cannot: ") or "it ended before it was ready"
            raise EnvironmentProblem(f"photos cannot be looked at, no decoder starts: {why}")
        self._ready = True

    def look(self, size: int) -> None:
        """Tell it that a JPEG of so many bytes is there now."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(size.to_bytes(8, "big"))

    def verdict(self, seconds: float) -> tuple[str, int]:
        """Return its one line and, when there is none, how it ended."""
        line = self._line(seconds)
        self._answered = bool(line)
        return line, 0 if line else self._process.wait()

    def _line(self, seconds: float) -> str:
        """Read one line without its end; "" when there is none by the deadline (then kill)."""
        assert self._process.stdout is not None
        poll, end, got = select.poll(), time.monotonic() + seconds, b""
        poll.register(self._process.stdout, select.POLLIN)
        while len(got) < _LONGEST_LINE:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                break
            piece = os.read(self._process.stdout.fileno(), _LONGEST_LINE)
            if not piece:
                return ""
            got += piece
            if got.endswith(b"\n"):
                return got[:-1].decode("ascii", "replace")
        self._process.kill()
        return ""

    def close(self) -> None:
        """End the process for sure; one that has given its verdict may wipe what it saw first."""
        if self._answered:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_WIPE_SECONDS)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
