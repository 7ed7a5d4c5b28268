"""A doorbell between two processes of one machine: one byte, whose content means nothing.

It only saves polling. What there is to be done lies in directories, and whoever hears the bell
looks there; so a bell that is lost, doubled or rung by a stranger changes nothing but the time.
"""

import contextlib
import logging
import socket
from pathlib import Path

log = logging.getLogger(__name__)


def hang(path: Path) -> socket.socket:
    """Hang up our bell: a non-blocking socket to be watched for reading."""
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        bell.setblocking(False)
        bell.bind(str(path))
        # Whoever the folder lets in may ring, whatever our umask: a ring means nothing by itself.
        path.chmod(0o660)
    except OSError:
        bell.close()
        raise
    return bell


def is_heard(path: Path) -> bool:
    """Whether somebody listens at ``path``; it costs one ring, which means nothing.

    OSError when we may not ring there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(b"!", str(path))
        except BlockingIOError:
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def hush(bell: socket.socket) -> None:
    """Take every ring that has come, before looking at what they were about."""
    with contextlib.suppress(BlockingIOError):
        while True:
            bell.recv(16)


def ring(path: Path) -> None:
    """Wake the other process if it listens; it looks around by itself if it does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(b"!", str(path))
        except OSError as error:
            log.debug("nobody hears the bell at %s: %s", path.name, error.strerror)
