import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.vectors.messages import FIELDS
from tests.wire.strategies import any_of, changed
from wire import cbor, messages
from wire.envelope import MAX_ENVELOPE
from wire.errors import BrokenLink
from wire.messages import CUSTODY, KINDS, Data, Nack, Ready, Receipt, Status
from wire.signing import Ed25519Signer

SHAPES = st.sampled_from(list(KINDS.values()))
HOSPITAL = Ed25519Signer(b"h" * 32)
PHOTO = bytes(32)


@given(SHAPES.flatmap(any_of))
def test_every_message_comes_back_as_it_was(message: Any) -> None:
    assert messages.decode(messages.encode(message)) == message


@given(st.data())
def test_a_changed_message_is_another_message_or_none(data: st.DataObject) -> None:
    message = data.draw(SHAPES.flatmap(any_of))
    good = messages.encode(message)
    bad = data.draw(changed(good))
    try:
        found = messages.decode(bad)
    except FormatError:
        return
    assert messages.encode(found) == bad
    assert (found == message) == (bad == good)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_a_format_error(data: bytes) -> None:
    try:
        found = messages.decode(data)
    except FormatError:
        return
    assert messages.encode(found) == data  # one in a million


@given(any_of(Receipt))
def test_a_signed_receipt_comes_back_as_it_was(receipt: Receipt) -> None:
    raw = messages.sign_receipt(receipt, HOSPITAL)
    assert messages.open_receipt(raw, (HOSPITAL.public,)) == receipt
    assert messages.open_receipt(raw, (HOSPITAL.public,), device=receipt.device) == receipt


def test_P8_a_receipt_for_another_device_is_refused() -> None:
    receipt = Receipt("ward-7", PHOTO, Status.FILED, 1, 0, "", ())
    raw = messages.sign_receipt(receipt, HOSPITAL)
    with pytest.raises(BrokenLink, match=r"^the receipt is for another device$"):
        messages.open_receipt(raw, (HOSPITAL.public,), device="ward-8")


@given(st.data())
def test_P8_no_changed_receipt_is_believed(data: st.DataObject) -> None:
    raw = messages.sign_receipt(data.draw(any_of(Receipt)), HOSPITAL)
    bad = data.draw(changed(raw))
    if bad == raw:
        return
    with pytest.raises((FormatError, VerificationError)):
        messages.open_receipt(bad, (HOSPITAL.public,))


def test_only_rejected_leaves_custody_with_the_device() -> None:
    assert set(Status) - CUSTODY == {Status.REJECTED}


def test_a_range_is_two_numbers() -> None:
    good = messages.encode(Nack(PHOTO, ((0, 3), (7, 7))))
    assert messages.decode(good).ranges == ((0, 3), (7, 7))
    for wrong in ((0,), (0, 1, 2), ()):
        with pytest.raises(FormatError, match=r"Nack\.ranges\[0\] has length"):
            messages.encode(Nack(PHOTO, (wrong,)))


def test_no_gateway_can_call_itself_any() -> None:
    with pytest.raises(FormatError, match=r"Ready\.to is 'any'"):
        messages.encode(Ready(PHOTO, "any", b"", 1))
    body = {"photo": PHOTO, "to": "any", "have": b"", "credit": 1}
    with pytest.raises(FormatError, match=r"message ready\.to is 'any'"):
        messages.decode(cbor.encode(["ready", body]))


def test_a_message_of_no_known_kind_says_so() -> None:
    with pytest.raises(FormatError, match=r"^message is of no kind that is known$"):
        messages.decode(cbor.encode(["publish", {"photo": PHOTO}]))


def test_how_many_chunks_a_photo_has() -> None:
    def chunks(size: int) -> int:
        return messages.Init(PHOTO, size, 16384, b"c", b"i", b"s").chunks

    assert [chunks(size) for size in (1, 16384, 16385, 32768)] == [1, 1, 2, 2]
    assert chunks(MAX_ENVELOPE) == messages.MAX_CHUNKS


@pytest.mark.alone
def test_a_chunk_is_decoded_in_the_time_of_a_few_copies() -> None:
    """The strict decoder must not be what a transfer waits for: 12 µs when it was written."""
    data = messages.encode(Data(PHOTO, 5, bytes(messages.CHUNK)))
    assert len(data) < messages.CHUNK + 128

    def best(what: Any) -> float:
        times = []
        for _ in range(300):
            begun = time.perf_counter()
            what()
            times.append(time.perf_counter() - begun)
        return min(times)

    assert best(lambda: messages.decode(data)) < 150e-6


def test_the_vectors_are_about_the_same_fields_as_the_declarations() -> None:
    declared = {kind: {field.name for field in fields(shape)} for kind, shape in KINDS.items()}
    assert {kind: set(table) for kind, (_, table) in FIELDS.items()} == declared
