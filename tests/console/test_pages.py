"""What people see, who may see it, and that every view is written down first."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from base import turbojpeg
from gateway.console.roles import MAY, Area, Role
from gateway.devices import Device as Registered
from gateway.devices import register
from tests.console.reception import PASSWORD, PEOPLE, ROOT, Console, csrf_of
from wire import events

PATHS = {
    Area.PHOTOS: "/?day=",
    Area.LEDGERS: "/ledgers",
    Area.QUESTIONS: "/questions",
    Area.DEVICES: "/devices",
}


def words(page: str) -> str:
    """A page's main part as it is read: without marks, white space folded."""
    main = "<main" + page.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main))


@contextmanager
def changed(console: Console, change: str, back: str, **values: object) -> Iterator[None]:
    """Meddle with the database from outside, for a while."""
    engine = create_engine(f"sqlite:///{console.hospital.state / 'gateway.db'}")

    def run(connection: Connection, statement: str) -> None:
        connection.execute(text(statement), values)
        connection.commit()

    with engine.connect() as connection:
        run(connection, change)
        try:
            yield
        finally:
            run(connection, back)
    engine.dispose()


@pytest.mark.parametrize("login", PEOPLE)
@pytest.mark.parametrize("area", PATHS)
def test_a_role_opens_its_areas_and_no_other(console: Console, login: str, area: Area) -> None:
    answer = console.sign_in(login).get(PATHS[area])
    if MAY[area] & PEOPLE[login]:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert f"Your roles do not open {area.value}." in answer.text
        assert console.viewings()[-1][1] == "refused"


def test_every_role_has_an_area_and_every_area_a_role() -> None:
    assert set().union(*MAY.values()) == set(Role)
    assert set(MAY) == set(Area)


def test_an_engineer_sees_no_photo(console: Console) -> None:
    client = console.sign_in("engineer")
    photo = console.photos[0].hex
    for path in (f"/photos/{photo}", f"/photos/{photo}/picture.jpg", f"/photos/{photo}/small.jpg"):
        assert client.get(path).status_code == 403


def test_who_is_refused_has_the_way_to_what_is_theirs(console: Console) -> None:
    client = console.client()
    form = {"login": "engineer", "password": PASSWORD, "next": "/"}
    assert client.post("/sign-in", data=form).headers["location"] == "/devices"
    refused = client.get("/")
    assert refused.status_code == 403
    assert '<a class="button" href="/devices">' in refused.text
    assert 'aria-label="Areas"' in refused.text and "/sign-out" in refused.text
    lost = console.sign_in("nurse").get(f"/photos/{'0' * 64}")
    assert lost.status_code == 404 and '<a class="button" href="/">' in lost.text
    stranger = console.client().get("/nothing/here")
    assert stranger.status_code == 404 and "There is no such page." in stranger.text
    assert "Areas" not in stranger.text


def test_each_view_is_in_the_audit_with_who_and_what(console: Console) -> None:
    client = console.sign_in("nurse")
    photo = console.photos[1].hex
    before = len(console.viewings())
    client.get("/?day=")
    client.get(f"/photos/{photo}")
    client.get(f"/photos/{photo}/picture.jpg")
    assert console.viewings()[before:] == [
        ("nurse", "list", "from=* to=*"),
        ("nurse", "photo", photo),
        ("nurse", "picture", photo),
    ]


@pytest.mark.parametrize("size", ["picture", "small"])
def test_a_browser_keeps_no_picture_so_every_look_is_asked_for(console: Console, size: str) -> None:
    answer = console.sign_in("nurse").get(f"/photos/{console.photos[0].hex}/{size}.jpg")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_a_small_picture_is_in_the_audit_once_a_day_for_each_person(console: Console) -> None:
    nurse, officer = console.sign_in("nurse"), console.sign_in("officer")
    photo = console.photos[1].hex
    before = len(console.viewings())
    for client in (nurse, nurse, officer, nurse):
        assert client.get(f"/photos/{photo}/small.jpg").status_code == 200
    assert console.viewings()[before:] == [
        ("nurse", "small picture", photo),
        ("officer", "small picture", photo),
    ]
    assert "looked at it (small picture)" in words(officer.get(f"/photos/{photo}").text)
    unseen = "ALTER TABLE viewings RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO viewings"
    with changed(console, *unseen):
        assert nurse.get(f"/photos/{photo}/small.jpg").status_code == 503


