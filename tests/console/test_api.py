"""What programs may ask of the API, in whose name, until when, and that it stands in the audit."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from gateway.console.api.app import text
from gateway.console.roles import MAY, Area
from tests.console.programs import API, program, token_for
from tests.console.reception import PEOPLE, ROOT, Console
from tests.console.test_whose import CENSUS, FILED, MOVED, carried_out
from tests.gateway.bedside import Photo

ROOMS = {
    Area.PHOTOS: "/photos",
    Area.WORKLIST: "/worklist",
    Area.LEDGERS: "/ledgers",
    Area.QUESTIONS: "/questions",
    Area.SHARES: "/shares",
    Area.DEVICES: "/devices",
}
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "census.csv").write_text(CENSUS)
    identity = {"csv": str(folder / "census.csv"), "authority": "urn:oid:1.2.3"}
    slow = "[api]\nper_second = 2\nat_once = 150\n"
    made = Console(folder, free_port(), slow, gateway={"identity": identity})
    for _ in range(3):
        made.take()
    with made:
        yield made


@pytest.fixture(scope="module")
def tokens(open_console: Console) -> dict[str, str]:
    return {login: token_for(open_console, f"of-{login}", login) for login in PEOPLE}


@pytest.fixture
def nurse(console: Console, tokens: dict[str, str]) -> httpx2.Client:
    return program(console, tokens["nurse"])


@pytest.fixture
def officer(console: Console, tokens: dict[str, str]) -> httpx2.Client:
    return program(console, tokens["officer"])


def said(answer: httpx2.Response, status: int) -> str:
    """The words of a problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["type"].startswith("urn:wardseal:problem:")
    assert problem["title"] and problem["detail"].endswith((".", "?"))
    return f"{problem['type'].rpartition(':')[2]}: {problem['detail']}"


def test_the_description_that_is_kept_is_the_one_that_is_served(nurse: httpx2.Client) -> None:
    kept = (ROOT / "docs" / "api" / "openapi.json").read_text()
    assert kept == text(), "run: python -m gateway.console.api > docs/api/openapi.json"
    served = httpx2.get(f"{nurse.base_url}openapi.json")
    assert served.status_code == 200 and served.text == kept


@pytest.mark.parametrize("login", PEOPLE)
@pytest.mark.parametrize("area", ROOMS)
def test_a_token_opens_what_its_owners_roles_open(
    console: Console, tokens: dict[str, str], login: str, area: Area
) -> None:
    answer = program(console, tokens[login]).get(ROOMS[area])
    if MAY[area] & PEOPLE[login]:
        assert answer.status_code == 200
    else:
        assert f"does not open {area}" in said(answer, 403)
        assert console.viewings()[-1] == (login, "refused", f"{API}{ROOMS[area]}")


