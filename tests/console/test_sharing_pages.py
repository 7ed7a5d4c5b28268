"""Sharing from the console: shown first, made once, logged before it leaves, ended by objection."""

import html as markup
import io
import re
from collections.abc import Callable
from typing import Any

import pikepdf
import pydicom
import pytest
from PIL import Image

from tests.console.reception import Console, csrf_of
from tests.gateway.bedside import Photo
from tests.gateway.lesson import teach

GIVEN = {"to": "Dr Osei, Hill Clinic", "reason": "second opinion", "form": "pdf"}
_PHRASE = re.compile(r'class="phrase"[^>]*>([a-z-]+(?: [a-z-]+){5})<')
_FILE = re.compile(r'href="(/shares/file/[0-9a-f]{32})"')


def once_of(text: str) -> str:
    found = re.search(r'name="once" value="([0-9a-f]{32})"', text)
    assert found, text
    return found[1]


def share(client: Any, photo: Photo, **change: str) -> Any:
    path = f"/photos/{photo.hex}/share"
    page = client.get(path).text
    form = {**GIVEN, "csrf": csrf_of(client, path), "once": once_of(page), **change}
    return client.post(path, data=form)


def rows(console: Console, photo: Photo) -> list[tuple[Any, ...]]:
    query = "select recipient, reason, by, form, digest from shares where photo = '{}' order by id"
    return [tuple(row) for row in console.hospital.rows(query.format(photo.hex))]


def everything_at_rest(console: Console) -> bytes:
    files = [path for path in console.folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def test_P9_a_pdf_is_made_once_and_its_phrase_is_at_rest_nowhere(console: Console) -> None:
    nurse, photo = console.sign_in("nurse"), console.photos[0]
    shown = nurse.get(f"/photos/{photo.hex}/share")
    assert "This is what leaves" in shown.text and "Attested by" in shown.text
    assert rows(console, photo) == [], "looking shares nothing"
    answer = share(nurse, photo)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    phrase, link = _PHRASE.search(answer.text), _FILE.search(answer.text)
    assert phrase and link
    assert phrase[1] not in str(answer.url) + link[1]
    ((to, reason, by, form, digest),) = rows(console, photo)
    assert (to, reason, by, form) == (*list(GIVEN.values())[:2], "Nurse (nurse)", "pdf")
    file = nurse.get(link[1])
    assert file.headers["cache-control"] == "no-store"
    assert re.fullmatch(
        r'attachment; filename="photograph-\d+\.pdf"', file.headers["content-disposition"]
    )
    with pikepdf.open(io.BytesIO(file.content), password=phrase[1]) as document:
        assert len(document.pages) >= 1
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(file.content))
    assert digest in answer.text
    at_rest = everything_at_rest(console)
    assert phrase[1].encode() not in at_rest
    assert file.content[100:300] not in at_rest
    assert console.sign_in("officer").get(link[1]).status_code == 404, "another's file"


