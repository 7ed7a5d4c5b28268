"""The darkroom as a process: what it does, what it refuses, how it ends."""

import io
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from appliance.darkroom import Exit
from appliance.orders import (
    VIEW_BYTES,
    Capture,
    FaultCode,
    Health,
    Idle,
    Open,
    Ready,
    Refused,
    Verdict,
)
from base.memory import ALLOCATOR_ENV
from tests.appliance.bedside import HEIGHT, WIDTH, Bedside
from tests.waiting import until
from wire import envelope
from wire.events import Level

SMALL = (1014, 760)


@pytest.fixture
def bedside(tmp_path: Path) -> Bedside:
    """A device with a small sensor, for the sake of the tests' time."""
    return Bedside(tmp_path, size=SMALL)


def test_a_consent_and_two_captures_make_two_photos_that_the_hospital_can_open(
    tmp_path: Path,
) -> None:
    bedside = Bedside(tmp_path)
    with bedside.start() as life:
        consent = bedside.open(life)
        photos = [bedside.take(life, consent) for _ in range(2)]
        assert life.end() == Exit.ENDED
    for sealed in photos:
        content = bedside.opened(sealed)
        assert content.private.bed == "W3-12"
        assert content.private.quality["poor"] == []
        with Image.open(io.BytesIO(content.jpeg)) as picture:
            picture.load()
            assert picture.size == (WIDTH, HEIGHT)
            assert picture.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert sealed.stages_us.keys() == {
            *("expose", "encode", "verdict", "label", "seal", "store", "wipe", "all")
        }
    assert sorted(p.name for p in bedside.sealing.iterdir()) == sorted(s.name for s in photos)


def test_the_envelope_says_exactly_what_the_panel_ordered(bedside: Bedside) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        intent = bedside.intent(consent)
        header = bedside.header(consent, intent)
        life.line.send(Capture(intent.raw, header))
        life.expect(Verdict)
        found = envelope.parse((bedside.sealing / bedside.sealed(life).name).read_bytes())
        life.end()
    ordered = {name: getattr(found.header, name) for name in header}
    assert ordered == header
    assert envelope.names_recipients(found, bedside.keyset.keyset.recipients)


def test_photos_ordered_in_a_burst_are_all_taken_in_order(bedside: Bedside) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        ordered = [bedside.order(life, consent) for _ in range(4)]
        done = []
        for _ in ordered:
            life.expect(Verdict)
            done.append(bedside.sealed(life).n)
        assert done == ordered
        assert life.end() == Exit.ENDED


def test_the_viewfinder_runs_while_the_camera_is_open(bedside: Bedside) -> None:
    with bedside.start() as life:
        bedside.open(life)
        started = time.monotonic()
        views = [life.wait_for_view() for _ in range(3)]
        assert time.monotonic() - started < 2
        assert all(len(view) == VIEW_BYTES and any(view) for view in views)
        life.end()


def test_P2_an_idle_darkroom_has_opened_no_camera(bedside: Bedside) -> None:
    # This world would make opening the camera a fault that is reported.
    bedside.world.unplug()
    with bedside.start() as life:
        life.expect(Idle)
        assert life.end() == Exit.ENDED


def test_an_idle_darkroom_says_what_the_camera_lacks_and_when_it_is_back(bedside: Bedside) -> None:
    bedside.world.unplug()
    words = "no camera was found: check both ends of its ribbon cable (simulated)"
    with bedside.start() as life:
        idle = life.expect(Idle)
        assert (idle.missing, idle.why) == (FaultCode.NO_CAMERA, words)
        bedside.world.mend()
        assert life.expect(Health) == Health()
        bedside.world.lock_away()
        assert life.expect(Health).missing is FaultCode.NOT_PERMITTED
        assert life.end() == Exit.ENDED


def test_the_darkroom_names_its_own_pid(bedside: Bedside) -> None:
    with bedside.start() as life:
        assert life.expect(Idle).pid == life.process.pid
        life.end()


