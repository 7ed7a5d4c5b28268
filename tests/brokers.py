"""A site for one test: an authority, certificates by name, a real mosquitto, links in a loop."""

import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from base.mqtt import Event, Link, LinkSettings, Online, Will
from base.tls import TlsFiles
from cli import pki_x509
from cli.broker import Broker, BrokerSettings

GATEWAY = "gateway_1"
OTHER_GATEWAY = "gateway_2"

E = TypeVar("E")


def write_identity(
    folder: Path, name: str, identity: pki_x509.Identity, ca: pki_x509.Identity
) -> TlsFiles:
    """Write an identity's PEM files beside the authority that its owner trusts."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    authority = folder / f"{name}.ca.crt"
    certificate.write_bytes(identity.certificate_pem)
    key.write_bytes(identity.key_pem)
    authority.write_bytes(ca.certificate_pem)
    return TlsFiles(ca=authority, certificate=certificate, key=key)


class Site:
    """Who is who on one ward's broker; everything is made on first use."""

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder = folder
        self.ca = pki_x509.make_ca()
        server = pki_x509.issue(self.ca, "localhost", kind="server", san=["127.0.0.1"])
        self.broker = Broker(
            BrokerSettings(
                directory=folder / "broker",
                files=settings.pop(
                    "files", write_identity(folder / "pki", "broker", server, self.ca)
                ),
                hospital_users=[GATEWAY, OTHER_GATEWAY],
                port=port,
                **settings,
            )
        )

    def files(self, name: str, **how: Any) -> TlsFiles:
        """Return a client's files, issued on first use; ``how`` goes to ``pki_x509.issue``."""
        folder = self.folder / "pki"
        if how or not (folder / f"{name}.crt").exists():
            how.setdefault("kind", "hospital" if "_" in name else "device")
            return write_identity(folder, name, pki_x509.issue(self.ca, name, **how), self.ca)
        return TlsFiles(
            ca=folder / f"{name}.ca.crt",
            certificate=folder / f"{name}.crt",
            key=folder / f"{name}.key",
        )

    def settings(self, name: str, **changes: Any) -> LinkSettings:
        usual = LinkSettings(
            host="localhost", port=self.broker.port, name=name, tls=changes.pop("tls", None)
            or self.files(name), retry_longest_seconds=1,
        )  # fmt: skip
        return replace(usual, **changes)


def _soon(_low: float, _high: float) -> float:
    """No test waits for the sake of a hundred other devices."""
    return 0.05


class Loop:
    """Several links on one selector; keeps what happened to each."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._others: list[selectors.BaseSelector] = []
        self.links: dict[str, Link] = {}
        self.events: dict[str, list[Event]] = {}

    def add(
        self,
        settings: LinkSettings,
        *,
        subscriptions: Sequence[str] = (),
        will: Callable[[], Will] | None = None,
        label: str = "",
    ) -> Link:
        link = Link(settings, subscriptions=subscriptions, will=will, uniform=_soon)
        link.register(self._selector)
        link.start()
        self.links[label or settings.name] = link
        self.events[label or settings.name] = []
        return link

    def new_selector(self) -> selectors.BaseSelector:
        """Return a selector for a part that turns by itself; closed with the loop."""
        selector = selectors.DefaultSelector()
        self._others.append(selector)
        return selector

    def turn(self, longest: float = 0.05) -> None:
        now = time.monotonic()
        due = [at for link in self.links.values() if (at := link.next_deadline()) is not None]
        wait = max(0.0, min([longest, *(at - now for at in due)]))
        names = {id(link): name for name, link in self.links.items()}
        for key, mask in self._selector.select(wait):
            self.events[names[id(key.data)]] += key.data.service(key, mask)
        for name, link in self.links.items():
            self.events[name] += link.tick(time.monotonic())

    def until(self, wanted: Callable[[], E], seconds: float, what: str) -> E:
        """Turn until ``wanted`` gives something true; fail with what happened when it does not."""
        deadline = time.monotonic() + seconds
        while not (value := wanted()):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:g} s in vain for {what}: {self.events}")
            self.turn()
        return value

    def first(self, name: str, kind: type[E], seconds: float = 10) -> E:
        """Return the first event of this kind, waiting for it."""
        found = self.until(
            lambda: [event for event in self.events[name] if isinstance(event, kind)],
            seconds,
            f"{kind.__name__} of {name}",
        )
        return found[0]

    def online(self, *names: str) -> None:
        for name in names or self.links:
            self.first(name, Online)

    def close(self) -> None:
        for link in self.links.values():
            link.stop()
        for selector in (self._selector, *self._others):
            selector.close()