def test_a_form_that_is_sent_again_shares_nothing_twice(console: Console) -> None:
    nurse, photo = console.sign_in("nurse"), console.photos[0]
    before = len(rows(console, photo))
    path = f"/photos/{photo.hex}/share"
    once = once_of(nurse.get(path).text)
    assert share(nurse, photo, once=once).status_code == 200
    again = share(nurse, photo, once=once)
    assert again.status_code == 409 and "shared already" in again.text
    assert not _PHRASE.search(again.text)
    assert len(rows(console, photo)) == before + 1


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"to": " "}, 409, "A recipient must be named"),
        ({"reason": " "}, 409, "A reason is needed"),
        ({"form": "docx"}, 400, "Choose a PDF or a web page"),
        ({"once": "1"}, 400, "The form is not whole"),
        ({"csrf": "0" * 64}, 403, "not from your session"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_shared(
    console: Console, change: dict[str, str], status: int, said: str
) -> None:
    nurse, photo = console.sign_in("nurse"), console.photos[1]
    before = rows(console, photo)
    answer = share(nurse, photo, **change)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert rows(console, photo) == before


def test_roles_and_an_objection_close_the_door(console: Console) -> None:
    engineer, photo = console.sign_in("engineer"), console.photos[0]
    assert engineer.get(f"/photos/{photo.hex}/share").status_code == 403
    nurse = console.sign_in("nurse")
    undone = nurse.get(f"/photos/{console.photos[2].hex}/share")
    assert undone.status_code == 409 and "the patient objected" in undone.text
    assert nurse.get("/shares").status_code == 403, "the list is governance's"
    assert nurse.get(f"/photos/{photo.hex}/teaching").status_code == 409, "care only"


HOSTILE = ("<script>alert(1)</script>", "\u202egpj.exe Dr Osei", "../../x) /JS (app.alert(1)) >>")


@pytest.mark.parametrize("text", HOSTILE)
def test_P10_hostile_names_are_words_on_every_page(console: Console, text: str) -> None:
    nurse, officer, photo = console.sign_in("nurse"), console.sign_in("officer"), console.photos[1]
    assert share(nurse, photo, to=text, reason=text, form="html").status_code == 200
    for path in (f"/photos/{photo.hex}", f"/photos/{photo.hex}/share"):
        page = nurse.get(path).text
        assert "<script>alert" not in page and "\u202e" not in page
    page = officer.get("/shares", params={"recipient": text.replace("\u202e", "")}).text
    assert text.replace("\u202e", "") in markup.unescape(page)
    assert "<script>alert" not in page


def test_governance_finds_and_ends_a_share_and_the_answer_stands_in_the_story(
    console: Console,
) -> None:
    nurse, officer, photo = console.sign_in("nurse"), console.sign_in("officer"), console.photos[1]
    made = share(nurse, photo, to="Dr Lind, Lake Hospital")
    link = _FILE.search(made.text)
    assert link and nurse.get(link[1]).status_code == 200
    page = officer.get("/shares", params={"recipient": "lake", "person": "nurse"}).text
    number = re.findall(r'action="/shares/(\d+)/revoke"', page)[0]
    assert "Dr Lind" in page and "Dr Osei" not in page
    assert "Dr Lind" not in officer.get("/shares", params={"day": "2020-01-01"}).text
    csrf = csrf_of(officer, "/shares")
    done = officer.post(f"/shares/{number}/revoke", data={"csrf": csrf, "reason": "wrong address"})
    assert done.status_code == 303
    assert nurse.get(link[1]).status_code == 410, "what has ended does not leave any more"
    item = officer.get(done.headers["location"]).text
    assert "ask Dr Lind, Lake Hospital for the copy to be destroyed" in item
    assert "Nurse (nurse)" in item, "who gave it out asks"
    closed = nurse.post(
        f"{done.headers['location']}/close",
        data={"csrf": csrf_of(nurse, "/worklist"), "note": "Dr Lind wrote that it is deleted"},
    )
    assert closed.status_code == 303
    story = nurse.get(f"/photos/{photo.hex}").text
    assert "ended what was shared with Dr Lind" in story and "that it is deleted" in story
    looked = [what for _, what, _ in console.viewings()]
    assert "shares" in looked and "share ended" in looked


@pytest.fixture(scope="module")
def teaching(open_console: Console) -> Photo:
    """A photo that may be used for teaching: agreed, attested, at that level."""
    return teach(open_console.hospital, open_console.ward_device)


Give = Callable[..., Any]


def give(client: Any, photo: Photo, keep: str = "", black: str = "", **change: str) -> Any:
    path = f"/photos/{photo.hex}/teaching"
    page = client.get(path, params={"keep": keep, "black": black}).text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest, page
    form = {
        **GIVEN,
        "form": "jpg",
        "csrf": csrf_of(client, path),
        "once": once_of(page),
        "keep": keep,
        "black": black,
        "digest": digest[1],
        **{f"no-{name}": "yes" for name in ("face", "band", "tattoo", "name")},
        **change,
    }
    return client.post(path, data=form)


def test_a_teaching_copy_leaves_on_four_words_of_who_has_looked_at_it(
    console: Console, teaching: Photo
) -> None:
    nurse = console.sign_in("nurse")
    page = nurse.get(
        f"/photos/{teaching.hex}/teaching",
        params={"black": "", "keep": "", "x": 8, "y": 8, "w": 16, "h": 16, "do": "black"},
    ).text
    assert "1 blacked out" in page
    for name in ("face", "band", "tattoo", "name"):
        refused = give(nurse, teaching, black="8,8,16,16", **{f"no-{name}": "no"})
        assert refused.status_code == 409 and "Look at the copy and say of it" in refused.text
    other = give(nurse, teaching, black="8,8,16,16", digest="0" * 64)
    assert other.status_code == 409 and "not the copy that was looked at" in other.text
    assert rows(console, teaching) == []
    made = give(nurse, teaching, black="8,8,16,16")
    assert made.status_code == 200 and not _PHRASE.search(made.text), made.text
    link = _FILE.search(made.text)
    assert link
    file = nurse.get(link[1]).content
    image = Image.open(io.BytesIO(file))
    assert image.getexif() == {} and max(image.crop((10, 10, 22, 22)).convert("L").tobytes()) < 24
    assert (
        file
        == nurse.get(f"/photos/{teaching.hex}/teaching.jpg", params={"black": "8,8,16,16"}).content
    ), "what was looked at is what leaves"
    query = "select use, confirmed from shares where photo = '{}'"
    (row,) = console.hospital.rows(query.format(teaching.hex))
    assert tuple(row) == ("use for teaching", "no face, no band, no tattoo, no name; 1 blacked out")


def test_a_dicom_teaching_copy_says_how_it_was_deidentified_and_links_to_nobody(
    console: Console, teaching: Photo
) -> None:
    nurse = console.sign_in("nurse")
    found = []
    for _ in range(2):
        link = _FILE.search(give(nurse, teaching, form="dcm").text)
        assert link
        found.append(pydicom.dcmread(io.BytesIO(nurse.get(link[1]).content)))
    one, other = found
    assert one.PatientIdentityRemoved == "YES"
    codes = [
        (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
        for item in one.DeidentificationMethodCodeSequence
    ]
    assert codes == [
        ("113100", "DCM", "Basic Application Confidentiality Profile"),
        ("113101", "DCM", "Clean Pixel Data Option"),
        ("113102", "DCM", "Clean Recognizable Visual Features Option"),
    ]
    for uid in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"):
        assert one[uid].value != other[uid].value
        del one[uid]  # random: any four digits may stand in it
    text = re.sub(r"2\.25\.[0-9]+", "", str(one))
    for word in (teaching.hex, console.ward_device.name, "4711", "2023", "2026"):
        assert word not in text


def test_the_objection_ends_teaching_copies_too(console: Console, teaching: Photo) -> None:
    console.ward_device.undo(teaching)
    console.hospital.sync(console.ward_device, console.ward_device.batch())
    query = "select 1 from shares where photo = '{}' and revoked_ms is null"
    assert not console.hospital.rows(query.format(teaching.hex))
    nurse = console.sign_in("nurse")
    assert nurse.get(f"/photos/{teaching.hex}/teaching").status_code == 409


def test_copies_that_come_to_nothing_are_counted_so_one_login_cannot_stall_the_rest(
    console: Console,
) -> None:
    officer, photo = console.sign_in("officer"), console.photos[0]
    path = f"/photos/{photo.hex}/teaching"
    form = {
        **GIVEN,
        "form": "jpg",
        "csrf": csrf_of(officer, f"/photos/{photo.hex}"),
        "digest": "0" * 64,
        **{f"no-{name}": "yes" for name in ("face", "band", "tattoo", "name")},
    }
    assert officer.post(path, data=form | {"once": "f" * 32}).status_code == 409
    tries = (officer.post(path, data=form | {"once": f"{n:032x}"}) for n in range(600))
    refused = next(answer for answer in tries if answer.status_code == 429)
    assert "many copies in a short time. Try again in" in refused.text
    for looked in (path, f"{path}.jpg"):
        assert 429 in {officer.get(looked).status_code for _ in range(5)}
    assert officer.get(f"/photos/{photo.hex}").status_code == 200, "everything else goes on"
    other = console.sign_in("nurse").get(f"{path}.jpg")
    assert other.status_code == 409, other.text