def test_P1_a_consent_that_is_refused_opens_no_camera_and_ends_the_darkroom(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        life.expect(Idle)
        stale = bedside.consent(mono_ns=0)
        life.line.send(Open(stale.raw, bedside.keyset.raw))
        refused = life.expect(Refused)
        assert refused == Refused("the CONSENT entry is not of the last 10 seconds")
        assert life.ended() == Exit.REFUSED


def test_P1_a_capture_without_consent_gives_no_frame_and_ends_the_darkroom(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        life.expect(Idle)
        bedside.order(life, bedside.consent())
        assert life.expect(Refused) == Refused("there is no consent for a photo")
        assert life.ended() == Exit.REFUSED
    assert list(bedside.sealing.iterdir()) == []


def test_P1_an_intent_that_is_refused_leaves_no_file_and_ends_the_darkroom(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        bedside.open(life)
        bedside.order(life, bedside.consent())
        assert life.expect(Refused) == Refused("the intent names another consent")
        assert life.ended() == Exit.REFUSED
    assert list(bedside.sealing.iterdir()) == []


def test_teaching_given_in_the_window_holds_for_the_next_photo(bedside: Bedside) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        bedside.take(life, consent)
        teaching = bedside.consent(Level.TEACHING)
        intent = bedside.intent(teaching)
        header = bedside.header(teaching, intent)
        life.line.send(Capture(intent.raw, header, teaching.raw))
        life.expect(Verdict)
        found = envelope.parse((bedside.sealing / bedside.sealed(life).name).read_bytes())
        assert found.header.consent == teaching.digest
        life.end()


@pytest.mark.parametrize("packet", [b"\xff", b"\x82\x64idle\xa1\x63pid\x01"])
def test_P10_what_is_no_order_ends_the_darkroom(bedside: Bedside, packet: bytes) -> None:
    with bedside.start() as life:
        life.expect(Idle)
        life.line._connection.send(packet)
        assert "order" in life.expect(Refused).why
        assert life.ended() == Exit.REFUSED


def test_a_spool_without_room_is_refused_before_the_camera_opens(bedside: Bedside) -> None:
    bedside.world.unplug()
    bedside.sealing.rmdir()
    with bedside.start() as life:
        life.expect(Idle)
        life.line.send(Open(bedside.consent().raw, bedside.keyset.raw))
        assert life.expect(Refused).why == (
            "no file can be made for the sealed photo: No such file or directory"
        )
        assert life.ended() == Exit.REFUSED


ON_A_SMALL_TMPFS = """
import ctypes, runpy, sys
libc = ctypes.CDLL(None)
private, fresh = 0x44000, 0x20000  # MS_REC | MS_PRIVATE, CLONE_NEWNS: nobody else sees the mount
if libc.unshare(fresh) or libc.mount(b"none", b"/", None, private, None):
    sys.exit(99)
if libc.mount(b"none", {folder!r}, b"tmpfs", 0, b"size=1m"):
    sys.exit(99)
sys.argv[:] = ["appliance", "--role", "darkroom", "--config", sys.argv[1]]
runpy.run_module("appliance", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_P10_a_full_tmpfs_is_refused_before_the_camera_opens(bedside: Bedside) -> None:
    bedside.world.unplug()
    program = ON_A_SMALL_TMPFS.format(folder=os.fsencode(bedside.sealing))
    with bedside.start(program=("-c", program)) as life:
        idle = life.next()
        if idle is None and life.process.wait(10) == 99:
            pytest.skip("this container may not mount")
        life.line.send(Open(bedside.consent().raw, bedside.keyset.raw))
        assert life.expect(Refused) == Refused(
            "no room for the sealed photo: No space left on device"
        )
        assert life.ended() == Exit.REFUSED


def test_P5_a_photo_that_finds_no_room_is_refused_aloud_and_the_next_one_may(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        bedside.take(life, consent)
        # The next slot is made after a photo; take it away together with its directory.
        life.wait_for_view()
        away = bedside.sealing.rename(bedside.folder / "away")
        n = bedside.order(life, consent)
        life.expect(Verdict)
        refused = life.expect(Refused)
        assert (refused.n, refused.why) == (
            n,
            "the sealed photo could not be put into place: No such file or directory",
        )
        away.rename(bedside.sealing)
        bedside.take(life, consent)
        assert life.end() == Exit.ENDED


def test_sigterm_ends_it_the_ordinary_way(bedside: Bedside) -> None:
    with bedside.start() as life:
        bedside.open(life)
        life.process.send_signal(signal.SIGTERM)
        assert life.ended() == Exit.ENDED
    assert list(bedside.sealing.iterdir()) == []


def test_a_panel_that_dies_ends_it(bedside: Bedside) -> None:
    with bedside.start() as life:
        bedside.open(life)
        life.line.close()
        assert life.process.wait(10) == Exit.ENDED


def test_a_panel_that_is_killed_with_unread_views_ends_it_the_ordinary_way(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        bedside.open(life)
        life.wait_for_view()
        queued = life.line.fileno()
        until(lambda: select.select([queued], [], [], 0)[0], 20, "another viewfinder frame")
        os.close(life.line._connection.detach())
        assert life.process.wait(10) == Exit.ENDED


def test_two_darkrooms_at_once_do_not_meet(bedside: Bedside) -> None:
    with bedside.start() as dying, bedside.start() as fresh:
        bedside.take(dying, bedside.open(dying))
        bedside.take(fresh, bedside.open(fresh))
        assert dying.end() == fresh.end() == Exit.ENDED
    assert len(list(bedside.sealing.iterdir())) == 2


@pytest.mark.parametrize("kind", ["nothing", "a stream"])
def test_standard_input_must_be_the_panel(bedside: Bedside, kind: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-m", "appliance", "--role", "darkroom", "--config", bedside.config],
            stdin=subprocess.DEVNULL if kind == "nothing" else theirs.fileno(),
            env={**os.environ, **ALLOCATOR_ENV},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (
        "a darkroom is started by its socket: standard input has to be the connection to the"
        " panel (Accept=yes, StandardInput=socket)"
    ) in done.stderr


def test_ready_tells_how_long_it_took(bedside: Bedside) -> None:
    with bedside.start() as life:
        life.expect(Idle)
        started = time.monotonic()
        life.line.send(Open(bedside.consent().raw, bedside.keyset.raw))
        ready = life.expect(Ready)
        assert 0 < ready.open_ms <= (time.monotonic() - started) * 1000 + 1
        life.end()
