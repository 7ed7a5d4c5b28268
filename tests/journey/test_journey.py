"""One photo after the other through all eleven steps, with every process real."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.virtual_site import Virtual, VirtualSite
from tests.journey.audit import Auditor, taken_under_consent
from tests.journey.nurse import Nurse
from tests.waiting import until
from wire import events
from wire.events import Basis, Level

PLACE = "Bed Kestrel"
"""A bed's name that no word of ours contains, so that it can be looked for (P9)."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualSite]:
    small = Virtual(bed=PLACE, release_seconds=0.0, width=1014, height=760)
    with VirtualSite(tmp_path_factory.mktemp("site"), small) as site:
        site.start()
        yield site


@pytest.fixture
def nurse(site: VirtualSite) -> Iterator[Nurse]:
    nurse = Nurse(site)
    nurse.wait_until_up()
    nurse.finish()
    yield nurse
    nurse.finish()
    nurse.close()


@pytest.fixture
def auditor(site: VirtualSite, nurse: Nurse) -> Iterator[Auditor]:
    """Compares both sides after each test."""
    auditor = Auditor(site)
    yield auditor
    nurse.finish()
    until(lambda: not auditor.waits_for(), 30, auditor.waits_for() or "rest")
    assert auditor.audit() == []
    assert taken_under_consent(auditor.book().entries) == []


def _take(nurse: Nurse, auditor: Auditor, status: str = "FILED") -> bytes:
    """Press CAPTURE and wait for the hospital's word; return the photo's id."""
    before = len(auditor.book().fates())
    assert nurse.capture()
    until(
        lambda: (
            len(auditor.book().fates()) > before
            and auditor.book().fates()[-1].outcome == status
            and auditor.book().fates()[-1].settled
        ),
        30,
        f"the photo to be {status}",
    )
    photo = auditor.book().fates()[-1].photo
    assert photo is not None
    return photo


def test_P5_the_eleven_steps_are_on_the_ledger_in_their_order(
    nurse: Nurse, auditor: Auditor
) -> None:
    nurse.open_window()
    _take(nurse, auditor)
    types = auditor.book().types
    begun = len(types) - 1 - types[::-1].index("CONSENT")
    assert types[begun : begun + 5] == ["CONSENT", "INTENT", "SEALED", "RECEIPT", "WIPED"]


def test_P5_the_record_has_exactly_the_bytes_that_the_device_sealed(
    nurse: Nurse, auditor: Auditor
) -> None:
    nurse.open_window()
    photo = _take(nurse, auditor)
    filed, sealed = auditor.hospital.filed(photo), auditor.hospital.sealed_copy(photo)
    assert filed is not None and sealed is not None
    # The recovery key is another one than the gateway's: it opens the same photo.
    assert filed.jpeg.read_bytes() == auditor.hospital.opened(sealed).jpeg


def test_P9_the_jpeg_is_pixels_and_what_is_needed_to_see_them(
    nurse: Nurse, auditor: Auditor
) -> None:
    nurse.open_window()
    filed = auditor.hospital.filed(_take(nurse, auditor))
    assert filed is not None
    found = list(_segments(filed.jpeg.read_bytes()))
    assert set(found) <= {"APP0", "DQT", "SOF0", "DHT", "DRI", "SOS"}
    assert found.count("APP0") == 1


def _segments(jpeg: bytes) -> Iterator[str]:
    """The names of a JPEG's segments up to the picture data (ITU-T T.81 annex B)."""
    names = {0xE0: "APP0", 0xDB: "DQT", 0xC0: "SOF0", 0xC4: "DHT", 0xDD: "DRI", 0xDA: "SOS"}
    at = 2
    while True:
        assert jpeg[at] == 0xFF
        yield names.get(jpeg[at + 1], f"{jpeg[at + 1]:02x}")
        if jpeg[at + 1] == 0xDA:
            return
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


def test_P1_without_consent_there_is_no_photo_and_no_camera(
    site: VirtualSite, nurse: Nurse, auditor: Auditor
) -> None:
    rooms, known = site.keeper.pids("darkroom"), len(auditor.book().entries)
    nurse.press("capture")
    nurse.wait_for_words("NO CONSENT")
    assert len(auditor.book().entries) == known
    assert site.keeper.pids("darkroom") == rooms, "no darkroom was used up"
    assert not nurse.look().lamp


