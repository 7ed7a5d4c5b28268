"""Signing in with the hospital's own accounts, against a real OpenID Connect provider."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from base.lifeline import tied
from gateway.console.accounts import Person
from gateway.console.oidc import login_of, name_of
from gateway.console.work import signature
from gateway.worklist_desk import same_person
from tests.console.reception import Console

PROVIDER = Path(__file__).parent / "provider"
SECRET = "a secret between the two"


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("oidc")
    port, console_port = free_port(), free_port()
    secret = folder / "oidc.secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n")
    callback = f"http://127.0.0.1:{console_port}/oidc/callback"
    provider = subprocess.Popen(
        tied(["node", str(PROVIDER / "provider.mjs"), str(port), callback, SECRET]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert provider.stdout is not None
    assert provider.stdout.readline() == b"ready\n"
    settings = (
        f'[oidc]\nissuer = "http://127.0.0.1:{port}"\nclient_id = "wardseal"\n'
        f'ward = ["ward-nurses"]\ngovernance = ["governance"]\n'
    )
    with Console(folder, console_port, settings) as console:
        yield console
    provider.terminate()
    provider.wait()
    provider.stdout.close()


def sign_in(console: Console, login: str, target: str = "/ledgers") -> httpx2.Response:
    """Go to the provider and back, as a browser does."""
    client = console.client()
    client.follow_redirects = True
    page = client.get("/oidc/begin", params={"next": target})
    page = submit(client, page, {"prompt": "login", "login": login, "password": "any"})
    if "prompt" in page.text and "consent" in page.text:
        page = submit(client, page, {"prompt": "consent"})
    return page


def submit(client: httpx2.Client, page: httpx2.Response, form: dict[str, str]) -> httpx2.Response:
    found = re.search(r'action="([^"]+)"', page.text)
    assert found, page.text
    return client.post(str(page.url.join(found[1])), data=form)


def test_a_group_brings_its_role_and_the_person_where_they_wanted_to_go(console: Console) -> None:
    page = sign_in(console, "kim-governance")
    assert page.status_code == 200
    assert str(page.url) == f"{console.origin}/ledgers"
    assert "kim-governance of the hospital" in page.text
    assert ("oidc:kim-governance", "sign-in", "") in console.viewings()


def test_who_takes_another_name_stays_the_same_person(console: Console) -> None:
    page = sign_in(console, "lou-governance as kim-governance", "/")
    assert "kim-governance of the hospital" in page.text
    assert console.viewings()[-1][0] == "oidc:lou-governance"
    assert console.viewings()[-1][0] != "oidc:kim-governance"


def test_a_login_tells_subjects_apart_and_ends_no_signature_early() -> None:
    long, longer = "s" * 200, "s" * 201
    odd = ["a)", "a (b", "a b", "a\nb", "é", "", "x" * 49]
    logins = [login_of(subject) for subject in (long, longer, *odd)]
    assert len(set(logins)) == len(logins)
    for login in logins:
        assert re.fullmatch("oidc:[0-9a-f]{48}", login)
        signed = [signature(Person(login, name, frozenset())) for name in ("A", "B" * 100)]
        assert same_person(*signed)
    assert login_of("248289761001") == "oidc:248289761001"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Jo  Doe", "preferred_username": "jo"}, "Jo Doe"),
        ({"name": "  ", "preferred_username": "jo"}, "jo"),
        ({"name": "\u200b \x00", "preferred_username": " "}, "oidc:42"),
        ({}, "oidc:42"),
    ],
)
def test_a_name_that_cannot_be_read_is_none(claims: dict[str, str], name: str) -> None:
    assert name_of(claims, "oidc:42") == name


def test_another_group_brings_another_role(console: Console) -> None:
    assert sign_in(console, "jo-ward-nurses", "/").status_code == 200
    assert sign_in(console, "jo-ward-nurses", "/ledgers").status_code == 403


def test_whose_groups_name_no_role_does_not_come_in(console: Console) -> None:
    page = sign_in(console, "sam-catering")
    assert page.status_code == 403
    assert "none of your groups has a role here" in page.text


def test_an_answer_that_was_not_asked_for_is_refused(console: Console) -> None:
    answer = console.client().get("/oidc/callback?code=stolen&state=guessed")
    assert answer.status_code == 403
    assert "did not confirm you" in answer.text


def test_no_way_out_of_the_console_by_the_way(console: Console) -> None:
    page = sign_in(console, "lee-governance", "//evil.example/")
    assert str(page.url) == f"{console.origin}/"


def test_a_provider_that_is_gone_is_said(tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / "oidc.secret").touch(mode=0o600)
    (tmp_path / "oidc.secret").write_text(SECRET)
    settings = (
        f'[oidc]\nissuer = "http://127.0.0.1:{free_port()}"\nclient_id = "wardseal"\n'
        'ward = ["ward-nurses"]\n'
    )
    with Console(tmp_path, free_port(), settings) as console:
        answer = console.client().get("/oidc/begin")
        console.send_home()
    assert answer.status_code == 502
    assert "cannot be reached" in answer.text


def test_both_ways_are_offered(console: Console) -> None:
    page = console.client().get("/sign-in").text
    assert "Sign in with your hospital account" in page and "or with a local account" in page
