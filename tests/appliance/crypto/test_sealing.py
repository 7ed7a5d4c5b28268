import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from appliance.crypto import sealing
from appliance.crypto.sealing import Sealer
from appliance.crypto.slot import NoRoom, Slot
from appliance.frame import Frame, Layout
from appliance.quality import Verdict
from base.memory import Buffer
from base.turbojpeg import EncodeError
from wire import envelope, hpke
from wire.envelope import Header
from wire.ledger import ClockTrust

LAYOUT = Layout.padded(1014, 760)
KEYS = [hpke.RecipientPrivate.generate(suite) for suite in hpke.SuiteName]
MIB = 1024 * 1024


def header(seq: int = 7) -> Header:
    return Header(
        device="ward3-bed12",
        boot=bytes(16),
        seq=seq,
        consent=bytes(32),
        intent=bytes(32),
        epoch=1,
        keyset=bytes(32),
        time_ms=1,
        trust=ClockTrust.NONE,
        length=1,
    )


class Eye:
    """A camera's buffer and what is in it."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self.buffer = Buffer(layout.size)
        self.buffer.view[:] = os.urandom(layout.size)
        self.frame = Frame(self.buffer.view, layout)

    @property
    def is_zero(self) -> bool:
        return not any(self.buffer.view)


@pytest.fixture
def sealer(tmp_path: Path) -> Iterator[Sealer]:
    with make(tmp_path) as found:
        yield found


def make(folder: Path, *, usual_size: int = MIB, alg: int = envelope.AES_256_GCM) -> Sealer:
    return Sealer(
        sealing=folder,
        width=LAYOUT.width,
        height=LAYOUT.height,
        jpeg_quality=92,
        recipients=[key.public for key in KEYS],
        bed="W3-12",
        usual_size=usual_size,
        alg=alg,
    )


def nothing_is_left_in(sealer: Sealer) -> bool:
    return not any(sealer._plain.view) and not any(sealer._key.view)


@pytest.mark.parametrize("alg", envelope.CONTENT_ALGS)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.public.suite)
def test_every_recipient_opens_a_photo_of_either_cipher(
    tmp_path: Path, alg: int, key: hpke.RecipientPrivate
) -> None:
    eye = Eye()
    verdicts: list[Verdict] = []
    with make(tmp_path, alg=alg) as sealer:
        sealed = sealer.seal(eye.frame, header(), verdicts.append)
    data = (tmp_path / sealed.name).read_bytes()
    assert (sealed.name, sealed.size) == ("7.cose", len(data))
    found = envelope.parse(data)
    assert found.alg == alg
    content = envelope.open_into(found, key, memoryview(bytearray(found.header.length)))
    assert content.private.bed == "W3-12"
    assert content.private.quality == {**verdicts[0].measured, "poor": list(verdicts[0].poor)}
    with Image.open(io.BytesIO(content.jpeg)) as picture:
        picture.load()
        assert picture.size == (LAYOUT.width, LAYOUT.height)


def test_P3_after_sealing_frame_plaintext_and_key_are_zero(sealer: Sealer) -> None:
    eye = Eye()
    sealer.seal(eye.frame, header(), lambda _: None)
    assert eye.is_zero
    assert nothing_is_left_in(sealer)


def test_P3_a_frame_that_cannot_be_encoded_leaves_nothing(sealer: Sealer, tmp_path: Path) -> None:
    larger = Eye(Layout.padded(2028, 1520))
    with pytest.raises(EncodeError, match="the camera gave 2028 x 1520 pixels and not 1014 x 760"):
        sealer.seal(larger.frame, header(), lambda _: None)
    assert larger.is_zero
    assert nothing_is_left_in(sealer)
    assert list(tmp_path.iterdir()) == []


def test_P3_a_verdict_that_fails_leaves_nothing(sealer: Sealer, tmp_path: Path) -> None:
    def fail(_: Verdict) -> None:
        raise RuntimeError("no panel")

    eye = Eye()
    with pytest.raises(RuntimeError, match="no panel"):
        sealer.seal(eye.frame, header(), fail)
    assert eye.is_zero
    assert nothing_is_left_in(sealer)
    assert list(tmp_path.iterdir()) == []


def test_P3_a_spool_that_fails_leaves_nothing(sealer: Sealer, tmp_path: Path) -> None:
    sealer.seal(Eye().frame, header(1), lambda _: None)
    (tmp_path / "1.cose").unlink()
    tmp_path.rmdir()
    eye = Eye()
    with pytest.raises(NoRoom, match="no file can be made"):
        sealer.seal(eye.frame, header(2), lambda _: None)
    assert eye.is_zero
    assert nothing_is_left_in(sealer)
    tmp_path.mkdir()


def test_each_photo_has_a_key_and_an_iv_of_its_own(sealer: Sealer, tmp_path: Path) -> None:
    keys, ivs = set(), set()
    for seq in range(3):
        sealed = sealer.seal(Eye().frame, header(seq), lambda _: None)
        found = envelope.parse((tmp_path / sealed.name).read_bytes())
        box = found.recipients[1]
        info = envelope._recipient_info(found.alg, box.protected)
        keys.add(KEYS[1].unwrap(box.enc, box.wrapped, info))
        ivs.add(found.iv)
    assert len(keys) == len(ivs) == 3


def test_a_photo_larger_than_usual_still_fits(tmp_path: Path) -> None:
    with make(tmp_path, usual_size=4096) as sealer:
        sealed = sealer.seal(Eye().frame, header(), lambda _: None)
        assert sealed.size > 500_000
        assert nothing_is_left_in(sealer)
    found = envelope.parse((tmp_path / sealed.name).read_bytes())
    envelope.open_into(found, KEYS[0], memoryview(bytearray(found.header.length)))


def test_room_is_there_before_a_photo_and_given_back_without_one(tmp_path: Path) -> None:
    with make(tmp_path, usual_size=16 * MIB) as sealer:
        assert sealer._slot is not None
        first = os.fstat(sealer._slot._file)
        assert first.st_blocks * 512 >= 16 * MIB
        assert first.st_nlink == 0
        sealed = sealer.seal(Eye().frame, header(), lambda _: None)
        assert (tmp_path / sealed.name).stat().st_ino == first.st_ino
        sealer.make_room()
        descriptor = sealer._slot._file
        assert sealed.size < os.fstat(descriptor).st_blocks * 512 < 2 * sealed.size
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert [p.name for p in tmp_path.iterdir()] == ["7.cose"]


def test_no_room_for_a_first_photo_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="no file can be made for the sealed photo: No such file"):
        make(tmp_path / "nowhere")


def test_P10_a_full_spool_is_an_error_and_no_signal(tmp_path: Path) -> None:
    # A file system that stops at 1 MiB a file; a mapping without pages would end the process.
    program = f"""
