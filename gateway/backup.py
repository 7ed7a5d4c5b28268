"""Backup and restore: the database and every sealed photo that it counts on, in one tar file.

The database is read in one transaction, so it is of one moment, while the gateway goes on working;
it is written as an SQLite file, whatever the store is, so a backup also carries a site from SQLite
to PostgreSQL. The sealed copies come after it: what the database says is HELD is there, or the
gateway has settled it meanwhile, and the backup is begun again.

A sealed copy's re-wrap goes with it. Left out: keys (they have a safe of their own, and a backup
with its keys is an open record), photos on their way in (devices still have them), and record
systems (they have backups of their own).
SQLite is asked whether the database is sound, indexes included, before anything is written and
before anything is put back: a damaged one gives rows that are not there, or leaves some out.
A backup names patients, so it is made for its owner alone (mode 0600) and belongs where they do.
"""

import contextlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, func, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from base.durable import fsync_dir
from base.errors import EnvironmentProblem, FormatError, WardsealError
from gateway import migrations
from gateway.migrations.models import METADATA
from gateway.tables import Photo, State
from gateway.vault import REWRAP, SUFFIX

_VERSION: Final = 1
_MANIFEST: Final = "manifest.json"
_DATABASE: Final = "gateway.db"
_SEALED: Final = "sealed/"
_AT_ONCE: Final = 500
_TRIES: Final = 3
_CHECK: Final = "pragma integrity_check(1)"
_OK: Final = "ok"
_UNREADABLE: Final = (
    "the database cannot be read whole ({}): nothing was backed up. Stop the gateway, keep its "
    "folder and the last good backup, and restore that one into an empty place "
    "(docs/howto/gateway.md)"
)


class NotRestored(WardsealError):
    """Nothing was restored; the text says what is in the way."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds: how many photos the database knows, and how many sealed copies."""

    photos: int
    sealed: int
    tables: str


def backup(engine: Engine, sealed: Path, to: Path, *, now_ms: int) -> Contents:
    """Write a backup to ``to``, which must not exist. Raises EnvironmentProblem, OSError.

    Then nothing was written. The tables are brought up to date first.
    """
    if to.exists():
        raise EnvironmentProblem(f"{to} exists already; backups are never overwritten")
    try:
        _sound(engine)
        migrations.upgrade(engine)
        return _backup(engine, sealed, to, now_ms)
    except SQLAlchemyError as e:
        said = str(getattr(e, "orig", None) or type(e).__name__).partition("\n")[0]
        raise EnvironmentProblem(_UNREADABLE.format(said)) from e


def _sound(engine: Engine) -> None:
    """Ask SQLite, if it is SQLite, about its file. Raises EnvironmentProblem."""
    if engine.dialect.name != "sqlite":
        return
    with engine.execution_options(reading=True).begin() as connection:
        (said,) = connection.exec_driver_sql(_CHECK).first() or ("nothing",)
    if said != _OK:
        raise EnvironmentProblem(_UNREADABLE.format(said))


def _backup(engine: Engine, sealed: Path, to: Path, now_ms: int) -> Contents:
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".backup-") as folder:
        partial = Path(folder) / "backup.tar"
        for _ in range(_TRIES):
            contents = _write(engine, sealed, Path(folder) / _DATABASE, partial, now_ms)
            if contents is not None:
                break
        else:
            raise EnvironmentProblem("photos are settled faster than they are copied; try again")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.link(partial, to)
        fsync_dir(to.parent)
    return contents


