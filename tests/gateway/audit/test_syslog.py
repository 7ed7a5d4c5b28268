"""The audit by syslog to a real rsyslog: whole, confirmed, and refused in words that help."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from base.errors import ConfigError
from base.tls import TlsFiles
from cli import check_gateway, pki_x509
from cli.findings import State
from gateway.audit.settings import AuditSettings
from gateway.audit.syslog import NotTold, Syslog
from gateway.config import BrokerSettings, GatewayConfig
from tests.brokers import write_identity
from tests.gateway.audit.happenings import ALL, EVENTS
from tests.gateway.audit.rsyslog_peer import Rsyslog
from tests.waiting import until

SOURCE = "wardseal gateway"


class Log:
    """A running rsyslog, and certificates of its authority and of others."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.ca = pki_x509.make_ca()
        server = pki_x509.issue(self.ca, "localhost", kind="server", san=["127.0.0.1"])
        self.server = Rsyslog(folder, port, write_identity(folder, "server", server, self.ca))
        self.files = self.issue("gateway_1")

    def issue(self, name: str, ca: pki_x509.Identity | None = None, **how: Any) -> TlsFiles:
        made = pki_x509.issue(ca or self.ca, name, kind="hospital", **how)
        return write_identity(self.folder, name, made, self.ca)

    def settings(self, **changes: Any) -> AuditSettings:
        files = changes.pop("files", self.files)
        usual: dict[str, Any] = {
            "syslog": f"tls://localhost:{self.server.port}",
            "ca": files.ca,
            "certificate": files.certificate,
            "key": files.key,
            "timeout_seconds": 10,
        }
        return AuditSettings(**{**usual, **changes})


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Log]:
    made = Log(tmp_path_factory.mktemp("rsyslog"), free_port())
    made.server.start()
    yield made
    made.server.stop()


def told(log: Log) -> int:
    return len(log.server.lines())


def test_what_is_told_has_arrived_whole_and_in_order(log: Log) -> None:
    before = told(log)
    sender = Syslog(log.settings(), source=SOURCE)
    sender.tell(list(ALL.values()), 41)
    until(lambda: told(log) >= before + len(ALL), 20, "the messages")
    found = log.server.messages()[before:]
    assert len(found) == len(ALL)
    numbers = [f'[meta sequenceId="{41 + at}"]'.encode() for at in range(len(ALL))]
    assert [one["data"] for one in found] == numbers
    assert {one["id"] for one in found} == {b"DICOM+RFC3881"}
    assert {one["priority"] for one in found} == {b"85", b"84"}
    assert {one["at"] for one in found} == {b"2023-11-14T22:13:20.000Z"}
    for one in found:
        assert etree.fromstring(one["text"]).tag == "AuditMessage"


def test_P5_a_server_that_is_away_is_named_and_has_everything_once_it_is_back(log: Log) -> None:
    log.server.stop()
    sender = Syslog(log.settings(), source=SOURCE)
    events = list(EVENTS.values())
    with pytest.raises(NotTold, match=r"^audit\.syslog: nothing answers at localhost on this port"):
        sender.tell(events, 1)
    before = told(log)
    log.server.start()
    sender.tell(events, 1)
    until(lambda: told(log) == before + len(events), 20, "the messages")