def test_P1_five_presses_in_two_seconds_are_one_consent_and_the_next_one_ends_it(
    nurse: Nurse, auditor: Auditor
) -> None:
    known = len(auditor.book().bodies(events.Consent))
    nurse.open_window()
    for _ in range(4):
        nurse.press("consent")
    assert nurse.look().open
    _take(nurse, auditor)
    granted = auditor.book().bodies(events.Consent)[known:]
    assert [(body.level, body.basis) for body in granted] == [(Level.CARE, Basis.AGREED)]
    nurse.finish()
    photos = len(auditor.book().fates())
    nurse.press("capture")
    nurse.wait_for_words("NO CONSENT")
    assert len(auditor.book().fates()) == photos


def test_an_undo_after_filing_is_acknowledged_and_marked_in_the_record(
    nurse: Nurse, auditor: Auditor
) -> None:
    nurse.open_window()
    photo = _take(nurse, auditor)
    assert nurse.undo_last()
    nurse.wait_for_words("UNDONE")
    assert auditor.book().fates()[-1].outcome == "UNDONE"
    filed = auditor.hospital.filed(photo)
    assert filed is not None and filed.page["status"] == "objection recorded"
    nurse.finish()


def test_teaching_holds_for_later_photos_only(nurse: Nurse, auditor: Auditor) -> None:
    nurse.open_window()
    first = _take(nurse, auditor)
    nurse.hold("consent", for_words=("BACK",))
    nurse.choose("+TEACHING")
    second = _take(nurse, auditor)
    pages = [auditor.hospital.filed(photo) for photo in (first, second)]
    assert [page.page["level"] for page in pages if page] == ["care", "teaching"]


def test_an_emergency_is_recorded_as_its_own_basis(nurse: Nurse, auditor: Auditor) -> None:
    nurse.hold("consent", for_words=("EMERGENCY",))
    nurse.choose("EMERGENCY")
    nurse.wait_until(lambda view: view.ready, "the camera to be ready")
    filed = auditor.hospital.filed(_take(nurse, auditor))
    assert filed is not None and filed.page["basis"] == "emergency"


def test_P5_the_outbox_waits_for_a_hospital_that_is_away(
    site: VirtualSite, nurse: Nurse, auditor: Auditor
) -> None:
    site.keeper.stop("gateway")
    nurse.open_window()
    assert nurse.capture()
    outbox = site.device.config.paths.outbox
    until(lambda: list(outbox.glob("*.cose")), 20, "the photo to be released")
    site.start_gateway()
    until(lambda: auditor.book().fates()[-1].settled, 60, "the photo to be filed after all")
    assert auditor.book().fates()[-1].outcome == "FILED"


def test_P6_anybody_can_verify_the_ledger_and_open_the_photo_by_hand(
    site: VirtualSite, nurse: Nurse, auditor: Auditor, tmp_path: Path
) -> None:
    nurse.open_window()
    photo = _take(nurse, auditor)
    nurse.finish()
    ledger = site.device.config.paths.ledger
    file = ledger / f"{(ledger / 'current').read_text()}.wsl"
    shown = _wardseal("ledger", "verify", str(file), "--key", str(site.device_key))
    assert "HOLDS" in shown
    out = tmp_path / "photo.jpg"
    copy = site.state / "gateway" / "sealed" / f"{photo.hex()}.wardseal"
    key = site.pki.offline / "recovery.key"
    words = ("--key", str(key), "--device-key", str(site.device_key), "-o", str(out))
    assert "VERIFIED" in _wardseal("open", str(copy), *words)
    filed = auditor.hospital.filed(photo)
    assert filed is not None and out.read_bytes() == filed.jpeg.read_bytes()


def _wardseal(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_P9_no_bed_in_ledger_logs_names_or_on_the_device(
    site: VirtualSite, nurse: Nurse, auditor: Auditor
) -> None:
    nurse.open_window()
    photo = _take(nurse, auditor)
    filed = auditor.hospital.filed(photo)
    assert filed is not None and filed.page["bed"] == PLACE, "inside the envelope it is"
    word = PLACE.split()[1].encode()
    files = [*(site.state / "logs").glob("*"), *(site.state / "device").rglob("*.wsl")]
    files += [path for path in site.device.config.paths.run.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert word not in path.read_bytes(), f"{path.name} names the bed"
    names = [path.name for folder in (site.state, site.ram) for path in folder.rglob("*")]
    assert not [name for name in names if word.decode() in name]