def test_governance_alone_decides_about_objections(
    console: Console, nurse: httpx2.Client, officer: httpx2.Client
) -> None:
    photo = console.photos[2].hex
    when = {"said_by": "the patient", "said": "2026-01-01T10:00:00+01:00", "words": "no more"}
    made = nurse.post(f"/photos/{photo}/objections", json=when)
    assert made.status_code == 201 and made.json()["said"] == "2026-01-01T09:00:00Z"
    path = f"/photos/{photo}/objections/{made.json()['id']}/decision"
    decision = {"decision": "kept", "reason": "needed for care"}
    said(nurse.post(path, json=decision), 403)
    assert "no such objection" in said(
        officer.post(path.replace(photo, console.photos[0].hex), json=decision), 404
    )
    assert officer.post(path, json=decision).json()["stage"] == "done"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wardseal_guessed"},
        {"authorization": "Basic bnVyc2U6cGFzc3dvcmQ="},
        {"authorization": f"Bearer {'x' * 5000}"},
    ],
)
def test_without_a_token_nothing_is_said(console: Console, headers: dict[str, str]) -> None:
    before = len(console.viewings())
    answer = httpx2.get(f"{console.origin}{API}/photos", headers=headers)
    assert "wardseal token make" in said(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(console.viewings()) == before


def test_the_consoles_cookie_opens_nothing_here(console: Console) -> None:
    browser = console.sign_in("nurse")
    said(browser.get(f"{API}/photos"), 401)
    said(browser.post(f"{API}/worklist/1/closing", json={"note": "forged"}), 401)


def test_a_page_of_another_site_is_turned_away_token_or_not(nurse: httpx2.Client) -> None:
    answer = nurse.post("/worklist/1/closing", json={"note": "x"}, headers={"origin": "http://e"})
    assert answer.status_code == 403


def test_a_token_ends_at_its_time_and_when_it_is_revoked(console: Console) -> None:
    ended = token_for(console, "ended", "nurse", days=1, at_ms=1_700_000_000_000)
    said(program(console, ended).get("/me"), 401)
    client = program(console, token_for(console, "short-lived", "nurse"))
    assert client.get("/me").json()["name"] == "Nurse"
    done = wardseal("token", "revoke", "short-lived", "--config", str(console.config))
    assert done.stdout == "short-lived is refused from now on\n"
    said(client.get("/me"), 401)


def test_a_token_is_made_by_a_command_and_kept_as_a_hash(console: Console) -> None:
    config = ("--config", str(console.config))
    owner = ("--owner", "j.doe", "--name", "Jo Doe", "--role", "ward")
    made = wardseal("token", "make", "his-bridge", *owner, *config)
    token = made.stdout.strip()
    assert made.returncode == 0 and token.startswith("wardseal_") and "once" in made.stderr
    me = program(console, token).get("/me").json()
    assert (me["token"], me["login"], me["roles"]) == ("his-bridge", "j.doe", ["ward"])
    assert me["opens"] == ["photos", "worklist"]
    for file in console.hospital.state.glob("gateway.db*"):
        assert token.encode() not in file.read_bytes()
    shown = wardseal("token", "list", *config).stdout
    assert "his-bridge" in shown and "Jo Doe (j.doe)" in shown and token not in shown
    again = wardseal("token", "make", "his-bridge", *owner, *config)
    assert again.returncode == 1 and "take another label" in again.stderr
    wrong = wardseal("token", "make", "x", *owner, "--days", "1000", *config)
    assert wrong.returncode == 1 and "a token lasts 1 to 730 days" in wrong.stderr
    nobody = wardseal("token", "revoke", "nobody", *config)
    assert nobody.returncode == 1 and "wardseal token list" in nobody.stderr


def test_each_answer_is_in_the_audit_with_owner_and_token(
    console: Console, nurse: httpx2.Client
) -> None:
    photo = console.photos[0].hex
    before = len(console.viewings())
    nurse.get("/photos", params={"ward": "W3"})
    nurse.get(f"/photos/{photo}")
    assert nurse.get(f"/photos/{photo}/picture").content == console.photos[0].jpeg
    assert console.viewings()[before:] == [
        ("nurse", "list", "from=* to=* ward=W3"),
        ("nurse", "photo", photo),
        ("nurse", "picture", photo),
    ]
    (note,) = console.hospital.rows("select note from viewings order by id desc limit 1")
    assert note[0] == "by the token of-nurse"


def test_what_cannot_be_written_down_is_not_answered(
    console: Console, nurse: httpx2.Client
) -> None:
    photo = console.photos[0].hex
    console.hospital.change("ALTER TABLE viewings RENAME TO elsewhere")
    try:
        answers = [nurse.get(f"/photos/{photo}{part}") for part in ("", "/picture")]
    finally:
        console.hospital.change("ALTER TABLE elsewhere RENAME TO viewings")
    for answer in answers:
        assert "Try again in a minute" in said(answer, 503)
        assert answer.headers["retry-after"] == "60"


def test_pages_follow_each_other_and_nothing_is_shown_twice(
    console: Console, nurse: httpx2.Client
) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        asked = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = nurse.get("/photos", params=asked).json()
        assert page["total"] == len(console.photos) and len(page["photos"]) == 1
        seen.append(page["photos"][0]["id"])
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [photo.hex for photo in reversed(console.photos)]
    assert nurse.get("/photos", params={"day": "2023-11-14"}).json()["total"] == len(seen)
    assert nurse.get("/photos", params={"day": "9999-12-31"}).json()["photos"] == []


def test_no_address_below_the_api_is_the_consoles(console: Console, nurse: httpx2.Client) -> None:
    for path in ("/nothing", "/photos/", "/photos/a%0Ab", "/ledgers/%0A/x/file", "/%0A"):
        assert nurse.get(path).status_code in (403, 404, 422)
        assert "problem+json" in nurse.get(path).headers["content-type"]
        said(httpx2.get(f"{console.origin}{API}{path}"), 401)


def test_a_misspelt_filter_is_said_and_shows_nothing(nurse: httpx2.Client) -> None:
    answer = nurse.get("/photos", params={"wrad": "W3"})
    said(answer, 422)
    assert answer.json()["errors"] == [
        {"where": "query.wrad", "what": "Extra inputs are not permitted"}
    ]
    assert "day stands alone" in said(
        nurse.get("/photos", params={"first": "2026-02-01", "last": "2026-01-01"}), 422
    )


@pytest.mark.parametrize(
    "name", ["' OR 1=1 --", "<script>alert(1)</script>", "Grün; DROP TABLE photos", "../..", "%s"]
)
def test_injection_names_are_text(nurse: httpx2.Client, name: str) -> None:
    assert nurse.get("/photos", params={"ward": name, "patient": name}).json()["photos"] == []
    answer = nurse.get(f"/patients/{quote(name.replace('/', ''), safe='')}")
    assert "no patient with this number" in said(answer, 404)


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "x" * 101])
def test_injection_control_characters_and_endless_names_are_refused(
    nurse: httpx2.Client, name: str
) -> None:
    said(nurse.get("/photos", params={"ward": name}), 422)