import sys
from pathlib import Path
from appliance.crypto.slot import NoRoom, Slot
from appliance.frame import Frame, Layout
slot = Slot(Path({str(tmp_path)!r}), 4096)
try:
    slot.view(3 << 20)
except NoRoom as e:
    print(e)
slot.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "no room for the sealed photo: File too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("nameless", [True, False])
def test_a_slot_is_committed_whole_or_not_at_all(tmp_path: Path, nameless: bool) -> None:
    with Slot(tmp_path, 10_000, nameless=nameless) as slot:
        with slot.view(10_000) as out:
            out[:5] = b"whole"
        assert [p.suffix for p in tmp_path.iterdir()] == ([] if nameless else [".part"])
        assert slot.commit("photo.cose", 5) == tmp_path / "photo.cose"
    assert (tmp_path / "photo.cose").read_bytes() == b"whole"
    with Slot(tmp_path, 10_000, nameless=nameless) as slot, slot.view(10_000) as out:
        out[:5] = b"never"
        out.release()
    assert [p.name for p in tmp_path.iterdir()] == ["photo.cose"]


@pytest.mark.parametrize("nameless", [True, False])
def test_a_photo_never_replaces_another(tmp_path: Path, nameless: bool) -> None:
    (tmp_path / "1.cose").write_bytes(b"first")
    with (
        Slot(tmp_path, 10, nameless=nameless) as slot,
        pytest.raises(NoRoom, match="could not be put into place: File exists"),
    ):
        slot.commit("1.cose", 5)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"first"]


def test_a_darkroom_that_is_killed_leaves_nothing_in_the_spool(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from appliance.crypto.slot import Slot
slot = Slot(Path({str(tmp_path)!r}), 1 << 20)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_the_private_header_always_fits_in_front() -> None:
    assert sealing._FRONT >= envelope._MAX_PRIVATE + 16
