"""Who comes in, how long they stay, and what guessing costs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.console import accounts
from gateway.console.accounts import Accounts, BadAccount, Person
from gateway.console.config import SessionSettings
from gateway.console.front import inside
from gateway.console.limits import Limit
from gateway.console.roles import Role
from gateway.console.sessions import Sessions
from gateway.store import open_sqlite
from tests.console.reception import PASSWORD, Console, csrf_of

NURSE = Person("nurse", "Nurse", frozenset({Role.WARD}))


def test_without_a_session_every_page_leads_to_the_sign_in_and_back(console: Console) -> None:
    answer = console.client().get("/photos/" + console.photos[0].hex)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next=%2Fphotos%2F{console.photos[0].hex}"


def test_no_picture_and_no_event_without_a_session(console: Console) -> None:
    photo = console.photos[0].hex
    for path in (f"/photos/{photo}/small.jpg", "/events"):
        assert console.client().get(path).status_code == 401
    assert console.client().get(f"/photos/{photo}/picture.jpg").status_code == 303


def test_signing_in_leads_where_the_person_wanted_to_go(console: Console) -> None:
    form = {"login": "officer", "password": PASSWORD, "next": "/ledgers"}
    answer = console.client().post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ledgers")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "evil",
        "/a\r\nSet-Cookie: x",
        "/\x00",
        "/" + "a" * 600,
        "",
    ],
)
def test_signing_in_leads_nowhere_else(target: str) -> None:
    assert inside(target) == "/"


def test_a_wrong_password_and_an_unknown_name_get_the_same_words(console: Console) -> None:
    client = console.client()
    wrong = client.post("/sign-in", data={"login": "engineer", "password": "wrong", "next": "/"})
    unknown = client.post("/sign-in", data={"login": "nobody", "password": "wrong", "next": "/"})
    assert wrong.status_code == unknown.status_code == 403
    assert "Name or password is wrong." in wrong.text
    assert wrong.text == unknown.text


def test_guessing_is_stopped_by_name(console: Console) -> None:
    now = [0.0]
    limit = Limit(8, 30.0, lambda: now[0])
    assert [limit.take("name nurse") for _ in range(8)] == [0.0] * 8
    assert limit.take("name nurse") == 30.0
    assert limit.take("name officer") == 0.0
    now[0] = 30.0
    assert limit.take("name nurse") == 0.0


def test_a_flood_of_names_takes_bounded_memory() -> None:
    limit = Limit(8, 30.0, lambda: 0.0)
    for number in range(25_000):
        limit.take(f"name {number}")
    assert len(limit._buckets) <= 10_000


def test_a_console_that_is_guessed_at_says_when_to_try_again(console: Console) -> None:
    client = console.client()
    form = {"login": "guessed", "password": "wrong", "next": "/"}
    answers = [client.post("/sign-in", data=form) for _ in range(10)]
    assert answers[0].status_code == 403 and answers[-1].status_code == 429
    assert "Too many attempts. Try again in" in answers[-1].text


def test_signing_out_ends_the_session_everywhere(console: Console) -> None:
    client = console.sign_in("nurse")
    cookies = dict(client.cookies)
    left = client.post("/sign-out", data={"csrf": csrf_of(client)})
    assert left.status_code == 303
    assert left.headers["clear-site-data"] == '"cache"', "the next person has the same browser"
    again = console.client()
    again.cookies.update(cookies)
    assert again.get("/").status_code == 303


@pytest.fixture
def sessions(tmp_path: Path) -> tuple[Sessions, Callable[[int], None]]:
    now = [1_000_000]
    made = Sessions(
        store=open_sqlite(tmp_path / "test.db"),
        settings=SessionSettings(idle_minutes=20, longest_hours=10),
        clock=lambda: now[0],
        local=lambda login: NURSE if login == NURSE.login else None,
    )

    def later(minutes: int) -> None:
        now[0] += minutes * 60_000

    return made, later


def test_who_loses_the_account_or_a_role_loses_it_with_the_next_click(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    both = frozenset({Role.WARD, Role.GOVERNANCE})
    accounts.add(path, "jo", name="Jo", roles=both, password=PASSWORD)
    people = Accounts(path)
    made = Sessions(
        store=open_sqlite(tmp_path / "test.db"),
        settings=SessionSettings(),
        clock=lambda: 1_000_000,
        local=people.find,
    )
    jo = people.check("jo", PASSWORD)
    assert jo is not None
    visit = made.begin(jo)
    hospital = made.begin(Person("oidc:42", "Kim", both))
    accounts.add(path, "jo", name="Jo", roles=frozenset({Role.WARD}), password=PASSWORD)
    found = made.find(visit.token, touch=True)
    assert found is not None and found.person.roles == {Role.WARD}
    path.unlink()
    assert made.find(visit.token, touch=True) is None
    assert made.find(hospital.token, touch=True) == hospital


def test_a_session_ends_without_a_click_and_a_picture_is_none(
    sessions: tuple[Sessions, Callable[[int], None]],
) -> None:
    made, later = sessions
    visit = made.begin(NURSE)
    later(15)
    assert made.find(visit.token, touch=False) is not None
    later(6)
    assert made.find(visit.token, touch=True) is None


def test_a_session_ends_after_a_shift_however_busy_it_is(
    sessions: tuple[Sessions, Callable[[int], None]],
) -> None:
    made, later = sessions
    visit = made.begin(NURSE)
    for _ in range(40):
        later(15)
        assert made.find(visit.token, touch=True) is not None
    later(15)
    assert made.find(visit.token, touch=True) is None


def test_the_database_does_not_hold_what_the_browser_holds(
    sessions: tuple[Sessions, Callable[[int], None]], tmp_path: Path
) -> None:
    visit = sessions[0].begin(NURSE)
    held = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
    assert visit.token.encode() not in held


@pytest.mark.parametrize(
    ("login", "name", "password", "words"),
    [
        ("Nurse", "A", PASSWORD, "use a-z, 0-9"),
        ("", "A", PASSWORD, "use a-z, 0-9"),
        ("nurse", "A", "short", "at least 10 characters"),
        ("nurse", 'A"', PASSWORD, "printable characters"),
        ("nurse", "", PASSWORD, "printable characters"),
    ],
)
def test_an_account_that_cannot_be_made_is_said(
    tmp_path: Path, login: str, name: str, password: str, words: str
) -> None:
    with pytest.raises(BadAccount, match=words):
        accounts.add(
            tmp_path / "a.toml", login, name=name, roles=frozenset({Role.WARD}), password=password
        )
    assert not (tmp_path / "a.toml").exists()


def test_accounts_are_changed_one_by_one_and_hold_no_password(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    for login in ("a.nurse", "b.nurse", "a.nurse"):
        accounts.add(path, login, name="Someone", roles=frozenset({Role.WARD}), password=PASSWORD)
    someone = Person("a.nurse", "Someone", frozenset({Role.WARD}))
    assert Accounts(path).check("a.nurse", PASSWORD) == someone
    assert Accounts(path).check("b.nurse", PASSWORD + "!") is None
    assert PASSWORD not in path.read_text() and path.stat().st_mode & 0o077 == 0
