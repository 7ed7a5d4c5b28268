"""Whose photo it is, said by named people: held, resolved, moved by two, and seen as a series."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.console.reception import Console, csrf_of
from tests.console.test_pages import words
from tests.gateway.bedside import Photo

CENSUS = """\
patient,family,given,born,sex,codes,encounter,ward,room,bed,from,to
4711,Osei,Ama,1961-04-02,female,,E-88,W3,,12,2023-11-01T08:00+00:00,
0815,Grün,Eva,1950-01-31,female,,E-99,W3,,13,2023-11-01T08:00+00:00,
"""


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("whose")
    (folder / "census.csv").write_text(CENSUS)
    identity = {"csv": str(folder / "census.csv"), "authority": "urn:oid:1.2.3"}
    with Console(folder, free_port(), gateway={"identity": identity}) as console:
        yield console


@pytest.fixture
def held(console: Console) -> Photo:
    """A photo without a wristband: nobody knows whose it is."""
    photo = console.take()
    assert state(console, photo) == "held"
    return photo


def state(console: Console, photo: Photo) -> str:
    (row,) = console.hospital.rows("select state from photos where photo = :p", p=photo.hex)
    return str(row[0])


def post(client: httpx2.Client, photo: Photo, what: str, **form: str) -> httpx2.Response:
    csrf = csrf_of(client, f"/photos/{photo.hex}")
    return client.post(f"/photos/{photo.hex}/{what}", data={"csrf": csrf, **form})


def carried_out(console: Console, photo: Photo, query: str) -> None:
    """The gateway's next rounds, until ``query`` finds something."""

    def look() -> object:
        console.hospital.look_around()
        return console.hospital.rows(query, p=photo.hex)

    console.hospital.until(look, 20, query)


FILED = "select 1 from photos where photo = :p and state = 'filed'"
MOVED = "select 1 from assignments where photo = :p and number = 2"


def test_a_held_photo_is_resolved_by_name_and_filed(console: Console, held: Photo) -> None:
    nurse = console.sign_in("nurse")
    refused = post(nurse, held, "resolve", patient="9999", reason="asked him")
    assert refused.status_code == 409 and "of no patient with this number" in refused.text
    refused = post(nurse, held, "resolve", patient="4711", reason=" ")
    assert refused.status_code == 409 and "A reason is needed" in refused.text
    done = post(nurse, held, "resolve", patient="4711", encounter="E-88", reason="asked her")
    assert done.status_code == 303
    assert console.viewings()[-1] == ("nurse", "photo assigned", held.hex)
    carried_out(console, held, FILED)
    page = words(nurse.get(f"/photos/{held.hex}").text)
    assert "4711" in page and "a person: Nurse (nurse), asked her" in page
    series = nurse.get("/patients/4711").text
    assert "Osei, Ama" in series and held.hex in series


def test_a_filed_photo_is_moved_by_two_people(console: Console, held: Photo) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    post(nurse, held, "resolve", patient="4711", reason="asked her")
    carried_out(console, held, FILED)
    assert post(nurse, held, "move", patient="0815", reason="the next bed").status_code == 303
    assert console.viewings()[-1] == ("nurse", "move asked", held.hex)
    (move,) = console.hospital.rows("select id from moves where photo = :p", p=held.hex)
    alone = post(nurse, held, f"moves/{move[0]}", answer="confirm")
    assert alone.status_code == 409 and "second person is needed" in alone.text
    assert post(officer, held, f"moves/{move[0]}", answer="confirm").status_code == 303
    assert console.viewings()[-1] == ("officer", "move decided", held.hex)
    carried_out(console, held, MOVED)
    assert held.hex in officer.get("/patients/0815").text
    assert held.hex not in officer.get("/patients/4711").text
    page = words(officer.get(f"/photos/{held.hex}").text)
    assert "until moved" in page and "Nurse looked at it (photo)" in page
    again = post(officer, held, f"moves/{move[0]}", answer="refuse")
    assert again.status_code == 409


def test_a_patient_that_nobody_told_us_of_has_no_page(console: Console) -> None:
    nurse = console.sign_in("nurse")
    assert nurse.get("/patients/9999").status_code == 404
    assert console.viewings()[-1] == ("nurse", "patient", "9999")


def test_an_engineer_decides_nothing_about_patients(console: Console, held: Photo) -> None:
    engineer = console.sign_in("engineer")
    csrf = csrf_of(engineer, "/devices")
    form = {"csrf": csrf, "patient": "4711", "reason": "because"}
    assert engineer.post(f"/photos/{held.hex}/resolve", data=form).status_code == 403
    assert engineer.get("/patients/4711").status_code == 403