def test_what_cannot_be_written_down_is_not_shown(console: Console) -> None:
    client = console.sign_in("nurse")
    away, back = (
        "ALTER TABLE viewings RENAME TO elsewhere",
        "ALTER TABLE elsewhere RENAME TO viewings",
    )
    with changed(console, away, back):
        answer = client.get(f"/photos/{console.photos[0].hex}")
    assert answer.status_code == 503
    assert console.photos[0].hex not in answer.text


def test_a_photo_is_told_from_consent_to_receipt_and_who_looked(console: Console) -> None:
    client = console.sign_in("officer")
    photo = console.photos[0].hex
    client.get(f"/photos/{photo}")
    story = words(client.get(f"/photos/{photo}").text)
    told = [
        "staff attest that they asked and the patient agreed",
        "CAPTURE pressed, for care only",
        f"photo {photo[:12]} of entry 2 is sealed",
        "filed in folder",
        "signed FILED",
        "Officer looked at it (photo)",
    ]
    places = [story.find(each) for each in told]
    assert -1 not in places and places == sorted(places)


def test_a_withdrawn_photo_says_so(console: Console) -> None:
    story = words(console.sign_in("officer").get(f"/photos/{console.photos[2].hex}").text)
    assert "Undone" in story and "consent withdrawn for the photo of entry" in story


def test_after_an_objection_a_photo_is_read_with_a_reason_that_is_on_record(
    console: Console,
) -> None:
    client = console.sign_in("nurse")
    path = f"/photos/{console.photos[2].hex}"
    for picture in ("picture.jpg", "small.jpg"):
        assert client.get(f"{path}/{picture}").status_code == 403
    assert "picture.jpg" not in client.get(path).text
    csrf = csrf_of(client, path)
    assert client.post(f"{path}/reason", data={"csrf": csrf, "reason": " "}).status_code == 400
    form = {"csrf": csrf, "reason": "the wound is infected"}
    assert client.post(f"{path}/reason", data=form).status_code == 303
    assert client.get(f"{path}/picture.jpg").status_code == 200
    story = words(console.sign_in("officer").get(path).text)
    assert "Nurse looked at it (reason) (the wound is infected)" in story
    assert console.sign_in("officer").get(f"{path}/picture.jpg").status_code == 403, "each says why"


def test_filters_choose_and_wrong_ones_are_said(console: Console) -> None:
    client = console.sign_in("nurse")
    assert "3 photos" in client.get("/?day=").text
    assert "1 photo ·" in client.get("/?day=&state=undone").text
    assert "0 photos" in client.get("/?day=&device=other").text
    assert "3 photos" in client.get("/?day=2023-11-14").text
    assert "0 photos" in client.get("/?day=2023-11-15").text
    assert "A day must be like" in client.get("/?day=yesterday").text
    assert client.get("/?state=eaten").status_code == 400
    officer = console.sign_in("officer")
    for path in ("/", "/shares", "/questions/bed"):
        last = officer.get(path, params={"day": "9999-12-31", "bed": "12"})
        assert last.status_code == 200, "no day comes after it"


def test_pictures_are_the_ones_that_were_sealed(console: Console) -> None:
    client = console.sign_in("nurse")
    photo = console.photos[0]
    answer = client.get(f"/photos/{photo.hex}/picture.jpg")
    assert answer.content == photo.jpeg
    assert answer.headers["content-type"] == "image/jpeg"
    small = client.get(f"/photos/{photo.hex}/small.jpg").content
    header = turbojpeg.Decoder().header(small)
    assert (header.width, header.height) == (8, 6)


@pytest.mark.parametrize("photo", ["x", "../gateway", "%2e%2e%2fgateway.db", "0" * 64, "0" * 63])
def test_no_other_id_leads_anywhere(console: Console, photo: str) -> None:
    client = console.sign_in("nurse")
    for path in (f"/photos/{photo}", f"/photos/{photo}/picture.jpg"):
        assert client.get(path).status_code == 404


