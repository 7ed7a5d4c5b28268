"""From the deed to the hospital's log: filed, wiped on the device, removed by the gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cli import pki_x509
from gateway.audit.tables import Viewing
from gateway.database import engine_for
from gateway.store import Store
from tests.brokers import write_identity
from tests.gateway.audit.rsyslog_peer import Rsyslog
from tests.gateway.hospital import Hospital
from wire import events
from wire.messages import Status


@pytest.fixture
def log(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Rsyslog]:
    ca = pki_x509.make_ca()
    server = pki_x509.issue(ca, "localhost", kind="server")
    files = write_identity(tmp_path / "pki", "server", server, ca)
    write_identity(tmp_path / "pki", "ours", pki_x509.issue(ca, "gateway_1", kind="hospital"), ca)
    made = Rsyslog(tmp_path / "rsyslog", free_port(), files).start()
    yield made
    made.stop()


@pytest.fixture
def hospital(tmp_path: Path, log: Rsyslog) -> Iterator[Hospital]:
    audit = {
        "syslog": f"tls://localhost:{log.port}",
        "ca": str(tmp_path / "pki" / "ours.ca.crt"),
        "certificate": str(tmp_path / "pki" / "ours.crt"),
        "key": str(tmp_path / "pki" / "ours.key"),
    }
    opened = Hospital(tmp_path, {"audit": audit}).open()
    yield opened
    opened.close()


def told(log: Rsyslog, photo: str) -> list[tuple[str, str, str]]:
    """Action, who did it, and how it left the photo: of each message about it, in order."""
    found = []
    for one in log.messages():
        root = etree.fromstring(one["text"])
        about: Any = root.xpath(f"ParticipantObjectIdentification[@ParticipantObjectID='{photo}']")
        if about:
            who: Any = root.xpath("ActiveParticipant[@UserIsRequestor='true']/@UserID")
            life = about[0].get("ParticipantObjectDataLifeCycle")
            found.append((root[0].get("EventActionCode"), str(who[0]), life))
    return found


def test_a_photo_s_whole_life_is_in_the_hospital_s_log_once_and_in_order(
    hospital: Hospital, log: Rsyslog
) -> None:
    device = hospital.enrol()
    photo = device.photo()
    assert hospital.receive(device, photo).status == Status.FILED
    # As the console does when somebody opens the photo's page.
    store = Store(engine_for("", hospital.state / "gateway.db"))
    with store.begin() as session:
        seen = photo.hex
        session.add(Viewing(at_ms=2**41, login="a.osei", name="Ama", what="photo", subject=seen))
    store.close()
    device.write(events.Wiped(photo.intent.digest, "FILED", photo.id))
    for _ in range(2):  # a batch that comes again is no second deed
        hospital.sync(device, device.batch())
    hospital.age(photo)
    for _ in range(2):
        hospital.look_around()
    hospital.until(lambda: len(told(log, photo.hex)) >= 4, 30, "four messages")
    assert sorted(told(log, photo.hex)) == [
        ("C", "wardseal gateway", "1"),
        ("D", "ward3-bed12", "15"),
        ("D", "wardseal gateway", "15"),
        ("R", "a.osei", "6"),
    ]
    hospital.reopen()
    assert len(told(log, photo.hex)) == 4
    numbers = [one["data"] for one in log.messages()]
    assert numbers == [f'[meta sequenceId="{n + 1}"]'.encode() for n in range(len(numbers))]
