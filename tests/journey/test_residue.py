"""P3 over the whole journey: every process and every tmpfs file, after a 12 MP photo is filed."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from base.keyfiles import read_secret
from cli.virtual_site import Virtual, VirtualSite
from tests.journey.audit import Auditor
from tests.journey.nurse import Nurse
from tests.residue.known_secrets import entropy_coded, of_envelope
from tests.residue.scanner import Scanner
from tests.waiting import until
from wire import envelope
from wire.hpke import RecipientPrivate

WIDTH, HEIGHT = 4056, 3040

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root may read the memory of a process that shuts others out"
    ),
]


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw I420 frame of full size, in which every window is its own."""
    path = tmp_path_factory.mktemp("scene") / "frame.yuv"
    random = np.random.default_rng(7)
    x = np.linspace(40, 200, WIDTH)[None, :] * np.linspace(0.5, 1.0, HEIGHT)[:, None]
    luma = np.clip(x + random.normal(0, 4, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
    chroma = random.integers(110, 146, (2, HEIGHT // 2, WIDTH // 2), dtype=np.uint8)
    path.write_bytes(luma.tobytes() + chroma.tobytes())
    return path


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, frame: Path) -> Iterator[VirtualSite]:
    with VirtualSite(tmp_path_factory.mktemp("site"), Virtual(release_seconds=0.0)) as site:
        site.world.point_at(frame)
        site.start()
        yield site


def test_P3_nothing_of_a_filed_photo_is_left_in_any_process_or_tmpfs(
    site: VirtualSite, frame: Path
) -> None:
    nurse, auditor = Nurse(site), Auditor(site)
    nurse.wait_until_up()
    nurse.open_window()
    assert nurse.capture()
    until(lambda: auditor.book().fates() and auditor.book().fates()[-1].settled, 60, "FILED")
    fate = auditor.book().fates()[-1]
    assert fate.outcome == "FILED" and fate.photo is not None
    nurse.finish()
    nurse.close()
    until(lambda: not auditor.waits_for(), 30, "the journey to end")
    scanners = [Scanner({"raw frame": frame.read_bytes()}), _secrets(site, auditor, fate.photo)]
    pids = {"broker", "gateway", "panel", "uplink"}
    running = site.keeper.pids()
    assert pids <= set(running)
    for name, pid in running.items():
        for scanner in scanners:
            findings = scanner.process(pid)
            assert not findings.windows, f"{name}: {findings}"
            assert findings.bytes_read > 1e6
    for scanner in scanners:
        findings = scanner.files(*site.tmpfs)
        assert not findings.windows, findings


def _secrets(site: VirtualSite, auditor: Auditor, photo: bytes) -> Scanner:
    sealed, filed = auditor.hospital.sealed_copy(photo), auditor.hospital.filed(photo)
    assert sealed is not None and filed is not None
    keys = [
        RecipientPrivate.decode(read_secret(path, "key"))
        for path in (site.pki.gateway / "opening.key", site.pki.offline / "recovery.key")
    ]
    secrets, _ = of_envelope(envelope.parse(sealed), keys)
    # What belongs to the gateway's own key for good (its seeds) is no residue of a photo.
    scanner = Scanner({"JPEG": entropy_coded(filed.jpeg.read_bytes()), **secrets})
    assert scanner.share("JPEG") > 0.9
    return scanner
