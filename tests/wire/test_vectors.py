"""Every vector of tests/vectors/, read with the product and compared exactly.

``readers`` below is what another implementation has to write as well; tests/vectors/README.md
says how.
"""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from base.errors import FormatError, VerificationError
from wire import (
    attestation,
    cbor,
    envelope,
    events,
    hpke,
    keyset,
    ledger,
    messages,
    proof,
    shapes,
    topics,
)
from wire.errors import failure
from wire.signing import PublicKey

VECTORS = Path(__file__).parents[1] / "vectors"


def lines() -> list[dict[str, Any]]:
    text = (VECTORS / "cases.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@cache
def bases() -> dict[str, bytes]:
    found = json.loads((VECTORS / "bases.json").read_text())
    return {"": b"", **{name: bytes.fromhex(data) for name, data in found.items()}}


@cache
def keys() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in json.loads((VECTORS / "keys.json").read_text()):
        if "private" in key:
            found[key["name"]] = hpke.RecipientPrivate.decode(bytes.fromhex(key["private"]))
        else:
            found[key["name"]] = PublicKey.decode(bytes.fromhex(key["public"]))
    return found


def cases() -> dict[str, list[dict[str, Any]]]:
    first, *rest = lines()
    found: dict[str, list[dict[str, Any]]] = {}
    for record in rest:
        kind = record["id"].rsplit("-", 1)[0]
        found.setdefault(kind, []).append({**first["usual"][kind], **record, "kind": kind})
    return found


def data_of(case: dict[str, Any]) -> bytes:
    data = bases()[case["base"]]
    for at, out, into, *times in case["edits"]:
        data = data[:at] + bytes.fromhex(into) * (times or [1])[0] + data[at + out :]
    assert hashlib.sha256(data).hexdigest()[:8] == case["sha256"], case["id"]
    return data


def plain(value: object) -> object:
    match value:
        case bytes() | memoryview():
            return value.hex()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
    return value


class ChainFailure(Exception):
    """A ledger file has problems; the first is at entry ``first``."""

    def __init__(self, first: int) -> None:
        super().__init__(str(first))
        self.first = first


# ---- one reader for each kind of vector ------------------------------------------------------


def trusted(given: dict[str, Any]) -> tuple[PublicKey, ...]:
    return tuple(keys()[name] for name in given["keys"])


def read_cbor(data: bytes, given: dict[str, Any]) -> object:
    value = cbor.decode(data, limit=given.get("limit", 65536), what="vector")
    try:
        again = cbor.encode(value)
    except FormatError as e:
        raise AssertionError("something was read that could not have been written") from e
    assert again == data
    return None


def read_public_key(data: bytes, _: dict[str, Any]) -> object:
    key = PublicKey.decode(data)
    assert key.encode() == data
    return {"alg": key.alg, "kid": key.kid}


def read_recipient_key(data: bytes, _: dict[str, Any]) -> object:
    key = hpke.RecipientPublic.decode(data)
    assert key.encode() == data
    return {"alg": key.alg, "kid": key.kid}


def read_private_key(data: bytes, _: dict[str, Any]) -> object:
    key = hpke.RecipientPrivate.decode(data)
    assert key.encode() == data
    return {"alg": key.public.alg, "kid": key.public.kid}


def read_topic(data: bytes, _: dict[str, Any]) -> object:
    found = topics.parse(data.decode())
    return {"device": found.device, "direction": found.direction, "kind": found.kind}


def read_entry(data: bytes, given: dict[str, Any]) -> object:
    signed = ledger.open_entry(data, trusted(given))
    body = events.body_of(signed.entry)
    assert shapes.to_map(body) == signed.entry.body
    return shapes.to_map(signed.entry)


def read_receipt(data: bytes, given: dict[str, Any]) -> object:
    return shapes.to_map(messages.open_receipt(data, trusted(given), device=given.get("device")))


def read_checkpoint(data: bytes, given: dict[str, Any]) -> object:
    return shapes.to_map(ledger.open_checkpoint(data, trusted(given), device=given.get("device")))


def read_keyset(data: bytes, given: dict[str, Any]) -> object:
    found = keyset.open_keyset(data, trusted(given))
    if "follows" in given:
        keyset.check_follows(found, keyset.open_keyset(bases()[given["follows"]], trusted(given)))
    inside = found.keyset
    return {
        "epoch": inside.epoch,
        "not_after_ms": inside.not_after_ms,
        "recipients": [key.encode() for key in inside.recipients],
        "receipt_keys": [key.encode() for key in inside.receipt_keys],
        "fleet_keys": [key.encode() for key in inside.fleet_keys],
    }


def _opened(
    found: envelope.Envelope, given: dict[str, Any], behind: proof.Proof | None = None
) -> dict[str, object]:
    if "keyset" in given:
        root = (keys()["root"],)
        proof.check_keyset(found, keyset.open_keyset(bases()[given["keyset"]], root))
    if "key" not in given:
        return {}
    out = memoryview(bytearray(found.header.length))
    content = envelope.open_into(found, keys()[given["key"]], out)
    if behind is not None:
        attestation.check_badge(content.private, behind.intent)
    return {"private": shapes.to_map(content.private), "jpeg": content.jpeg}


def read_envelope(data: bytes, given: dict[str, Any]) -> object:
    found = envelope.parse(data)
    return {"header": shapes.to_map(found.header), **_opened(found, given)}


def read_bundle(data: bytes, given: dict[str, Any]) -> object:
    parts = proof.parse_bundle(data)
    found = proof.open_proof(parts.consent, parts.intent, parts.sealed, trusted(given))
    sealed = envelope.parse(parts.envelope)
    proof.check_envelope(parts.envelope, sealed, found)
    return {"photo": found.photo, **_opened(sealed, given, found)}


def read_message(data: bytes, _: dict[str, Any]) -> object:
    message = messages.decode(data)
    assert messages.encode(message) == data
    kind = next(name for name, shape in messages.KINDS.items() if isinstance(message, shape))
    return [kind, shapes.to_map(message)]


def read_ledger(data: bytes, given: dict[str, Any]) -> object:
    report, torn = ledger.verify_file(data, trusted(given))
    problems = list(report.problems)
    if "checkpoint" in given and not problems:
        checkpoint = ledger.open_checkpoint(bases()[given["checkpoint"]], [keys()["receipt"]])
        problem = ledger.check_covered(report.entries, checkpoint)
        problems.extend([problem] if problem else [])
    if problems:
        raise ChainFailure(problems[0].index)
    head = report.head.digest if report.head else None
    return {"entries": len(report.entries), "head": head, "torn": torn}


READERS: dict[str, Callable[[bytes, dict[str, Any]], object]] = {
    "cbor": read_cbor,
    "public-key": read_public_key,
    "recipient-key": read_recipient_key,
    "private-key": read_private_key,
    "topic": read_topic,
    "entry": read_entry,
    "receipt": read_receipt,
    "checkpoint": read_checkpoint,
    "keyset": read_keyset,
    "envelope": read_envelope,
    "bundle": read_bundle,
    "message": read_message,
    "ledger": read_ledger,
}


def outcome(case: dict[str, Any]) -> tuple[str, object]:
    try:
        return "ok", plain(READERS[case["kind"]](data_of(case), case["given"]))
    except ChainFailure as e:
        return "chain failure", {"first": e.first}
    except (FormatError, VerificationError) as e:
        assert str(e)
        return failure(e), None


@pytest.mark.parametrize("kind", sorted(READERS))
def test_every_vector_gives_exactly_what_it_says(kind: str) -> None:
    wrong = []
    for case in cases()[kind]:
        expect, value = outcome(case)
        if expect != case["expect"]:
            wrong.append(f"{case['id']} ({case['why']}): {case['expect']} expected, was {expect}")
        elif "value" in case and value != case["value"]:
            wrong.append(f"{case['id']} ({case['why']}): {case['value']} expected, was {value}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:20])


def test_there_are_a_thousand_vectors_in_both_directions_and_every_failure_is_among_them() -> None:
    every = [case for kind in cases().values() for case in kind]
    assert len(every) >= 1000
    ways = Counter(case["way"] for case in every)
    assert ways["up"] >= 500
    assert ways["down"] >= 500
    assert {case["kind"] for case in every} == set(READERS)
    assert {case["expect"] for case in every} == {
        "ok",
        "chain failure",
        "content failure",
        "epoch failure",
        "format failure",
        "header failure",
        "key failure",
        "link failure",
        "recipient failure",
        "signature failure",
        "type failure",
    }


def test_the_vectors_are_what_their_generator_makes() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.vectors.generate", "--check"],
        cwd=VECTORS.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (0, "the same\n"), run.stderr
