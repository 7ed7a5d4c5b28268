"""The console of a virtual site: the real one, its own process, with a throw-away account."""

import socket
import sys
from dataclasses import dataclass
from typing import Final

from base.durable import write_atomic
from cli.virtual_site import VirtualSite, wait_for
from gateway.console import accounts
from gateway.console.roles import Role
from gateway.sharing import phrase

_LOGIN: Final = "demo"
_STARTS_WITHIN: Final = 30.0


@dataclass(frozen=True)
class VirtualConsole:
    """Where it is, and who may sign in."""

    port: int
    login: str
    password: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def words(self) -> str:
        """Where to go and what to type, for a terminal."""
        return f"The hospital's console: {self.url} (name {self.login}, password {self.password!r})"

    def wait_until_up(self) -> None:
        """Return when it answers."""
        wait_for(self._answers, _STARTS_WITHIN, "the console to answer")

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def start(site: VirtualSite) -> VirtualConsole:
    """Start it beside the site's gateway, kept running. It sees all there is to see."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    made = VirtualConsole(port, _LOGIN, phrase.make())
    folder = site.state / "console"
    folder.mkdir(exist_ok=True)
    accounts.add(
        folder / "accounts.toml",
        made.login,
        name="Demo",
        roles=frozenset(Role),
        password=made.password,
    )
    config = folder / "console.toml"
    text = (
        f'site = "Demo hospital"\n[web]\nport = {port}\norigin = "{made.url}"\n'
        f'[paths]\nstate = "{site.state / "gateway"}"\ndevices = "{site.pki.registry}"\n'
        f'beds = "{site.pki.gateway / "beds.csv"}"\n'
    )
    write_atomic(config, text.encode())
    argv = [sys.executable, "-P", "-m", "gateway.console", "--config", str(config)]
    site.keeper.start("console", argv)
    return made
