"""The released photos as the uplink sees them, and what only looks like one."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.uplink.outbox import Outbox, Released
from appliance.uplink.photos import AT_ONCE, Photos
from appliance.uplink.transfer import Piece
from base.memory import wipe_file
from wire import cbor
from wire.messages import MIN_CHUNK, Busy, Init, Ready, Refused, Signed
from wire.reasons import Reason

ENTRIES = (b"consent", b"intent", b"sealed")


def put(folder: Path, n: int, size: int = 100, age: float = 0.0) -> bytes:
    """Lay down photo number ``n``, last written ``age`` seconds ago."""
    photo = n.to_bytes(32, "big")
    path = folder / f"{photo.hex()}.cose"
    path.write_bytes(bytes([n % 256]) * size)
    os.utime(path, (time.time() - age, time.time() - age))
    path.with_suffix(".init").write_bytes(cbor.encode(list(ENTRIES)))
    return photo


def test_photos_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    third, first, second = (put(tmp_path, n, age=age) for n, age in ((1, 5), (2, 50), (3, 20)))
    for name in ("x.cose", f"{'AB' * 32}.cose", f"{'ab' * 32}.init", f"{'ab' * 33}.cose", "a.part"):
        (tmp_path / name).write_bytes(b"x")
    assert Outbox(tmp_path).photos() == [first, second, third]


def test_a_photo_is_its_size_and_its_three_entries(tmp_path: Path) -> None:
    photo = put(tmp_path, 7, size=1234)
    outbox = Outbox(tmp_path)
    assert outbox.open(photo) == Released(photo, 1234, ENTRIES)
    assert outbox.piece(photo, 1000, 234) == bytes([7]) * 234
    assert outbox.piece(photo, 1000, 235) is None  # shorter than it was: it is being wiped


@pytest.mark.parametrize(
    "init",
    [
        b"",
        b"\xff",
        cbor.encode([]),
        cbor.encode([b"a", b"b"]),
        cbor.encode([1, 2, 3]),
        bytes(20000),
    ],
)
def test_a_photo_whose_entries_make_no_sense_is_left_lying(
    tmp_path: Path, init: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    photo = put(tmp_path, 1)
    (tmp_path / f"{photo.hex()}.init").write_bytes(init)
    outbox = Outbox(tmp_path)
    assert outbox.open(photo) is None
    assert outbox.open(photo) is None
    assert len(caplog.records) == 1  # said once, not every five seconds
    assert "cannot be sent" in caplog.text


def test_P7_links_and_devices_in_the_outbox_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    box = tmp_path / "box"
    box.mkdir()
    outbox = Outbox(box)
    photo = put(box, 1)
    path = box / f"{photo.hex()}.cose"
    path.unlink()
    path.symlink_to(secret)
    assert outbox.open(photo) is None
    assert outbox.piece(photo, 0, 6) is None
    path.unlink()
    os.mkfifo(path)
    assert outbox.open(photo) is None
    assert outbox.piece(photo, 0, 6) is None  # and it does not hang
    path.unlink()
    path.mkdir()
    assert outbox.open(photo) is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_init_file_raises(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    photo = put(folder, 1)
    (folder / f"{photo.hex()}.init").write_bytes(raw)
    found = Outbox(folder).open(photo)
    assert found is None or all(isinstance(entry, bytes) for entry in found.entries)


# -- whose turn it is -----------------------------------------------------------------------------


def everything(photos: Photos, now: float) -> list[tuple[bytes, type]]:
    found = []
    while (parcel := photos.pull(now)) is not None:
        found.append((parcel.transfer.photo, type(parcel.what)))
    return found


def test_two_at_once_oldest_first(tmp_path: Path) -> None:
    names = [put(tmp_path, n, age=10 - n) for n in range(5)]
    photos = Photos(Outbox(tmp_path))
    photos.look(0.0)
    assert everything(photos, 0.0) == []  # offline
    photos.online(0.0, MIN_CHUNK)
    assert everything(photos, 0.0) == [(name, Init) for name in names[:AT_ONCE]]
    photos.heard(Refused(names[0], "no"), 1.0)
    photos.heard(Busy(names[1], 9), 1.0)
    assert everything(photos, 1.0) == [(name, Init) for name in names[2:4]]


def test_with_each_first_receipt_the_oldest_that_was_turned_away_asks_at_once(
    tmp_path: Path,
) -> None:
    names = [put(tmp_path, n, age=10 - n) for n in range(5)]
    photos = Photos(Outbox(tmp_path))
    photos.look(0.0)
    photos.online(0.0, MIN_CHUNK)
    everything(photos, 0.0)
    photos.heard(Ready(names[0], "gw", b"", 8), 0.0)
    everything(photos, 0.0)
    for name in names[1:4]:
        photos.heard(Busy(name, 5), 1.0)
        everything(photos, 1.0)
    photos.heard(Refused(names[4], "not yet"), 1.0)
    receipt = Signed(names[0], b"receipt")
    photos.heard(receipt, 2.0)
    assert everything(photos, 2.0) == [(names[1], Init)]
    photos.heard(receipt, 3.0)  # told again, by whomever
    assert everything(photos, 3.0) == []
    photos.heard(Busy(names[1], 5), 3.0)
    assert everything(photos, 5.9) == []
    assert everything(photos, 6.0) == [(names[2], Init), (names[3], Init)]


def test_what_is_wrong_with_the_device_is_said_before_what_is_wrong_with_a_photo(
    tmp_path: Path,
) -> None:
    first, second = put(tmp_path, 1, age=2), put(tmp_path, 2, age=1)
    photos = Photos(Outbox(tmp_path))
    photos.look(0.0)
    photos.online(0.0, MIN_CHUNK)
    everything(photos, 0.0)
    assert photos.refused() is None
    photos.heard(Refused(first, "too-large: the photo is larger than 8 MiB"), 0.0)
    assert photos.refused() is Reason.TOO_LARGE
    photos.heard(Refused(second, "revoked: the device has been revoked"), 0.0)
    assert photos.refused() is Reason.REVOKED
    everything(photos, 100.0)
    photos.heard(Ready(second, "gw", b"", 8), 100.0)
    assert photos.refused() is Reason.TOO_LARGE
    photos.heard(Refused(first, "because"), 100.0)
    assert photos.refused() is Reason.UNSPECIFIED


def test_a_photo_that_is_gone_is_forgotten_at_the_next_look_or_read(tmp_path: Path) -> None:
    first, second = put(tmp_path, 1, age=2), put(tmp_path, 2, age=1)
    photos = Photos(Outbox(tmp_path))
    photos.look(0.0)
    photos.online(0.0, MIN_CHUNK)
    everything(photos, 0.0)
    wipe_file(tmp_path / f"{first.hex()}.cose")
    photos.heard(Ready(first, "gw", b"", 8), 0.0)
    photos.heard(Ready(second, "gw", b"", 8), 0.0)
    assert [(photo, kind) for photo, kind in everything(photos, 0.0) if kind is Piece] == [
        (second, Piece)
    ]
    assert not photos.heard(Refused(first, "who?"), 0.0)
    (tmp_path / f"{second.hex()}.cose").unlink()
    photos.look(1.0)
    assert photos.deadline(1.0) is None


def test_a_broker_that_is_no_use_keeps_nobody_busy(tmp_path: Path) -> None:
    put(tmp_path, 1)
    photos = Photos(Outbox(tmp_path))
    photos.look(0.0)
    photos.online(0.0, 0)
    assert photos.pull(0.0) is None
    assert photos.deadline(0.0) is None
