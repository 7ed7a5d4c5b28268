"""What named people say of a photo over the pages, who may, and what the gateway makes of it."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from gateway.console import accounts
from gateway.console.roles import Role
from tests.console.reception import PASSWORD, csrf_of
from tests.console.test_pages import words
from tests.console.tuesday import Tuesday
from tests.gateway.bedside import Photo

WHEN = "2023-11-15T09:00"


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Tuesday]:
    made = Tuesday.made(tmp_path_factory.mktemp("statements"), free_port())
    accounts.add(
        made.folder / "accounts.toml",
        "second",
        name="Second",
        roles=frozenset({Role.GOVERNANCE}),
        password=PASSWORD,
    )
    with made:
        yield made


@pytest.fixture
def photo(console: Tuesday) -> Photo:
    return console.photograph()


def post(client: httpx2.Client, photo: Photo, what: str, **form: str) -> httpx2.Response:
    csrf = csrf_of(client, f"/photos/{photo.hex}")
    return client.post(f"/photos/{photo.hex}/{what}", data={"csrf": csrf, **form})


def shown(client: httpx2.Client, photo: Photo) -> str:
    return words(client.get(f"/photos/{photo.hex}").text)


def object_to(console: Tuesday, photo: Photo) -> int:
    """The patient tells a nurse; return the objection's number once the gateway has acted."""
    nurse = console.sign_in("nurse")
    told = post(nurse, photo, "objections", who="the patient", when=WHEN, words="not my foot")
    assert told.status_code == 303
    undone = "select 1 from photos where photo = :p and state = 'undone'"
    console.rounds(lambda: console.hospital.rows(undone, p=photo.hex), "the withdrawal")
    (row,) = console.hospital.rows("select id from objections where photo = :p", p=photo.hex)
    return int(row[0])


def test_a_nurse_takes_the_labels_word_for_the_site_and_the_record_has_it(
    console: Tuesday, photo: Photo
) -> None:
    nurse = console.sign_in("nurse")
    page = nurse.get(f"/photos/{photo.hex}").text
    first = page[page.index('<select id="part"') :].partition("<option")[2]
    assert "As on the label: W2 HEEL L" in first.partition("</option>")[0]
    assert post(nurse, photo, "site", part="76853006/left", note="grade 2").status_code == 303
    assert "left Heel (Nurse (nurse))" in shown(nurse, photo)
    assert ("nurse", "site said", photo.hex) in console.viewings()
    filed = "select 1 from filings where photo = :p and assignment = 2 and stand = 'filed'"
    console.rounds(lambda: console.hospital.rows(filed, p=photo.hex), "the record")
    wrong = post(nurse, photo, "site", part="1", note="")
    assert wrong.status_code == 409 and "no such part of the body" in wrong.text


def test_an_objection_closes_the_picture_and_governance_keeps_it(
    console: Tuesday, photo: Photo
) -> None:
    number = object_to(console, photo)
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    assert nurse.get(f"/photos/{photo.hex}/picture.jpg").status_code == 403
    assert "the patient objected: not my foot" in shown(nurse, photo)
    assert "Governance decides what becomes of it" in shown(nurse, photo)
    decision = {"decision": "kept", "reason": "part of the record"}
    refused = post(nurse, photo, f"objections/{number}/decision", **decision)
    assert refused.status_code == 403 and "do not open decisions" in refused.text
    assert post(officer, photo, f"objections/{number}/decision", **decision).status_code == 303
    assert "Kept: part of the record" in shown(officer, photo)
    assert nurse.get(f"/photos/{photo.hex}/picture.jpg").status_code == 200
    again = post(officer, photo, f"objections/{number}/decision", **decision)
    assert again.status_code == 409
    assert ("officer", "objection decided", photo.hex) in console.viewings()


def test_what_is_restricted_is_governances_alone(console: Tuesday, photo: Photo) -> None:
    number = object_to(console, photo)
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    form = {"decision": "restricted", "reason": "sensitive"}
    post(officer, photo, f"objections/{number}/decision", **form)
    assert "Governance has restricted this picture" in shown(nurse, photo)
    post(nurse, photo, "reason", reason="I am curious")
    assert nurse.get(f"/photos/{photo.hex}/small.jpg").status_code == 403
    assert officer.get(f"/photos/{photo.hex}/picture.jpg").status_code == 403
    post(officer, photo, "reason", reason="a complaint")
    assert officer.get(f"/photos/{photo.hex}/picture.jpg").status_code == 200


