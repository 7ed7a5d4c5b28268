"""UNDO in any order of arrival: never both FILED-active and UNDONE (P5)."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from base.memory import Buffer
from gateway import config as configuration
from gateway.beds import Beds
from gateway.config import LimitSettings
from gateway.custody import Custodian
from gateway.database import engine_for
from gateway.decoding import Decoders
from gateway.devices import Registry
from gateway.filing.cabinet import Cabinet
from gateway.filing.folder import Folder
from gateway.filing.record import Record
from gateway.identity.identify import Nobody
from gateway.keyring.keys import GatewayKeys
from gateway.ledgers import Ledgers
from gateway.lightbox import Lightbox
from gateway.opening import Opener
from gateway.receipts import Receipts
from gateway.reception import Admitted, Reception
from gateway.retention import Retention
from gateway.store import Store, open_sqlite
from gateway.vault import Vault
from gateway.withdrawal import Withdrawals
from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from wire import messages
from wire.messages import Fin, Signed, Status
from wire.proof import bundle_head


def undone(hospital: Hospital, photo: Photo) -> messages.Receipt:
    """Wait for the UNDONE receipt of a photo."""

    def look() -> messages.Receipt | None:
        return next((r for r in hospital.receipts(photo) if r.status == Status.UNDONE), None)

    found: messages.Receipt = hospital.until(look, 10, "UNDONE")
    return found


def test_P5_an_undo_before_the_photo_means_it_is_never_filed(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    device.undo(photo)
    hospital.sync(device, device.batch())
    first = undone(hospital, photo)
    assert hospital.receive(device, photo) == first
    assert not hospital.filed(photo)
    assert not list((hospital.state / "incoming").iterdir())


def test_P5_an_undo_that_could_not_name_the_photo_still_stops_it(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    device.undo(photo, named=False)
    hospital.sync(device, device.batch())
    assert hospital.receive(device, photo).status == Status.UNDONE
    assert not hospital.filed(photo)


def test_P5_an_undo_while_chunks_come_ends_the_transfer(hospital: Hospital, device: Device) -> None:
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    chunks = photo.chunks()
    for data in chunks[:-1]:
        hospital.hear(device.name, f"up/{ready.to}", data)
    device.undo(photo)
    hospital.sync(device, device.batch())
    receipt = undone(hospital, photo)

    hospital.hear(device.name, f"up/{ready.to}", chunks[-1])
    hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id))
    assert hospital.receive(device, photo) == receipt
    assert not hospital.filed(photo)
    assert not list((hospital.state / "incoming").iterdir())


def test_P5_an_undo_after_filing_marks_the_record_and_signs_a_higher_number(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    filed = hospital.receive(device, photo)
    device.undo(photo)
    hospital.sync(device, device.batch())
    receipt = undone(hospital, photo)
    assert (filed.status, filed.number, receipt.number) == (Status.FILED, 1, 2)
    page = hospital.page(photo)
    assert page["status"] == "objection recorded"
    assert page["objection"].startswith("20")
    assert hospital.filed(photo)[0].read_bytes() == photo.jpeg  # the care copy stays
    assert hospital.read(hospital.query(device, photo)) == receipt


def test_an_undo_of_a_held_photo_destroys_its_sealed_copy(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(b"no picture")
    assert hospital.receive(device, photo).status == Status.HELD
    assert (hospital.state / "sealed" / f"{photo.hex}.wardseal").exists()
    device.undo(photo)
    hospital.sync(device, device.batch())
    undone(hospital, photo)
    assert not list(hospital.state.glob(f"*/{photo.hex}*"))


def test_an_undo_of_a_held_photo_under_a_litigation_hold_keeps_the_sealed_copy(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(b"no picture")
    assert hospital.receive(device, photo).status == Status.HELD
    store = Store(engine_for(hospital.url, hospital.state / "gateway.db"))
    retention = Retention(store=store, days=30, clock=lambda: 0)
    retention.hold(photo=photo.hex, by="legal", reason="claim 12/26")
    store.close()
    device.undo(photo)
    hospital.sync(device, device.batch())
    undone(hospital, photo)
    assert (hospital.state / "sealed" / f"{photo.hex}.wardseal").exists()


def test_an_undo_asked_for_twice_is_signed_for_once(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    device.undo(photo)
    device.undo(photo)
    hospital.sync(device, device.batch())
    undone(hospital, photo)
    hospital.reopen()
    hospital.sync(device, device.batch())
    hospital.query(device, photo)
    assert {r.number for r in hospital.receipts(photo)} == {1, 2}


def test_P8_a_device_cannot_undo_another_devices_photo(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    thief = hospital.enrol("ward3-bed13")
    thief.undo(photo)
    hospital.sync(thief, thief.batch())
    hospital.until(hospital.alarms, 10, "the alarm")
    assert hospital.alarms() == ["the device signed an UNDO for a photo of another device"]
    assert hospital.page(photo)["status"] == "filed"
    assert [r.status for r in hospital.receipts(photo)] == [Status.FILED]

    coming = device.photo()
    thief.undo(coming)
    hospital.sync(thief, thief.batch())
    assert hospital.receive(device, coming).status == Status.FILED


def test_a_withdrawal_that_a_crash_interrupted_is_carried_out_after_the_restart(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    record = hospital.record.rename(hospital.folder / "unreachable")
    hospital.record.write_text("not a folder, so no sink can do its work")
    device.undo(photo)
    hospital.sync(device, device.batch())
    hospital.until(lambda: hospital.rows("select * from undos where not done"), 10, "the row")
    hospital.close()
    hospital.record.unlink()
    record.rename(hospital.record)
    hospital.open()
    undone(hospital, photo)
    assert hospital.page(photo)["status"] == "objection recorded"


@pytest.mark.parametrize("seed", range(12))
def test_P5_undo_and_photo_race_and_the_end_is_always_undone(
    hospital: Hospital, device: Device, seed: int
) -> None:
    chance = random.Random(seed)
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    steps: list[Callable[[], None]] = [
        partial(hospital.hear, device.name, f"up/{ready.to}", data) for data in photo.chunks()
    ]
    steps.append(lambda: hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id)))
    device.undo(photo)
    at = chance.choice([*range(len(steps)), *[len(steps)] * 6])
    steps.insert(at, lambda: hospital.hear(device.name, "ledger", device.batch()))
    for step in steps:
        step()
        for _ in range(chance.randrange(3)):
            hospital.turn()
    receipt = undone(hospital, photo)
    assert receipt == max(hospital.receipts(photo), key=lambda r: r.number)
    assert hospital.receive(device, photo) == receipt
    assert {path.suffix for path in hospital.filed(photo)} in (set(), {".jpg", ".json"})
    if hospital.filed(photo):
        assert hospital.page(photo)["status"] == "objection recorded"


# -- at every step of custody ---------------------------------------------------------------------


@dataclass
class Bench:
    """Custody by itself, on one thread, so that a step can be interrupted exactly there."""

    hospital: Hospital
    custodian: Custodian
    reception: Reception
    withdrawals: Withdrawals
    ledgers: Ledgers
    sink: "Interrupted"

    def bundle(self, device: Device, photo: Photo) -> tuple[Path, Admitted]:
        outcome = self.reception.init(device.name, photo.init())
        assert isinstance(outcome, Admitted)
        path = self.hospital.folder / f"{photo.hex}.part"
        entries = photo.consent.raw, photo.intent.raw, photo.sealed.raw
        path.write_bytes(bundle_head(*entries, len(photo.envelope)) + photo.envelope)
        return path, outcome


class Interrupted(Folder):
    """The real folder; ``at`` names the step after whose work ``then`` happens."""

    at = ""
    then: Callable[[], object] = staticmethod(lambda: None)

    def _reached(self, step: str) -> None:
        if step == self.at:
            self.at = ""
            self.then()

    def stage(self, photo: str, jpeg: memoryview) -> None:
        super().stage(photo, jpeg)
        self._staged[photo].result()
        self._reached("stage")

    def file(self, record: Record) -> str:
        reference = super().file(record)
        self._reached("file")
        return reference

    def read_back(self, record: Record, reference: str) -> None:
        super().read_back(record, reference)
        self._reached("read_back")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    hospital = Hospital(tmp_path)
    hospital.state.mkdir()
    (hospital.state / "sealed").mkdir()
    config = configuration.load(hospital.config_file)
    keys = GatewayKeys.load(config.keys)
    registry, sink = Registry(config.paths.devices), Interrupted(hospital.record)
    lightbox = Lightbox(config.paths.opened)
    config.paths.opened.mkdir()
    vault = Vault(config.paths.sealed, lightbox)

    def clock() -> int:
        return 1_700_000_000_000

    with ExitStack() as stack:
        stack.callback(sink.close)
        store = open_sqlite(config.paths.database)
        stack.callback(store.close)
        decoders = Decoders(room=1024 * 1024, pixels=1_000_000, seconds=10, ahead=1)
        stack.callback(decoders.close)
        receipts = Receipts(signer=keys.receipt, clock=clock)
        cabinet = Cabinet(name="gateway", required=(sink,), clock=clock)
        withdrawals = Withdrawals(
            name="gateway",
            store=store,
            cabinet=cabinet,
            vault=vault,
            receipts=receipts,
            clock=clock,
        )
        custodian = Custodian(
            store=store,
            opener=Opener(
                registry=registry, keys=keys.openings, keysets=keys.keysets, further=vault.further
            ),
            decoders=decoders,
            room=stack.enter_context(Buffer(1024 * 1024)),
            cabinet=cabinet,
            identity=Nobody(Beds(tmp_path / "beds.csv")),
            vault=vault,
            lightbox=lightbox,
            withdrawals=withdrawals,
            receipts=receipts,
            clock=clock,
        )
        reception = Reception(
            name="gateway",
            store=store,
            registry=registry,
            limits=LimitSettings(),
            receipts=receipts,
            clock=clock,
        )
        ledgers = Ledgers(store=store, registry=registry, signer=keys.receipt, clock=clock)
        yield Bench(hospital, custodian, reception, withdrawals, ledgers, sink)


@pytest.mark.parametrize("step", ["stage", "file", "read_back"])
def test_P5_an_undo_at_this_very_step_wins(bench: Bench, step: str) -> None:
    device = bench.hospital.enrol()
    photo = device.photo()
    bundle, admitted = bench.bundle(device, photo)
    device.undo(photo)
    bench.sink.at, bench.sink.then = step, lambda: bench.ledgers.sync(device.name, device.batch())

    answer = bench.custodian.take(bundle, admitted.proof)

    assert answer is not None
    receipt = bench.hospital.read(Signed(photo.id, answer.receipt))
    assert (receipt.status, receipt.number) == (Status.UNDONE, 1)
    assert not bundle.exists()
    if step == "stage":
        assert not list(bench.hospital.record.rglob("*.jpg"))
        assert not list((bench.hospital.record / ".arriving").iterdir())
    else:
        assert bench.hospital.page(photo)["status"] == "objection recorded"
    assert bench.withdrawals.unfinished() == []


def test_P5_an_undone_photo_that_does_not_decrypt_stays_undone(bench: Bench) -> None:
    device = bench.hospital.enrol()
    photo = device.photo(damage=lambda sealed: sealed[:-40])
    bundle, admitted = bench.bundle(device, photo)
    device.undo(photo)
    (told,) = bench.ledgers.sync(device.name, device.batch()).undone
    assert bench.withdrawals.carry_out(device.name, told) is not None

    answer = bench.custodian.take(bundle, admitted.proof)

    assert answer is not None
    receipt = bench.hospital.read(Signed(photo.id, answer.receipt))
    assert (receipt.status, receipt.number) == (Status.UNDONE, 1)
    assert not bundle.exists()


@pytest.mark.parametrize("step", ["stage", "file", "read_back"])
def test_a_crash_at_this_very_step_is_made_good_by_doing_it_again(bench: Bench, step: str) -> None:
    class PowerCut(BaseException):
        pass

    def cut() -> None:
        raise PowerCut

    device = bench.hospital.enrol()
    photo = device.photo()
    bundle, admitted = bench.bundle(device, photo)
    bench.sink.at, bench.sink.then = step, cut
    with pytest.raises(PowerCut):
        bench.custodian.take(bundle, admitted.proof)
    assert bench.hospital.rows("select * from receipts") == []

    answer = bench.custodian.take(bundle, admitted.proof)
    assert answer is not None
    assert bench.hospital.read(Signed(photo.id, answer.receipt)).status == Status.FILED
    assert len(bench.hospital.filed(photo)) == 2
