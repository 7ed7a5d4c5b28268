"""Debian's Firefox with nothing of a person's in it, driven by its own Marionette protocol.

Firefox Remote Protocol, Marionette, level 3: messages are ``LENGTH:JSON`` over TCP. All traffic
but that goes to a proxy of ours, which connects nowhere and remembers what was asked for.
"""

import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from base import lifeline
from tests.waiting import until

PATIENCE_SECONDS: Final = 60
_QUIET: Final = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.enabled": False,
    "extensions.update.enabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.proxy.allow_hijacking_localhost": True,
    "network.proxy.type": 1,
    "services.settings.server": "data:,none",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.unified": False,
}


class Firefox:
    """One window; ``asked`` is the first line of each request, the browser's own too."""

    def __init__(self, link: socket.socket, asked: list[str]) -> None:
        self._link = link
        self._number = 0
        self.asked = asked
        self._receive()  # the greeting
        self.do("WebDriver:NewSession", {"capabilities": {}})

    def do(self, command: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        body = json.dumps([0, self._number, command, parameters]).encode()
        self._link.sendall(b"%d:%s" % (len(body), body))
        _, number, error, result = self._receive()
        assert number == self._number and error is None, error
        return result

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._link.recv(1)
        left, body = int(length[:-1]), b""
        while len(body) < left:
            body += self._link.recv(left - len(body))
        return json.loads(body)

    @property
    def fetched(self) -> list[str]:
        """What pages asked for: Firefox looks after its own settings at Mozilla's besides."""
        return [line for line in self.asked if ".mozilla." not in line]

    def open(self, url: str) -> None:
        self.do("WebDriver:Navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script as WebDriver does; a promise that it returns is waited for."""
        given = {"script": script, "args": list(arguments)}
        return self.do("WebDriver:ExecuteScript", given)["value"]

    def find(self, css: str) -> Any:
        given = {"using": "css selector", "value": css}
        return next(iter(self.do("WebDriver:FindElement", given)["value"].values()))

    def type(self, css: str, text: str) -> None:
        self.do("WebDriver:ElementClear", {"id": self.find(css)})
        self.do("WebDriver:ElementSendKeys", {"id": self.find(css), "text": text})

    def click(self, css: str) -> None:
        self.do("WebDriver:ElementClick", {"id": self.find(css)})

    def resize(self, width: int, height: int) -> None:
        self.do("WebDriver:SetWindowRect", {"width": width, "height": height})


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """Start it with a fresh profile in ``folder``; it ends with the tests, however they end."""
    program = shutil.which("firefox-esr")
    assert program is not None, "Firefox is missing: ./test --setup installs it"
    with _proxy() as (port, asked):
        proxied = {
            f"network.proxy.{kind}{what}": value
            for kind in ("http", "ssl")
            for what, value in (("", "127.0.0.1"), ("_port", port))
        }
        profile = folder / "profile"
        profile.mkdir()
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in {**_QUIET, **proxied}.items()
        ]
        (profile / "user.js").write_text("\n".join(lines))
        home = {"HOME": str(folder), "MOZ_HEADLESS": "1", "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(
            lifeline.tied([program, "--marionette", "--headless", "--profile", str(profile)]),
            env=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            said = profile / "MarionetteActivePort"
            until(said.exists, PATIENCE_SECONDS, "Firefox to listen")
            until(lambda: bool(said.read_text().strip()), PATIENCE_SECONDS, "Firefox's port")
            address = ("127.0.0.1", int(said.read_text()))
            with socket.create_connection(address, PATIENCE_SECONDS) as link:
                yield Firefox(link, asked)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that answers nobody, and a list of what it was asked for."""
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                link, _ = server.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    asked.append(link.recv(2000).partition(b"\r\n")[0].decode("latin-1"))
                    link.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], asked
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)
