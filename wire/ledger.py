"""The attestation ledger: entries, their chain, and the hospital's countersignature.

An entry is a COSE_Sign1 by the device. It names the SHA-256 of the whole entry before it, so
no entry can be changed, taken out or put in without breaking every later one. The first entry
of a ledger has a ``prev`` of 32 zero bytes. On disk each entry is preceded by its length as
four bytes, big endian; a power cut can only tear the last one.

A checkpoint is the hospital's signature over "I have this device's ledger up to here".
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from base.errors import FormatError, WardsealError
from wire import cbor, shapes, signing
from wire.errors import BrokenLink
from wire.shapes import Count, Hash, Id16, Millis, Range, Size
from wire.topics import DeviceId

TYP_ENTRY: Final = "wardseal-ledger-entry"
TYP_CHECKPOINT: Final = "wardseal-checkpoint"
MAX_ENTRY: Final = 4096
MAX_FRAME: Final = 4 + MAX_ENTRY
GENESIS: Final = bytes(32)


class EntryType(StrEnum):
    """What can happen on a device; each type's body is given in docs/spec/ledger.md."""

    BOOT = "BOOT"
    CONSENT = "CONSENT"
    ATTEST = "ATTEST"
    INTENT = "INTENT"
    SEALED = "SEALED"
    UNDO = "UNDO"
    WINDOW = "WINDOW"
    RECEIPT = "RECEIPT"
    WIPED = "WIPED"
    LOST = "LOST"
    FAULT = "FAULT"
    CLOCK = "CLOCK"
    KEYSET = "KEYSET"
    CONFIG = "CONFIG"
    COMMAND = "COMMAND"


class ClockTrust(StrEnum):
    """How much a wall time is worth: network time, a battery clock, a lower bound, nothing."""

    SYNCED = "synced"
    RTC = "rtc"
    FLOOR = "floor"
    NONE = "none"


@dataclass(frozen=True)
class Entry:
    """One event. ``mono_ns`` is CLOCK_BOOTTIME, ``wall_ms`` milliseconds since 1970 UTC."""

    device: DeviceId
    ledger: Id16
    seq: Count
    prev: Hash
    boot: Id16
    mono_ns: Annotated[int, Range(0, 2**63)]
    wall_ms: Millis
    trust: ClockTrust
    type: EntryType
    body: Annotated[dict[str, object], Size(0, 32)]


@dataclass(frozen=True)
class SignedEntry:
    """An entry with the bytes that were signed; ``digest`` is SHA-256 over ``raw``."""

    entry: Entry
    raw: bytes
    digest: bytes


def sign_entry(entry: Entry, signer: signing.Signer) -> SignedEntry:
    """Sign one entry."""
    raw = signing.sign(shapes.to_map(entry), typ=TYP_ENTRY, signer=signer)
    if len(raw) > MAX_ENTRY:
        raise FormatError(f"a ledger entry of {len(raw)} bytes; at most {MAX_ENTRY} are allowed")
    return SignedEntry(entry, raw, hashlib.sha256(raw).digest())


def open_entry(raw: bytes, keys: Iterable[signing.PublicKey]) -> SignedEntry:
    """Verify one entry's signature and shape."""
    verified = signing.verify(raw, typ=TYP_ENTRY, keys=keys, limit=MAX_ENTRY)
    entry = shapes.from_map(Entry, verified.payload, "ledger entry")
    return SignedEntry(entry, verified.raw, verified.digest)


def frame(raw: bytes) -> bytes:
    """Return ``raw`` as it stands in a ledger file."""
    return len(raw).to_bytes(4, "big") + raw


def read_frames(data: bytes | memoryview) -> tuple[list[bytes], int]:
    """Return the whole frames in ``data`` and how many bytes they take.

    The rest, if any, is torn. A power cut tears one frame at most: a rest longer than MAX_FRAME
    is damage in the middle, and cutting it off would throw whole entries away.
    """
    view = memoryview(data)
    raws: list[bytes] = []
    at = 0
    while at + 4 <= len(view):
        length = int.from_bytes(view[at : at + 4], "big")
        if not 0 < length <= MAX_ENTRY or at + 4 + length > len(view):
            break
        raws.append(bytes(view[at + 4 : at + 4 + length]))
        at += 4 + length
    return raws, at


@dataclass(frozen=True)
class Problem:
    """Something wrong in a ledger: at which entry (counted from 0), and what, in words."""

    index: int
    what: str


