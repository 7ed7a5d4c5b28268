"""The tables go from any earlier version to this one, with what is in them, or not at all."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from gateway import migrations
from gateway.database import engine_for
from gateway.migrations.models import METADATA
from gateway.store import Store
from gateway.tables import Filing, Photo, Stand, WorkItem

HEX = "ab" * 32


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Engine:
    return engine_for(database_url, tmp_path / "gateway.db")


def test_the_steps_lead_to_exactly_the_models(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def made_before_there_were_steps(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(migrations.config_for(connection), "0001")
        for statement in (
            "drop table alembic_version",
            """insert into photos values (:hex, 'dev-1', 'aa', 7, :hex, 'filed', '', 1000, 2000,
               null, 0, false, 64, 48)""",
            "insert into filings values (:hex, 'folder', '2023-11-14/x.jpg', 1500, null)",
            """insert into worklist (id, kind, device, subject, why, opened_ms)
               values (1, 'lost', 'dev-1', :hex, 'power cut', 1200)""",
        ):
            connection.execute(text(statement), {"hex": HEX} if ":hex" in statement else {})


def test_a_database_that_is_older_than_the_steps_keeps_everything(engine: Engine) -> None:
    made_before_there_were_steps(engine)
    store = Store(engine)
    with store.read() as session:
        photo = session.get_one(Photo, HEX)
        filing = session.get_one(Filing, (HEX, "folder", 1))
        item = session.get_one(WorkItem, 1)
    assert (photo.seq, photo.state, photo.width) == (7, "filed", 64)
    assert (filing.stand, filing.wanted, filing.filed_ms) == (Stand.FILED, Stand.FILED, 1500)
    assert filing.reference == "2023-11-14/x.jpg"
    assert (item.why, item.ward, item.closed_ms) == ("power cut", "", None)
    store.close()


def test_a_second_start_changes_nothing(engine: Engine) -> None:
    Store(engine).close()
    store = Store(engine)
    with store.begin() as session:
        assert migrations.revision_of(session.connection()) is not None
    store.close()


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    Store(engine).close()
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(
        migrations.NewerDatabase, match=r"its tables are 9999.*install that version"
    ):
        Store(engine)
    engine.dispose()


def test_a_step_that_fails_leaves_the_tables_as_they_were(engine: Engine) -> None:
    made_before_there_were_steps(engine)
    with engine.begin() as connection:
        # In the way of a table that a later step makes.
        connection.execute(text("create table work_steps (id integer)"))
    with pytest.raises(Exception, match="work_steps"):
        Store(engine)
    with engine.begin() as connection:
        assert list(connection.execute(text("select filed_ms from filings"))) == [(1500,)]
        assert migrations.revision_of(connection) is None
    engine.dispose()
