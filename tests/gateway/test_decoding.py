"""Attack row: bombs, polyglots, truncated and hostile JPEGs meet a decoder that can do nothing."""

import io
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from base.errors import EnvironmentProblem
from gateway import markers
from gateway.decoding import BOOT, WORDS, Decoders, Picture, Undecodable
from tests.gateway.bedside import jpeg

ROOM = 4 * 1024 * 1024
WIDTH, HEIGHT = 320, 240
OURS = jpeg(WIDTH, HEIGHT, whole=True)
SMALL_BYTES = WIDTH // 8 * HEIGHT // 8 * 3 // 2
SCAN = OURS.index(b"\xff\xda")
BANDS = jpeg(WIDTH, HEIGHT)
CUT = BANDS.index(b"\xff\xd0")
INTERVAL = BANDS.index(b"\xff\xdd") + 4


def look(decoders: Decoders, data: bytes) -> Picture:
    try:
        return decoders.show(memoryview(bytearray(data)))()
    finally:
        decoders.refill()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(room=ROOM, pixels=1_000_000, seconds=10)
    yield made
    made.close()


def pillow(mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    image = Image.frombytes("RGB", (64, 48), os.urandom(64 * 48 * 3)).convert(mode)
    image.save(out, "JPEG", **options)
    return out.getvalue()


def with_segment(marker: int, body: bytes, before: bytes = b"\xff\xdb") -> bytes:
    at = OURS.index(before)
    segment = b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body
    return OURS[:at] + segment + OURS[at:]


def with_size(width: int, height: int) -> bytes:
    at = OURS.index(b"\xff\xc0") + 5
    return OURS[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + OURS[at + 4 :]


def with_thumbnail() -> bytes:
    jfif = OURS.index(b"JFIF")
    return OURS[: jfif + 12] + b"\x01\x01" + OURS[jfif + 14 :]


HOSTILE = {
    "nothing": (b"", "no-jpeg"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "no-jpeg"),
    "a script": (b"#!/bin/sh\nrm -rf /\n", "no-jpeg"),
    "two bytes": (b"\xff\xd8", "no-jpeg"),
    "EXIF": (with_segment(0xE1, b"Exif\0\0" + bytes(40)), "segment"),
    "an ICC profile": (with_segment(0xE2, b"ICC_PROFILE\0" + bytes(40)), "segment"),
    "a comment": (with_segment(0xFE, b"<script>alert(1)</script>"), "segment"),
    "a thumbnail": (with_thumbnail(), "segment"),
    "restart intervals": (with_segment(0xDD, b"\0\x04", b"\xff\xda"), "segment"),
    "progressive": (pillow(progressive=True), "segment"),
    "4:4:4": (pillow(subsampling=0), "segment"),
    "grey": (pillow("L"), "segment"),
    "CMYK": (pillow("CMYK"), "segment"),
    "two frames": (with_segment(0xC0, OURS[OURS.index(b"\xff\xc0") + 4 :][:15]), "segment"),
    "an interval of nothing": (BANDS[:INTERVAL] + b"\0\0" + BANDS[INTERVAL + 2 :], "segment"),
    "an interval that is another": (
        BANDS[:INTERVAL] + (7 * 20).to_bytes(2, "big") + BANDS[INTERVAL + 2 :],
        "undecodable",
    ),
    "an interval of half a row": (
        BANDS[:INTERVAL] + (8 * 20 - 10).to_bytes(2, "big") + BANDS[INTERVAL + 2 :],
        "segment",
    ),
    "an interval of the whole picture": (
        BANDS[:INTERVAL] + (15 * 20).to_bytes(2, "big") + BANDS[INTERVAL + 2 :],
        "segment",
    ),
    "a broken lower band": (BANDS[: CUT + 500] + bytes(500) + BANDS[CUT + 1000 :], "undecodable"),
    "a lower band cut short": (BANDS[: CUT + 500] + b"\xff\xd9", "undecodable"),
    "an upper band cut short": (BANDS[: CUT - 500] + BANDS[CUT:], "undecodable"),
    "a restart without an interval": (OURS[:SCAN] + BANDS[BANDS.index(b"\xff\xda") :], "segment"),
    "another restart": (BANDS[:CUT] + b"\xff\xd1" + BANDS[CUT + 2 :], "segment"),
    "two restarts": (BANDS[:CUT] + b"\xff\xd0" + BANDS[CUT:], "segment"),
    "three bands": (BANDS[:-2] + b"\xff\xd1" + BANDS[-60:], "segment"),
    "a zip behind two bands": (BANDS + b"PK\x05\x06" + bytes(18), "trailing"),
    "an interval twice": (
        BANDS[: INTERVAL - 4] + b"\xff\xdd\0\x04\0\x50" + BANDS[INTERVAL - 4 :],
        "segment",
    ),
    "a zip behind the end": (OURS + b"PK\x05\x06" + bytes(18), "trailing"),
    "a JPEG behind the end": (OURS + OURS, "trailing"),
    "one byte behind the end": (OURS + b"\0", "trailing"),
    "a marker in the scan": (OURS[: SCAN + 60] + b"\xff\xe1" + OURS[SCAN + 62 :], "segment"),
    "no end": (OURS[:-2], "cut-off"),
    "cut off in the tables": (OURS[: SCAN - 40], "cut-off"),
    "a length beyond the file": (OURS[:4] + b"\xff\xff" + OURS[6:900], "cut-off"),
    "a length of nothing": (OURS[:4] + b"\0\0" + OURS[6:], "cut-off"),
    "a bomb by its word": (with_size(65_000, 65_000), "too-large"),
    "a bomb within the side limit": (with_size(16_000, 16_000), "too-large"),
    "no pixels": (with_size(0, 240), "too-large"),
    "less scan than it claims": (with_size(960, 720), "undecodable"),
    "more scan than it claims": (with_size(160, 120), "undecodable"),
    "half a scan": (
        OURS[: SCAN + (len(OURS) - SCAN) // 2].rstrip(b"\xff") + b"\xff\xd9",
        "undecodable",
    ),
}


@pytest.mark.parametrize("data", [OURS, BANDS], ids=["whole", "in two bands"])
def test_what_our_device_writes_is_a_picture(decoders: Decoders, data: bytes) -> None:
    assert look(decoders, data) == Picture(WIDTH, HEIGHT)


@pytest.mark.parametrize("height", [48, 50, 240, 242, 246])
def test_two_bands_are_the_same_small_picture_as_the_whole(decoders: Decoders, height: int) -> None:
    found = []
    for data in (jpeg(130, height, whole=True), jpeg(130, height)):
        picture = decoders.show(memoryview(bytearray(data)))()
        found.append(decoders.small(picture))
        decoders.refill()
    assert found[0] == found[1]


def test_a_picture_can_be_had_small_while_it_is_here(decoders: Decoders) -> None:
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120)).save(out, "JPEG", subsampling="4:2:0")
    picture = decoders.show(memoryview(bytearray(out.getvalue())))()
    small = decoders.small(picture)
    decoders.refill()
    assert (small.width, small.height) == (WIDTH // 8, HEIGHT // 8)
    assert len(small.planes) == SMALL_BYTES
    assert set(small.planes[: WIDTH * HEIGHT // 64]) == {120}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_jpeg_is_named_and_not_decoded(decoders: Decoders, name: str) -> None:
    data, code = HOSTILE[name]
    with pytest.raises(Undecodable) as caught:
        look(decoders, data)
    assert (str(caught.value), caught.value.alarm) == (WORDS[code], False)


def test_a_jpeg_larger_than_its_memory_is_not_shown_at_all(decoders: Decoders) -> None:
    with pytest.raises(Undecodable, match=WORDS["too-large"]):
        look(decoders, OURS + bytes(ROOM))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_jpeg_never_does_more_than_be_refused(
    decoders: Decoders, data: st.DataObject
) -> None:
    damaged = bytearray(data.draw(st.sampled_from([OURS, BANDS])))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert look(decoders, bytes(damaged)) == Picture(WIDTH, HEIGHT)
    except Undecodable as e:
        assert str(e) in WORDS.values()
        assert not e.alarm


@given(st.binary(max_size=400))
def test_the_walk_names_what_is_wrong_with_any_bytes(tail: bytes) -> None:
    with pytest.raises(markers.NotOurs) as caught:
        markers.walk(b"\xff\xd8" + tail, 2 + len(tail))
    assert caught.value.code in WORDS


def test_the_walk_reads_no_further_than_the_size_it_is_told() -> None:
    memory = mmap.mmap(-1, len(OURS) + 100)
    memory[: len(OURS)] = OURS
    assert markers.walk(memory, len(OURS)) == markers.Form(WIDTH, HEIGHT, None)
    with pytest.raises(markers.NotOurs):
        markers.walk(memory, len(OURS) - 1)


# -- the walls ------------------------------------------------------------------------------------

PROBE = """
import sys; sys.path.insert(0, sys.argv.pop(1))
import ctypes, mmap, os, signal, socket
from gateway import decoder
libc = ctypes.CDLL(None)
parent, here, home = os.getppid(), os.getpid(), sys.path[0]
def look(jpeg, size, pixels):
    {attempt}
    return "ok 1 1"
{start}
"""
SHUT_IN = "decoder.life(sys.argv[1:], look=look)"
IN_THE_OPEN = """
import sys
os.write(1, b"ready\\n"); os.read(0, 8); os.write(1, look(None, 0, 0).encode() + b"\\n")
"""


def inside(attempt: str, start: str = SHUT_IN, *, seconds: float = 10) -> Picture:
    """Run ``attempt`` where hostile code would run, and return or raise what the gateway does."""
    boot = PROBE.format(attempt=attempt, start=start)
    probed = Decoders(room=ROOM, pixels=1_000_000, seconds=seconds, ahead=1, boot=boot)
    try:
        return look(probed, OURS)
    finally:
        probed.close()


FORBIDDEN = {
    "open a file": "os.open(home, os.O_RDONLY)",
    "create a file": "os.open('/dev/shm/ws-probe', os.O_CREAT | os.O_WRONLY)",
    "list a folder": "os.listdir('/')",
    "look at a file": "os.stat('/etc/passwd')",
    "make an internet socket": "socket.socket(socket.AF_INET)",
    "make a local socket": "socket.socket(socket.AF_UNIX)",
    "become another program": "os.execv('/bin/true', ['true'])",
    "start a process": "os.fork()",
    "start a thread": "__import__('threading').Thread(target=int).start()",
    "signal the gateway": "os.kill(parent, 0)",
    "trace the gateway": "libc.ptrace(16, parent, 0, 0)",
    "read the gateway's memory": "libc.process_vm_readv(parent, 0, 0, 0, 0, 0)",
    "map executable memory": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    "make memory executable": "libc.mprotect(0, 4096, 5)",
    "map a file": "libc.mmap(0, 4096, 1, 2, 0, 0)",
    "raise its limits": "__import__('resource').getrlimit(0)",
    "change its walls": "libc.prctl(4, 1, 0, 0, 0)",
    "make a memory file": "os.memfd_create('x')",
    "ask for an io_uring": "libc.syscall(425, 1, 0)",
}


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_the_decoder_dies_at_the_first_call_it_has_no_use_for(attempt: str) -> None:
    with pytest.raises(Undecodable) as caught:
        inside(FORBIDDEN[attempt])
    assert str(caught.value) == "its decoder tried what no decoder does, and was ended"
    assert caught.value.alarm


@pytest.mark.parametrize("attempt", ["open a file", "make an internet socket", "look at a file"])
def test_the_same_attempts_succeed_where_there_are_no_walls(attempt: str) -> None:
    assert inside(FORBIDDEN[attempt], IN_THE_OPEN) == Picture(1, 1)


def test_the_decoder_has_no_open_files_and_no_environment() -> None:
    attempt = """
    for fd in range(2, 64):
        try:
            os.read(fd, 1)
        except OSError as e:
            assert e.errno == 9, (fd, e)
        else:
            return "open"
    assert set(os.environ) <= {"GLIBC_TUNABLES", "LC_CTYPE"}, os.environ
"""
    assert inside(attempt.strip()) == Picture(1, 1)


def test_a_decoder_that_takes_all_memory_dies_alone() -> None:
    with pytest.raises(Undecodable) as caught:
        inside("return f'ok {len(bytearray(1 << 30)) >> 30} 1'")
    assert caught.value.alarm


def test_as_much_memory_is_no_trouble_where_there_are_no_walls() -> None:
    attempt = "return f'ok {len(bytearray(1 << 30)) >> 30} 1'"
    assert inside(attempt, IN_THE_OPEN) == Picture(1, 1)


def test_a_decoder_that_never_ends_is_ended() -> None:
    with pytest.raises(Undecodable, match="came to no end, and was ended") as caught:
        inside("while True: pass", seconds=0.3)
    assert caught.value.alarm


@pytest.mark.parametrize(
    "lie", ["ok 0 5", "ok 99999999 1", "ok 1 1 1", "OK 1 1", "", "x" * 5000, "ok 1 1\\nok 2 2"]
)
def test_a_decoder_is_believed_one_line_and_only_if_it_may_say_so(lie: str) -> None:
    with pytest.raises(Undecodable, match="gave no verdict"):
        inside(f"return '{lie}'")


def test_a_decoder_that_floods_is_ended() -> None:
    with pytest.raises(Undecodable):
        inside("while True: os.write(1, b'x' * 4096)", seconds=2)


def without_library(name: str) -> str:
    return BOOT.replace("decoder.life", f"decoder.sandbox.LIBRARY = {name!r}; decoder.life")


def test_there_is_no_decoding_without_seccomp() -> None:
    unconfined = Decoders(
        room=ROOM, pixels=1000, seconds=10, boot=without_library("libnowhere.so.9")
    )
    try:
        with pytest.raises(EnvironmentProblem) as caught:
            unconfined.show(memoryview(bytearray(OURS)))
        assert str(caught.value) == (
            "photos cannot be looked at, no decoder starts: libnowhere.so.9 is missing, and"
            " photos are not decoded without it; install the package libseccomp2"
        )
    finally:
        unconfined.close()


def test_the_kernel_confirms_the_walls_of_a_waiting_decoder() -> None:
    waiting = Decoders(room=ROOM, pixels=1000, seconds=10, ahead=1)
    try:
        waiting.check()
        pid = waiting._waiting[0]._process.pid
        threads = [*Path(f"/proc/{pid}/task").iterdir()]
        assert len(threads) == 2
        for thread in threads:
            status = (thread / "status").read_text()
            assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    finally:
        waiting.close()


def test_P3_each_photo_has_a_decoder_of_its_own_and_is_wiped_after_it(
    decoders: Decoders,
) -> None:
    pids = []
    for _ in range(3):
        verdict = decoders.show(memoryview(bytearray(OURS)))
        assert decoders._spent is not None
        process = decoders._spent._process
        pids.append(process.pid)
        small = SMALL_BYTES  # in their place the small picture may stand by now
        assert os.pread(decoders._memory, len(OURS) - small, small) == OURS[small:]
        verdict()
        decoders.refill()
        assert process.returncode is not None
        assert os.pread(decoders._memory, len(OURS), 0) == bytes(len(OURS))
    assert len(set(pids)) == 3


def test_a_seen_photo_is_gone_before_the_next_is_shown_even_without_a_rest(
    decoders: Decoders,
) -> None:
    decoders.show(memoryview(bytearray(OURS)))()
    small = jpeg(64, 48)
    verdict = decoders.show(memoryview(bytearray(small)))
    rest = bytes(len(OURS) - len(small))
    assert os.pread(decoders._memory, len(rest), len(small)) == rest
    assert verdict() == Picture(64, 48)
    decoders.refill()


def test_every_word_a_decoder_may_say_is_tried_above() -> None:
    assert WORDS.keys() == {code for _, code in HOSTILE.values()}