@dataclass(frozen=True)
class Report:
    """What a verification found. The ledger holds when ``problems`` is empty."""

    entries: tuple[SignedEntry, ...]
    problems: tuple[Problem, ...]

    @property
    def head(self) -> SignedEntry | None:
        return self.entries[-1] if self.entries else None


def verify_chain(
    raws: Iterable[bytes],
    keys: Iterable[signing.PublicKey],
    *,
    after: SignedEntry | None = None,
) -> Report:
    """Check signatures, numbering, chain and identity of consecutive entries.

    With ``after`` the first of ``raws`` must follow that entry; without it, it must be the
    first of a ledger. Bad content is reported, never raised.
    """
    keys = tuple(keys)
    entries: list[SignedEntry] = []
    problems: list[Problem] = []
    last = after
    for index, raw in enumerate(raws):
        try:
            signed = open_entry(raw, keys)
        except WardsealError as e:
            problems.append(Problem(index, str(e)))
            last = None
            continue
        if last is None and (index == 0 and after is None):
            if signed.entry.seq != 0 or signed.entry.prev != GENESIS:
                problems.append(Problem(index, "the ledger's beginning is missing"))
        elif last is not None:
            problems.extend(Problem(index, what) for what in follows(signed, last))
        entries.append(signed)
        last = signed
    return Report(tuple(entries), tuple(problems))


def verify_file(data: bytes | memoryview, keys: Iterable[signing.PublicKey]) -> tuple[Report, int]:
    """Check a whole ledger file; return what was found and how long its torn tail is, in bytes."""
    raws, good = read_frames(data)
    report = verify_chain(raws, keys)
    torn = len(data) - good
    if torn <= MAX_FRAME:
        return report, torn
    damage = Problem(len(raws), f"{torn} bytes here are no entry, and too many for a torn one")
    return Report(report.entries, (*report.problems, damage)), 0


def follows(signed: SignedEntry, last: SignedEntry) -> list[str]:
    """Return what is wrong with ``signed`` as the entry right after ``last``."""
    new, old = signed.entry, last.entry
    wrong: list[str] = []
    if (new.device, new.ledger) != (old.device, old.ledger):
        wrong.append("it belongs to another device or ledger")
    if new.seq != old.seq + 1:
        wrong.append(f"its number is {new.seq} where {old.seq + 1} is due")
    if new.prev != last.digest:
        wrong.append(f"it does not continue entry {old.seq}: something was changed or taken out")
    if new.boot == old.boot and new.mono_ns < old.mono_ns:
        wrong.append("its monotonic time runs backwards")
    return wrong


@dataclass(frozen=True)
class Checkpoint:
    """The hospital has stored this ledger up to and including entry ``seq``."""

    device: DeviceId
    ledger: Id16
    seq: Count
    head: Hash
    time_ms: Millis


def sign_checkpoint(checkpoint: Checkpoint, signer: signing.Signer) -> bytes:
    """Countersign a ledger's head with the hospital's receipt key."""
    return signing.sign(shapes.to_map(checkpoint), typ=TYP_CHECKPOINT, signer=signer)


def open_checkpoint(
    raw: cbor.Buffer, keys: Iterable[signing.PublicKey], *, device: str | None = None
) -> Checkpoint:
    """Verify a countersignature, and that it is for ``device`` when one is named."""
    verified = signing.verify(raw, typ=TYP_CHECKPOINT, keys=keys, limit=MAX_ENTRY)
    checkpoint = shapes.from_map(Checkpoint, verified.payload, "checkpoint")
    if device not in (None, checkpoint.device):
        raise BrokenLink("the countersignature is for another device")
    return checkpoint


def check_covered(entries: Sequence[SignedEntry], checkpoint: Checkpoint) -> Problem | None:
    """Return what is wrong if verified ``entries`` are not what the hospital countersigned.

    A chain alone cannot show that its end was cut off, or that an older copy was put back.
    """
    if not entries:
        return Problem(0, "entries are missing: there is none, but the hospital has some")
    last = entries[-1].entry
    if (last.device, last.ledger) != (checkpoint.device, checkpoint.ledger):
        return Problem(0, "the checkpoint is of another device or ledger")
    if last.seq < checkpoint.seq:
        have = f"the hospital has this ledger up to entry {checkpoint.seq}"
        return Problem(len(entries), f"entries are missing: {have}, the file ends with {last.seq}")
    for index, signed in enumerate(entries):
        if signed.entry.seq == checkpoint.seq and signed.digest != checkpoint.head:
            what = f"the hospital has countersigned another entry {checkpoint.seq}"
            return Problem(index, what)
    return None
