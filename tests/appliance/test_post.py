"""P7, P8: the mailbox is filled by somebody who may be anybody; only signatures count."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.post import LARGEST, Countersigned, KeysetOffer, LinkState, Post, SignedReceipt
from tests.appliance.ward import DEVICE, Hospital
from wire import ledger, messages, shapes
from wire.messages import Receipt, Status
from wire.signing import Ed25519Signer

PHOTO = bytes(range(32))


@pytest.fixture
def hospital() -> Hospital:
    return Hospital.found()


@pytest.fixture
def mailbox(tmp_path: Path) -> Path:
    return tmp_path


def _collect(mailbox: Path, hospital: Hospital, *, keysets: bool = True) -> list[object]:
    return list(Post(mailbox, DEVICE).collect(hospital.keyset.keyset.receipt_keys, keysets=keysets))


def test_a_signed_receipt_is_taken_and_its_file_removed(mailbox: Path, hospital: Hospital) -> None:
    raw = hospital.receipt(PHOTO)
    (mailbox / "receipt.00000001.msg").write_bytes(raw)
    (found,) = _collect(mailbox, hospital)
    assert isinstance(found, SignedReceipt) and found.raw == raw and found.receipt.photo == PHOTO
    assert not list(mailbox.iterdir())


def test_messages_come_in_the_order_they_were_put_in(mailbox: Path, hospital: Hospital) -> None:
    for number in (10, 2, 1):
        raw = hospital.receipt(PHOTO, number=number)
        (mailbox / f"receipt.{number:08d}.msg").write_bytes(raw)
    found = [f.receipt.number for f in _collect(mailbox, hospital) if isinstance(f, SignedReceipt)]
    assert found == [1, 2, 10]


@pytest.mark.parametrize("what", ["forged", "another device's", "countersign", "cut", "empty"])
def test_P8_what_the_hospital_did_not_sign_for_this_device_is_dropped(
    mailbox: Path, hospital: Hospital, what: str
) -> None:
    words = Receipt("another-ward", PHOTO, Status.FILED, 1, 1, "", ())
    raws = {
        "forged": Hospital.found().receipt(PHOTO),
        "another device's": messages.sign_receipt(words, hospital.receipts),
        "countersign": ledger.sign_checkpoint(
            ledger.Checkpoint(DEVICE, bytes(16), 1, bytes(32), 1), hospital.receipts
        ),
        "cut": hospital.receipt(PHOTO)[:-1],
        "empty": b"",
    }
    (mailbox / "receipt.00000001.msg").write_bytes(raws[what])
    assert _collect(mailbox, hospital) == []
    assert not list(mailbox.iterdir())


def test_P7_links_folders_pipes_and_giants_are_refused(mailbox: Path, hospital: Hospital) -> None:
    secret = mailbox / "secret"
    secret.write_bytes(hospital.receipt(PHOTO))
    (mailbox / "receipt.00000001.msg").symlink_to(secret)
    (mailbox / "receipt.00000002.msg").mkdir()
    os.mkfifo(mailbox / "receipt.00000003.msg")
    (mailbox / "receipt.00000004.msg").write_bytes(bytes(LARGEST + 1))
    (mailbox / "strange.00000005.msg").write_bytes(b"x")
    assert _collect(mailbox, hospital) == []
    assert list(mailbox.iterdir()) == [secret], "a link is removed, not followed"


def test_a_keyset_waits_while_a_photo_is_under_way(mailbox: Path, hospital: Hospital) -> None:
    (mailbox / "keyset.00000001.msg").write_bytes(hospital.keyset.raw)
    assert _collect(mailbox, hospital, keysets=False) == []
    assert _collect(mailbox, hospital) == [KeysetOffer(hospital.keyset.raw)]


def test_the_uplinks_word_on_itself_is_offline_unless_it_makes_sense(mailbox: Path) -> None:
    post = Post(mailbox, DEVICE)
    assert post.link() == LinkState(False, ())
    (mailbox / "link").write_bytes(shapes.pack(LinkState(True, (PHOTO,))))
    assert post.link() == LinkState(True, (PHOTO,))
    (mailbox / "link").write_bytes(b"\xff")
    assert post.link() == LinkState(False, ())


def test_P8_a_countersignature_by_another_key_is_dropped(mailbox: Path, hospital: Hospital) -> None:
    words = ledger.Checkpoint(DEVICE, bytes(16), 1, bytes(32), 1)
    forged = ledger.sign_checkpoint(words, Ed25519Signer(os.urandom(32)))
    (mailbox / "countersign.00000001.msg").write_bytes(forged)
    assert _collect(mailbox, hospital) == []
    raw = ledger.sign_checkpoint(words, hospital.receipts)
    (mailbox / "countersign.00000002.msg").write_bytes(raw)
    assert _collect(mailbox, hospital) == [Countersigned(words, raw)]


@contextmanager
def _as_somebody_without_rights() -> Iterator[None]:
    """Root reads everything, so a test that root runs becomes nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_P7_files_that_the_uplink_lets_nobody_read_are_dropped_and_stop_nothing(
    short_dir: Path, hospital: Hospital
) -> None:
    short_dir.chmod(0o777)
    for name in ("link", "receipt.00000001.msg"):
        (short_dir / name).touch(mode=0o000)
    raw = hospital.receipt(PHOTO)
    (short_dir / "receipt.00000002.msg").write_bytes(raw)
    (short_dir / "receipt.00000002.msg").chmod(0o644)
    with _as_somebody_without_rights():
        assert Post(short_dir, DEVICE).link() == LinkState(False, ())
        (found,) = _collect(short_dir, hospital)
    assert isinstance(found, SignedReceipt) and found.raw == raw
    assert [path.name for path in short_dir.iterdir()] == ["link"]