def test_P5_a_server_that_reads_nothing_confirms_nothing(log: Log) -> None:
    """It accepts, and then dies with everything in its buffers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        settings = log.settings(syslog=f"tls://localhost:{port}", timeout_seconds=1)
        with pytest.raises(NotTold, match="does not answer"):
            Syslog(settings, source=SOURCE).tell([EVENTS["read"]], 1)


def test_another_authority_is_named_with_its_setting(log: Log) -> None:
    stranger = log.folder / "stranger.crt"
    stranger.write_bytes(pki_x509.make_ca("Somebody else").certificate_pem)
    before = told(log)
    with pytest.raises(NotTold) as caught:
        Syslog(log.settings(ca=stranger), source=SOURCE).tell([EVENTS["read"]], 1)
    says = "audit.syslog: the certificate of localhost is not from the authority in audit.ca"
    assert str(caught.value) == says
    assert told(log) == before


def test_another_name_is_said(log: Log) -> None:
    address = f"tls://127.0.0.2:{log.server.port}"
    with pytest.raises(NotTold, match="nothing answers at 127\\.0\\.0\\.2"):
        Syslog(log.settings(syslog=address), source=SOURCE).tell([EVENTS["read"]], 1)


def test_the_doctor_says_whether_the_server_answers(log: Log) -> None:
    config = GatewayConfig(broker=BrokerSettings(host="b"), audit=log.settings())
    before = told(log)
    (finding,) = check_gateway._audit(config)
    assert (finding.state, finding.name) == (State.OK, "audit")
    stranger = log.settings(ca=log.issue("other_2", ca=pki_x509.make_ca("Another")).certificate)
    (finding,) = check_gateway._audit(replace(config, audit=stranger))
    assert finding.state is State.BROKEN
    assert "audit.ca" in finding.says
    assert told(log) == before


@pytest.mark.parametrize("case", ["none", "expired", "stranger"])
def test_P5_a_certificate_that_the_server_does_not_take_is_named_and_nothing_counts_as_told(
    log: Log, case: str
) -> None:
    if case == "none":
        settings = log.settings(certificate=None, key=None)
    elif case == "expired":
        settings = log.settings(files=log.issue("late_1", days=-1))
    else:
        settings = log.settings(files=log.issue("other_1", ca=pki_x509.make_ca("Another")))
    before = told(log)
    with pytest.raises(NotTold) as caught:
        Syslog(settings, source=SOURCE).tell([EVENTS["read"]] * 3, 1)
    assert str(caught.value).startswith("audit.syslog: ")
    assert "audit.certificate" in str(caught.value)
    assert told(log) == before


def test_udp_and_a_local_socket_carry_the_same_lines(log: Log, short_dir: Path) -> None:
    before = told(log)
    udp = Syslog(AuditSettings(syslog=f"udp://127.0.0.1:{log.server.port}"), source=SOURCE)
    udp.tell([EVENTS["read"], EVENTS["disclose"]], 7)
    until(lambda: told(log) == before + 2, 20, "the datagrams")
    path = short_dir / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(path))
        local = Syslog(AuditSettings(syslog=f"unix://{path}"), source=SOURCE)
        local.tell([EVENTS["disclose"]], 8)
        assert there.recv(65536) == log.server.lines()[-1]
    with pytest.raises(NotTold, match=r"^audit\.syslog: nothing answers"):
        local.tell([EVENTS["read"]], 9)


def test_the_number_starts_again_where_the_standard_says(log: Log) -> None:
    sender = Syslog(log.settings(), source=SOURCE)
    event = replace(EVENTS["read"], at_ms=0)
    assert b'sequenceId="2147483647"' in sender.line(event, 2**31 - 1)
    assert b'sequenceId="1"' in sender.line(event, 2**31)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"syslog": "tcp://logs"}, "syslog"),
        ({"syslog": "tls://"}, "syslog"),
        ({"syslog": "tls://logs:99999"}, "syslog"),
        ({"syslog": "tls://logs/somewhere"}, "syslog"),
        ({"syslog": "unix://dev/log"}, "syslog"),
        ({"syslog": "udp://logs.hospital.example"}, "syslog"),
        ({"syslog": "tls://logs", "certificate": Path("c")}, "certificate"),
        ({"syslog": "tls://logs", "timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_P10_a_wrong_setting_is_named(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AuditSettings(**settings)
    assert caught.value.setting == setting


def test_P10_files_that_are_no_use_are_named(log: Log, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"^audit\.ca: "):
        Syslog(log.settings(ca=rubbish), source=SOURCE)
    with pytest.raises(ConfigError, match=r"^audit\.certificate: "):
        Syslog(log.settings(certificate=rubbish), source=SOURCE)