def test_a_ledger_holds_and_can_be_checked_without_us(console: Console, tmp_path: Path) -> None:
    client = console.sign_in("officer")
    device = console.ward_device
    place = f"/ledgers/{device.name}/{device.ledger.hex()}"
    assert f"HOLDS {len(device.entries)} entries" in words(client.get(place).text)
    file = tmp_path / "ledger.wsl"
    file.write_bytes(client.get(f"{place}/file").content)
    checked = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "cli", "ledger", "verify", str(file)),
            *("--key", device.signer.public.encode().hex()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0 and "HOLDS" in checked.stdout


def test_P6_an_entry_changed_in_the_database_is_shown(console: Console) -> None:
    client = console.sign_in("officer")
    device = console.ward_device
    raw = device.entries[1].raw
    with changed(
        console,
        "UPDATE ledger_entries SET raw = :false WHERE seq = 1",
        "UPDATE ledger_entries SET raw = :true WHERE seq = 1",
        false=raw[:-1] + bytes([raw[-1] ^ 1]),
        true=raw,
    ):
        page = words(client.get(f"/ledgers/{device.name}/{device.ledger.hex()}").text)
    assert "DOES NOT HOLD entry 1:" in page


def test_questions_find_what_they_ask_for(console: Console) -> None:
    client = console.sign_in("officer")
    found = words(client.get("/questions?ask=withdrawn").text)
    assert console.photos[2].hex[:12] in found and "1 found" in found
    assert "0 found" in words(client.get("/questions?ask=without-consent").text)
    assert client.get("/questions?ask=nonsense").status_code == 404
    seen = words(client.get("/questions?ask=viewings").text)
    assert "Officer (officer): questions withdrawn" in seen


def test_what_an_administrator_wrote_is_inert(console: Console) -> None:
    other = console.hospital.enrol("other-device")
    note = "<script>alert(1)</script>"
    known = Registered("other-device", other.signer.public, "revoked", note)
    register(console.hospital.site.registry, known)
    page = console.sign_in("engineer").get("/devices").text
    assert note not in page and "&lt;script&gt;" in page


def test_the_devices_page_says_who_has_not_taken_the_newest_keys(console: Console) -> None:
    device = console.hospital.enrol("other-keys")
    device.write(events.Boot("test", "start"))
    device.write(events.KeysetInUse(1, device.keyset.hash))
    console.hospital.sync(device, device.batch())
    page = console.sign_in("engineer")
    assert "Epoch 1" in words(page.get("/devices").text)
    assert "not 2 yet" not in words(page.get("/devices").text)
    console.hospital.change("update gateway_epochs set announced = 2")
    assert "Epoch 1, not 2 yet" in words(page.get("/devices").text)
    console.hospital.change("update gateway_epochs set announced = 1")


def test_no_page_carries_script_or_style_of_its_own(console: Console) -> None:
    client = console.sign_in("officer")
    for path in (
        "/?day=",
        "/worklist",
        "/ledgers",
        "/questions",
        "/devices",
        f"/photos/{console.photos[0].hex}",
    ):
        answer = client.get(path)
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"


def test_another_host_or_origin_is_turned_away(console: Console) -> None:
    client = console.sign_in("nurse")
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    csrf = csrf_of(client)
    foreign = client.post("/sign-out", data={"csrf": csrf}, headers={"origin": "http://evil"})
    assert foreign.status_code == 403
    assert client.get("/").status_code == 200, "still signed in"


@pytest.mark.parametrize("csrf", ["", "0" * 64, "another session's"])
def test_a_form_without_its_sessions_secret_does_nothing(console: Console, csrf: str) -> None:
    client = console.sign_in("nurse")
    if csrf == "another session's":
        csrf = csrf_of(console.sign_in("nurse"))
    assert client.post("/sign-out", data={"csrf": csrf}).status_code == 403
    assert client.get("/").status_code == 200, "still signed in"
