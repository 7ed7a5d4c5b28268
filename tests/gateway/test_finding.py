"""Photos are found by what people know of them, page by page, whatever arrives meanwhile."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from base.errors import FormatError
from gateway.finding import Finder, Wanted
from gateway.identity.tables import AssignmentRow
from gateway.series import of_patient
from gateway.sites import BodySiteRow
from gateway.store import Store
from gateway.tables import Base, Photo

DAY = date(2026, 11, 24)
MS = 1_795_500_000_000  # on that day


def photo(number: int, **changes: Any) -> Photo:
    usual: dict[str, Any] = {
        "photo": f"{number:064x}",
        "device": "ward3-bed12",
        "ledger": "0" * 32,
        "seq": number,
        "intent": f"{number:064x}",
        "state": "filed",
        "captured_ms": MS + number,
        "clock": "synced",
        "changed_ms": MS,
        "level": "care",
        "ward": "W3",
        "bed": "12",
        "width": 4056,
        "height": 3040,
    }
    return Photo(**(usual | changes))


def assigned(number: int, patient: str, at: int = 1) -> AssignmentRow:
    return AssignmentRow(photo=f"{number:064x}", number=at, patient=patient, how="band", at_ms=MS)


def put(store: Store, *rows: Base) -> None:
    with store.begin() as session:
        session.add_all(rows)


def numbers(rows: Any) -> list[int]:
    return [int(row.photo, 16) for row in rows]


def test_pages_join_without_a_gap_in_both_directions_while_photos_arrive(store: Store) -> None:
    # Several at the same moment: only their ids tell them apart.
    put(store, *(photo(n, captured_ms=MS + n // 3) for n in range(25)))
    finder, seen, cursor = Finder(store), [], ""
    while True:
        page = finder.page(Wanted(older=cursor), size=10)
        seen += numbers(page.photos)
        if cursor:
            back = finder.page(Wanted(newer=page.newer), size=10)
            assert numbers(back.photos) == seen[-len(page.photos) - 10 : -len(page.photos)]
        else:
            put(store, photo(99, captured_ms=MS + 99))
        if not page.older:
            break
        cursor = page.older
    assert seen == sorted(range(25), reverse=True)
    assert finder.page(Wanted(), size=10).total == 26
    assert numbers(finder.page(Wanted(), size=10).photos)[0] == 99


def test_each_filter_finds_its_own(store: Store) -> None:
    put(
        store,
        photo(1),
        photo(2, ward="W4", bed="1"),
        photo(3, bed="13"),
        photo(4, level="teaching", state="held"),
        photo(5, device="ward4-bed1", captured_ms=MS - 86_400_000),
        assigned(1, "4711"),
        assigned(1, "815", at=2),
        assigned(2, "4711"),
    )
    finder = Finder(store)
    for asked, found in (
        ({"ward": "W4"}, [2]),
        ({"ward": "W3", "bed": "12"}, [4, 1, 5]),
        ({"level": "teaching"}, [4]),
        ({"state": "held"}, [4]),
        ({"device": "ward4-bed1"}, [5]),
        ({"patient": "4711"}, [2]),  # the other one was moved away
        ({"day": DAY.isoformat(), "device": "ward4-bed1"}, []),
        ({"from": "2026-11-23", "to": "2026-11-23"}, [5]),
        ({"to": "2026-11-24", "bed": "13"}, [3]),
    ):
        wanted = Wanted.of({"day": "", **asked} if "from" not in asked else asked, today=DAY)
        assert numbers(finder.page(wanted).photos) == found, asked
        # What a page links to asks for the same.
        assert Wanted.of(wanted.query(), today=DAY) == wanted
    assert numbers(finder.page(Wanted.of({}, today=DAY)).photos) == [4, 3, 2, 1]


TEXT = st.text(max_size=20)
NAMES = ("day", "from", "to", "state", "level", "older", "newer", "ward", "bed", "patient")


@given(st.dictionaries(st.sampled_from(NAMES), TEXT))
def test_any_query_is_read_or_refused_in_a_sentence(asked: dict[str, str]) -> None:
    try:
        wanted = Wanted.of(asked, today=DAY)
    except FormatError as e:
        assert str(e).endswith(".")
    else:
        assert wanted.words()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"day": "yesterday"}, "A day must be like 2026-11-25"),
        ({"from": "2026-11-25", "to": "2026-11-24"}, "must not be after the last"),
        ({"state": "lovely"}, "no such status"),
        ({"level": "publication"}, "no such level"),
        ({"older": "1-2"}, "begin again"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(asked: dict[str, str], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        Wanted.of(asked, today=DAY)


def test_a_series_is_sorted_by_wound_and_knows_each_scale(store: Store) -> None:
    put(
        store,
        photo(1, label="W2 HEEL L", nm_per_px=50_000),
        photo(2, label="W2 HEEL L", nm_per_px=25_000, poor=True),
        photo(3),
        photo(4),
        photo(5, label="W2 HEEL L"),
        *(assigned(n, "4711") for n in range(1, 6)),
        BodySiteRow(
            photo=f"{3:064x}",
            code="54735007",
            display="Sacrum",
            side="",
            note="new",
            by="A",
            at_ms=MS,
            told="done",
        ),
    )
    series = of_patient(store, "4711")
    assert [(w.name, numbers(w.good), numbers(w.poor)) for w in series.wounds] == [
        ("Sacrum", [3], []),
        ("W2 HEEL L", [1, 5], [2]),
        ("", [4], []),
    ]
    heel = series.wounds[1]
    assert [view.width_mm for view in heel.good] == [pytest.approx(202.8), None]
    assert heel.widest_mm == pytest.approx(202.8) and series.wounds[0].good[0].note == "new"
    assert not of_patient(store, "9").wounds


def test_with_many_photos_every_filter_is_answered_from_an_index(store: Store) -> None:
    if store._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by what is in its tables")
    for asked in ({"ward": "W3", "bed": "12"}, {"state": "held"}, {"level": "care"}, {}):
        wanted = Wanted.of({"day": "", **asked}, today=DAY)
        plans: list[str] = []
        _explain(store, lambda wanted=wanted: Finder(store).page(wanted), plans)
        assert plans and not any("SCAN photos" in p and "INDEX" not in p for p in plans), plans
        assert not any("TEMP B-TREE FOR ORDER BY" in p for p in plans), plans


def _explain(store: Store, ask: Any, plans: list[str]) -> None:
    """Collect SQLite's plan of every statement that asking leads to."""

    def look(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            raw = cursor.connection.cursor()
            raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(str(row[3]) for row in raw.fetchall())

    event.listen(store._engine, "before_cursor_execute", look)
    try:
        ask()
    finally:
        event.remove(store._engine, "before_cursor_execute", look)
