"""From one epoch's keys to the next, and the end of the old: nothing is lost on the way."""

from dataclasses import replace
from pathlib import Path

import pytest

from base.errors import ConfigError
from cli.__main__ import main
from gateway import config as configuration
from gateway.keyring.rotation import NotRotated, Rotation
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from tests.gateway.rotating import (
    believed,
    held,
    keys,
    rotate,
    start_ledger,
    status,
    sync,
    take_keyset,
)
from wire import keyset, pem
from wire.messages import Status


def everything(*folders: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below, with its time and content."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("gateway.db")
    }


@pytest.fixture
def ward(hospital: Hospital, device: Device) -> Device:
    """A device whose ledger the hospital has."""
    start_ledger(device)
    sync(hospital, device)
    return device


def kept(hospital: Hospital, photo: Photo) -> Path:
    return hospital.state / "sealed" / f"{photo.hex}.wardseal"


def test_P5_devices_with_the_old_keyset_and_with_the_new_one_both_go_on_working(
    hospital: Hospital, ward: Device
) -> None:
    behind = hospital.enrol("ward3-bed13")
    rotate(hospital, "--receipt")
    take_keyset(hospital, ward)
    assert ward.keyset.keyset.epoch == 2
    assert ward.keyset.keyset.recipients[1] == behind.keyset.keyset.recipients[1], "recovery stays"
    for device in (ward, behind):
        photo = device.photo()
        assert hospital.receive(device, photo).status == Status.FILED
        assert believed(hospital, device, photo).status == Status.FILED
    assert hospital.alarms() == []


def test_a_dry_run_touches_nothing(hospital: Hospital, ward: Device, tmp_path: Path) -> None:
    hospital.receive(ward, ward.photo(b"no picture"))
    site, request, signed = (hospital.site.folder, tmp_path / "request", tmp_path / "signed")

    def dry(command: str, *words: str | Path, code: int = 0) -> None:
        before = everything(tmp_path)
        keys(hospital, command, *words, "--dry-run", code=code)
        assert everything(tmp_path) == before, command

    dry("rotate", site, "--receipt")
    dry("request", request, "--receipt")
    keys(hospital, "request", request, "--receipt")
    dry("sign", site, request, signed)
    keys(hospital, "sign", site, request, signed)
    dry("install", signed)
    keys(hospital, "install", signed)
    dry("rewrap")
    dry("retire", code=1)  # devices are in the way
    dry("encrypt", "--to", tmp_path / "encrypted")


def test_P5_old_keys_go_when_nobody_needs_them_and_what_was_sealed_to_them_opens_still(
    hospital: Hospital, ward: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filed, unclear = ward.photo(), ward.photo(b"no picture")
    hospital.receive(ward, filed)
    hospital.receive(ward, unclear)
    sync(hospital, ward)
    hospital.until(lambda: kept(hospital, filed).exists(), 10, "the sealed copies")
    signed_for = {p: p.read_bytes() for p in (kept(hospital, filed), kept(hospital, unclear))}
    rotate(hospital, "--receipt")
    why = status(hospital, capsys)["epochs"][0]["kept_by"]
    assert why == [
        "device ward3-bed12 has the keyset of epoch 1",
        "2 sealed copies open with its key alone",
    ]
    keys(hospital, "retire", code=1)

    take_keyset(hospital, ward)
    sync(hospital, ward)
    keys(hospital, "retire", code=1)
    keys(hospital, "rewrap")
    assert "2 re-wrapped" in capsys.readouterr().out
    keys(hospital, "rewrap")
    assert "0 re-wrapped" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in signed_for} == signed_for, "the device signed these bytes"
    recovery = hospital.site.offline / "recovery.key"
    newest = next(hospital.site.gateway.glob("opening-*.key"))
    keys(hospital, "retire")
    assert not (hospital.site.gateway / "opening.key").exists()
    assert not (hospital.site.gateway / "receipt.key").exists()
    keys(hospital, "retire")

    hospital.reopen()
    assert status(hospital, capsys)["epochs"][0]["retired"] is True
    for path in signed_for:
        for key in (newest, recovery):
            out = hospital.folder / "out.jpg"
            words = ["--device-key", ward.signer.public.encode().hex(), "-o", str(out), "--force"]
            assert main(["open", str(path), "--key", str(key), *words]) == 0
    assert out.read_bytes() == unclear.jpeg, "the last was the one that is held"
    # A later keyset drops the old receipt key; what a device has not heard yet is signed anew.
    assert len(rotate(hospital).keyset.receipt_keys) == 1
    take_keyset(hospital, ward)
    hospital.keyset = ward.keyset
    hospital.query(ward, unclear)
    assert believed(hospital, ward, unclear).status == Status.HELD
    photo = ward.photo()
    assert hospital.receive(ward, photo).status == Status.FILED


