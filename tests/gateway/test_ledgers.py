"""P6: every device's ledger at the hospital; tampering with what was seen is found at once."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.bedside import Device
from tests.gateway.hospital import Hospital
from wire import events, ledger
from wire.messages import LedgerBatch, LedgerHave, State, Status
from wire.signing import Ed25519Signer


def head_of(hospital: Hospital, have: LedgerHave) -> ledger.Checkpoint:
    assert have.checkpoint is not None
    return ledger.open_checkpoint(have.checkpoint, hospital.keyset.keyset.receipt_keys)


def test_P6_a_batch_is_stored_and_its_head_countersigned(
    hospital: Hospital, device: Device
) -> None:
    device.photo()
    have = hospital.sync(device, device.batch())
    assert (have.ledger, have.next) == (device.ledger, len(device.entries))
    checkpoint = head_of(hospital, have)
    assert (checkpoint.device, checkpoint.ledger) == (device.name, device.ledger)
    assert (checkpoint.seq, checkpoint.head) == (len(device.entries) - 1, device.entries[-1].digest)
    stored = hospital.rows("select raw from ledger_entries where chained order by seq")
    assert [raw for (raw,) in stored] == [signed.raw for signed in device.entries]
    assert not hospital.worklist()


def test_a_device_that_asks_is_told_how_far_the_hospital_has_it(
    hospital: Hospital, device: Device
) -> None:
    assert hospital.sync(device, device.batch()) == LedgerHave(device.ledger, 0)
    device.photo()
    hospital.sync(device, device.batch())
    hospital.reopen()
    have = hospital.sync(device, LedgerBatch(device.ledger, 99, ()))
    assert have.next == len(device.entries)
    assert head_of(hospital, have).head == device.entries[-1].digest


def test_a_gap_is_not_stored_and_the_device_is_told_where_to_begin(
    hospital: Hospital, device: Device
) -> None:
    device.photo()
    hospital.sync(device, device.batch(0, 2))
    have = hospital.sync(device, device.batch(3))
    assert have.next == 2
    assert hospital.sync(device, device.batch(2)).next == len(device.entries)
    assert not hospital.worklist()


def test_batches_may_come_doubled_and_overlapping(hospital: Hospital, device: Device) -> None:
    device.photo()
    for first, last in ((0, 3), (0, 3), (1, 4), (2, None), (0, None)):
        have = hospital.sync(device, device.batch(first, last))
    assert have.next == len(device.entries)
    assert not hospital.worklist()


def test_entries_that_came_ahead_with_a_photo_become_part_of_the_chain(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    assert hospital.receive(device, photo).status == Status.FILED
    assert hospital.rows("select count(*) from ledger_entries where not chained") == [(3,)]
    hospital.sync(device, device.batch())
    assert hospital.rows("select count(*) from ledger_entries where not chained") == [(0,)]
    assert hospital.rows("select count(*) from ledger_entries") == [(len(device.entries),)]


def rewritten(device: Device) -> None:
    """Entry 1 says something else, and all later ones are signed anew on top of it."""
    later = device.entries[2:]
    device.entries = device.entries[:1]
    device.write(events.Fault("changed", "afterwards"))
    for signed in later:
        device.write(events.body_of(signed.entry))


def taken_out(device: Device) -> None:
    """The last entry that was seen is gone; a new one stands in its place."""
    device.entries = device.entries[:-1]
    device.write(events.Fault("new", "after going back"))
    device.write(events.Fault("new", "and on"))


@pytest.mark.parametrize("tamper", [rewritten, taken_out])
def test_P6_tampering_with_an_entry_that_was_seen_is_found_at_the_next_sync(
    hospital: Hospital, device: Device, tamper: object
) -> None:
    device.photo()
    before = hospital.sync(device, device.batch())
    assert callable(tamper)
    tamper(device)
    after = hospital.sync(device, device.batch())
    assert after.next == before.next
    assert head_of(hospital, after).head == head_of(hospital, before).head
    (alarm,) = hospital.alarms()
    assert alarm.startswith("the ledger was rewritten: entry ")


def test_P6_a_fork_right_behind_the_head_is_found(hospital: Hospital, device: Device) -> None:
    device.photo()
    have = hospital.sync(device, device.batch())
    device.write(events.Fault("x", "y"), prev=bytes(32))
    assert hospital.sync(device, device.batch(have.next)).next == have.next
    (alarm,) = hospital.alarms()
    assert alarm == (
        f"the ledger forks: entry {have.next} does not continue the one that was stored"
    )


def test_P6_an_old_card_restored_begins_a_ledger_that_forgets_entries(
    hospital: Hospital, device: Device
) -> None:
    device.photo()
    hospital.sync(device, device.batch())
    old = device.entries
    forgotten = events.Previous(device.ledger, old[2].entry.seq, old[2].digest)
    device.ledger, device.entries = bytes(16), []
    device.write(events.Boot("test", "restored", forgotten))
    assert hospital.sync(device, device.batch()).next == 1
    (alarm,) = hospital.alarms()
    assert alarm == f"a new ledger does not go on from entry {len(old) - 1} of the old one"


def test_a_new_ledger_that_names_the_old_head_is_no_alarm(
    hospital: Hospital, device: Device
) -> None:
    device.photo()
    hospital.sync(device, device.batch())
    last = device.entries[-1]
    device.ledger, device.entries = bytes(16), []
    device.write(
        events.Boot(
            "test", "damage", events.Previous(last.entry.ledger, last.entry.seq, last.digest)
        )
    )
    assert hospital.sync(device, device.batch()).next == 1
    assert not hospital.alarms()


def test_one_number_twice_is_an_alarm_also_when_the_photo_came_first(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    assert hospital.receive(device, photo).status == Status.FILED
    device.entries = device.entries[: photo.sealed.entry.seq]
    device.write(events.Fault("x", "instead of SEALED"))
    hospital.sync(device, device.batch())
    seq = photo.sealed.entry.seq
    assert hospital.alarms() == [f"the device signed two entries numbered {seq}"]


def test_P8_what_is_not_signed_by_the_device_is_not_stored_and_raises_no_alarm(
    hospital: Hospital, device: Device
) -> None:
    other = hospital.enrol("ward3-bed13")
    forger = replace(device, signer=Ed25519Signer(bytes(32)), entries=[])
    forger.photo()
    stolen = replace(other, ledger=device.ledger)
    stolen.photo()
    for batch in (
        forger.batch(),
        stolen.batch(),
        LedgerBatch(device.ledger, 0, (b"\0", b"garbage")),
    ):
        assert hospital.sync(device, batch) == LedgerHave(device.ledger, 0)
    device.photo()
    misnumbered = LedgerBatch(device.ledger, 1, device.batch().entries)
    assert hospital.sync(device, misnumbered).next == 0
    mislabelled = LedgerBatch(bytes(16), 0, device.batch().entries)
    assert hospital.sync(device, mislabelled) == LedgerHave(bytes(16), 0)
    assert not hospital.worklist()


def test_a_good_beginning_of_a_batch_is_stored_up_to_the_first_bad_entry(
    hospital: Hospital, device: Device
) -> None:
    device.photo()
    good = device.batch().entries
    batch = LedgerBatch(device.ledger, 0, (*good[:2], b"torn", *good[3:]))
    assert hospital.sync(device, batch).next == 2


def test_a_device_that_may_not_send_has_no_ledger_here(hospital: Hospital) -> None:
    claimed = hospital.enrol("ward9-bed1", "claimed")
    claimed.photo()
    hospital.hear(claimed.name, "ledger", claimed.batch())
    known = hospital.enrol()
    hospital.sync(known, known.batch())
    assert hospital.rows("select * from ledger_heads") == []
    assert {topic for topic, _ in hospital.sent} == {"ws/v1/ward3-bed12/d/ledger"}


def test_P5_a_lost_photo_is_on_the_worklist(hospital: Hospital, device: Device) -> None:
    never_sealed = device.consent()
    intent = device.write(
        events.Intent(never_sealed.digest, events.Level.CARE, events.Basis.AGREED)
    )
    device.write(events.Lost(intent.digest, "power cut"))
    photo = device.photo()
    device.write(events.Lost(photo.intent.digest, "power cut", photo.id))
    hospital.sync(device, device.batch())
    assert hospital.worklist() == [
        ("lost", f"intent {intent.digest.hex()}", "the device lost a photo: power cut"),
        ("lost", photo.hex, "the device lost a photo: power cut"),
    ]


def test_a_photo_that_the_device_lost_after_it_was_filed_is_said_to_be_here(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    device.write(events.Lost(photo.intent.digest, "power cut"))
    hospital.sync(device, device.batch())
    why = "the device lost a photo: power cut. The hospital has it: filed"
    assert ("lost", photo.hex, why) in hospital.worklist()


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_P6_any_order_of_honest_batches_ends_with_the_whole_ledger(
    hospital: Hospital, data: st.DataObject
) -> None:
    device = hospital.enrol(data.draw(st.sampled_from(["a", "b", "c"])))
    for n in range(data.draw(st.integers(1, 12))):
        device.write(events.Fault("n", str(n)))
    whole = len(device.entries)
    have = 0
    for _ in range(data.draw(st.integers(1, 6))):
        first = data.draw(st.integers(0, whole))
        last = data.draw(st.integers(first, whole))
        now = hospital.sync(device, device.batch(first, last)).next
        assert now >= have
        have = now
    assert hospital.sync(device, device.batch(have)).next == whole
    for alarm in hospital.alarms():  # each example is a new ledger that names no old one
        assert alarm.startswith("a new ledger does not go on from")


def test_a_device_is_online_as_it_said_last_and_a_late_will_changes_nothing(
    hospital: Hospital, device: Device
) -> None:
    def online() -> list[tuple[int, int]]:
        return [tuple(row) for row in hospital.rows("select online, session from presence")]

    def say(*, is_online: bool, boot: bytes, session: int) -> None:
        hospital.hear(device.name, "state", State(is_online, boot, session))
        hospital.sync(device, device.batch())  # answered after it, by the same desk

    first, second = bytes(16), bytes([1]) * 16
    say(is_online=False, boot=first, session=1)
    assert online() == []
    say(is_online=True, boot=first, session=1)
    say(is_online=True, boot=first, session=2)
    say(is_online=False, boot=first, session=1)
    assert online() == [(1, 2)]
    say(is_online=False, boot=first, session=2)
    assert online() == [(0, 2)]
    say(is_online=True, boot=second, session=1)
    say(is_online=False, boot=first, session=2)
    assert online() == [(1, 1)]