def _write(
    engine: Engine, sealed: Path, database: Path, partial: Path, now_ms: int
) -> Contents | None:
    """Write everything; None if a HELD photo was settled between the database and its copy."""
    database.unlink(missing_ok=True)
    with engine.execution_options(reading=True).begin() as source:
        revision = migrations.revision_of(source)
        held = set(source.scalars(select(Photo.photo).where(Photo.state == State.HELD)))
        photos = source.scalar(select(func.count()).select_from(Photo)) or 0
        _copy(source, database)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    count = 0
    with (
        os.fdopen(os.open(partial, flags, 0o600), "wb") as file,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        about = {"wardseal-backup": _VERSION, "made_ms": now_ms, "tables": revision}
        data = json.dumps(about).encode()
        tar.addfile(_member(_MANIFEST, len(data)), io.BytesIO(data))
        with database.open("rb") as copy:
            tar.addfile(_member(_DATABASE, database.stat().st_size), copy)
        for path in sorted((*sealed.glob(f"*{SUFFIX}"), *sealed.glob(f"*{REWRAP}"))):
            try:
                with path.open("rb") as copy:
                    tar.addfile(_member(_SEALED + path.name, os.fstat(copy.fileno()).st_size), copy)
            except FileNotFoundError:
                continue
            if path.suffix == SUFFIX:
                held.discard(path.stem)
                count += 1
    return None if held else Contents(photos, count, revision or "none")


def _copy(source: Connection, database: Path) -> None:
    target = create_engine(f"sqlite:///{database}")
    try:
        with target.begin() as into:
            METADATA.create_all(into)
            _rows(source, into)
    finally:
        target.dispose()
    database.chmod(0o600)


def _rows(source: Connection, into: Connection) -> None:
    """Carry every row of every table over, a few hundred at a time."""
    for table in METADATA.sorted_tables:
        rows = source.execution_options(yield_per=_AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions(_AT_ONCE):
            into.execute(insert(table), [dict(row) for row in some])


def restore(
    file: Path, make_engine: Callable[[], Engine], sealed: Path, *, to: Callable[[Engine], Any]
) -> Contents:
    """Put a backup into an empty store and an empty folder. ``to`` makes the tables.

    Raises NotRestored when something is there already, FormatError when the file is no backup
    of this version; then nothing was changed.
    """
    if any(sealed.glob(f"*{SUFFIX}")):
        raise NotRestored(f"{sealed} holds sealed photos: restore goes into an empty place only")
    with tempfile.TemporaryDirectory(dir=sealed.parent, prefix=".restore-") as folder:
        revision, names = _unpack(file, Path(folder))
        engine = make_engine()
        try:
            with engine.connect() as connection:
                if inspect(connection).has_table("photos") and connection.scalar(
                    select(func.count()).select_from(Photo)
                ):
                    raise NotRestored("the database holds photos: restore goes into an empty one")
            to(engine)
            with engine.begin() as into:
                if migrations.revision_of(into) != revision:
                    raise NotRestored(
                        f"the backup's tables are {revision}, these are "
                        f"{migrations.revision_of(into)}: restore it with the version of Wardseal "
                        "that made it, then update"
                    )
                source = create_engine(f"sqlite:///{Path(folder) / _DATABASE}")
                with source.connect() as connection:
                    _rows(connection, into)
                    photos = connection.scalar(select(func.count()).select_from(Photo)) or 0
                source.dispose()
                _count_on(into)
                # Before the commit: no photo is HELD whose sealed copy is not there.
                try:
                    for name in names:
                        os.rename(Path(folder) / name, sealed / name)
                    fsync_dir(sealed)
                except BaseException:
                    for name in names:
                        (sealed / name).unlink(missing_ok=True)
                    raise
        finally:
            engine.dispose()
    return Contents(photos, sum(name.endswith(SUFFIX) for name in names), revision)


def _count_on(into: Connection) -> None:
    """PostgreSQL counts ids by itself, and must go on after the highest."""
    if into.dialect.name != "postgresql":
        return
    for table in METADATA.sorted_tables:
        column = table.autoincrement_column
        if column is not None and column.name == "id":
            highest = into.scalar(select(func.max(column))) or 0
            name = func.pg_get_serial_sequence(table.name, column.name)
            into.execute(select(func.setval(name, highest + 1, False)))


def _unpack(file: Path, folder: Path) -> tuple[str, list[str]]:
    """Unpack into a scratch folder; return the tables' version and the sealed copies' names."""
    names: list[str] = []
    revision = None
    try:
        with tarfile.open(file, mode="r:") as tar:
            for member in tar:
                data = tar.extractfile(member)
                if not member.isfile() or data is None:
                    raise FormatError(f"{file}: holds something that is no file")
                if member.name == _MANIFEST:
                    about = json.loads(data.read(4096))
                    if about.get("wardseal-backup") != _VERSION:
                        raise FormatError(f"{file}: is a backup of another version")
                    revision = str(about["tables"])
                    continue
                name = member.name.removeprefix(_SEALED)
                if name != _DATABASE and (not name.endswith((SUFFIX, REWRAP)) or "/" in name):
                    raise FormatError(f"{file}: holds something that no backup of ours does")
                if name != _DATABASE:
                    names.append(name)
                _save(data, folder / name)
        if revision is None or not (folder / _DATABASE).exists():
            raise FormatError(f"{file}: is no backup of ours, or it is cut off")
        with contextlib.closing(sqlite3.connect(folder / _DATABASE)) as database:
            (said,) = database.execute(_CHECK).fetchone() or ("nothing",)
        if said != _OK:
            raise FormatError(
                f"{file}: the database in it is damaged ({said}): nothing was restored; "
                "take an earlier backup"
            )
    except (tarfile.TarError, ValueError, KeyError, AttributeError, sqlite3.Error) as e:
        raise FormatError(f"{file}: is no backup of ours, or it is damaged") from e
    return revision, names


def _save(data: Any, path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        while piece := data.read(1 << 20):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member
