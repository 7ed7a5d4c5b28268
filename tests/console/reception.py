"""A hospital with photos in it, its console as a real process, and people who may sign in."""

import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from base.lifeline import tied
from gateway.console import accounts
from gateway.console.roles import Role
from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from tests.waiting import until

PASSWORD = "a long enough password"
PEOPLE = {
    "nurse": frozenset({Role.WARD}),
    "officer": frozenset({Role.GOVERNANCE}),
    "engineer": frozenset({Role.FLEET}),
}
ROOT = Path(__file__).parents[2]
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass
class Console:
    """``settings`` is added to the console's file, ``gateway`` to the gateway's."""

    folder: Path
    port: int
    settings: str = ""
    gateway: dict[str, dict[str, Any]] = field(default_factory=dict)
    photos: list[Photo] = field(default_factory=list)
    clients: list[httpx2.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hospital = Hospital(self.folder, self.gateway).open()
        self.ward_device: Device = self.hospital.enrol()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.config = self.folder / "console.toml"
        self.config.write_text(
            f'site = "St Mary\'s"\n'
            f'[web]\nport = {self.port}\norigin = "{self.origin}"\n'
            f'[paths]\nstate = "{self.hospital.state}"\ndevices = "{self.hospital.site.registry}"\n'
            f"{self.settings}"
        )
        for login, roles in PEOPLE.items():
            accounts.add(
                self.folder / "accounts.toml",
                login,
                name=login.capitalize(),
                roles=roles,
                password=PASSWORD,
            )

    def take(self) -> Photo:
        """A photo is taken, synced, filed, and lies in the lightbox."""
        photo = self.ward_device.photo(jpeg(seed=len(self.photos)))
        self.hospital.sync(self.ward_device, self.ward_device.batch())
        self.hospital.receive(self.ward_device, photo)
        self.photos.append(photo)
        return photo

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            tied(
                [sys.executable, "-P", "-m", "cli", "console", "run", "--config", str(self.config)]
            ),
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        until(self._answers, 30, "the console to answer")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        self.hospital.close()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            return httpx2.get(f"{self.origin}/sign-in", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    def client(self) -> httpx2.Client:
        """A browser that nobody has signed in with."""
        client = httpx2.Client(base_url=self.origin, headers={"origin": self.origin}, timeout=20)
        self.clients.append(client)
        return client

    def send_home(self) -> None:
        """Close every browser."""
        while self.clients:
            self.clients.pop().close()

    def sign_in(self, login: str) -> httpx2.Client:
        client = self.client()
        answer = client.post("/sign-in", data={"login": login, "password": PASSWORD, "next": "/"})
        assert answer.status_code == 303, answer.text
        return client

    def viewings(self) -> list[tuple[str, str, str]]:
        """(who, what, subject) of everything in the audit."""
        rows = self.hospital.rows("select login, what, subject from viewings order by id")
        return [tuple(row) for row in rows]


def csrf_of(client: httpx2.Client, path: str = "/") -> str:
    """The secret that stands in the forms of a page."""
    found = _CSRF.search(client.get(path).text)
    assert found, "the page has a form"
    return found[1]
