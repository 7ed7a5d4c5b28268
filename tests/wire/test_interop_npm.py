"""The hybrid suite agrees with @hpke/core and its X-Wing KEM, and whole envelopes with a second
implementation written from docs/spec/ for Node (tests/interop/).

Vectors that Node made are kept in tests/interop/hybrid.json and checked always. ``./test
--interop`` has Node read what is sealed here, and the other way round, on the spot.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from base.errors import VerificationError
from wire import cbor, envelope, hpke, shapes
from wire.envelope import AES_256_GCM, CHACHA20_POLY1305, Header, Private
from wire.ledger import ClockTrust

INTEROP = Path(__file__).parents[1] / "interop"
JPEG = b"\xff\xd8" + bytes(range(256)) * 16 + b"\xff\xd9"
Ask = Callable[..., dict[str, Any]]


def vectors(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((INTEROP / "hybrid.json").read_text())[kind]
    return found


def key_of(seed: str) -> hpke.RecipientPrivate:
    return hpke.RecipientPrivate(hpke.SuiteName.HYBRID, bytes.fromhex(seed))


def opened(data: bytes, key: hpke.RecipientPrivate) -> tuple[Header, Private, bytes]:
    found = envelope.parse(data)
    content = envelope.open_into(found, key, memoryview(bytearray(found.header.length)))
    return found.header, content.private, bytes(content.jpeg)


def sealed(keys: list[hpke.RecipientPrivate], alg: int) -> tuple[bytes, Header, bytes]:
    plain = envelope.content_prefix(Private("W7-12", {"blur": 12}), len(JPEG)) + JPEG
    header = Header(
        device="ward-7",
        boot=os.urandom(16),
        seq=3,
        consent=os.urandom(32),
        intent=os.urandom(32),
        epoch=1,
        keyset=os.urandom(32),
        time_ms=1_767_225_600_000,
        trust=ClockTrust.SYNCED,
        length=len(plain),
    )
    out = bytearray(envelope.room(len(plain)))
    length = envelope.seal_into(
        memoryview(out),
        header=header,
        plaintext=memoryview(plain),
        key=os.urandom(32),
        recipients=[key.public for key in keys],
        alg=alg,
    )
    return bytes(out[:length]), header, plain


# ---- what Node made once ---------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("wraps"), ids=lambda v: v["seed"][:8])
def test_a_key_wrapped_by_the_npm_package_is_unwrapped_here(vector: dict[str, Any]) -> None:
    key = key_of(vector["seed"])
    assert key.public.raw.hex() == vector["public"]
    enc, wrapped, info = (bytes.fromhex(vector[name]) for name in ("enc", "ciphertext", "info"))
    assert key.unwrap(enc, wrapped, info).hex() == vector["plaintext"]
    with pytest.raises(VerificationError):
        key.unwrap(enc, wrapped, info + b"x")


@pytest.mark.parametrize("vector", vectors("envelopes"), ids=lambda v: str(v["alg"]))
def test_an_envelope_sealed_by_node_opens_here(vector: dict[str, Any]) -> None:
    for seed in vector["seeds"]:
        header, private, jpeg = opened(bytes.fromhex(vector["envelope"]), key_of(seed))
        assert cbor.encode(shapes.to_map(header)).hex() == vector["ws"]
        assert cbor.encode([shapes.to_map(private), jpeg]).hex() == vector["content"]


# ---- live, both directions -------------------------------------------------------------------


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Ask Node one thing at a time."""
    with subprocess.Popen(
        ["node", "hybrid.mjs"],
        cwd=INTEROP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        put, get = node.stdin, node.stdout

        def one(what: str, **fields: object) -> dict[str, Any]:
            request = {"do": what, **fields}
            put.write(json.dumps(request, default=lambda raw: bytes(raw).hex()) + "\n")
            put.flush()
            answer: dict[str, Any] = json.loads(get.readline())
            return answer

        yield one
        put.close()
        assert node.wait(timeout=10) == 0


ROUNDS = pytest.mark.parametrize("turn", range(8))
ALGS = pytest.mark.parametrize("alg", [AES_256_GCM, CHACHA20_POLY1305])


@pytest.mark.interop
@ROUNDS
def test_live_the_same_seed_makes_the_same_public_key(ask: Ask, turn: int) -> None:
    seed = os.urandom(32)
    assert ask("public", seed=seed)["public"] == key_of(seed.hex()).public.raw.hex()


@pytest.mark.interop
@ROUNDS
def test_live_keys_are_wrapped_and_unwrapped_across(ask: Ask, turn: int) -> None:
    seed, content_key, info = os.urandom(32), os.urandom(32), os.urandom(60)
    key = key_of(seed.hex())
    enc, wrapped = key.public.wrap(content_key, info)
    answer = ask("open", seed=seed, enc=enc, ciphertext=wrapped, info=info)
    assert answer == {"plaintext": content_key.hex()}
    assert "error" in ask("open", seed=seed, enc=enc, ciphertext=wrapped, info=info + b"x")
    theirs = ask("seal", public=key.public.raw, info=info, plaintext=content_key)
    found = key.unwrap(bytes.fromhex(theirs["enc"]), bytes.fromhex(theirs["ciphertext"]), info)
    assert found == content_key


@pytest.mark.interop
@ALGS
def test_live_node_opens_an_envelope_sealed_here(ask: Ask, alg: int) -> None:
    seeds = [os.urandom(32), os.urandom(32)]
    data, header, plain = sealed([key_of(seed.hex()) for seed in seeds], alg)
    for seed in seeds:
        answer = ask("openEnvelope", seed=seed, envelope=data)
        assert answer["ws"] == cbor.encode(shapes.to_map(header)).hex()
        assert answer["content"] == plain.hex()
    changed = bytearray(data)
    changed[data.index(b"ward-7")] ^= 1
    assert "error" in ask("openEnvelope", seed=seeds[0], envelope=changed)
    assert "error" in ask("openEnvelope", seed=os.urandom(32), envelope=data)


@pytest.mark.interop
@ALGS
def test_live_an_envelope_sealed_by_node_opens_here(ask: Ask, alg: int) -> None:
    keys = [key_of(os.urandom(32).hex()) for _ in range(2)]
    _, header, plain = sealed(keys, alg)
    answer = ask(
        "sealEnvelope",
        publics=[key.public.raw.hex() for key in keys],
        alg=alg,
        ws=cbor.encode(shapes.to_map(header)),
        content=plain,
    )
    for key in keys:
        found, private, jpeg = opened(bytes.fromhex(answer["envelope"]), key)
        assert (found, private.bed, jpeg) == (header, "W7-12", JPEG)
