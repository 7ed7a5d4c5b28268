"""Writing so that it survives a power cut: the new whole, or the old whole, never a part."""

import os
from pathlib import Path


def fsync_dir(path: Path) -> None:
    """Make the names in ``path`` (a rename, a new file, an unlink) survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of ``data``; ``os.write`` alone may stop early."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomic(
    path: Path,
    data: bytes | bytearray | memoryview,
    *,
    mode: int = 0o600,
    durable: bool = True,
) -> None:
    """Replace ``path`` by ``data`` in one step.

    ``durable=False`` leaves out the two fsyncs, for a tmpfs, where they would mean nothing.
    A reader sees the old content or the new, and a crash leaves at worst a stray ``.new``.
    """
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(fresh, path)
    if durable:
        fsync_dir(path.parent)