def test_two_people_of_governance_erase_it(console: Tuesday, photo: Photo) -> None:
    number = object_to(console, photo)
    officer, second = console.sign_in("officer"), console.sign_in("second")
    form = {"decision": "erased", "reason": "no ground"}
    lawless = post(officer, photo, f"objections/{number}/decision", **form)
    assert lawless.status_code == 409 and "Name the law" in lawless.text
    post(officer, photo, f"objections/{number}/decision", law="GDPR Art. 17", **form)
    alone = post(officer, photo, f"objections/{number}/erasure", answer="confirm")
    assert alone.status_code == 409 and "second person is needed" in alone.text
    assert post(second, photo, f"objections/{number}/erasure", answer="confirm").status_code == 303
    done = "select 1 from objections where id = :n and stage = 'done'"
    console.rounds(lambda: console.hospital.rows(done, n=number), "the erasure")
    page = shown(officer, photo)
    assert "This picture is not shown: it was erased." in page
    assert "confirmed the erasure" in page
    assert officer.get(f"/photos/{photo.hex}/picture.jpg").status_code == 403
    assert officer.get(f"/photos/{photo.hex}/small.jpg").status_code == 403


def test_a_review_stands_on_its_owners_worklist_until_it_is_closed(
    console: Tuesday, photo: Photo
) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    officer.get("/")
    assert 'value="Officer (officer)"' in nurse.get(f"/photos/{photo.hex}").text
    asked = {"owner": "Officer (officer)", "question": "is it infected?"}
    assert post(nurse, photo, "reviews", **asked).status_code == 303
    mine = words(officer.get("/worklist?mine=1&kind=review").text)
    assert "Nurse (nurse) asks: is it infected?" in mine
    (row,) = console.hospital.rows("select item from reviews where photo = :p", p=photo.hex)
    csrf = csrf_of(officer, f"/worklist/{row[0]}")
    officer.post(f"/worklist/{row[0]}/close", data={"csrf": csrf, "note": "no sign of it"})
    page = shown(nurse, photo)
    assert "no sign of it (Officer (officer))" in page and " Done " in page
    post(nurse, photo, "reviews", **asked)
    (row,) = console.hospital.rows("select max(id) from reviews")
    assert post(nurse, photo, f"reviews/{row[0]}/revoke", note="healed").status_code == 303
    assert "Taken back" in shown(nurse, photo)
    assert post(nurse, photo, "reviews/999999/revoke", note="x").status_code == 404


def test_a_moved_photo_tells_governance_alone_who_saw_it_in_the_wrong_chart(
    console: Tuesday, photo: Photo
) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    nurse.get("/patients/4711")
    for _ in range(2):
        nurse.get(f"/photos/{photo.hex}/small.jpg")
    post(nurse, photo, "move", patient="815", reason="the next bed")
    (move,) = console.hospital.rows("select id from moves where photo = :p", p=photo.hex)
    post(officer, photo, f"moves/{move[0]}", answer="confirm")
    moved = "select 1 from assignments where photo = :p and patient = '815'"
    console.rounds(lambda: console.hospital.rows(moved, p=photo.hex), "the move")
    page = shown(officer, photo)
    assert "Seen in the wrong chart In the chart of 4711 from" in page
    assert page.count("Nurse (nurse), a small picture,") == 1
    nurse.get(f"/photos/{photo.hex}/small.jpg")
    small = "select 1 from viewings where subject = :p and what = 'small picture'"
    assert len(console.hospital.rows(small, p=photo.hex)) == 2, "in another chart: once more"
    assert "Nurse (nurse), the series," in page and "Nurse (nurse), the page," in page
    assert "Seen in the wrong chart" not in shown(nurse, photo)


def test_lists_are_addressed_by_ward_bed_level_and_patient(console: Tuesday, photo: Photo) -> None:
    nurse = console.sign_in("nurse")
    for query, there in (
        ("ward=W3&bed=12", True),
        ("ward=W3&bed=13", False),
        ("level=care&patient=4711", True),
        ("level=teaching", False),
        ("from=2023-11-14&to=2023-11-14", True),
        ("to=2023-11-13", False),
    ):
        asked = query if "to=" in query else f"day=&{query}"
        assert (photo.hex in nurse.get(f"/?{asked}").text) is there, query
    wrong = nurse.get("/?from=2023-11-15&to=2023-11-14")
    assert wrong.status_code == 400 and "must not be after the last" in wrong.text
    assert nurse.get("/?older=x").status_code == 400