def test_a_request_that_is_too_large_or_no_json_is_refused(nurse: httpx2.Client) -> None:
    path = "/worklist/1/closing"
    said(nurse.post(path, json={"note": "x" * 70_000}), 413)
    said(nurse.post(path, content=iter([b"x" * 40_000] * 2)), 413)
    json = {"content-type": "application/json"}
    said(nurse.post(path, content=b"{", headers=json), 422)
    said(nurse.post(path, content=b'{"note": "\xff"}', headers=json), 400)
    said(nurse.post(path, content=b'{"note": "\\ud800"}', headers=json), 422)
    said(nurse.put(path, json={}), 405)


def test_a_held_photo_is_resolved_and_moved_by_two_who_are_two(
    console: Console, nurse: httpx2.Client, officer: httpx2.Client
) -> None:
    photo: Photo = console.photos[0]
    path = f"/photos/{photo.hex}"
    assert nurse.get(path).json()["photo"]["state"] == "held"
    whose = {"patient": "4711", "reason": "asked her"}
    assert "no patient" in said(nurse.post(f"{path}/resolve", json={**whose, "patient": "9"}), 409)
    assert nurse.post(f"{path}/resolve", json=whose).status_code == 204
    assert console.viewings()[-1] == ("nurse", "photo assigned", photo.hex)
    carried_out(console, photo, FILED)
    assert nurse.get("/patients/4711").json()["photos"][0]["id"] == photo.hex
    move = nurse.post(f"{path}/moves", json={"patient": "0815", "reason": "the next bed"})
    assert move.status_code == 201
    assert console.viewings()[-1] == ("nurse", "move asked", photo.hex)
    decision = f"{path}/moves/{move.json()['id']}/decision"
    other = program(console, token_for(console, "another-of-the-nurse", "nurse"))
    assert "second person is needed" in said(other.post(decision, json={"confirm": True}), 409)
    assert officer.post(decision, json={"confirm": True}).json()["stands"] == "confirmed"
    assert console.viewings()[-1] == ("officer", "move decided", photo.hex)
    carried_out(console, photo, MOVED)
    assert [one["patient"] for one in nurse.get(path).json()["assignments"]] == ["4711", "0815"]


