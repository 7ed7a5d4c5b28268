"""Kill -9 at every step of filing, holding and undoing, in the real process."""

import signal
import subprocess

import pytest

from tests.gateway.bedside import Photo, jpeg
from tests.gateway.running import Running
from tests.waiting import until
from wire.messages import Status

pytestmark = pytest.mark.journey

FILING = [
    "gateway.reception:Reception._admit:after:1",
    "gateway.incoming:Incoming.put:after:2",
    "gateway.incoming:Incoming.finish:after:1",
    "gateway.decoding:Decoders.show:after:1",
    "gateway.filing.folder:Folder.stage:after:1",
    "gateway.filing.folder:Folder.file:after:1",
    "gateway.receipts:Receipts.issue:after:1",
    "gateway.vault:Vault.put_aside:before:1",
    "gateway.inbox:Inbox._signed:before:1",
]
HOLDING = [
    "gateway.vault:Vault.keep:after:1",
    "gateway.receipts:Receipts.issue:after:1",
]
UNDOING = [
    "gateway.ledgers:Ledgers._store_entries:after:1",
    "gateway.filing.folder:Folder.undo:after:1",
    "gateway.receipts:Receipts.issue:after:1",
]
UNDOING_HELD = [
    "gateway.vault:Vault.destroy:before:1",
    "gateway.vault:Vault.destroy:after:1",
    "gateway.receipts:Receipts.issue:before:1",
    "gateway.receipts:Receipts.issue:after:1",
]


def dies(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("point", FILING)
def test_P5_killed_while_filing_it_files_once_and_signs_for_it(
    running: Running, point: str
) -> None:
    photo = running.device.photo(jpeg(640, 480))
    hospital = running.hospital
    with running.gateway(point) as process:
        early = running.send(photo, unless=lambda: dies(process))
        running.until(lambda: dies(process), 5, f"death at {point}")
    if early is not None:
        assert early.status == Status.FILED
    with running.gateway():
        receipt = running.send(photo)
        assert receipt is not None
        assert receipt.status == Status.FILED
        # The report may stand beside them by now.
        assert [path.suffix for path in hospital.filed(photo)][:2] == [".jpg", ".json"]
        assert hospital.filed(photo)[0].read_bytes() == photo.jpeg
        rows = hospital.rows("select state from photos where photo = :p", p=photo.hex)
        assert rows == [("filed",)]
        left = hospital.state / "incoming" / f"{photo.hex}.part"
        until(lambda: not left.exists(), 45, "a round that puts the bundle aside")
        assert (hospital.state / "sealed" / f"{photo.hex}.wardseal").exists()
    assert not list((hospital.record / ".arriving").glob(f"{photo.hex}*"))


@pytest.mark.parametrize("point", HOLDING)
def test_P5_killed_while_holding_it_holds_and_signs_for_it(running: Running, point: str) -> None:
    photo = running.device.photo(b"no picture")
    with running.gateway(point) as process:
        running.send(photo, unless=lambda: dies(process))
        running.until(lambda: dies(process), 5, f"death at {point}")
    with running.gateway():
        receipt = running.send(photo)
        assert receipt is not None
        assert receipt.status == Status.HELD
    assert (running.hospital.state / "sealed" / f"{photo.hex}.wardseal").exists()
    assert [item for item in running.hospital.worklist() if item[1] == photo.hex]


@pytest.mark.parametrize("point", UNDOING)
def test_P5_killed_while_undoing_it_is_undone_and_signed_for(running: Running, point: str) -> None:
    device, hospital = running.device, running.hospital
    photo = device.photo()
    with running.gateway():
        filed = running.send(photo)
        assert filed is not None
        sync(running)
    device.undo(photo)
    with running.gateway(point) as process:
        running.say("ledger", device.batch(len(device.entries) - 1))
        running.until(lambda: dies(process), 5, f"death at {point}")
    with running.gateway():
        sync(running)
        until_undone(running, photo)
    assert hospital.page(photo)["status"] == "objection recorded"
    numbers = hospital.rows(
        "select number, status from receipts where photo = :p order by number", p=photo.hex
    )
    assert numbers == [(1, "FILED"), (2, "UNDONE")]


@pytest.mark.parametrize("point", UNDOING_HELD)
def test_P5_killed_while_undoing_what_is_held_nothing_goes_unsaid_and_nothing_false_is_signed(
    running: Running, point: str
) -> None:
    device, hospital = running.device, running.hospital
    photo = device.photo(b"no picture")
    copy = hospital.state / "sealed" / f"{photo.hex}.wardseal"
    with running.gateway():
        held = running.send(photo)
        assert held is not None
        assert held.status == Status.HELD
        sync(running)
    device.undo(photo)
    with running.gateway(point) as process:
        running.say("ledger", device.batch(len(device.entries) - 1))
        running.until(lambda: dies(process), 10, f"death at {point}")
    said = hospital.rows("select did from deeds where photo = :p", p=photo.hex)
    signed = hospital.rows("select status from receipts where photo = :p", p=photo.hex)
    assert copy.exists() or said == [("sealed copy removed",)], "it went before it was on record"
    assert not copy.exists() or ("UNDONE",) not in signed, "UNDONE was signed before it went"
    with running.gateway():
        until_undone(running, photo)
    assert not list(hospital.state.glob(f"*/{photo.hex}*"))
    assert hospital.rows("select did from deeds where photo = :p", p=photo.hex) == [
        ("sealed copy removed",)
    ]


def until_undone(running: Running, photo: Photo) -> None:
    def look() -> bool:
        receipt = running.send(photo, seconds=1)
        return receipt is not None and receipt.status == Status.UNDONE

    running.until(look, 10, "UNDONE")


def sync(running: Running) -> None:
    """Bring the device's whole ledger over, in batches."""
    device = running.device
    at = 0
    while at < len(device.entries):
        running.say("ledger", device.batch(at, at + 32))
        have = running.until(
            lambda: next((m for m in running.heard() if hasattr(m, "next")), None), 10, "a head"
        )
        assert have.next > at or have.next == len(device.entries), "the ledger does not go on"
        at = have.next
