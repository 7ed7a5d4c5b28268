"""P9 and P4 from where most can be overheard: somebody who may listen to all of the broker."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from base.mqtt import LinkSettings, Message
from cli import pki, pki_x509
from cli.virtual_site import Virtual, VirtualSite
from tests.brokers import Loop, write_identity
from tests.journey.audit import Auditor
from tests.journey.nurse import Nurse
from tests.waiting import until
from wire import messages, topics
from wire.messages import Data

EAR = "wardseal_ear"
PLACE = "Bed Kestrel"
NEEDLE = b"estrel"


class Ear:
    """A hospital's user who hears every message of every device, from now on until closed."""

    def __init__(self, site: VirtualSite, folder: Path) -> None:
        ca = pki._load_ca(site.pki)
        files = write_identity(folder, EAR, pki_x509.issue(ca, EAR, kind="hospital"), ca)
        settings = LinkSettings(
            host="localhost", port=site.broker.port, name=EAR, tls=files, retry_longest_seconds=1
        )
        self._loop = Loop()
        self._loop.add(settings, subscriptions=[f"{topics.ROOT}/+/u/#"])
        self._loop.online(EAR)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing.is_set():
            self._loop.turn()

    def close(self) -> list[Message]:
        """Stop listening, and tell what was heard."""
        self._closing.set()
        self._thread.join()
        self._loop.close()
        return [event for event in self._loop.events[EAR] if isinstance(event, Message)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[VirtualSite]:
    with VirtualSite(
        tmp_path / "site", Virtual(bed=PLACE, release_seconds=0.0, width=1014, height=760)
    ) as site:
        allowed = [*site.broker.settings.hospital_users, EAR]
        site.broker.settings = replace(site.broker.settings, hospital_users=allowed)
        site.start()
        yield site


def test_P9_whoever_hears_the_whole_journey_learns_no_place_and_sees_no_picture(
    site: VirtualSite, tmp_path: Path
) -> None:
    nurse, auditor = Nurse(site), Auditor(site)
    ear = Ear(site, tmp_path / "ear")
    nurse.wait_until_up()
    nurse.open_window()
    assert nurse.capture()
    until(lambda: auditor.book().fates() and auditor.book().fates()[-1].settled, 30, "FILED")
    nurse.finish()
    nurse.close()
    until(lambda: not auditor.waits_for(), 30, "rest")
    heard = ear.close()

    photo = auditor.book().fates()[-1].photo
    assert photo is not None
    filed = auditor.hospital.filed(photo)
    assert filed is not None and filed.page["bed"] == PLACE
    jpeg = filed.jpeg.read_bytes()
    kinds = {topics.parse(message.topic).kind for message in heard}
    assert {"state", "ledger", "up/any", "up/gateway"} <= kinds
    pieces = [what for m in heard if isinstance(what := messages.decode(m.payload), Data)]
    whole = b"".join(dict(sorted((piece.i, piece.bytes) for piece in pieces)).values())
    assert whole == auditor.hospital.sealed_copy(photo), "the ear has heard the photo, sealed"
    for start in range(0, len(jpeg) - 16, 4096):
        assert jpeg[start : start + 16] not in whole
    for message in heard:
        assert NEEDLE not in message.topic.encode() + message.payload
    receipts = auditor.hospital.rows("SELECT raw FROM receipts")
    assert receipts and not [raw for (raw,) in receipts if NEEDLE in raw]


def test_P4_the_broker_keeps_a_devices_state_and_nothing_else(
    site: VirtualSite, tmp_path: Path
) -> None:
    nurse, auditor = Nurse(site), Auditor(site)
    nurse.wait_until_up()
    nurse.open_window()
    assert nurse.capture()
    until(lambda: auditor.book().fates() and auditor.book().fates()[-1].settled, 30, "FILED")
    nurse.finish()
    nurse.close()
    until(lambda: not auditor.waits_for(), 30, "rest")
    late = Ear(site, tmp_path / "ear")
    until(lambda: late._loop.events[EAR][1:], 10, "what the broker has kept")
    kept = [m for m in late.close() if m.retained]
    assert [topics.parse(message.topic).kind for message in kept] == ["state"]
