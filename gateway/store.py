"""What the gateway remembers: one database, the same on SQLite and PostgreSQL.

The tables (gateway.tables, and those of each room) are the state: there is nothing in memory
that a restart could not rebuild from here and from the files in ``incoming/`` and ``sealed/``.
What a transaction is worth on each database stands in gateway.database.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from base import doorbell
from base.errors import WardsealError
from gateway import database, migrations

if TYPE_CHECKING:
    import psycopg


class StoreError(WardsealError):
    """The database did not do its work; what was begun is undone and may be tried again."""


class Store:
    """The database. ``with store.begin() as session:`` is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._boarding = threading.local()
        self._sessions = sessionmaker[Session](engine, expire_on_commit=False)
        self._lightly = sessionmaker[Session](
            engine.execution_options(durable=False), expire_on_commit=False
        )
        self._reading = sessionmaker[Session](
            engine.execution_options(reading=True), expire_on_commit=False
        )
        try:
            migrations.upgrade(engine)
        except SQLAlchemyError as e:
            raise StoreError(f"the database cannot be used: {_words(e)}") from e

    @property
    def bell(self) -> Path | None:
        """The socket beside SQLite's file on which to ring; None with PostgreSQL."""
        file = self._engine.url.database if self.dialect == "sqlite" else None
        return None if not file else Path(file).with_name("decided.bell")

    def listening(self) -> AbstractContextManager["psycopg.Connection[tuple[object, ...]]"]:
        """PostgreSQL alone: a connection to wait for the bell on. Raises NotHeard."""
        return database.listening(self._engine.url)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def begin(
        self, *, durable: bool = True, device: str | None = None, rings: bool = False
    ) -> Iterator[Session]:
        """One transaction: committed at the end, undone by any error.

        What is written with ``durable=False`` is safe from everything but a power cut, and may
        only be what would be learnt again. Whatever decides about the photos of a ``device``
        names it: such transactions come one after the other, in all replicas. What a person has
        decided ``rings``, so that the gateway acts on it at once (gateway.bell).
        """
        with self._within(self._sessions if durable else self._lightly) as session:
            if device is not None:
                database.take_turns(session.connection(), device)
            yield session
            for add in self._aboard():
                add(session)
            if rings:
                database.notify(session.connection())
        if rings and self.bell is not None:
            doorbell.ring(self.bell)

    @contextmanager
    def along(self, add: Callable[[Session], None]) -> Iterator[None]:
        """Let ``add`` write in the transaction that this thread begins first within: both, or none.

        With an error from within, it has not written. Where none was begun it has one of its own.
        """
        self._boarding.adds = [add]
        try:
            yield
            if self._boarding.adds:
                with self.begin():
                    pass
        finally:
            self._boarding.adds = []

    def _aboard(self) -> list[Callable[[Session], None]]:
        """Take what is to be written along, once."""
        adds: list[Callable[[Session], None]] = getattr(self._boarding, "adds", [])
        self._boarding.adds = []
        return adds

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only looks: a consistent picture that keeps nobody waiting."""
        with self._within(self._reading) as session:
            yield session

    @contextmanager
    def _within(self, sessions: sessionmaker[Session]) -> Iterator[Session]:
        try:
            with sessions.begin() as session:
                yield session
        except SQLAlchemyError as e:
            raise StoreError(f"the database did not do its work: {_words(e)}") from e

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _words(error: SQLAlchemyError) -> str:
    """The driver's own sentence, without the statement and its values.

    PostgreSQL's second line can say which values were in the way, and so name a patient.
    """
    return str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]


def open_sqlite(path: Path) -> Store:
    """Open, or make, the database file at ``path``."""
    return Store(database.sqlite(path))
