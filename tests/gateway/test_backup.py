"""A backup is of one moment, and comes back on either kind of database with nothing missing."""

import io
import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import select

from cli.__main__ import main as wardseal
from gateway.database import engine_for
from gateway.migrations.models import METADATA
from tests.gateway.bedside import Device, jpeg
from tests.gateway.databases import Server
from tests.gateway.hospital import Hospital
from wire.messages import Status

TABLES = ("photos", "filings", "receipts", "ledger_entries", "ledger_heads", "undos", "worklist")


def everything(hospital: Hospital) -> dict[str, list[str]]:
    engine = engine_for(hospital.url, hospital.state / "gateway.db")
    try:
        with engine.connect() as connection:
            tables = {name: METADATA.tables[name] for name in TABLES}
            return {
                name: sorted(map(str, connection.execute(select(table))))
                for name, table in tables.items()
            }
    finally:
        engine.dispose()


def elsewhere(hospital: Hospital, folder: Path, url: str) -> Hospital:
    """The same site's keys, and an empty place."""
    shutil.copytree(hospital.site.folder, folder / "site")
    return Hospital(folder, url=url)


@pytest.mark.parametrize("onto", ["sqlite", "postgresql"])
def test_P5_a_backup_of_a_working_gateway_comes_back_whole_on_either_database(
    hospital: Hospital, device: Device, tmp_path: Path, postgresql: Server, onto: str
) -> None:
    filed, held = device.photo(), device.photo(b"no picture")
    hospital.receive(device, filed)
    assert hospital.receive(device, held).status == Status.HELD
    device.undo(filed)
    hospital.sync(device, device.batch())
    hospital.look_around()
    hospital.until(
        lambda: any(r.status == Status.UNDONE for r in hospital.receipts(filed)), 10, "UNDONE"
    )
    hospital.query(device, held)  # answered after what was begun before it
    file = tmp_path / "backup.tar"
    arguments = ["--config", str(hospital.config_file), str(file)]
    assert wardseal(["gateway", "backup", *arguments]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert wardseal(["gateway", "backup", *arguments]) == 3  # never overwritten
    before = everything(hospital)

    new = elsewhere(hospital, tmp_path / "new", postgresql.database() if onto != "sqlite" else "")
    arguments = ["--config", str(new.config_file), str(file)]
    assert wardseal(["gateway", "restore", *arguments]) == 0
    assert everything(new) == before
    assert (new.state / "sealed" / f"{held.hex}.wardseal").read_bytes()
    with tarfile.open(file) as tar:
        assert not any("key" in name for name in tar.getnames())
    new.open()
    try:
        assert new.read(new.query(device, held)).status == Status.HELD
        assert new.receive(device, device.photo(jpeg(seed=3))).status == Status.FILED
        new.look_around()
    finally:
        new.close()
    assert wardseal(["gateway", "restore", *arguments]) == 1  # not onto what is there


@pytest.mark.parametrize("damage", ["no tar", "cut", "foreign", "path"])
def test_P10_what_is_no_backup_changes_nothing(
    hospital: Hospital,
    tmp_path: Path,
    damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "backup.tar"
    assert wardseal(["gateway", "backup", "--config", str(hospital.config_file), str(file)]) == 0
    if damage == "no tar":
        file.write_bytes(b"what is this")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:2000])
    else:
        name = "../../evil.wardseal" if damage == "path" else "other.txt"
        with tarfile.open(file, "a") as tar:
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
    new = elsewhere(hospital, tmp_path / "new", "")
    assert wardseal(["gateway", "restore", "--config", str(new.config_file), str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert not (new.state / "gateway.db").exists()
    assert not list((new.state / "sealed").iterdir())
    assert not (tmp_path / "evil.wardseal").exists()
