"""Whether a camera may be seeing somebody, as only the kernel can know it.

The lamp follows the darkroom, and the panel knows of its darkroom by a connection. When the panel
itself dies, the connection goes with it; a darkroom whose camera hangs may outlive both, with its
camera on. So a darkroom holds a lock on its room from before the camera opens until the kernel
has ended the process, whatever state that process is in, and a panel that starts looks there
before it believes that the lamp may be dark (P2).

The lock is on the folder itself: no file has to be made or removed, and any number of readers
may hold it.
"""

import fcntl
import os
from pathlib import Path


def hold(room: Path) -> None:
    """Hold ``room`` until this process is no more; OSError when it cannot be opened."""
    descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # Never closed: only the end of the process ends what this stands for.
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def is_held(room: Path) -> bool:
    """Say whether a darkroom that has opened its camera is still there."""
    descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
