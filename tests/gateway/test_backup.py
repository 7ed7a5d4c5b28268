"""A backup is of one moment, and comes back on either kind of database with nothing missing."""

import contextlib
import io
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
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


def scribble(database: Path, what: str) -> None:
    """Change a leaf of the b-tree of ``what`` on the disk: its last key, or all of its page."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        size = connection.execute("pragma page_size").fetchone()[0]
        (page,) = connection.execute(
            "select rootpage from sqlite_schema where name = ?", (what,)
        ).fetchone()
    with database.open("r+b") as file:
        if what == "photos":
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        else:
            file.seek(page * size - 6)
            file.write(b"\x7f")


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Hospital]:
    """A gateway with SQLite, whatever the other tests' have."""
    made = Hospital(tmp_path).open()
    yield made
    made.close()


DAMAGED = pytest.mark.parametrize("what", ["photos", "photos_by_capture"])


@DAMAGED
def test_P5_a_damaged_store_is_not_backed_up_and_nothing_half_is_left(
    lone: Hospital, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = lone.enrol()
    lone.receive(device, device.photo(b"no picture"))
    lone.close()
    scribble(lone.state / "gateway.db", what)
    (tmp_path / "to").mkdir()
    file = tmp_path / "to" / "backup.tar"
    assert wardseal(["gateway", "backup", "--config", str(lone.config_file), str(file)]) == 3
    said = capsys.readouterr().err
    assert "the database cannot be read whole (" in said and "nothing was backed up" in said
    assert not list((tmp_path / "to").iterdir())


@DAMAGED
def test_P5_a_backup_whose_database_is_damaged_is_not_restored(
    lone: Hospital, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = lone.enrol()
    lone.receive(device, device.photo(b"no picture"))
    file, bad = tmp_path / "backup.tar", tmp_path / "bad.tar"
    assert wardseal(["gateway", "backup", "--config", str(lone.config_file), str(file)]) == 0
    with tarfile.open(file) as tar, tarfile.open(bad, "w") as into:
        for member in tar:
            tar.extract(member, tmp_path / "out", filter="data")
            path = tmp_path / "out" / member.name
            if path.name == "gateway.db":
                scribble(path, what)
            into.add(path, member.name)
    new = elsewhere(lone, tmp_path / "new", "")
    assert wardseal(["gateway", "restore", "--config", str(new.config_file), str(bad)]) == 2
    assert f"{bad}: the database in it is damaged (" in (said := capsys.readouterr().err)
    assert "nothing was restored" in said
    assert not (new.state / "gateway.db").exists()
    assert not list((new.state / "sealed").iterdir())
    assert wardseal(["gateway", "restore", "--config", str(new.config_file), str(file)]) == 0


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