def test_what_people_write_is_inert_wherever_it_is_shown(console: Tuesday, photo: Photo) -> None:
    evil = '"><script>alert(1)</script>{{ 7*7 }}'
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    post(nurse, photo, "site", part="", note=evil)
    post(nurse, photo, "reviews", owner=evil, question=evil)
    post(officer, photo, "holds", reason=evil)
    post(nurse, photo, "objections", who=evil, when=WHEN, words=evil)
    day = "/questions/bed?ward=W3&bed=12&day=2023-11-14"
    for path in (f"/photos/{photo.hex}", "/patients/4711", "/worklist", day):
        page = officer.get(path).text
        assert "<script>alert" not in page, path
    shown_there = officer.get(f"/photos/{photo.hex}").text
    assert shown_there.count("&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}") >= 5
    for (hold,) in console.hospital.rows("select id from litigation_holds where photo is not null"):
        csrf = csrf_of(officer, "/patients/4711")
        officer.post(f"/holds/{hold}/lift", data={"csrf": csrf, "reason": "it is over"})


def test_wrong_forms_and_strangers_change_nothing(console: Tuesday, photo: Photo) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    late = post(nurse, photo, "objections", who="he", when="2999-01-01T00:00", words="")
    assert late.status_code == 409 and "later than now" in late.text
    for form in ({"when": "yesterday"}, {"when": "0001-01-01T00:00:00+99:00"}):
        assert post(nurse, photo, "objections", who="he", **form).status_code == 400
    assert post(officer, photo, "objections/7777/decision", decision="kept").status_code == 404
    number = object_to(console, photo)
    odd = post(officer, photo, f"objections/{number}/decision", decision="burnt", reason="x")
    assert odd.status_code == 400
    other = console.photograph()
    strange = post(officer, other, f"objections/{number}/decision", decision="kept", reason="x")
    assert strange.status_code == 404
    assert nurse.get("/questions/bed?bed=12").status_code == 403
    assert officer.get("/questions/bed/wardseal-inquiry.zip").status_code == 400
    assert officer.get("/questions/bed?bed=12&day=tuesday").status_code == 400


def test_governance_holds_a_photo_and_a_patient_and_lifts_it_again(
    console: Tuesday, photo: Photo
) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    refused = post(nurse, photo, "holds", reason="a claim")
    assert refused.status_code == 403
    assert post(officer, photo, "holds", reason="a claim").status_code == 303
    csrf = csrf_of(officer, "/patients/4711")
    everything = {"csrf": csrf, "reason": "an inquest"}
    assert officer.post("/patients/4711/holds", data=everything).headers["location"] == (
        "/patients/4711"
    )
    page = shown(nurse, photo)
    assert "On hold a claim" in page and "with everything of patient 4711: an inquest" in page
    number = object_to(console, photo)
    erased = {"decision": "erased", "reason": "no ground", "law": "GDPR Art. 17"}
    held = post(officer, photo, f"objections/{number}/decision", **erased)
    assert held.status_code == 409 and "A litigation hold keeps this photo" in held.text
    for (hold,) in console.hospital.rows("select id from litigation_holds where lifted_ms is null"):
        lifted = officer.post(f"/holds/{hold}/lift", data={"csrf": csrf, "reason": "it is over"})
        assert lifted.status_code == 303
    assert "On hold" not in shown(officer, photo)
    assert officer.post("/holds/7/lift", data={"csrf": csrf, "reason": "x"}).status_code == 409
    assert officer.post("/holds/x/lift", data={"csrf": csrf, "reason": "x"}).status_code == 404
    assert post(officer, photo, f"objections/{number}/decision", **erased).status_code == 303


def test_the_ready_made_questions_about_people_find_what_was_said(
    console: Tuesday, photo: Photo
) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    nameless = console.photograph(badge=None)
    post(nurse, photo, "move", patient="815", reason="beds were swapped")
    object_to(console, nameless)
    asked = {
        "unattested": ("ward W3, bed 12, agreed", nameless),
        "moves": ("Nurse (nurse) asked: beds were swapped; asked; 0 had seen it there", photo),
        "objections": ("the patient, entered by Nurse (nurse): not decided", nameless),
    }
    for name, (answer, about) in asked.items():
        page = officer.get(f"/questions?ask={name}").text
        assert answer in words(page) and about.hex in page, name
    assert "None." in words(officer.get("/questions?ask=emergency").text)