def test_a_photo_that_is_held_is_filed_by_way_of_its_rewrap(
    hospital: Hospital, ward: Device
) -> None:
    blocked = hospital.record
    blocked.rename(hospital.folder / "away")
    blocked.write_text("in the way")
    photo = ward.photo()
    assert hospital.receive(ward, photo).status == Status.HELD
    hospital.change("update filings set due_ms = 4000000000000")
    blocked.unlink()
    (hospital.folder / "away").rename(blocked)
    sync(hospital, ward)
    rotate(hospital)
    take_keyset(hospital, ward)
    sync(hospital, ward)
    keys(hospital, "rewrap")
    keys(hospital, "retire")
    hospital.reopen()
    assert hospital.filed(photo) == []
    hospital.change("update filings set due_ms = 0")

    def filed() -> bool:
        hospital.look_around()
        return hospital.filed(photo) != []

    hospital.until(filed, 10, "the photo in the record")
    assert hospital.filed(photo)[0].read_bytes() == photo.jpeg


def test_P5_what_is_on_its_way_keeps_the_keys_that_open_it(
    hospital: Hospital, ward: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    late = ward.photo()
    rotate(hospital)
    take_keyset(hospital, ward)
    sync(hospital, ward)
    why = status(hospital, capsys)["epochs"][0]["kept_by"]
    assert why == ["1 photo of device ward3-bed12 may still be on the way"]
    assert hospital.receive(ward, late).status == Status.FILED
    hospital.look_around()
    hospital.query(ward, late)
    hospital.until(lambda: kept(hospital, late).exists(), 10, "the sealed copy")
    keys(hospital, "rewrap")
    keys(hospital, "retire")


def test_nothing_but_a_keyset_that_this_gateway_can_work_with_is_installed(
    hospital: Hospital, tmp_path: Path
) -> None:
    rotation = Rotation(configuration.load(hospital.config_file).keys, {})
    keys(hospital, "request", tmp_path / "one", "--receipt")
    keys(hospital, "sign", hospital.site.folder, tmp_path / "one", tmp_path / "signed")
    with pytest.raises(NotRotated, match="cannot be installed"):
        rotation.install(b"no keyset")
    made = next(hospital.site.gateway.glob("opening-*.key"))
    made.rename(tmp_path / "elsewhere")
    with pytest.raises(NotRotated, match="none of its keys is this gateway's"):
        rotation.install((tmp_path / "signed").read_bytes())
    (tmp_path / "elsewhere").rename(made)
    assert rotation.install((tmp_path / "signed").read_bytes()).keyset.epoch == 2
    again = (tmp_path / "signed").read_bytes()
    assert rotation.install(again).keyset.epoch == 2, "the same again changes nothing"


def test_P8_a_second_keyset_of_one_epoch_is_an_error_that_names_the_file(
    hospital: Hospital,
) -> None:
    newest = rotate(hospital).keyset
    root = pem.signer((hospital.site.offline / "root.key").read_bytes())
    other = keyset.issue(replace(newest, not_after_ms=newest.not_after_ms + 1), root)
    (hospital.site.gateway / "keyset-3.cose").write_bytes(other.raw)
    with pytest.raises(ConfigError, match=r"\d\.cose: a second, different keyset of epoch 2"):
        held(hospital)


def test_a_rewrap_is_in_the_backup_and_goes_with_its_copy(
    hospital: Hospital, ward: Device, tmp_path: Path
) -> None:
    photo, other = ward.photo(), ward.photo(b"no picture")
    hospital.receive(ward, photo)
    hospital.receive(ward, other)
    hospital.until(lambda: kept(hospital, photo).exists(), 10, "the sealed copy")
    rotate(hospital)
    keys(hospital, "rewrap")
    beside = [kept(hospital, one).with_suffix(".rewrap") for one in (photo, other)]
    backup = tmp_path / "backup.tar"
    assert main(["gateway", "backup", "--config", str(hospital.config_file), str(backup)]) == 0
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Hospital(tmp_path / "elsewhere")
    words = ["--config", str(elsewhere.config_file), str(backup)]
    assert main(["gateway", "restore", *words]) == 0
    for path in beside:
        assert (elsewhere.state / "sealed" / path.name).read_bytes() == path.read_bytes()

    hospital.age(photo)

    def gone() -> bool:
        hospital.look_around()
        return not beside[0].exists()

    hospital.until(gone, 10, "the days to be over")
    assert not kept(hospital, photo).exists()
    assert beside[1].exists(), "what is held is kept, and opens"
