"""A photo's way through the gateway when all is well, message by message."""

import hashlib

import pytest

from tests.gateway.bedside import Device, jpeg
from tests.gateway.hospital import Hospital
from wire import envelope
from wire.attestation import commitment
from wire.messages import MIN_CHUNK, Fin, Nack, Ready, Signed, Status, Unknown


def test_P5_a_photo_is_filed_byte_for_byte_and_signed_for(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(jpeg(320, 240))

    receipt = hospital.receive(device, photo)

    assert (receipt.status, receipt.device, receipt.photo) == (Status.FILED, device.name, photo.id)
    assert receipt.refs == (f"folder:2023-11-14/{photo.hex}.jpg",)
    path = hospital.record / "2023-11-14" / f"{photo.hex}.jpg"
    assert path.read_bytes() == photo.jpeg
    page = hospital.page(photo)
    assert page["status"] == "filed"
    assert page["patient"] is None
    assert page["identity"] == "none: filed without knowing the patient"
    assert page["picture"] == {
        "width": 320,
        "height": 240,
        "bytes": len(photo.jpeg),
        "sha256": hashlib.sha256(photo.jpeg).hexdigest(),
    }
    assert page["proof"]["sealed"] == photo.sealed.digest.hex()
    assert page["wording"] == {"id": "W1", "language": "en", "sha256": "00" * 32}


@pytest.mark.parametrize("alg", [envelope.AES_256_GCM, envelope.CHACHA20_POLY1305])
def test_both_content_ciphers_are_opened(hospital: Hospital, device: Device, alg: int) -> None:
    assert hospital.receive(device, device.photo(alg=alg)).status == Status.FILED


def test_chunks_may_come_doubled_and_in_any_order(hospital: Hospital, device: Device) -> None:
    photo = device.photo(jpeg(640, 480))
    ready = hospital.ask(device, photo)
    assert isinstance(ready, Ready)
    chunks = photo.chunks()
    assert len(chunks) > 5
    topic = f"up/{ready.to}"
    for data in (*reversed(chunks[1:]), *chunks, chunks[2]):
        hospital.hear(device.name, topic, data)
    hospital.hear(device.name, topic, Fin(photo.id))

    assert hospital.read(hospital.expect(Signed)).status == Status.FILED
    assert hospital.filed(photo)[0].read_bytes() == photo.jpeg


def test_what_is_missing_at_the_end_is_asked_for_by_number(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(jpeg(640, 480))
    topic = f"up/{hospital.ask(device, photo).to}"
    chunks = photo.chunks()
    last = len(chunks) - 1
    for data in chunks[1:3] + chunks[5:-1]:
        hospital.hear(device.name, topic, data)
    hospital.hear(device.name, topic, Fin(photo.id))
    nack = hospital.expect(Nack)
    assert nack.ranges == ((0, 0), (3, 4), (last, last))

    for first, end in nack.ranges:
        for data in chunks[first : end + 1]:
            hospital.hear(device.name, topic, data)
    hospital.hear(device.name, topic, Fin(photo.id))
    assert hospital.read(hospital.expect(Signed)).status == Status.FILED


def test_a_transfer_is_resumed_where_it_stopped_also_by_a_new_gateway_process(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(jpeg(640, 480))
    topic = f"up/{hospital.ask(device, photo).to}"
    chunks = photo.chunks()
    for data in (chunks[0], chunks[3]):
        hospital.hear(device.name, topic, data)
    assert hospital.ask(device, photo).have[0] == 0b1001

    hospital.reopen()
    again = hospital.ask(device, photo)
    assert again.have[0] == 0b1001
    for data in chunks[1:3] + chunks[4:]:
        hospital.hear(device.name, topic, data)
    hospital.hear(device.name, topic, Fin(photo.id))
    assert hospital.read(hospital.expect(Signed)).status == Status.FILED


def test_another_chunk_size_starts_the_transfer_over(hospital: Hospital, device: Device) -> None:
    photo = device.photo(jpeg(640, 480))
    topic = f"up/{hospital.ask(device, photo, 2 * MIN_CHUNK).to}"
    hospital.hear(device.name, topic, photo.chunks(2 * MIN_CHUNK)[0])

    assert set(hospital.ask(device, photo, MIN_CHUNK).have) == {0}
    assert hospital.receive(device, photo, MIN_CHUNK).status == Status.FILED


def test_a_query_gets_the_same_signed_receipt_again(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    assert hospital.query(device, photo) == Unknown(photo.id)
    hospital.receive(device, photo)
    first = hospital.expect(Signed)
    hospital.reopen()
    assert hospital.query(device, photo) == first


def test_an_init_for_a_filed_photo_gets_its_receipt_and_no_second_record(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    assert hospital.ask(device, photo) == hospital.expect(Signed)
    assert len(hospital.filed(photo)) == 2


def test_fin_for_a_transfer_that_nobody_knows_is_answered_with_unknown(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.hear(device.name, "up/gateway", Fin(photo.id))
    assert hospital.expect(Unknown) == Unknown(photo.id)


def test_P9_codes_are_inside_the_record_and_in_no_name_and_no_log(
    hospital: Hospital, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    private = envelope.Private(
        bed="W3-12",
        quality={"sharp": 80},
        band="8018-PATIENT-4711",
        badge="NURSE-0815",
        salt=bytes(32),
    )
    with caplog.at_level("DEBUG"):
        photo = device.photo(private=private, attest=commitment(bytes(32), "NURSE-0815"))
        hospital.receive(device, photo)

    names = [str(path) for path in hospital.folder.rglob("*")]
    page = hospital.page(photo)
    assert page["bands"] == ["8018-PATIENT-4711"]
    assert page["badge"] == "NURSE-0815"
    for secret in ("PATIENT-4711", "NURSE-0815"):
        assert secret not in caplog.text
        assert not any(secret in name for name in names)
    assert photo.hex in caplog.text


def test_an_undated_photo_is_filed_as_undated(hospital: Hospital, device: Device) -> None:
    device.consent()
    consent = device.consent()
    from wire import events
    from wire.ledger import ClockTrust

    intent = device.write(
        events.Intent(consent.digest, events.Level.CARE, events.Basis.AGREED),
        trust=ClockTrust.NONE,
        wall_ms=2**53,
    )
    photo = device.photo(consent=consent, intent=intent)
    assert hospital.receive(device, photo).refs == (f"folder:undated/{photo.hex}.jpg",)
    assert hospital.page(photo)["captured"] == f"{2**53} ms"
