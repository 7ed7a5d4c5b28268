"""The two kinds of database: a file of SQLite, or PostgreSQL; transactions mean the same on both.

SQLite runs in WAL mode with synchronous=FULL: a commit that has returned survives a power cut.
Its transactions begin IMMEDIATE, so they come one after the other.

PostgreSQL lets transactions run side by side, and a READ COMMITTED one can miss what another is
just writing: an UNDO, say, of the photo that is being signed for. So whatever decides about a
device's photos names the device, and those transactions come one after the other, across all
replicas, by an advisory lock that ends with the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from base.errors import ConfigError, WardsealError

if TYPE_CHECKING:
    import psycopg

_PATIENCE_SECONDS: Final = 30
_DRIVER: Final = "postgresql+psycopg"
BELL: Final = "wardseal_decided"
"""The channel on which replicas hear that somebody has decided something."""


class NotHeard(WardsealError):
    """The connection to wait for notifications on was not made, or is lost."""


@dataclass(frozen=True)
class StoreSettings:
    """``url``: a PostgreSQL database, which replicas share; empty is SQLite in ``paths.state``."""

    url: str = ""

    def __post_init__(self) -> None:
        if self.url:
            url_of(self.url)


def engine_for(url: str, file: Path) -> Engine:
    """Return the engine for ``url``, or for the SQLite ``file`` when it is empty."""
    return _postgresql(url_of(url)) if url else sqlite(file)


def url_of(url: str) -> URL:
    """Check a ``store.url``. Raises ConfigError, without ever repeating a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as e:
        raise ConfigError("url", "use postgresql://USER@HOST/DATABASE") from e
    if parsed.drivername not in ("postgresql", _DRIVER):
        raise ConfigError("url", "use postgresql://USER@HOST/DATABASE; without it SQLite is used")
    if parsed.password is not None:
        raise ConfigError(
            "url", "no password belongs here: name a passfile (…?passfile=/etc/wardseal/pgpass)"
        )
    return parsed.set(drivername=_DRIVER)


def sqlite(file: Path) -> Engine:
    """Open, or make, the database file."""
    engine = create_engine(
        f"sqlite:///{file}",
        poolclass=QueuePool,
        # The driver must not begin transactions by itself: they are begun below, IMMEDIATE.
        connect_args={
            "isolation_level": None,
            "timeout": _PATIENCE_SECONDS,
            "check_same_thread": False,
        },
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        for pragma in ("journal_mode=WAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("reading"):
            connection.exec_driver_sql("BEGIN")
            return
        durable = options.get("durable", True)
        if connection.info.get("durable") is not durable:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.info["durable"] = durable
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    engine = create_engine(
        url,
        # A server that was restarted is found again at the next transaction.
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "wardseal",
            # Whoever waits longer for another replica gives up and is asked again.
            "options": f"-c lock_timeout={_PATIENCE_SECONDS}s -c timezone=UTC",
        },
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("reading"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif not options.get("durable", True):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return engine


def take_turns(connection: Connection, what: str) -> None:
    """Wait until no other transaction decides about this device's photos, or what it names."""
    if connection.dialect.name == "postgresql":
        lock = text("select pg_advisory_xact_lock(hashtextextended(:what, 0))")
        connection.execute(lock, {"what": what})


def stand_in_line(connection: Connection, line: str) -> None:
    """Let whoever waits for this line's end know of us, until the end of our transaction."""
    if connection.dialect.name == "postgresql":
        lock = text("select pg_advisory_xact_lock_shared(hashtextextended(:line, 1))")
        connection.execute(lock, {"line": line})


def wait_for_line(connection: Connection, line: str) -> None:
    """Wait until nobody stands in this line, and keep others from it to the end of ours."""
    if connection.dialect.name == "postgresql":
        lock = text("select pg_advisory_xact_lock(hashtextextended(:line, 1))")
        connection.execute(lock, {"line": line})


def notify(connection: Connection) -> None:
    """Ring at every replica, at the commit of this transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_notify(:bell, '')"), {"bell": BELL})


@contextmanager
def listening(url: URL) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Give a connection of one's own to PostgreSQL, to wait for notifications on.

    Raises NotHeard, within as well.
    """
    import psycopg  # a site with SQLite has no use for its 12 MiB

    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(
            plain,
            autocommit=True,
            connect_timeout=10,
            application_name="wardseal bell",
            # A line that has gone silently is noticed within minutes, without traffic of ours.
            keepalives_idle=60,
            keepalives_interval=10,
            keepalives_count=3,
        ) as connection:
            yield connection
    except psycopg.Error as e:
        raise NotHeard(str(e).partition("\n")[0]) from e
