"""UNDO while the envelope is still held back: never sent, on either side."""

from collections.abc import Iterator

import pytest

from cli.virtual_site import Virtual, VirtualSite
from tests.journey.audit import Auditor
from tests.journey.nurse import Nurse
from tests.waiting import until


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualSite]:
    slow = Virtual(release_seconds=30.0, width=1014, height=760)
    with VirtualSite(tmp_path_factory.mktemp("site"), slow) as site:
        site.start()
        yield site


def test_an_undo_before_the_release_means_never_sent(site: VirtualSite) -> None:
    nurse, auditor = Nurse(site), Auditor(site)
    nurse.wait_until_up()
    nurse.open_window()
    assert nurse.capture()
    sealing = site.device.config.paths.sealing
    until(lambda: auditor.book().fates() and auditor.book().fates()[-1].sealed, 20, "SEALED")
    assert nurse.undo_last()
    nurse.wait_for_words("UNDONE")
    fate = auditor.book().fates()[-1]
    assert fate.outcome == "UNDONE" and not fate.receipts
    assert not list(sealing.glob("*.cose"))
    assert not list(site.device.config.paths.outbox.iterdir())
    until(lambda: not auditor.waits_for(), 20, "the ledger to be with the hospital")
    assert not auditor.hospital.states(), "the hospital never heard of the photo"
    nurse.close()
