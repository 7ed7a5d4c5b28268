"""docs/spec/ and the declarations say the same: fields, which may be left out, limits, names."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from base.errors import FormatError, VerificationError
from wire import cbor, envelope, errors, events, hpke, keyset, ledger, messages, proof, signing

SPEC = Path(__file__).parents[2] / "docs" / "spec"
SHAPES: dict[str, Any] = {
    "entry": ledger.Entry,
    "checkpoint": ledger.Checkpoint,
    "previous": events.Previous,
    "wording": events.Wording,
    "boot": events.Boot,
    "consent": events.Consent,
    "attest": events.Attest,
    "intent": events.Intent,
    "sealed": events.Sealed,
    "undo": events.Undo,
    "window": events.Window,
    "receipt-seen": events.ReceiptSeen,
    "wiped": events.Wiped,
    "lost": events.Lost,
    "fault": events.Fault,
    "keyset-in-use": events.KeysetInUse,
    "keyset": keyset.Keyset,
    "header": envelope.Header,
    "private": envelope.Private,
    "receipt": messages.Receipt,
    "init": messages.Init,
    "query": messages.Query,
    "data": messages.Data,
    "fin": messages.Fin,
    "batch": messages.LedgerBatch,
    "state": messages.State,
    "ready": messages.Ready,
    "nack": messages.Nack,
    "busy": messages.Busy,
    "refused": messages.Refused,
    "unknown": messages.Unknown,
    "signed-message": messages.Signed,
    "have": messages.LedgerHave,
}


@cache
def rules() -> dict[str, str]:
    """Every CDDL rule of the specification that is a map, by name."""
    text = "\n".join(path.read_text() for path in sorted(SPEC.glob("*.md")))
    blocks = "\n".join(re.findall(r"```cddl\n(.*?)```", text, re.DOTALL))
    blocks = re.sub(r" *;.*", "", blocks)
    return dict(re.findall(r"^([a-z-]+) = \{(.*?)\n?\}$", blocks, re.DOTALL | re.MULTILINE))


def in_spec(name: str) -> dict[str, bool]:
    """Field names, and whether each may be left out."""
    body = re.sub(r"\{[^}]*\}", "", rules()[name])  # maps within
    found = re.findall(r"(\? )?\b([a-z_]+):", body)
    return {field: bool(optional) for optional, field in found}


def declared(shape: Any) -> dict[str, bool]:
    hints = get_type_hints(shape, include_extras=True)
    return {field.name: NoneType in get_args(hints[field.name]) for field in fields(shape)}


@pytest.mark.parametrize("name", SHAPES)
def test_the_specification_names_the_declared_fields(name: str) -> None:
    assert in_spec(name) == declared(SHAPES[name])


def test_every_declaration_is_in_the_specification() -> None:
    shapes = set(SHAPES.values())
    assert set(messages.KINDS.values()) <= shapes
    assert set(events.BODIES.values()) <= shapes


def page(name: str) -> str:
    return (SPEC / f"{name}.md").read_text()


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("cbor", cbor.MAX_DEPTH - 1),
        ("cbor", f"{cbor.MAX_ITEMS:,}"),
        ("signing", f"{signing.MAX_SIGNED:,}"),
        ("signing", f"{signing.P256_ORDER:x}"),
        ("signing", ledger.TYP_ENTRY),
        ("signing", ledger.TYP_CHECKPOINT),
        ("signing", messages.TYP_RECEIPT),
        ("signing", keyset.TYP_KEYSET),
        ("ledger", f"{ledger.MAX_ENTRY:,}"),
        ("ledger", f"{ledger.MAX_FRAME:,}"),
        ("keyset", f"{keyset.MAX_KEYSET:,}"),
        ("keyset", hpke.SUITES[hpke.SuiteName.HYBRID].alg),
        ("envelope", hpke.SUITES[hpke.SuiteName.HYBRID].alg),
        ("envelope", hpke.SUITES[hpke.SuiteName.P256].alg),
        ("envelope", f"{envelope.MAX_ENVELOPE:,}"),
        ("envelope", envelope.MAX_JPEG),
        ("envelope", envelope.CONTENT_TYPE),
        ("proof", f"{proof.LONGEST_WINDOW_NS // 1_000_000_000} s"),
        ("transfer", f"{messages.MAX_MESSAGE:,}"),
        ("transfer", f"{messages.CHUNK:,}"),
        ("transfer", f"{messages.MIN_CHUNK:,}"),
        ("transfer", messages.MAX_CHUNKS - 1),
        ("transfer", messages.MAX_BATCH),
    ],
)
def test_the_specification_gives_the_limits_of_the_code(where: str, what: object) -> None:
    assert str(what) in page(where)


def test_every_failure_and_type_is_explained() -> None:
    for name in errors.NAMES.values():
        assert f"`{name}`" in page("README")
    assert errors.failure(FormatError("x")) == "format failure"
    assert errors.failure(VerificationError("x")) == "verification failure"
    for entry_type in ledger.EntryType:
        assert entry_type.value in page("ledger")
    for status in messages.Status:
        assert f"| {status.value} |" in page("receipts")


def test_every_link_leads_somewhere() -> None:
    for path in sorted(SPEC.glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