def test_an_item_is_taken_handed_over_and_closed_by_name(
    console: Console, nurse: httpx2.Client, officer: httpx2.Client
) -> None:
    items = nurse.get("/worklist", params={"kind": "held", "limit": "1"}).json()
    assert items["next"] == items["items"][0]["id"] and items["counts"]["held"] >= 1
    (photo,) = console.hospital.rows("select photo from photos where state = 'held' limit 1")
    open_ones = nurse.get("/worklist", params={"kind": "held"}).json()["items"]
    item = next(each["id"] for each in open_ones if each["photo"] == photo[0])
    closing = nurse.post(f"/worklist/{item}/closing", json={"note": "seen"})
    assert "still held: say whose it is" in said(closing, 409)
    console.hospital.change("update worklist set kind = 'lost' where id = :id", id=item)
    path = f"/worklist/{item}"
    assert nurse.post(f"{path}/assignment", json={}).json()["owner"] == "Nurse (nurse)"
    assert officer.post(f"{path}/assignment", json={"owner": "Ward 3"}).json()["owner"] == "Ward 3"
    assert nurse.post(f"{path}/closing", json={"note": "seen"}).json()["closed_by"].startswith("N")
    told = [what for who, what, _ in console.viewings() if who == "nurse"]
    assert told[-1] == "item closed" and "item assigned" in told
    assert "closed already" in said(nurse.post(f"{path}/closing", json={"note": "again"}), 409)
    history = [step["what"] for step in nurse.get(path).json()["history"]]
    assert history == ["opened", "assigned", "assigned", "closed"]


def test_what_governance_decides_no_ward_closes(
    console: Console, nurse: httpx2.Client, officer: httpx2.Client
) -> None:
    # Of a photo that has no item about an objection yet; other tests may have closed it.
    ((item,),) = console.hospital.rows(
        "select max(id) from worklist where subject not in"
        " (select subject from worklist where kind = 'objection')"
    )
    kind = "update worklist set kind = :kind, closed_ms = null, closed_by = null where id = :id"
    path = f"/worklist/{item}/closing"
    console.hospital.change(kind, kind="objection", id=item)
    for caller in (nurse, officer):
        assert "objection is decided" in said(caller.post(path, json={"note": "settled"}), 409)
    page = console.sign_in("officer").get(f"/worklist/{item}").text
    assert "that ends it" in page and f"{item}/close" not in page
    console.hospital.change(kind, kind="alarm", id=item)
    assert "by governance" in said(nurse.post(path, json={"note": "it was me"}), 409)
    assert officer.post(path, json={"note": "looked into"}).status_code == 200


def test_after_an_objection_a_picture_needs_a_reason_that_is_on_record(
    console: Console, nurse: httpx2.Client
) -> None:
    photo = console.take()
    console.ward_device.undo(photo)
    console.hospital.change(
        "update photos set state = 'undone', filed_ms = 1 where photo = :p", p=photo.hex
    )
    path = f"/photos/{photo.hex}"
    assert said(nurse.get(f"{path}/picture"), 403).startswith("reason-needed: The patient objected")
    assert nurse.get(path).json()["picture"]["reason_needed"] is True
    reason = {"reason": "the wound is infected"}
    assert nurse.post(f"{path}/reason", json=reason).status_code == 204
    assert nurse.get(f"{path}/picture").status_code == 200
    (note,) = console.hospital.rows("select note from viewings where what = 'reason'")
    assert note[0] == "the wound is infected (by the token of-nurse)"


def test_a_share_is_found_and_ended(console: Console, officer: httpx2.Client) -> None:
    photo = console.photos[1].hex
    console.hospital.change(
        "insert into shares (photo, recipient, reason, by, form, digest, at_ms, use, confirmed,"
        " revoked_by, revoked_why) values (:p, 'Dr Osei', 'a second opinion', 'Nurse (nurse)',"
        " 'pdf', :p, 1, 'share for a referral', '', '', '')",
        p=photo,
    )
    (share,) = officer.get("/shares", params={"recipient": "Osei"}).json()["shares"]
    assert share["photo"] == photo and share["revoked"] is None
    path = f"/shares/{share['id']}/revocation"
    assert officer.post(path, json={"reason": "sent to the wrong clinic"}).json()["revoked_by"]
    assert "ended already" in said(officer.post(path, json={"reason": "again"}), 409)
    assert officer.get(f"/photos/{photo}").json()["shares"][0]["revoked_why"]


