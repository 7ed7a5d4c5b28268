"""Mutual TLS to FHIR and to an MLLP receiver: real servers, and words that name the setting."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from base.errors import ConfigError
from base.tls import TlsFiles
from cli import pki_x509
from gateway.filing.base import FilingError, Sink
from gateway.filing.fhir import Fhir
from gateway.filing.hl7 import Hl7
from gateway.filing.settings import FhirSettings, Hl7Settings
from gateway.report.making import Style
from neighbours.fhir import FhirServer
from tests.brokers import write_identity
from tests.gateway.filing.hl7_peer import Receiver
from tests.gateway.filing.photos import AT_MS, record


class Authority:
    """Who signs the certificates of the servers, and of whom they let in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = pki_x509.make_ca()
        server = pki_x509.issue(self.ca, "localhost", kind="server", san=["127.0.0.1"])
        self.server = write_identity(folder, "server", server, self.ca)
        self.ours = self.issue("gateway_1")

    def issue(self, name: str, ca: pki_x509.Identity | None = None, **how: Any) -> TlsFiles:
        made = pki_x509.issue(ca or self.ca, name, kind="hospital", **how)
        return write_identity(self.folder, name, made, self.ca)


@dataclass
class Peer:
    """A record system that wants certificates. ``photos()``: how many it has."""

    name: str
    authority: Authority
    open: Callable[..., Sink]
    photos: Callable[[], int]

    def settings(self, files: TlsFiles | None) -> dict[str, Any]:
        files_of = {} if files is None else {"certificate": files.certificate, "key": files.key}
        return {"ca": self.authority.ours.ca, **files_of}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def fhir(authority: Authority) -> Iterator[Peer]:
    files = authority.server
    tls = {"key": str(files.key), "cert": str(files.certificate), "ca": str(files.ca)}
    server = FhirServer(tls=tls).wait()
    url = f"https://localhost:{server.port}/fhir"

    def make(**settings: Any) -> Sink:
        wanted = FhirSettings(url=url, report=False, timeout_seconds=10, **settings)
        return Fhir(wanted, Style(), lambda: AT_MS)

    def count() -> int:
        ours = authority.ours
        sink = make(ca=ours.ca, certificate=ours.certificate, key=ours.key)
        assert isinstance(sink, Fhir)
        try:
            return len(sink._search("DocumentReference", "urn:wardseal:photo", record().key))
        finally:
            sink.close()

    yield Peer("fhir", authority, make, count)
    server.close()


@pytest.fixture(scope="module")
def hl7(authority: Authority) -> Iterator[Peer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)
    context.load_verify_locations(authority.server.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = Receiver(context)

    def make(**settings: Any) -> Sink:
        wanted = Hl7Settings(host="localhost", port=receiver.port, timeout_seconds=10, **settings)
        return Hl7(wanted, Style(), lambda: AT_MS)

    yield Peer("hl7", authority, make, lambda: len(receiver.messages))
    receiver.close()


@pytest.fixture(params=["fhir", "hl7"])
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.getfixturevalue(request.param)
    return found


def refused(peer: Peer, sink: Sink) -> str:
    """What filing and the doctor say; nothing has come to the record."""
    before = peer.photos()
    with pytest.raises(FilingError) as caught:
        sink.file(record(photo="ef" * 32))
    with pytest.raises(FilingError):
        sink.probe()
    sink.close()
    assert peer.photos() == before
    return str(caught.value)


def test_with_its_certificate_the_photo_is_filed(peer: Peer) -> None:
    sink = peer.open(**peer.settings(peer.authority.ours))
    sink.probe()
    reference = sink.file(record())
    sink.read_back(record(), reference)
    sink.close()
    assert peer.photos() == 1


def test_P5_a_server_of_another_authority_gets_nothing_and_names_the_setting(peer: Peer) -> None:
    stranger = peer.authority.folder / f"{peer.name}.stranger.crt"
    stranger.write_bytes(pki_x509.make_ca("Somebody else").certificate_pem)
    sink = peer.open(**peer.settings(peer.authority.ours) | {"ca": stranger})
    says = f"the certificate of localhost is not from the authority in {peer.name}.ca"
    assert refused(peer, sink) == f"{peer.name} cannot be reached: {says}"


@pytest.mark.parametrize("case", ["none", "expired", "stranger"])
def test_P5_a_certificate_of_ours_that_is_not_taken_is_named_with_its_setting(
    peer: Peer, case: str
) -> None:
    files: TlsFiles | None = None
    if case == "expired":
        files = peer.authority.issue("late_1", days=-1)
    elif case == "stranger":
        files = peer.authority.issue("other_1", ca=pki_x509.make_ca("Another"))
    says = refused(peer, peer.open(**peer.settings(files)))
    assert says.startswith(f"{peer.name} cannot be reached: ")
    assert f"{peer.name}.certificate" in says


def test_P10_files_that_are_no_use_are_named_at_the_start(peer: Peer, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate")
    ours = peer.authority.ours
    with pytest.raises(ConfigError, match=rf"^{peer.name}\.ca: "):
        peer.open(ca=rubbish)
    with pytest.raises(ConfigError, match=rf"^{peer.name}\.certificate: "):
        peer.open(ca=ours.ca, certificate=rubbish, key=ours.key)
