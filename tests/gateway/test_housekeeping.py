"""Nothing lies about unfinished: what housekeeping finds, and what it removes."""

import os
import select
from pathlib import Path

import pytest

from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from wire.messages import Fin, Nack, Ready, Receipt, Signed, Status
from wire.proof import bundle_head


def bundle_of(photo: Photo) -> bytes:
    entries = photo.consent.raw, photo.intent.raw, photo.sealed.raw
    return bundle_head(*entries, len(photo.envelope)) + photo.envelope


def receipt(hospital: Hospital, photo: Photo, status: Status) -> Receipt:
    """Let the gateway look around until a receipt says ``status``."""

    def look() -> Receipt | None:
        hospital.look_around()
        return next((r for r in hospital.receipts(photo) if r.status == status), None)

    found: Receipt = hospital.until(look, 10, f"{status}")
    return found


def lose_the_record(hospital: Hospital) -> Path:
    away = hospital.record.rename(hospital.folder / "away")
    hospital.record.write_text("where the share should be")
    return away


def bring_it_back(hospital: Hospital, away: Path) -> None:
    hospital.record.unlink()
    away.rename(hospital.record)


def test_a_photo_held_because_the_record_was_gone_is_filed_when_it_is_back(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    away = lose_the_record(hospital)
    held = hospital.receive(device, photo)
    assert held.status == Status.HELD
    assert "did not take it: Not a directory" in held.reason
    hospital.look_around()
    bring_it_back(hospital, away)

    filed = receipt(hospital, photo, Status.FILED)
    assert (held.number, filed.number) == (1, 2)
    assert hospital.filed(photo)[0].read_bytes() == photo.jpeg
    (why,) = [why for kind, _, why in hospital.worklist() if kind == "held"]
    assert why.endswith("; filed since")
    hospital.reopen()
    assert [r.number for r in hospital.receipts(photo)] == [1, 2]


def test_a_photo_held_for_doubt_is_never_filed_by_itself(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(header={"epoch": 7})
    assert hospital.receive(device, photo).status == Status.HELD
    other = device.photo()
    away = lose_the_record(hospital)
    hospital.receive(device, other)
    bring_it_back(hospital, away)
    receipt(hospital, other, Status.FILED)
    assert not hospital.filed(photo)


def test_P5_an_undo_of_a_photo_that_waits_for_the_record_ends_the_waiting(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    away = lose_the_record(hospital)
    hospital.receive(device, photo)
    device.undo(photo)
    hospital.sync(device, device.batch())
    bring_it_back(hospital, away)
    receipt(hospital, photo, Status.UNDONE)
    other = device.photo()
    hospital.receive(device, other)
    hospital.look_around()
    assert not hospital.filed(photo)
    assert not list(hospital.state.glob(f"*/{photo.hex}*"))


def test_a_whole_photo_that_a_crash_left_lying_is_taken_up(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    (hospital.state / "incoming" / f"{photo.hex}.part").write_bytes(bundle_of(photo))
    assert receipt(hospital, photo, Status.FILED).number == 1


def test_a_sealed_copy_that_was_never_signed_for_is_taken_up(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(b"no picture")
    assert isinstance(hospital.ask(device, photo), Ready)
    hospital.close()
    (hospital.state / "incoming" / f"{photo.hex}.part").unlink()
    (hospital.state / "sealed" / f"{photo.hex}.wardseal").write_bytes(bundle_of(photo))
    hospital.open()
    assert receipt(hospital, photo, Status.HELD).number == 1


def test_a_photo_that_is_whole_but_was_not_taken_needs_no_second_transfer(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(jpeg(320, 240))
    chunks = photo.chunks()
    (hospital.state / "incoming" / f"{photo.hex}.part").write_bytes(bundle_of(photo))
    ready = hospital.ask(device, photo)
    assert ready.have == ((1 << len(chunks)) - 1).to_bytes(len(ready.have), "little")
    hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id))
    assert hospital.read(hospital.expect(Signed)).status == Status.FILED


@pytest.mark.parametrize("undo", [False, True], ids=["", "undone meanwhile"])
@pytest.mark.parametrize("picture", [jpeg(), b"no picture"], ids=["filed", "held"])
def test_a_crash_between_the_receipt_and_the_vault_loses_no_sealed_copy(
    hospital: Hospital, device: Device, picture: bytes, undo: bool
) -> None:
    photo = device.photo(picture)
    status = hospital.receive(device, photo).status
    copy = hospital.state / "sealed" / f"{photo.hex}.wardseal"
    hospital.until(copy.exists, 10, "the copy")
    raw = copy.read_bytes()
    hospital.close()
    left = copy.rename(hospital.state / "incoming" / f"{photo.hex}.part")
    if undo:
        hospital.open(look=False)
        device.undo(photo)
        hospital.sync(device, device.batch())
        receipt(hospital, photo, Status.UNDONE)
    else:
        hospital.open()
    hospital.until(lambda: not left.exists(), 10, "it to be put aside")
    if undo and status == Status.HELD:
        assert not copy.exists(), "it never came into the record"
    else:
        assert copy.read_bytes() == raw
    hospital.look_around()
    hospital.sync(device, device.batch())
    assert copy.exists() == (not (undo and status == Status.HELD))


def test_pictures_that_a_crash_left_without_a_sealed_copy_are_removed(
    hospital: Hospital, device: Device
) -> None:
    filed, gone, young, coming = (device.photo(jpeg(seed=seed)) for seed in range(4))
    hospital.receive(device, filed)
    opened = hospital.state / "opened"
    hospital.until((opened / f"{filed.hex}.jpg").exists, 10, "the picture")
    hospital.ask(device, coming)
    for photo in (gone, young, coming):
        for name in (f".{photo.hex}", f"{photo.hex}.jpg", f"{photo.hex}.small.jpg"):
            (opened / name).write_bytes(b"opened")
    for path in opened.iterdir():
        if young.hex not in path.name:
            os.utime(path, (0, 0))
    hospital.look_around()
    hospital.until(lambda: not list(opened.glob(f"*{gone.hex}*")), 10, "their removal")
    hospital.sync(device, device.batch())
    assert len(list(opened.glob(f"*{filed.hex}*"))) == 2
    for photo in (young, coming):
        assert len(list(opened.glob(f"*{photo.hex}*"))) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "strange"])
def test_a_file_that_is_no_whole_photo_is_left_until_it_is_old(
    hospital: Hospital, device: Device, damage: str
) -> None:
    photo = device.photo()
    raw = bytearray(bundle_of(photo))
    raw[-1] ^= damage == "flipped"
    path = hospital.state / "incoming" / f"{photo.hex}.part"
    path.write_bytes(b"strange" if damage == "strange" else raw[:-1] if damage == "cut" else raw)
    hospital.look_around()
    hospital.sync(device, device.batch())
    assert path.exists()
    os.utime(path, (0, 0))
    hospital.look_around()
    hospital.until(lambda: not path.exists(), 10, "its removal")
    assert hospital.receipts(photo) == []


def test_a_transfer_that_stopped_is_forgotten_and_may_begin_again(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, {"limits": {"idle_seconds": 1}}).open()
    device = hospital.enrol()
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    hospital.hear(device.name, f"up/{ready.to}", photo.chunks()[0])
    path = hospital.state / "incoming" / f"{photo.hex}.part"
    assert path.exists()

    def gone() -> bool:
        hospital.look_around()
        return not path.exists()

    hospital.until(gone, 10, "its removal")
    assert hospital.receive(device, photo).status == Status.FILED
    hospital.close()


def test_a_living_transfer_keeps_its_claim(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    hospital.ask(device, photo)

    def claimed_until() -> int:
        ((until_ms,),) = hospital.rows("select claimed_until_ms from photos")
        return int(until_ms)

    before = claimed_until()

    def later() -> bool:
        hospital.look_around()
        return claimed_until() > before

    hospital.until(later, 10, "the claim to be renewed")


def test_sealed_copies_go_after_their_days_but_never_those_of_held_photos(
    hospital: Hospital, device: Device
) -> None:
    filed, held, young = device.photo(), device.photo(b"no picture"), device.photo()
    for photo in (filed, held, young):
        hospital.receive(device, photo)
    copies = {
        photo.hex: hospital.state / "sealed" / f"{photo.hex}.wardseal"
        for photo in (filed, held, young)
    }
    hospital.until(lambda: all(path.exists() for path in copies.values()), 10, "the copies")
    for photo in (filed, held):
        hospital.age(photo)
    hospital.look_around()
    hospital.until(lambda: not copies[filed.hex].exists(), 10, "its removal")
    hospital.sync(device, device.batch())
    assert copies[held.hex].exists()
    assert copies[young.hex].exists()
    assert hospital.filed(filed)


def test_a_sealed_copy_that_the_database_says_nothing_of_stays(
    hospital: Hospital, device: Device
) -> None:
    filed, unknown = device.photo(), device.photo()
    hospital.receive(device, filed)
    known = hospital.state / "sealed" / f"{filed.hex}.wardseal"
    hospital.until(known.exists, 10, "the copy")
    strange = known.with_name(f"{unknown.hex}.wardseal")
    strange.write_bytes(bundle_of(unknown))
    hospital.age(filed)
    os.utime(strange, (0, 0))
    hospital.look_around()
    hospital.until(lambda: not known.exists(), 10, "its removal")
    hospital.sync(device, device.batch())
    assert strange.exists()


def test_a_file_that_goes_while_it_is_looked_up_stops_nothing(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    path = hospital.state / "incoming" / f"{photo.hex}.part"
    hospital.until(lambda: not path.exists(), 10, "the photo to be put aside")
    path.write_bytes(bundle_of(photo))
    hospital.look_around()
    assert select.select([hospital._mailbox], [], [], 10)[0], "it was found"
    path.unlink()
    for _ in range(10):
        hospital.turn()
    assert hospital.receive(device, device.photo()).status == Status.FILED


def test_a_file_that_was_cut_under_a_transfer_keeps_nobody_waiting(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    for chunk in reversed(photo.chunks()):
        hospital.hear(device.name, f"up/{ready.to}", chunk)
    os.truncate(hospital.state / "incoming" / f"{photo.hex}.part", 4000)
    hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id))
    hospital.expect(Nack)
    assert hospital.receive(device, photo).status == Status.FILED