def test_a_bed_on_a_day_is_answered_and_taken_along(
    console: Console, officer: httpx2.Client, nurse: httpx2.Client, tmp_path: Path
) -> None:
    console.hospital.change("update photos set bed = '12'")
    asked = {"bed": "12", "day": nurse.get("/photos").json()["photos"][0]["captured"][:10]}
    said(nurse.get("/bedside", params=asked), 403)
    answer = officer.get("/bedside", params=asked).json()
    assert {each["photo"] for each in answer["photos"]} == {each.hex for each in console.photos}
    for each in answer["photos"]:
        assert {"CONSENT", "INTENT"} <= {entry["type"] for entry in each["entries"]}
    bundle = officer.get("/bedside/bundle", params=asked)
    with zipfile.ZipFile(BytesIO(bundle.content)) as found:
        assert "wardseal-inquiry/SHA256SUMS" in found.namelist()
    assert console.viewings()[-1][:2] == ("officer", "bundle")
    assert officer.get("/bedside", params={**asked, "bed": "99"}).json()["photos"] == []


def test_a_litigation_hold_is_set_listed_and_lifted(
    console: Console, officer: httpx2.Client, nurse: httpx2.Client
) -> None:
    photo = console.photos[0].hex
    said(nurse.get("/holds"), 403)
    theirs = officer.post("/patients/4711/holds", json={"reason": "claim 13/26"}).json()
    made = officer.post(f"/photos/{photo}/holds", json={"reason": "claim 12/26"})
    assert made.status_code == 201 and officer.get("/holds").json() == [made.json(), theirs]
    path = f"/holds/{made.json()['id']}/lifting"
    assert officer.post(path, json={"reason": "settled"}).json()["lifted"]
    assert "lifted already" in said(officer.post(path, json={"reason": "again"}), 409)
    assert officer.get("/holds").json() == [theirs]
    assert len(officer.get("/holds", params={"lifted": True}).json()) == 2


def test_a_receiver_that_was_not_told_is_named(console: Console, officer: httpx2.Client) -> None:
    console.hospital.change(
        "insert into webhook_outbox (hook, event, photo, body, made_ms, due_ms, attempts, problem)"
        " values ('engine', 'msg_1', '', '', 1800000000000, 0, 1, 'engine did not <answer>')"
    )
    (hook,) = officer.get("/webhooks").json()
    assert hook["waiting"] == 1 and hook["oldest"] == "2027-01-15T08:00:00Z"
    page = console.sign_in("engineer").get("/devices").text
    assert "Behind" in page and "engine did not &lt;answer&gt;" in page


def test_P6_a_ledger_is_verified_and_taken_along(
    console: Console, officer: httpx2.Client, tmp_path: Path
) -> None:
    head = officer.get("/ledgers").json()[0]
    path = f"/ledgers/{head['device']}/{head['ledger']}"
    ledger = officer.get(path).json()
    assert ledger["holds"] and ledger["problems"] == []
    lines = officer.get(f"{path}/entries", params={"first": "1"}).json()
    assert lines["entries"][0]["type"] == "CONSENT" and lines["next"] is None
    file = tmp_path / "ledger.wsl"
    file.write_bytes(officer.get(f"{path}/file").content)
    checked = wardseal("ledger", "verify", str(file), "--key", ledger["public_key"])
    assert checked.returncode == 0 and "HOLDS" in checked.stdout


def test_the_five_minutes_on_the_page_work(
    console: Console, tokens: dict[str, str], tmp_path: Path
) -> None:
    photo = console.take()
    page = (ROOT / "docs" / "howto" / "api.md").read_text()
    blocks = re.findall(r"(?s)```sh\n(.*?)```", page)
    assert len(blocks) == 2
    script = "set -eu\n" + "".join(blocks).replace("http://127.0.0.1:8440", console.origin)
    (tmp_path / "his-bridge.token").write_text(tokens["nurse"])
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"token":"of-nurse"' in done.stdout
    assert (tmp_path / "photo.jpg").read_bytes() == photo.jpeg
    carried_out(console, photo, FILED)


def wardseal(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words], cwd=ROOT, capture_output=True, text=True
    )


def test_a_program_that_asks_too_often_is_told_when_to_ask_again(console: Console) -> None:
    client = program(console, token_for(console, "greedy", "nurse"))
    answers = (client.get("/me") for _ in range(1000))
    late = next(answer for answer in answers if answer.status_code == 429)
    assert "webhooks" in said(late, 429) and int(late.headers["retry-after"]) >= 1
    patient = program(console, token_for(console, "patient", "nurse"))
    assert patient.get("/me").status_code == 200, "another token is not slowed"
