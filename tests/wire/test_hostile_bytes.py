"""Every decoder, every kind of input: our errors alone, and soon.

RecursionError, MemoryError, TypeError and their like would end a process that faces a network.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.wire.chains import DEVICE, GATEWAY, HOSPITAL, ROOT
from tests.wire.strategies import changed
from wire import cbor, envelope, hpke, keyset, ledger, messages, pem, proof, signing

VECTORS = Path(__file__).parents[1] / "vectors"
BASES = [bytes.fromhex(data) for data in json.loads((VECTORS / "bases.json").read_text()).values()]
KEYS = (DEVICE.public, HOSPITAL.public, ROOT.public)


def open_envelope(data: bytes) -> object:
    found = envelope.parse(data)
    return envelope.open_into(found, GATEWAY, memoryview(bytearray(found.header.length)))


def open_bundle(data: bytes) -> object:
    parts = proof.parse_bundle(data)
    return proof.open_proof(parts.consent, parts.intent, parts.sealed, KEYS)


DECODERS: dict[str, Callable[[bytes], object]] = {
    "cbor": lambda data: cbor.decode(data, limit=1 << 20, what="value"),
    "reader": lambda data: cbor.Reader(data, "value").value(),
    "public key": signing.PublicKey.decode,
    "pem": pem.public_key,
    "pem signer": pem.signer,
    "recipient": hpke.RecipientPublic.decode,
    "private": hpke.RecipientPrivate.decode,
    "untrusted": lambda data: signing.untrusted(data, typ=ledger.TYP_ENTRY),
    "entry": lambda data: ledger.open_entry(data, KEYS),
    "checkpoint": lambda data: ledger.open_checkpoint(data, KEYS),
    "receipt": lambda data: messages.open_receipt(data, KEYS),
    "keyset": lambda data: keyset.open_keyset(data, KEYS),
    "envelope": open_envelope,
    "bundle": open_bundle,
    "message": messages.decode,
    "ledger file": lambda data: ledger.verify_file(data, KEYS),
}
EVERY = pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)


def harmless(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except (FormatError, VerificationError) as e:
        assert 0 < len(str(e)) < 400


@EVERY
@given(data=st.binary(max_size=300))
def test_P10_arbitrary_bytes(decode: Callable[[bytes], object], data: bytes) -> None:
    harmless(decode, data)


@EVERY
@given(data=st.sampled_from(BASES).flatmap(changed))
def test_P10_good_encodings_with_one_change(decode: Callable[[bytes], object], data: bytes) -> None:
    harmless(decode, data)


def head(text: str) -> bytes:
    return bytes.fromhex(text)


BOMBS = {
    "arrays in arrays": b"\x81" * 60_000,
    "maps in maps": b"\xa1\x00" * 30_000,
    "tags on tags": b"\xd2" * 60_000,
    "endless arrays": b"\x9f" * 60_000,
    "endless maps": b"\xbf" * 60_000,
    "endless strings": b"\x5f" * 60_000,
    "many empty lists": head("9a00010000") + b"\x80" * 65_536,
    "many empty maps": head("9a00010000") + b"\xa0" * 65_536,
    "many pairs": head("b900ff")
    + b"".join(bytes([0x62, 0x40 + n // 64, n % 64, 0]) for n in range(255)),
    "shared references": head("8a")
    + b"".join(
        head("d81c8a") + (b"\0" if n == 0 else bytes([0xD8, 0x1D, n - 1])) * 10 for n in range(10)
    ),
    "a decimal that overflows": head("c5821b7fffffffffffffff01"),
    "a promise of bytes": head("5b7fffffffffffffff"),
    "a promise of text": head("7b7fffffffffffffff"),
    "a promise of items": head("9b7fffffffffffffff"),
    "a promise of pairs": head("bb7fffffffffffffff"),
    "an enormous frame": head("ffffffff"),
    "a sealed photo of promises": head("d860845b7fffffffffffffff"),
    "a message of promises": head("8264646174615b7fffffffffffffff"),
}


@EVERY
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_P10_bombs_cost_no_more_than_their_length(
    decode: Callable[[bytes], object], bomb: bytes
) -> None:
    begun = time.process_time()
    harmless(decode, bomb)
    harmless(decode, signed_bomb(bomb))
    assert time.process_time() - begun < 1


def signed_bomb(bomb: bytes) -> bytes:
    """A COSE_Sign1 whose payload is the bomb."""
    header = cbor.encode({1: -8, 4: DEVICE.public.kid, 16: ledger.TYP_ENTRY})
    start = head("d284") + cbor.encode(header) + b"\xa0"
    return start + cbor.encode(bomb) + cbor.encode(bytes(64))


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN PUBLIC KEY-----", "00", "zz", "-----BEGIN PRIVATE KEY-----\nAA==\n"]
)
def test_P10_texts_that_are_no_keys(text: str) -> None:
    harmless(pem.public_key, text.encode())
    harmless(pem.signer, text.encode())
