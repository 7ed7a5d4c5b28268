import ctypes
import fcntl
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from base.memory import (
    ALLOCATOR_ENV,
    AllocatorError,
    Buffer,
    Lock,
    assert_allocator,
    fill_random,
    wipe,
    wipe_file,
    wipe_live_buffers,
)

CHECK = """
import os
from base.memory import AllocatorError, assert_allocator
try:
    assert_allocator(os.environ)
except AllocatorError as e:
    print(e)
"""


def check(environment: dict[str, str], *options: str) -> str:
    """What assert_allocator says in a process started so; empty: all well."""
    plain = {k: v for k, v in os.environ.items() if k not in ALLOCATOR_ENV}
    return subprocess.run(
        [sys.executable, *options, "-c", CHECK],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_buffer_is_writable_zero_at_first_and_exactly_as_long_as_asked() -> None:
    with Buffer(5000) as buffer:
        assert len(buffer.view) == 5000
        assert not any(buffer.view)
        buffer.view[4999] = 7


def test_P3_closing_a_buffer_zeroes_it_even_for_those_who_still_hold_a_slice() -> None:
    buffer = Buffer(100)
    held = buffer.view[10:20]
    held[:] = b"plaintext!"
    buffer.close()
    buffer.close()
    assert bytes(held) == bytes(10)


def test_P3_an_exception_leaves_no_plaintext_in_the_buffer() -> None:
    held: list[memoryview] = []

    def work() -> None:
        with Buffer(10) as buffer:
            held.append(buffer.view[:])
            held[0][:] = b"plaintext!"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert bytes(held[0]) == bytes(10)


def test_wiping_what_was_used_leaves_the_rest() -> None:
    with Buffer(4) as buffer:
        buffer.view[:] = b"abcd"
        buffer.wipe(2)
        assert bytes(buffer.view) == b"\0\0cd"


def test_every_live_buffer_can_be_wiped_at_once() -> None:
    with Buffer(4) as one, Buffer(4) as two:
        one.view[:] = two.view[:] = b"abcd"
        wipe_live_buffers()
        assert bytes(one.view) + bytes(two.view) == bytes(8)


def test_a_buffer_stays_out_of_core_dumps() -> None:
    with Buffer(mmap.PAGESIZE) as buffer:
        buffer.view[0] = 1
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer.view))
        assert "dd" in _flags_of(address)


def test_a_key_s_buffer_is_locked_into_ram() -> None:
    with Buffer(32, lock=Lock.REQUIRED) as buffer:
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer.view))
        assert buffer.locked
        assert "lo" in _flags_of(address)


def _flags_of(address: int) -> list[str]:
    """The VmFlags of the mapping at this address (proc(5), smaps)."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, _, last = line.split()[0].partition("-")
        if last:
            inside = int(first, 16) <= address < int(last, 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError(f"no mapping at {address:x}")


def test_a_key_that_cannot_be_locked_is_refused_and_a_large_buffer_goes_without() -> None:
    program = """
import ctypes, os, resource, sys
if "limited" not in sys.argv:
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    ctypes.CDLL(None).prctl(24, 14, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_IPC_LOCK: holds after exec
    os.execv(sys.executable, [*sys.orig_argv, "limited"])
from base.memory import Buffer, Lock, LockError
print(Buffer(1 << 20, lock=Lock.WANTED).locked)
try:
    Buffer(32, lock=Lock.REQUIRED)
except LockError as e:
    print(e)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    locked, words = done.stdout.splitlines()
    assert locked == "False"
    assert words == (
        "memory for a key cannot be kept out of swap (Operation not permitted). Raise the limit of"
        " locked memory: LimitMEMLOCK= in the unit, ulimit -l in a shell"
    )


def test_wipe_zeroes_what_belongs_to_others() -> None:
    theirs = mmap.mmap(-1, 8192)
    theirs[:] = b"x" * 8192
    wipe(memoryview(theirs)[1:8191])
    assert theirs[:] == b"x" + bytes(8190) + b"x"
    plain = bytearray(b"secret")
    wipe(plain)
    assert plain == bytes(6)
    wipe(memoryview(bytearray()))


def test_wipe_refuses_what_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        wipe(memoryview(b"constant"))


def test_fill_random_fills_all_of_it() -> None:
    with Buffer(4096) as buffer:
        fill_random(buffer.view)
        assert len(set(buffer.view)) > 200
        assert any(buffer.view[-16:])


def test_a_wiped_file_is_gone_even_for_those_who_have_it_open(tmp_path: Path) -> None:
    path = tmp_path / "photo.cose"
    path.write_bytes(b"sealed")
    with path.open("rb") as reader:
        wipe_file(path)
        assert reader.read() == b""
    assert not path.exists()


def test_wiping_overwrites_before_it_cuts() -> None:
    # A file that may not shrink shows what was done to it until then.
    descriptor = os.memfd_create("photo", os.MFD_ALLOW_SEALING)
    size = 3_000_000
    os.write(descriptor, b"x" * size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    with pytest.raises(PermissionError):
        wipe_file(descriptor)
    assert os.pread(descriptor, size, 0) == bytes(size)
    os.close(descriptor)


def test_wipe_file_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"keep me")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        wipe_file(tmp_path / "link")
    assert (tmp_path / "target").read_bytes() == b"keep me"


def test_P3_the_allocator_settings_hold_in_a_process_started_with_them() -> None:
    assert check(dict(ALLOCATOR_ENV)) == ""


def test_P3_missing_allocator_settings_are_named_with_what_to_set() -> None:
    assert check({}) == (
        "PYTHONMALLOC is not set. Freed memory would keep parts of photos; start this process"
        " with PYTHONMALLOC=malloc"
    )
    tunables = ALLOCATOR_ENV["GLIBC_TUNABLES"]
    assert check({"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=165"}) == (
        "GLIBC_TUNABLES is 'glibc.malloc.perturb=165'. Freed memory would keep parts of photos;"
        f" start this process with GLIBC_TUNABLES={tunables}"
    )


def test_P3_settings_that_python_was_told_to_ignore_are_noticed() -> None:
    # -E makes Python ignore its own variable; PYTHONPATH goes with it, so the root is added.
    root = Path(__file__).parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r})\n{CHECK}"
    done = subprocess.run(
        [sys.executable, "-E", "-c", program],
        env={**os.environ, **ALLOCATOR_ENV},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (
        "PYTHONMALLOC is set but has no effect. Start Python without its options -E and -I"
    )


def test_P3_settings_that_glibc_ignores_are_noticed() -> None:
    # What a set-id program meets: the variable is there, the allocator never saw it.
    if all(os.environ.get(name) == value for name, value in ALLOCATOR_ENV.items()):
        pytest.skip("this very process has the settings")
    with pytest.raises(AllocatorError, match="GLIBC_TUNABLES is set but has no effect"):
        assert_allocator(ALLOCATOR_ENV)


def test_a_hardened_process_leaves_no_core_and_shows_itself_to_nobody() -> None:
    program = """
import ctypes, resource
from base.memory import harden_process
harden_process()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(0, 0) 0"
