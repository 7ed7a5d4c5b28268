"""A named person is asked to review a photo: on his worklist, and at a real FHIR server."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from sqlalchemy.orm import Session

from gateway.beds import Beds
from gateway.config import WorklistSettings
from gateway.database import sqlite
from gateway.filing.cabinet import Cabinet, nobody
from gateway.filing.errands import Errands, Reviewer
from gateway.filing.fhir import Fhir
from gateway.filing.fhir.request import request_of
from gateway.filing.record import Assignment
from gateway.filing.settings import FhirSettings
from gateway.report.making import Style
from gateway.reviews import Review, Reviews, ReviewTold, Status
from gateway.sharing.copies import TeachingCopy
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.worklist_desk import Filter, NotDone, Worklist
from neighbours.fhir import FhirServer
from tests.gateway.filing.faulty import FaultyLine
from tests.gateway.filing.photos import AT_MS, HOSTILE, OTHER, WHOSE
from tests.gateway.test_finding import photo

ASKED: dict[str, Any] = {"owner": "Vera Lind (v.lind)", "question": "is it infected?"}
NURSE = "Jo Doe (j.doe)"


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(sqlite(tmp_path / "gateway.db"))
    with opened.begin() as session:
        session.add(photo(1))
        session.add(photo(2, state="undone"))
    yield opened
    opened.close()


@pytest.fixture
def reviews(store: Store) -> Reviews:
    return Reviews(store=store, clock=clock)


@pytest.fixture
def worklist(store: Store, tmp_path: Path) -> Worklist:
    beds = Beds(tmp_path / "beds.csv")
    return Worklist(store=store, beds=beds, settings=WorklistSettings(), clock=clock)


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    started = FhirServer().wait()
    yield started
    started.close()


ONE = f"{1:064x}"


def test_a_request_stands_on_its_owners_worklist_until_it_is_closed_there(
    reviews: Reviews, worklist: Worklist
) -> None:
    asked = reviews.ask(ONE, by=NURSE, **ASKED)
    (item,) = worklist.items(Filter(kinds=(WorkKind.REVIEW,), owner="Vera Lind (v.lind)"))
    assert (item.photo, item.bed, asked.status) == (ONE, "12", Status.ACTIVE)
    assert item.why == "Jo Doe (j.doe) asks: is it infected?"
    worklist.close(item.id, by="Vera Lind (v.lind)", note="no")
    (done,) = reviews.of(ONE)
    assert (done.status, done.closed_by, done.note) == (
        Status.COMPLETED,
        "Vera Lind (v.lind)",
        "no",
    )
    again = reviews.ask(ONE, by=NURSE, **ASKED)
    assert reviews.revoke(again.id, by=NURSE, note="healed").status is Status.REVOKED
    with pytest.raises(NotDone, match="closed already"):
        reviews.complete(again.id, by=NURSE, note="x")


def test_what_cannot_be_asked_is_refused_in_words(reviews: Reviews) -> None:
    for changed, words in (
        ({"owner": " "}, "who is asked must be named"),
        ({"question": ""}, "a question is needed"),
    ):
        with pytest.raises(NotDone, match=words):
            reviews.ask(ONE, by=NURSE, **{**ASKED, **changed})
    with pytest.raises(NotDone, match="this one is undone"):
        reviews.ask(f"{2:064x}", by=NURSE, **ASKED)
    with pytest.raises(NotDone, match="no such photo"):
        reviews.ask("0" * 64, by=NURSE, **ASKED)


def test_a_fhir_server_has_it_once_follows_its_owner_and_its_end_through_failures(
    store: Store, reviews: Reviews, worklist: Worklist, server: FhirServer
) -> None:
    line = FaultyLine("127.0.0.1", server.port)
    settings = FhirSettings(
        url=f"http://127.0.0.1:{line.port}/fhir", report=False, timeout_seconds=3
    )
    sink = Fhir(settings, Style(), lambda: AT_MS)
    assert isinstance(sink, Reviewer)
    errands = Errands(sink=sink, store=store, assigned=nobody, clock=clock)
    try:
        asked = reviews.ask(ONE, by=NURSE, **ASKED)
        line.fail("POST", "half")
        assert errands.round()
        with store.begin() as session:
            told = session.get_one(ReviewTold, (asked.id, "fhir"))
            assert told.problem and told.attempts == 1
            told.due_ms = 0  # its wait is over
        assert errands.round() and not errands.round()
        request = server.one("ServiceRequest")
        assert (request["status"], request["intent"]) == ("active", "order")
        assert request["requester"]["identifier"] == {
            "system": "urn:wardseal:person",
            "value": "j.doe",
        }
        assert request["performer"][0]["display"] == "Vera Lind"
        assert request["supportingInfo"][0]["identifier"]["value"] == ONE
        worklist.assign(asked.item, "Dr. Osei (osei)", by=NURSE)
        assert errands.round()
        assert server.one("ServiceRequest")["performer"][0]["display"] == "Dr. Osei"
        worklist.close(asked.item, by="Dr. Osei (osei)", note="no sign of it")
        assert errands.round() and not errands.round()
        assert server.one("ServiceRequest")["status"] == "completed"
    finally:
        sink.close()
        line.close()


class Travelling:
    """A photo that is filed anew, again and again; ``whose`` says to whom, in order."""

    def __init__(self, store: Store) -> None:
        self.whose = [WHOSE]
        self._store = store
        self._cabinet = Cabinet(name="a", required=(), clock=clock, assigned=self.assigned)

    def assigned(self, _session: Session, _photo: str, number: int | None) -> Assignment:
        return self.whose[(number or len(self.whose)) - 1]

    def move(self, to: Assignment) -> None:
        number = len(self.whose) + 1
        self.whose.append(replace(to, number=number))
        with self._store.begin() as session:
            self._cabinet.move(session, ONE, number)


class Overtaken:
    """A record system that answers so slowly that the photo is moved meanwhile, once."""

    def __init__(self, sink: Reviewer, travelling: Travelling) -> None:
        self.name = sink.name
        self._sink = sink
        self._travelling = travelling

    def review(self, review: Review, assignment: Assignment, since: int) -> None:
        self._sink.review(review, assignment, since)
        if len(self._travelling.whose) == 1:
            self._travelling.move(OTHER)

    def copied(self, copy: TeachingCopy) -> None:
        self._sink.copied(copy)


def charts(server: FhirServer) -> list[tuple[str, str, str]]:
    """Whose chart has a request, how it stands there, and of which photo it is."""
    return sorted(
        (
            one["subject"]["identifier"]["value"],
            one["status"],
            one["supportingInfo"][0]["identifier"]["value"].removeprefix(ONE),
        )
        for one in server.all("ServiceRequest")
    )


def test_requests_go_with_a_photo_that_is_moved_and_are_in_error_where_it_was(
    store: Store, reviews: Reviews, server: FhirServer
) -> None:
    server.clear()
    sink = Fhir(FhirSettings(url=server.url, report=False), Style(), lambda: AT_MS)
    travelling = Travelling(store)
    errands = Errands(sink=sink, store=store, assigned=travelling.assigned, clock=clock)
    done = reviews.ask(ONE, by=NURSE, **ASKED)
    reviews.ask(ONE, by=NURSE, **ASKED)
    reviews.complete(done.id, by=NURSE, note="no sign of it")
    assert errands.round() and not errands.round()
    assert charts(server) == [("4711", "active", ""), ("4711", "completed", "")]
    travelling.move(replace(WHOSE, note="more is known of it"))
    assert errands.round() and not errands.round()
    assert charts(server) == [("4711", "active", "-2"), ("4711", "completed", "-2")]
    travelling.move(OTHER)
    assert errands.round() and not errands.round()
    wrong = [("4711", "entered-in-error", "-2")] * 2
    assert charts(server) == [*wrong, ("9001", "active", "-3"), ("9001", "completed", "-3")]
    travelling.move(WHOSE)
    assert errands.round() and not errands.round()
    right = [("4711", "active", "-4"), ("4711", "completed", "-4")]
    other = [("9001", "entered-in-error", "-3")] * 2
    assert charts(server) == sorted([*right, *wrong, *other])
    sink.close()


def test_a_move_while_a_request_is_told_is_told_after_it(
    store: Store, reviews: Reviews, server: FhirServer
) -> None:
    server.clear()
    sink = Fhir(FhirSettings(url=server.url, report=False), Style(), lambda: AT_MS)
    travelling = Travelling(store)
    slow = Overtaken(sink, travelling)
    errands = Errands(sink=slow, store=store, assigned=travelling.assigned, clock=clock)
    reviews.ask(ONE, by=NURSE, **ASKED)
    assert errands.round()
    assert charts(server) == [("4711", "active", "")]
    assert errands.round() and not errands.round()
    assert charts(server) == [("4711", "entered-in-error", ""), ("9001", "active", "-2")]
    sink.close()


@pytest.mark.parametrize("assignment", [WHOSE, Assignment()])
def test_the_request_is_valid_fhir_whatever_people_write(
    reviews: Reviews, assignment: Assignment
) -> None:
    settings = FhirSettings(url="http://127.0.0.1/fhir")
    for text in HOSTILE:
        asked = reviews.ask(ONE, owner=f"A {text}"[:90].replace("\0", ""), question=text, by=NURSE)
        made = request_of(asked, assignment, settings)
        get_fhir_model_class("ServiceRequest").model_validate(made)
        assert "\n" not in made["reasonCode"][0]["text"]
