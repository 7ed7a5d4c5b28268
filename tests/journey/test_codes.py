"""Wristband and badge from the bedside to the record: inside the envelope, and nowhere else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.simulator.bands import BADGE, BAND, OTHER_BAND, badge, wristband
from cli.virtual_site import Virtual, VirtualSite
from tests.journey.audit import Auditor, taken_under_consent
from tests.journey.nurse import Nurse
from tests.journey.on_device import Fate
from tests.residue.scanner import Scanner
from tests.waiting import until
from wire import events
from wire.attestation import attest_of, commitment
from wire.ledger import SignedEntry

SMALL = Virtual(release_seconds=0.0, width=1014, height=760)
CODES = Scanner({"band": BAND.encode(), "other band": OTHER_BAND.encode(), "badge": BADGE.encode()})


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualSite]:
    with VirtualSite(tmp_path_factory.mktemp("site"), SMALL) as site:
        site.start()
        yield site


class Ward:
    """A nurse with a patient's arm and her own badge, and an auditor who reads along."""

    def __init__(self, site: VirtualSite) -> None:
        self.site = site
        self.nurse = Nurse(site)
        self.auditor = Auditor(site)
        self.nurse.wait_until_up()

    def hold(self, *codes: str) -> None:
        """Hold these into the view, and nothing else."""
        draw = {"(8018)": wristband, "(8017)": badge}
        folder = self.site.state / "props"
        self.site.world.hold(*(draw[code[:6]](code, folder) for code in codes))

    def take(self) -> SignedEntry:
        """Press CAPTURE, wait for FILED, return the INTENT."""
        before = len(self.fates())
        assert self.nurse.capture()
        until(lambda: len(self.fates()) > before and self.fates()[-1].settled, 30, "the receipt")
        assert self.fates()[-1].outcome == "FILED"
        return self.fates()[-1].intent

    def fates(self) -> list[Fate]:
        return self.auditor.book().fates()

    def photo(self) -> bytes:
        """The latest photo's id."""
        photo = self.fates()[-1].photo
        assert photo is not None
        return photo

    def page(self) -> dict[str, Any]:
        """The record's page on the latest photo."""
        filed = self.auditor.hospital.filed(self.photo())
        assert filed is not None
        return filed.page

    def opened(self, folder: Path) -> dict[str, Any]:
        """What ``wardseal open`` says of the latest photo, with the offline recovery key."""
        sealed = self.site.state / "gateway" / "sealed" / f"{self.photo().hex()}.wardseal"
        keys = ("--key", self.site.pki.offline / "recovery.key", "--device-key")
        arguments = ("open", sealed, *keys, self.site.device_key, "-o", folder / "out.jpg")
        done = subprocess.run(
            [sys.executable, "-m", "cli", *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["verified"]
        return told

    def audit(self) -> None:
        """Compare both sides, once all is done."""
        self.nurse.finish()
        until(lambda: not self.auditor.waits_for(), 30, self.auditor.waits_for() or "rest")
        assert self.auditor.audit() == []
        assert taken_under_consent(self.auditor.book().entries) == []


@pytest.fixture
def ward(site: VirtualSite) -> Iterator[Ward]:
    ward = Ward(site)
    yield ward
    ward.nurse.close()


def test_P9_band_and_badge_reach_the_record_and_the_ledger_proves_whose_badge_it_was(
    ward: Ward, site: VirtualSite, tmp_path: Path
) -> None:
    ward.nurse.open_window()
    ward.hold(BAND, BADGE)
    ward.nurse.wait_for_words("BAND OK", "BADGE OK")
    intent = ward.take()
    if os.geteuid() == 0:
        # The scanner would find them: they are in the one process that may know them.
        (darkroom,) = _knowing(site)
        assert CODES.process(darkroom).windows.keys() >= {"band", "badge"}
    _nothing_on_the_device(site)
    ward.nurse.finish()
    _nothing_on_the_device(site)
    assert _knowing(site) == []

    page, private = ward.page(), ward.opened(tmp_path)["private"]
    assert page["bands"] == [BAND] == [private["band"]]
    assert page["badge"] == BADGE == private["badge"]
    attest = attest_of(intent, ward.auditor.book().entries)
    assert attest is not None
    body: events.Attest = events.body_of(attest.entry)
    assert body.commitment == commitment(bytes.fromhex(private["salt"]), private["badge"])
    ward.audit()


def _knowing(site: VirtualSite) -> list[int]:
    """The darkrooms in whose memory a code is."""
    if os.geteuid() != 0:
        return []
    pids = [pid for name, pid in site.keeper.pids().items() if name.startswith("darkroom")]
    return [pid for pid in pids if CODES.process(pid).windows]


def _nothing_on_the_device(site: VirtualSite) -> None:
    """P9: no code in panel, uplink or broker, on the ledger, in a log, or in a file's name."""
    paths = site.device.config.paths
    for findings in (
        CODES.files(*site.tmpfs, paths.state, site.state / "logs", site.state / "broker"),
        *(
            CODES.process(pid)
            for name, pid in site.keeper.pids().items()
            if name in ("panel", "uplink", "broker") and os.geteuid() == 0
        ),
    ):
        assert not findings.windows, findings
        assert findings.bytes_read > 1000
    names = "\n".join(str(path) for path in site.state.rglob("*"))
    assert not any(code in names for code in (BAND, OTHER_BAND, BADGE, BAND[6:], BADGE[6:]))


def test_another_band_closes_the_window_and_a_photo_with_two_bands_names_nobody(
    ward: Ward,
) -> None:
    ward.hold(BAND)
    ward.nurse.open_window()
    ward.nurse.wait_for_words("BAND OK")
    ward.hold(OTHER_BAND)
    ward.nurse.wait_for_words("NEW? ASK")
    ward.nurse.wait_until(lambda view: not view.lamp, "the camera to be off")
    closed = ward.auditor.book().bodies(events.Window)[-1]
    assert (closed.why, closed.photos) == ("other-band", 0)

    ward.hold(BAND, OTHER_BAND)
    ward.nurse.open_window()
    ward.nurse.wait_for_words("2 BANDS")
    intent: events.Intent = events.body_of(ward.take().entry)
    assert intent.attest is None
    assert set(ward.page()["bands"]) == {BAND, OTHER_BAND}
    assert ward.page()["patient"] is None
    ward.audit()
