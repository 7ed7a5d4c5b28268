"""The numbered verification of gateway.opening: what is HELD, what REJECTED, what an alarm."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.keyfiles import read_secret
from gateway.decoding import WORDS
from tests.gateway.bedside import CAPTURED_MS, CHUNK, Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from wire import envelope, events, hpke, ledger
from wire.attestation import commitment
from wire.envelope import Private
from wire.ledger import ClockTrust
from wire.messages import Fin, Ready, Signed, Status, Unknown
from wire.proof import parse_bundle

KEYSET = "the photo was sealed under another keyset"
KEYS = "the photo is not sealed to the keys of its keyset"
HEADER = "the photo's header names another device, boot or number"
ENTRIES = "the photo's header names other ledger entries"
TIME = "the photo's header names another time than its INTENT"

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another device": ({"device": "ward3-bed13"}, HEADER),
    "another boot": ({"boot": bytes(16)}, HEADER),
    "another number": ({"seq": 77}, HEADER),
    "another consent": ({"consent": bytes(32)}, ENTRIES),
    "another intent": ({"intent": bytes(32)}, ENTRIES),
    "another time": ({"time_ms": 1}, TIME),
    "a better clock": ({"trust": ClockTrust.RTC}, TIME),
    "an older epoch": ({"epoch": 7}, KEYSET),
    "another keyset": ({"keyset": bytes(32)}, KEYSET),
}


def sealed_copy_opens(hospital: Hospital, photo: Photo, *, jpeg_inside: bool = True) -> None:
    """The HELD photo is on disk, whole, and the offline recovery key opens it."""
    path = hospital.state / "sealed" / f"{photo.hex}.wardseal"
    bundle = parse_bundle(path.read_bytes())
    assert bytes(bundle.envelope) == photo.envelope
    assert bundle.sealed == photo.sealed.raw
    if jpeg_inside:
        secret = read_secret(hospital.site.offline / "recovery.key", "recovery")
        parsed = envelope.parse(bundle.envelope)
        out = memoryview(bytearray(parsed.header.length))
        content = envelope.open_into(parsed, hpke.RecipientPrivate.decode(secret), out)
        assert bytes(content.jpeg) == photo.jpeg


def held(hospital: Hospital, device: Device, photo: Photo, why: str, *, alarm: bool) -> None:
    receipt = hospital.receive(device, photo)
    assert (receipt.status, receipt.reason) == (Status.HELD, why)
    assert not hospital.filed(photo)
    assert ("held", photo.hex, why) in hospital.worklist()
    assert (("alarm", photo.hex, why) in hospital.worklist()) is alarm
    again = hospital.query(device, photo)
    assert hospital.read(again) == receipt


@pytest.mark.parametrize("lie", LIES)
def test_P4_a_header_that_lies_is_held_with_an_alarm(
    hospital: Hospital, device: Device, lie: str
) -> None:
    changes, why = LIES[lie]
    photo = device.photo(header=changes)
    held(hospital, device, photo, why, alarm=True)
    sealed_copy_opens(hospital, photo)


def test_P4_a_photo_sealed_to_one_key_more_is_held_with_an_alarm(
    hospital: Hospital, device: Device
) -> None:
    mole = hpke.RecipientPrivate.generate(hpke.SuiteName.P256).public
    photo = device.photo(recipients=(*hospital.keyset.keyset.recipients, mole))
    held(hospital, device, photo, KEYS, alarm=True)


def test_P4_a_photo_not_sealed_to_the_recovery_key_is_held_with_an_alarm(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(recipients=hospital.keyset.keyset.recipients[:1])
    held(hospital, device, photo, KEYS, alarm=True)


BADGE, SALT = "(8017)400638133393500026", bytes(range(32))
BADGED = Private("W3-12", {}, badge=BADGE, salt=SALT)
SHOWN = commitment(SALT, BADGE)


def test_a_photo_with_the_badge_that_its_intent_names_is_filed_with_it(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(private=BADGED, attest=SHOWN)
    assert hospital.receive(device, photo).status == Status.FILED
    assert hospital.page(photo)["badge"] == BADGE


@pytest.mark.parametrize(
    ("private", "attest", "why"),
    [
        (
            Private("W3-12", {}),
            SHOWN,
            "the INTENT entry names a badge, and there is none in the photo",
        ),
        (
            BADGED,
            None,
            "there is a badge in the photo that its INTENT entry does not name",
        ),
        (
            replace(BADGED, badge="(8017)400638133393500033"),
            SHOWN,
            "the badge in the photo is another than its INTENT entry names",
        ),
    ],
    ids=["taken out", "put in", "exchanged"],
)
def test_P7_a_badge_that_does_not_fit_is_held_with_an_alarm(
    hospital: Hospital, device: Device, private: Private, attest: bytes | None, why: str
) -> None:
    photo = device.photo(private=private, attest=attest)
    held(hospital, device, photo, why, alarm=True)


def test_several_doubts_are_all_named(hospital: Hospital, device: Device) -> None:
    photo = device.photo(header={"seq": 77, "epoch": 7})
    held(hospital, device, photo, f"{HEADER}; {KEYSET}", alarm=True)


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"not a picture", "no-jpeg"),
        (jpeg() + b"PK", "trailing"),
        (jpeg()[:-2], "cut-off"),
        (jpeg()[: len(jpeg()) * 3 // 4] + b"\xff\xd9", "undecodable"),
    ],
)
def test_a_hostile_jpeg_of_a_valid_device_is_held(
    hospital: Hospital, device: Device, picture: bytes, code: str
) -> None:
    photo = device.photo(picture)
    held(hospital, device, photo, WORDS[code], alarm=False)
    sealed_copy_opens(hospital, photo)
    assert hospital.receive(device, device.photo()).status == Status.FILED


PREFIX = envelope.content_prefix(Private("", {}), 100)


@pytest.mark.parametrize(
    "content",
    [
        b"\0",
        bytes(5000),
        PREFIX + bytes(99),
        PREFIX + bytes(101),
        PREFIX[:-3] + bytes(103),
        b"\x82\xa0\x41\0",
        b"\x9f" + bytes(200),
        b"\x82" * 3000,
    ],
)
def test_what_decrypts_but_holds_no_photo_is_held(
    hospital: Hospital, device: Device, content: bytes
) -> None:
    photo = device.photo(content=content)
    receipt = hospital.receive(device, photo)
    assert receipt.status == Status.HELD
    assert receipt.reason.startswith("it decrypts, but holds no photo: ")
    sealed_copy_opens(hospital, photo, jpeg_inside=False)


def flipped(at: int) -> Callable[[bytes], bytes]:
    def damage(sealed: bytes) -> bytes:
        raw = bytearray(sealed)
        raw[at] ^= 1
        return bytes(raw)

    return damage


REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "ciphertext changed": ({"damage": flipped(1000)}, "the photo was changed after it was sealed"),
    "tail changed": ({"damage": flipped(-1)}, "the content key was not sealed to this key"),
    "cut off": ({"damage": lambda sealed: sealed[:-40]}, "envelope"),
    "something behind it": ({"damage": lambda sealed: sealed + b"\0"}, "envelope"),
    "no envelope": ({"damage": lambda _: b"GIF89a" + bytes(100)}, "envelope"),
    "one byte": ({"damage": lambda _: b"\0"}, "envelope"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_what_does_not_authenticate_or_decrypt_is_rejected_and_not_kept(
    hospital: Hospital, device: Device, case: str
) -> None:
    changes, why = REJECTED[case]
    photo = device.photo(recipients=hospital.keyset.keyset.recipients[:1], **changes)
    receipt = hospital.receive(device, photo)
    assert receipt.status == Status.REJECTED
    assert receipt.reason.startswith("damaged: ")
    assert why in receipt.reason
    assert not list(hospital.state.glob(f"*/{photo.hex}*"))
    assert ("rejected", photo.hex, receipt.reason) in hospital.worklist()
    assert hospital.query(device, photo) == hospital.expect(Signed)


def test_a_photo_sealed_to_strangers_is_rejected(hospital: Hospital, device: Device) -> None:
    stranger = hpke.RecipientPrivate.generate(hpke.SuiteName.HYBRID).public
    receipt = hospital.receive(device, device.photo(recipients=(stranger,)))
    assert (receipt.status, receipt.reason) == (
        Status.REJECTED,
        "wrong-key: the photo is sealed to keys that this hospital's gateway does not have",
    )


def test_a_rejected_photo_may_be_sent_again_and_gets_a_higher_number(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo(damage=flipped(1000))
    first = hospital.receive(device, photo)
    assert isinstance(hospital.ask(device, photo), Ready)
    assert hospital.query(device, photo) == Unknown(photo.id)
    second = hospital.receive(device, photo)
    assert (first.number, second.number) == (1, 2)
    assert second.status == Status.REJECTED


def test_a_device_revoked_while_it_sends_is_rejected(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    ready = hospital.ask(device, photo)
    for data in photo.chunks():
        hospital.hear(device.name, f"up/{ready.to}", data)
    hospital.set_status(device, "revoked")
    hospital.hear(device.name, f"up/{ready.to}", Fin(photo.id))
    receipt = hospital.read(hospital.expect(Signed))
    assert (receipt.status, receipt.reason) == (
        Status.REJECTED,
        "revoked: the device ward3-bed12 has been revoked",
    )


# -- equivocation ---------------------------------------------------------------------------------


def test_two_photos_for_one_capture_hold_the_second_with_an_alarm(
    hospital: Hospital, device: Device
) -> None:
    first = device.photo()
    assert hospital.receive(device, first).status == Status.FILED
    second = device.photo(consent=first.consent, intent=first.intent)
    held(hospital, device, second, "the device signed two photos for one CAPTURE", alarm=True)


def test_one_number_with_two_hashes_holds_the_photo_with_an_alarm(
    hospital: Hospital, device: Device
) -> None:
    first = device.photo()
    assert hospital.receive(device, first).status == Status.FILED
    # The same number for another entry: a copy of the device, or of its key, is about.
    device.entries = device.entries[: first.intent.entry.seq]
    body = events.Intent(first.consent.digest, events.Level.CARE, events.Basis.AGREED)
    intent = device.write(body, wall_ms=CAPTURED_MS + 60_000)
    second = device.photo(consent=first.consent, intent=intent)
    assert second.intent.entry.seq == first.intent.entry.seq
    seq = second.intent.entry.seq
    why = "; ".join(f"the device signed two entries numbered {n}" for n in (seq, seq + 1))
    held(hospital, device, second, why, alarm=True)
    stored = hospital.rows("select count(*) from ledger_entries where seq = :seq", seq=seq)
    assert stored == [(2,)]


def test_equivocation_against_the_synced_ledger_is_found_too(
    hospital: Hospital, device: Device
) -> None:
    photo = device.photo()
    hospital.sync(device, device.batch())
    device.entries = device.entries[: photo.intent.entry.seq]
    again = device.photo(consent=photo.consent)
    receipt = hospital.receive(device, again)
    assert receipt.status == Status.HELD
    assert receipt.reason.startswith("the device signed two entries numbered ")


# -- anything at all ------------------------------------------------------------------------------


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_P10_a_device_may_seal_anything_and_gets_an_answer_in_words(
    hospital: Hospital, data: st.DataObject
) -> None:
    device = hospital.enrol()

    def damage(sealed: bytes) -> bytes:
        raw = bytearray(sealed)
        for _ in range(data.draw(st.integers(0, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        return bytes(raw[: data.draw(st.integers(1, len(raw)))])

    photo = device.photo(damage=damage)
    receipt = hospital.receive(device, photo)
    assert receipt.status in (Status.FILED, Status.HELD, Status.REJECTED)
    intact = hashlib.sha256(photo.envelope).digest() == photo.id and photo.envelope != b""
    assert intact
    if receipt.status == Status.FILED:
        assert hospital.filed(photo)[0].read_bytes() == photo.jpeg
    else:
        assert receipt.reason
        assert not hospital.filed(photo)


def test_the_bedside_tells_the_truth_unless_told_to_lie(device: Device) -> None:
    photo = device.photo()
    entry = ledger.open_entry(photo.sealed.raw, (device.signer.public,)).entry
    body: events.Sealed = events.body_of(entry)
    assert (body.photo, body.size) == (photo.id, len(photo.envelope))
    assert len(photo.chunks()) == -(-len(photo.envelope) // CHUNK)
