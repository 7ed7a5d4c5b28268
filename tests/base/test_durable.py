"""Durable writing: the order of the system calls, and what is on disk after every kind of end."""

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from base.durable import fsync_dir, write_all, write_atomic
from tests.waiting import until

OLD, NEW = b"old " * 1000, b"new " * 100_000


def system_calls(action: Callable[[], object]) -> list[str]:
    """The functions of ``os`` that ``action`` called, in order, as the interpreter saw them."""
    watched = {os.open: "open", os.write: "write", os.fsync: "fsync", os.rename: "rename"}
    seen: list[str] = []

    def notice(_: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function in watched:
            seen.append(watched[function])

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        action()
    finally:
        sys.setprofile(before)
    return seen


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "keyset.cose"
    write_atomic(path, OLD)
    write_atomic(path, memoryview(NEW))
    assert path.read_bytes() == NEW
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_its_name_and_the_name_before_the_return(tmp_path: Path) -> None:
    calls = system_calls(lambda: write_atomic(tmp_path / "a", b"x"))
    assert calls == ["open", "write", "fsync", "rename", "open", "fsync"]


def test_on_a_tmpfs_nothing_waits_for_a_disk(tmp_path: Path) -> None:
    calls = system_calls(lambda: write_atomic(tmp_path / "a", b"x", durable=False))
    assert calls == ["open", "write", "rename"]


def test_a_file_is_private_unless_said_otherwise(tmp_path: Path) -> None:
    private, shared = tmp_path / "private", tmp_path / "shared"
    before = os.umask(0o022)
    try:
        write_atomic(private, b"x")
        write_atomic(shared, b"x", mode=0o640)
    finally:
        os.umask(before)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.stat().st_mode) == 0o640


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "a"
    victim.write_bytes(OLD)
    (tmp_path / "a.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomic(path, NEW)
    assert victim.read_bytes() == OLD
    assert not path.exists()


def test_what_an_earlier_crash_left_behind_does_not_shine_through(tmp_path: Path) -> None:
    (tmp_path / "a.new").write_bytes(NEW)
    write_atomic(tmp_path / "a", b"short")
    assert (tmp_path / "a").read_bytes() == b"short"


def test_a_full_disk_leaves_the_old_content_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, OLD)
    with at_most(len(OLD) + 1), pytest.raises(OSError, match="File too large"):
        write_atomic(path, NEW)
    assert path.read_bytes() == OLD


REWRITE = """
import sys
from pathlib import Path
from base.durable import write_atomic
path, letters = Path(sys.argv[1]), [b"a", b"b"]
while True:
    for letter in letters:
        write_atomic(path, letter * 300_000, durable=False)
"""


def test_P5_a_kill_at_any_moment_leaves_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    root = Path(__file__).parents[2]
    for _ in range(8):
        path.unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", REWRITE, str(path)], cwd=root)
        try:
            until(path.exists, 20, "the writer's first file")
            seen = {path.read_bytes() for _ in range(20)}  # a reader beside it, all along
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        seen.add(path.read_bytes())
        assert seen <= {b"a" * 300_000, b"b" * 300_000}


@pytest.mark.parametrize(
    "data",
    [memoryview(NEW[:4000]), memoryview(NEW[:4000]).cast("I")],
    ids=["bytes", "four bytes each"],
)
def test_write_all_goes_on_where_the_system_stopped_early(tmp_path: Path, data: memoryview) -> None:
    """At the limit the first write stops short without an error; only the next one has it."""
    with (tmp_path / "a").open("wb", buffering=0) as file, at_most(1000):

        def write() -> None:
            with pytest.raises(OSError, match="File too large"):
                write_all(file.fileno(), data)

        assert system_calls(write) == ["write", "write"]


def test_a_folder_that_is_a_file_cannot_be_made_durable(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        fsync_dir(tmp_path / "a")
