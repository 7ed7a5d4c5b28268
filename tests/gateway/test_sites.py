"""A person says what a photo shows: at once for people, then in every record system. Real parts."""

import time
from typing import Any

import pytest
from pydicom.sr import _concepts_dict
from sqlalchemy import select

from gateway import body
from gateway.cases import Cases
from gateway.sites import Sites, Told
from gateway.store import Store
from gateway.tables import Filing, WorkKind
from gateway.worklist_desk import Filter, NotDone
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from tests.gateway.test_cases import BANDED, desk, pages

HEEL = "76853006"


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def sites(decided: Store) -> Sites:
    return Sites(store=decided, clock=clock)


@pytest.fixture
def photo(ward: Hospital) -> Photo:
    """One that is filed, and whose body site is owed."""
    device: Device = ward.enrol()
    taken = device.photo(private=BANDED)
    ward.receive(device, taken)
    owed = Filter(kinds=(WorkKind.SITE,))

    def asked() -> Any:
        ward.look_around()
        return desk(ward).items(owed)

    ward.until(asked, 10, "the task")
    return taken


def stands(ward: Hospital, photo: Photo, **status: str) -> dict[str, Any]:
    """Wait until the folder's pages, by assignment number, have these states."""
    wanted = {name.removeprefix("_"): words for name, words in status.items()}

    def look() -> dict[str, Any] | None:
        ward.look_around()
        found = {str(page["assignment"]): page for page in pages(ward, photo).values()}
        return found if {n: p["status"] for n, p in found.items()} == wanted else None

    found: dict[str, Any] = ward.until(look, 20, f"the folder to say {wanted}")
    return found


def test_a_site_closes_its_task_at_once_and_reaches_the_record_under_the_next_number(
    ward: Hospital, sites: Sites, photo: Photo
) -> None:
    said = sites.say(photo.hex, code=HEEL, side="left", note="grade 2", by="A. Ruiz")
    assert (said.words, said.told) == ("left Heel", Told.WAITING)
    (task,) = desk(ward).items(Filter(kinds=(WorkKind.SITE,), open=False))
    assert (task.closed_by, task.note) == ("A. Ruiz", "left Heel")
    found = stands(ward, photo, _1="replaced", _2="filed")
    assert found["2"]["site"] == {"code": HEEL, "display": "Heel", "side": "left"}
    assert found["2"]["note"] == "grade 2" and found["2"]["patient"]["number"] == "4711"
    assert found["1"]["site"] is None
    (said,) = sites.history(photo.hex)
    assert (said.told, said.number) == (Told.DONE, 2)
    one_picture(ward, photo)


def test_what_was_said_is_corrected_and_the_history_stays(
    ward: Hospital, sites: Sites, photo: Photo
) -> None:
    sites.say(photo.hex, code=HEEL, side="left", note="", by="A. Ruiz")
    stands(ward, photo, _1="replaced", _2="filed")
    sites.say(photo.hex, code=HEEL, side="right", note="", by="B. Grün")
    stands(ward, photo, _1="replaced", _2="replaced", _3="filed")
    sites.say(photo.hex, code="", side="", note="after the bath", by="B. Grün")
    found = stands(ward, photo, _1="replaced", _2="replaced", _3="replaced", _4="filed")
    assert found["4"]["site"]["side"] == "right" and found["4"]["note"] == "after the bath"
    assert [s.words for s in sites.history(photo.hex)] == ["left Heel", "right Heel", "right Heel"]
    with pytest.raises(NotDone, match="was said already"):
        sites.say(photo.hex, code=HEEL, side="right", note="after the bath", by="C")


def test_a_move_takes_the_site_along_and_leaves_the_wrong_chart_in_error(
    ward: Hospital, sites: Sites, photo: Photo, decided: Store
) -> None:
    sites.say(photo.hex, code=HEEL, side="left", note="", by="A. Ruiz")
    stands(ward, photo, _1="replaced", _2="filed")
    cases = Cases(store=decided, clock=clock)
    move = cases.ask_to_move(photo.hex, patient="815", encounter=None, by="A", reason="swapped")
    cases.decide(move.id, confirm=True, second="B")
    found = stands(ward, photo, _1="entered in error", _2="entered in error", _3="filed")
    assert found["3"]["site"]["code"] == HEEL and found["3"]["patient"]["number"] == "815"


