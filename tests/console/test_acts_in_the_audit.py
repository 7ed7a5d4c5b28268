"""What a person does stands in the audit by the very transaction that does it: both, or neither."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from gateway.store import Store, StoreError, open_sqlite
from gateway.tables import WorkItem
from gateway.worklist_desk import NotDone
from tests.console.programs import program, token_for
from tests.console.reception import Console, csrf_of

_ACTS = ("hold", "item assigned", "item closed", "site said", "objection entered", "review asked")
_LEFT = (
    "select (select count(*) from litigation_holds), (select count(*) from work_steps),"
    " (select count(*) from body_sites), (select count(*) from objections),"
    " (select count(*) from undos), (select count(*) from reviews),"
    " (select count(*) from worklist where closed_ms is not null or owner is not null)"
)


@pytest.fixture(scope="module")
def item(open_console: Console) -> int:
    """An item on the worklist about a filed photo: its body site is not said."""
    hospital, photo = open_console.hospital, open_console.photos[0]

    def look() -> list[Any]:
        hospital.look_around()
        hospital.turn()
        return hospital.rows(
            "select id from worklist where kind = 'site' and subject = :p", p=photo.hex
        )

    return int(hospital.until(look, 20, "the item")[0][0])


@pytest.fixture
def no_audit(console: Console) -> Iterator[None]:
    """The disk takes no row of the audit that says what somebody did."""
    acts = ", ".join(f"'{act}'" for act in _ACTS)
    console.hospital.change(
        "create trigger no_audit before insert on viewings"
        f" when new.what in ({acts}) begin select raise(abort, 'the disk is full'); end"
    )
    yield
    console.hospital.change("drop trigger no_audit")


def left(console: Console) -> list[Any]:
    """How much each room has written down."""
    return console.hospital.rows(_LEFT)


def test_what_a_page_cannot_write_into_the_audit_is_not_done(
    console: Console, item: int, no_audit: None
) -> None:
    photo, nurse = console.photos[0].hex, console.sign_in("nurse")
    officer, before = console.sign_in("officer"), left(console)
    when = "2023-11-15T09:00"
    forms: list[tuple[httpx2.Client, str, dict[str, str]]] = [
        (nurse, f"/photos/{photo}/site", {"part": "76853006/left", "note": ""}),
        (nurse, f"/photos/{photo}/objections", {"who": "he", "when": when, "words": "no"}),
        (nurse, f"/photos/{photo}/reviews", {"owner": "Officer (officer)", "question": "well?"}),
        (nurse, f"/worklist/{item}/assign", {"owner": "N. Weber"}),
        (nurse, f"/worklist/{item}/close", {"note": "seen"}),
        (officer, f"/photos/{photo}/holds", {"reason": "a claim"}),
    ]
    for client, path, form in forms:
        answer = client.post(path, data={"csrf": csrf_of(client, f"/photos/{photo}"), **form})
        assert answer.status_code == 503, (path, answer.text)
        assert left(console) == before, path


def test_what_the_api_cannot_write_into_the_audit_is_not_done(
    console: Console, item: int, no_audit: None
) -> None:
    photo, before = console.photos[0].hex, left(console)
    officer = program(console, token_for(console, "audited", "officer"))
    nurse = program(console, token_for(console, "written-down", "nurse"))
    said = {"said_by": "he", "said": "2023-11-15T09:00:00Z", "words": "no"}
    asked: list[tuple[httpx2.Client, str, dict[str, str]]] = [
        (nurse, f"photos/{photo}/sites", {"code": "76853006", "side": "left"}),
        (nurse, f"photos/{photo}/objections", said),
        (nurse, f"photos/{photo}/reviews", {"owner": "N. Weber", "question": "well?"}),
        (nurse, f"worklist/{item}/assignment", {"owner": "N. Weber"}),
        (nurse, f"worklist/{item}/closing", {"note": "seen"}),
        (officer, f"photos/{photo}/holds", {"reason": "a claim"}),
    ]
    for client, path, body in asked:
        answer = client.post(path, json=body)
        assert answer.status_code == 503, (path, answer.text)
        assert left(console) == before, path


def test_what_is_done_is_in_the_audit_once_and_what_is_refused_is_not(
    console: Console, item: int
) -> None:
    nurse, before = console.sign_in("nurse"), len(console.viewings())
    csrf = csrf_of(nurse)
    path, note = f"/worklist/{item}/close", "a body site was said to the ward clerk"
    assert nurse.post(path, data={"csrf": csrf, "note": " "}).status_code == 409
    assert nurse.post(path, data={"csrf": csrf, "note": note}).status_code == 303
    assert nurse.post(path, data={"csrf": csrf, "note": note}).status_code == 409
    about = f"item {item} {console.photos[0].hex}"
    assert console.viewings()[before:].count(("nurse", "item closed", about)) == 1


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    made = open_sqlite(tmp_path / "gateway.db")
    yield made
    made.close()


def row(subject: str) -> WorkItem:
    return WorkItem(kind="site", device="d", subject=subject, why="", opened_ms=0)


def refused(store: Store, add: Callable[[Any], None]) -> None:
    with store.along(add), store.begin() as session:
        session.add(row("second"))
        raise NotDone("no")


def written(store: Store, add: Callable[[Any], None]) -> None:
    with store.along(add), store.begin() as session:
        session.add(row("fourth"))


def subjects(store: Store) -> list[str]:
    with store.read() as session:
        return [found.subject for found in session.query(WorkItem).order_by(WorkItem.id)]


def test_what_goes_along_is_written_with_the_first_transaction_once_or_not_at_all(
    store: Store,
) -> None:
    def along(subject: str) -> Callable[[Any], None]:
        return lambda session: session.add(row(subject))

    with store.along(along("first's")), store.begin() as session:
        session.add(row("first"))
    with store.along(along("alone")):
        pass
    with pytest.raises(NotDone):
        refused(store, along("never"))
    with store.begin() as session:
        session.add(row("third"))
    with pytest.raises(StoreError):
        written(store, along("third"))  # it is there already
    assert subjects(store) == ["first", "first's", "alone", "third"]
