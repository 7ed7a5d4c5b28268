"""Who may send what: everything is authenticated before anything is allocated for it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import LimitSettings
from gateway.devices import Registry
from gateway.receipts import Receipts
from gateway.reception import Admitted, Elsewhere, Reception
from gateway.store import open_sqlite
from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from wire import events, messages
from wire.messages import Busy, Fin, Nack, Query, Ready, Refused, Status, Unknown
from wire.signing import Ed25519Signer


def nothing_was_taken(hospital: Hospital) -> bool:
    kept = [*(hospital.state / "incoming").iterdir(), *(hospital.state / "sealed").iterdir()]
    return not kept and not hospital.rows("select * from photos") and not hospital.worklist()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("revoked", "revoked: the device ward3-bed12 has been revoked"),
        ("claimed", "not-enrolled: the device ward3-bed12 is not enrolled to the end"),
    ],
)
def test_a_device_that_is_not_active_is_refused_and_nothing_is_taken(
    hospital: Hospital, device: Device, status: str, why: str
) -> None:
    hospital.set_status(device, status)  # type: ignore[arg-type]
    photo = device.photo()
    assert hospital.ask(device, photo) == Refused(photo.id, why)
    assert nothing_was_taken(hospital)


def test_a_revocation_holds_from_the_next_message_on(hospital: Hospital, device: Device) -> None:
    assert hospital.receive(device, device.photo()).status == Status.FILED
    hospital.set_status(device, "revoked")
    assert isinstance(hospital.ask(device, device.photo()), Refused)
    hospital.set_status(device, "active")
    assert hospital.receive(device, device.photo()).status == Status.FILED


def test_an_unknown_device_is_refused(hospital: Hospital) -> None:
    stranger = Device("ward9-bed1", hospital.keyset)
    photo = stranger.photo()
    why = "not-enrolled: the device ward9-bed1 is not registered here"
    assert hospital.ask(stranger, photo) == Refused(photo.id, why)
    assert nothing_was_taken(hospital)


def test_a_registry_file_that_cannot_be_read_refuses_its_device_and_no_other(
    hospital: Hospital, device: Device
) -> None:
    (hospital.site.registry / "ward9-bed1.toml").write_text("id = [")
    broken = Device("ward9-bed1", hospital.keyset)
    assert isinstance(hospital.ask(broken, broken.photo()), Refused)
    assert hospital.receive(device, device.photo()).status == Status.FILED


def forged(device: Device, photo: Photo) -> Photo:
    thief = replace(device, signer=Ed25519Signer(os.urandom(32)), entries=[])
    return thief.photo()


def other_device(device: Device, photo: Photo) -> Photo:
    return replace(device, name="ward3-bed13", entries=[]).photo()


def other_ledger(device: Device, photo: Photo) -> Photo:
    elsewhere = replace(device, ledger=os.urandom(16), entries=list(device.entries))
    return replace(photo, sealed=elsewhere.write(events.Sealed(photo.intent.digest, photo.id, 1)))


def other_consent(device: Device, photo: Photo) -> Photo:
    return replace(photo, consent=device.consent())


def other_intent(device: Device, photo: Photo) -> Photo:
    body = events.Intent(photo.consent.digest, events.Level.CARE, events.Basis.AGREED)
    return replace(photo, intent=device.write(body))


def other_photo(device: Device, photo: Photo) -> Photo:
    return replace(photo, sealed=device.photo().sealed)


def other_size(device: Device, photo: Photo) -> Photo:
    return replace(
        photo, sealed=device.write(events.Sealed(photo.intent.digest, photo.id, 5_000_000))
    )


def more_than_consented(device: Device, photo: Photo) -> Photo:
    body = events.Intent(photo.consent.digest, events.Level.TEACHING, events.Basis.AGREED)
    intent = device.write(body)
    sealed = device.write(events.Sealed(intent.digest, photo.id, len(photo.envelope)))
    return replace(photo, intent=intent, sealed=sealed)


def late_in_the_window(device: Device, photo: Photo) -> Photo:
    body = events.Intent(photo.consent.digest, events.Level.CARE, events.Basis.AGREED)
    intent = device.write(body, mono_ns=photo.consent.entry.mono_ns + 7 * 60 * 10**9)
    sealed = device.write(events.Sealed(intent.digest, photo.id, len(photo.envelope)))
    return replace(photo, intent=intent, sealed=sealed)


def swapped(device: Device, photo: Photo) -> Photo:
    return replace(photo, consent=photo.intent, intent=photo.consent)


@pytest.mark.parametrize(
    "lie",
    [
        forged,
        other_device,
        other_ledger,
        other_consent,
        other_intent,
        other_photo,
        other_size,
        more_than_consented,
        late_in_the_window,
        swapped,
    ],
)
def test_P8_an_init_that_does_not_hold_together_takes_nothing(
    hospital: Hospital, device: Device, lie: object
) -> None:
    photo = device.photo()
    assert callable(lie)
    lying: Photo = lie(device, photo)
    answer = hospital.answer(device, lying.init(photo=photo.id, size=len(photo.envelope)))
    assert isinstance(answer, Refused), answer
    assert answer.reason.startswith("not-proven: ")
    assert nothing_was_taken(hospital)
    assert hospital.receive(device, device.photo()).status == Status.FILED


def test_a_photo_beyond_the_limit_is_refused_in_words(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, {"limits": {"envelope_mib": 1}}).open()
    device = hospital.enrol()
    photo = device.photo(content=bytes(1024 * 1024 + 1))
    why = "too-large: the photo is larger than the 1 MiB taken here"
    assert hospital.ask(device, photo) == Refused(photo.id, why)
    hospital.close()


def test_P8_one_devices_chunks_never_reach_anothers_photo(
    hospital: Hospital, device: Device
) -> None:
    thief = hospital.enrol("ward3-bed13")
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    for data in photo.chunks():
        wrong = replace(data, bytes=bytes(len(data.bytes)))
        hospital.hear(thief.name, f"up/{ready.to}", wrong)
    hospital.hear(thief.name, f"up/{ready.to}", Fin(photo.id))
    assert hospital.expect(Unknown) == Unknown(photo.id)
    assert hospital.ask(device, photo).have == bytes(len(ready.have))
    assert hospital.receive(device, photo).status == Status.FILED


def test_chunks_on_the_topic_of_all_gateways_or_of_another_are_not_taken(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    ready = hospital.ask(device, photo)
    for kind in ("up/any", "up/other", "ledger", "state"):
        hospital.hear(device.name, kind, photo.chunks()[0])
    assert hospital.ask(device, photo).have == bytes(len(ready.have))


def test_P8_spliced_chunks_are_found_out_at_the_end_and_only_cost_time(
    hospital: Hospital, device: Device
) -> None:
    photo, other = device.photo(jpeg(320, 240)), device.photo(jpeg(320, 240, 1))
    ready = hospital.ask(device, photo)
    chunks = photo.chunks()
    spliced = replace(chunks[0], bytes=other.chunks()[0].bytes)
    for data in [spliced, *chunks[1:]]:
        hospital.hear(device.name, f"up/{ready.to}", data)
    hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id))
    assert hospital.expect(Nack).ranges == ((0, len(chunks) - 1),)
    assert not hospital.filed(photo)

    assert hospital.receive(device, photo).status == Status.FILED


@pytest.mark.parametrize("length", [1, messages.MIN_CHUNK - 1, messages.MIN_CHUNK + 1])
def test_a_chunk_of_the_wrong_length_is_not_written(
    hospital: Hospital, device: Device, length: int
) -> None:
    photo = device.photo(jpeg(320, 240))
    ready = hospital.ask(device, photo)
    wrong = replace(photo.chunks()[1], bytes=bytes(length))
    hospital.hear(device.name, f"up/{ready.to}", wrong)
    hospital.hear(device.name, f"up/{ready.to}", replace(wrong, i=900))
    assert hospital.ask(device, photo).have == bytes(len(ready.have))


def test_too_many_transfers_of_one_device_are_told_busy_and_others_are_not(
    tmp_path: Path,
) -> None:
    hospital = Hospital(tmp_path, {"limits": {"transfers_per_device": 2, "transfers": 3}}).open()
    one, two = hospital.enrol(), hospital.enrol("ward3-bed13")
    photos = [one.photo() for _ in range(3)]
    answers = [hospital.ask(one, photo) for photo in photos]
    assert [type(answer) for answer in answers] == [Ready, Ready, Busy]
    assert isinstance(hospital.ask(two, two.photo()), Ready)
    assert isinstance(hospital.ask(two, two.photo()), Busy)

    assert hospital.receive(one, photos[0]).status == Status.FILED
    assert hospital.receive(one, photos[2]).status == Status.FILED
    hospital.close()


def test_the_disk_that_transfers_may_take_is_bounded(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, {"limits": {"envelope_mib": 1, "incoming_mib": 1}}).open()
    device = hospital.enrol()
    large = [device.photo(content=os.urandom(600_000)) for _ in range(2)]
    assert isinstance(hospital.ask(device, large[0]), Ready)
    assert isinstance(hospital.ask(device, large[1]), Busy)
    hospital.close()


def test_a_disk_without_room_is_busy_and_leaves_no_part_behind(
    hospital: Hospital, device: Device
) -> None:
    incoming = hospital.state / "incoming"
    incoming.rename(hospital.state / "elsewhere")
    photo = device.photo()
    assert hospital.ask(device, photo) == Busy(photo.id, 60)
    (hospital.state / "elsewhere").rename(incoming)
    assert hospital.receive(device, photo).status == Status.FILED


def test_a_flood_of_inits_is_answered_with_busy_and_memory_stays_bounded(
    hospital: Hospital, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    photo = device.photo()
    for n in range(2000):
        init = photo.init(photo=n.to_bytes(32, "big"))
        hospital.hear(device.name, "up/any", init)
    assert sum(isinstance(m, Busy) for _, m in hospital.sent) >= 1900
    hospital.until(
        lambda: isinstance(hospital.ask(device, photo), Ready), 10, "room for an honest photo"
    )
    assert hospital.receive(device, photo).status == Status.FILED
    assert len(caplog.records) < 10


def test_a_device_that_asks_too_much_keeps_no_other_from_being_heard(
    hospital: Hospital, device: Device
) -> None:
    loud = hospital.enrol("ward3-bed13")
    for n in range(1000):
        hospital.hear(loud.name, "up/any", Query(n.to_bytes(32, "big")))
        hospital.hear(loud.name, "ledger", loud.batch())
    assert hospital.receive(device, device.photo()).status == Status.FILED


def test_a_photo_that_another_device_signed_for_first_is_not_blocked_by_it(
    hospital: Hospital, device: Device
) -> None:
    thief = hospital.enrol("ward3-bed13")
    photo = device.photo()
    lie = thief.photo()
    sealed = thief.write(events.Sealed(lie.intent.digest, photo.id, len(photo.envelope)))
    claimed = replace(lie, envelope=photo.envelope, sealed=sealed)
    assert isinstance(hospital.ask(thief, claimed), Ready)

    assert hospital.ask(device, photo) == Busy(photo.id, 5)  # while the other's transfer lives
    hospital.reopen()
    assert isinstance(hospital.ask(device, photo), Refused)  # while its claim does
    # The other can send nothing but the very bytes, and they name their real device.
    assert hospital.receive(thief, claimed).status == Status.HELD
    assert "the photo's header names another device, boot or number" in hospital.alarms()[-1]


# -- replicas -------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


def test_a_transfer_belongs_to_one_replica_until_its_claim_lapses(
    hospital: Hospital, device: Device, tmp_path: Path
) -> None:
    clock = Clock()
    store = open_sqlite(tmp_path / "shared.db")
    one, two = (
        Reception(
            name=name,
            store=store,
            registry=Registry(hospital.site.registry),
            limits=LimitSettings(claim_seconds=120),
            receipts=Receipts(signer=Ed25519Signer(b"r" * 32), clock=clock),
            clock=clock,
        )
        for name in ("gateway-1", "gateway-2")
    )
    photo = device.photo()
    init, query = photo.init(), Query(photo.id)

    assert isinstance(one.init(device.name, init), Admitted)
    assert isinstance(two.init(device.name, init), Elsewhere)
    assert two.query(device.name, query) is None
    assert one.query(device.name, query) == Unknown(photo.id)

    clock.ms += 100_000
    one.renew([photo.hex])
    clock.ms += 100_000
    assert isinstance(two.init(device.name, init), Elsewhere)
    clock.ms += 20_000
    assert isinstance(two.init(device.name, init), Admitted)
    assert isinstance(one.init(device.name, init), Elsewhere)
    store.close()


# -- anything at all ------------------------------------------------------------------------------


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(topic=st.text(max_size=80), payload=st.binary(max_size=300))
def test_P10_any_message_on_any_topic_leaves_the_gateway_as_it_was(
    hospital: Hospital, topic: str, payload: bytes
) -> None:
    hospital.hear_raw(topic, payload)
    hospital.hear_raw("ws/v1/ward3-bed12/u/up/any", payload)
    assert not hospital.sent
    assert nothing_was_taken(hospital)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_P10_a_damaged_init_is_refused_or_not_understood(
    hospital: Hospital, data: st.DataObject
) -> None:
    device = hospital.enrol()
    photo = device.photo()
    raw = bytearray(messages.encode(photo.init()))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    before = len(hospital.sent)
    hospital.hear_raw(f"ws/v1/{device.name}/u/up/any", bytes(raw))
    hospital.hear(device.name, "up/any", Query(photo.id))
    hospital.until(
        lambda: any(isinstance(m, Unknown) for _, m in hospital.sent[before:]), 10, "the query"
    )
    answers = {type(m) for _, m in hospital.sent[before:]}
    assert answers <= {Refused, Unknown, Busy, Ready}
    if Ready in answers:  # only the chunk size may be changed unnoticed: it is nobody's word
        assert photo.init() != messages.decode(raw)