def test_without_its_sealed_copy_nothing_is_taken_out_of_the_record(
    ward: Hospital, sites: Sites, photo: Photo
) -> None:
    (ward.state / "sealed" / f"{photo.hex}.wardseal").unlink()
    sites.say(photo.hex, code=HEEL, side="", note="", by="A. Ruiz")

    def told() -> Any:
        ward.look_around()
        return desk(ward).items(Filter(kinds=(WorkKind.UNFILED,)))

    (task,) = ward.until(told, 20, "the task")
    assert task.photo == photo.hex and "told by hand" in task.why
    stands(ward, photo, _1="filed")
    assert sites.history(photo.hex)[0].told is Told.NOT_POSSIBLE


def test_P5_what_stood_before_stays_until_the_new_one_stands_there(
    ward: Hospital, sites: Sites, photo: Photo, decided: Store
) -> None:
    (before,) = ward.record.glob(f"*/{photo.hex}.jpg")
    in_the_way = before.with_name(f"{photo.hex}-2.jpg")
    in_the_way.mkdir()
    sites.say(photo.hex, code=HEEL, side="left", note="", by="A. Ruiz")

    def refused() -> Any:
        # The problem is written down at the end of an attempt, its number at the beginning.
        ward.look_around()
        return ward.rows("select 1 from filings where assignment = 2 and problem <> ''")

    ward.until(refused, 20, "the folder to refuse it")
    # Its correction is due as well by now, and is looked at after what did not work.
    look_again(decided)
    ward.until(refused, 20, "the folder to refuse it once more")
    assert before.exists() and pages(ward, photo)[photo.hex]["status"] == "filed"
    in_the_way.rmdir()
    look_again(decided)
    stands(ward, photo, _1="replaced", _2="filed")
    one_picture(ward, photo)
    assert not before.exists()


def one_picture(ward: Hospital, photo: Photo) -> None:
    """The folder's page is marked first; then the picture goes."""

    def look() -> bool:
        return len(list(ward.record.glob(f"*/{photo.hex}*.jpg"))) == 1

    ward.until(look, 10, "one picture")


def look_again(store: Store) -> None:
    """Whatever waits for its next attempt is due now, and what did not work is forgotten."""
    with store.begin() as session:
        for row in session.scalars(select(Filing).where(Filing.wanted != Filing.stand)):
            row.due_ms, row.problem = 0, ""


def test_what_is_no_part_of_the_body_is_refused_in_words(sites: Sites, photo: Photo) -> None:
    usual = {"code": HEEL, "side": "left", "note": "", "by": "A"}
    changes: tuple[tuple[dict[str, str], str], ...] = (
        ({"code": "1234"}, "no such part of the body"),
        ({"side": "up"}, "the side is one of left, right, both"),
        ({"code": "", "side": ""}, "choose a part of the body, or write a note"),
        ({"by": " "}, "must be named"),
        ({"note": "x" * 501}, "at most 500"),
    )
    for changed, words in changes:
        with pytest.raises(NotDone, match=words):
            sites.say(photo.hex, **{**usual, **changed})
    with pytest.raises(NotDone, match="no such photo"):
        sites.say("0" * 64, **usual)
    assert not sites.history(photo.hex)


def test_the_list_agrees_with_the_codes_that_dicom_publishes() -> None:
    terms: Any = _concepts_dict.concepts["SCT"]
    published = {code: meaning for term in terms.values() for code, (meaning, _) in term.items()}
    # Three that PS3.16 has no use for; SNOMED CT has them as structures of these regions.
    beyond = {"127949000": "Elbow", "344001": "Ankle", "76853006": "Heel"}
    odd = {"91470000": "axilla", "51185008": "thora", "26893007": "inguinal", "38864007": "perine"}
    for part in body.PARTS:
        if part.code in beyond:
            assert beyond[part.code] == part.display
        else:
            said = published[part.code].lower()
            assert odd.get(part.code, part.display.lower()) in said, (part, said)


def test_a_labels_words_lead_to_a_code_where_they_are_known() -> None:
    part, side = body.of_label("HEEL", "L")
    assert part is not None and (part.code, side) == (HEEL, "left")
    assert body.of_label("W-HEEL", None) == (None, "")
