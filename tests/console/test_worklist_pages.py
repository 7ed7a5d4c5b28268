"""The worklist in the console: what waits, who looks after it, and that only a name closes it."""

import re

import httpx2
import pytest

from tests.console.reception import Console, csrf_of
from tests.console.test_pages import words
from tests.gateway.bedside import jpeg


@pytest.fixture(scope="module", autouse=True)
def held(open_console: Console) -> None:
    """A photo that cannot be decoded and one that rivals another: two items, and an alarm."""
    device, hospital = open_console.ward_device, open_console.hospital
    consent = device.consent()
    one = device.photo(jpeg(seed=10), consent=consent)
    rival = device.photo(jpeg(seed=11), consent=consent, intent=one.intent)
    broken = device.photo(b"no picture at all")
    for photo in (one, rival, broken):
        hospital.receive(device, photo)
    hospital.sync(device, device.batch())


def items(console: Console, kind: str) -> list[int]:
    rows = console.hospital.rows(
        "select id from worklist where kind = :kind order by id", kind=kind
    )
    return [row[0] for row in rows]


def act(client: httpx2.Client, item: int, what: str, **form: str) -> httpx2.Response:
    path = f"/worklist/{item}"
    return client.post(f"{path}/{what}", data={"csrf": csrf_of(client, path), **form})


def test_what_waits_stands_in_the_list_with_its_reason(console: Console) -> None:
    page = words(console.sign_in("nurse").get("/worklist").text)
    assert "it is not a JPEG" in page
    assert console.viewings()[-1][:2] == ("nurse", "worklist")


def test_a_kind_can_be_chosen_and_an_unknown_one_is_said(console: Console) -> None:
    client = console.sign_in("nurse")
    assert "it is not a JPEG" not in words(client.get("/worklist?kind=alarm").text)
    assert client.get("/worklist?kind=eaten").status_code == 400
    assert client.get("/worklist/999999").status_code == 404
    assert client.get("/worklist/x").status_code == 404


def test_a_person_takes_an_item_and_finds_it_among_their_own(console: Console) -> None:
    client = console.sign_in("nurse")
    item = items(console, "held")[0]
    assert act(client, item, "assign").status_code == 303
    subject = console.hospital.rows("select subject from worklist where id = :id", id=item)[0][0]
    assert console.viewings()[-1] == ("nurse", "item assigned", f"item {item} {subject}")
    page = words(client.get(f"/worklist/{item}").text)
    assert "Owner Nurse (nurse)" in page and "Nurse (nurse) assigned" in page
    mine = client.get("/worklist?mine=1").text
    assert f'href="/worklist/{item}"' in mine and mine.count('href="/worklist/') == 1


def test_an_item_is_closed_by_name_with_a_note_and_only_once(console: Console) -> None:
    client = console.sign_in("officer")
    held = act(client, items(console, "held")[-1], "close", note="seen")
    assert held.status_code == 409 and "still held: say whose it is" in words(held.text)
    item = items(console, "alarm")[-1]
    refused = act(client, item, "close", note="   ")
    assert refused.status_code == 409 and "A note is needed" in words(refused.text)
    csrf = csrf_of(client, f"/worklist/{item}")
    form = {"csrf": csrf, "note": "deleted on the patient's wish"}
    assert client.post(f"/worklist/{item}/close", data=form).status_code == 303
    assert console.viewings()[-1][:2] == ("officer", "item closed")
    again = client.post(f"/worklist/{item}/close", data=form)
    assert again.status_code == 409 and "was closed already, by Officer (officer)" in again.text
    page = words(client.get(f"/worklist/{item}").text)
    assert "Closed by Officer (officer): deleted on the patient" in page
    assert f'href="/worklist/{item}"' not in client.get("/worklist").text
    assert f'href="/worklist/{item}"' in client.get("/worklist?closed=1").text


def test_an_alarm_is_closed_by_governance_alone(console: Console) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    item = items(console, "alarm")[0]
    # Another test may have closed it.
    console.hospital.change(
        "update worklist set closed_ms = null, closed_by = null where id = :id", id=item
    )
    assert f"/worklist/{item}/close" not in nurse.get(f"/worklist/{item}").text
    refused = act(nurse, item, "close", note="it was me")
    assert refused.status_code == 409 and "An alarm is closed by governance" in refused.text
    assert act(officer, item, "close", note="looked into").status_code == 303


def test_who_asked_is_said_afterwards_as_a_persons_own_word_and_attests_nothing(
    console: Console,
) -> None:
    photo, hospital = console.photos[0].hex, console.hospital

    def look() -> list[int]:
        hospital.look_around()
        hospital.turn()
        query = "select id from worklist where kind = 'unattested' and subject = :p"
        return [row[0] for row in hospital.rows(query, p=photo)]

    (item,) = hospital.until(look, 20, "the item")
    client, said = console.sign_in("nurse"), "Dr. Osei asked him; I held the lamp"
    before = words(client.get(f"/worklist/{item}").text)
    assert "no badge was read: filed for care, and for no other use" in before
    assert "It attests nothing, and opens no use beyond care." in before
    assert act(client, item, "close", note=said).status_code == 303
    page = words(client.get(f"/photos/{photo}").text)
    assert f"on their own word: {said}".replace("'", "&#39;") in page
    assert f"Nurse (nurse) said afterwards who asked, without a badge ({said})" in page
    assert hospital.rows("select attested from photos where photo = :p", p=photo) == [(0,)]
    asked = console.sign_in("officer").get("/questions?ask=unattested").text
    assert f"/photos/{photo}" in asked


def test_what_a_person_writes_is_inert(console: Console) -> None:
    client = console.sign_in("nurse")
    item = items(console, "held")[0]
    act(client, item, "assign", owner="<b>Eve</b>", note="<img src=x onerror=alert(1)>")
    page = client.get(f"/worklist/{item}").text
    assert not re.search(r"<b>Eve|<img src=x", page)


def test_an_engineer_does_nothing_here(console: Console) -> None:
    client = console.sign_in("engineer")
    item = items(console, "held")[0]
    assert client.get("/worklist").status_code == 403
    form = {"csrf": csrf_of(client, "/devices"), "note": "gone"}
    assert client.post(f"/worklist/{item}/close", data=form).status_code == 403
