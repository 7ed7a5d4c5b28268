"""``wardseal ledger verify``: does it hold, and if not, what is wrong and where.

1. every whole entry: its signature by the device, its form, its number, its link to the one
   before, its clock (wire.ledger.verify_chain);
2. what the entries say of each other: no INTENT without an earlier CONSENT, no SEALED without an
   earlier INTENT;
3. what follows the last whole entry;
4. with a checkpoint: the hospital's signature, and that it covers this very ledger.

A torn tail counts as a fault. A power cut leaves one, but so does somebody who cuts off the end.
"""

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from base.errors import FormatError, VerificationError
from cli.given_key import public_key
from cli.ledger_file import LedgerFile, read_ledger
from cli.outcome import OK, WRONG, UsageError
from cli.terminal import moment, plain, progress, read_file
from wire import events
from wire.ledger import (
    MAX_ENTRY,
    Checkpoint,
    EntryType,
    Report,
    SignedEntry,
    check_covered,
    open_checkpoint,
    verify_chain,
)
from wire.signing import PublicKey


@dataclass(frozen=True)
class Fault:
    """What is wrong, at which byte, and in which entry, if in one (counted from 0)."""

    entry: int | None
    byte: int
    what: str


def verify(arguments: Namespace) -> int:
    """``ledger verify``."""
    if (arguments.checkpoint is None) != (arguments.receipt_key is None):
        raise UsageError("--checkpoint and --receipt-key are given together or not at all")
    key = public_key(arguments.key, "--key")
    file = read_ledger(arguments.file)
    raws = progress(file.raws, len(file.raws), "entries checked")
    report = verify_chain(raws, [key])
    faults = find_faults(file, report)
    checkpoint = None
    if arguments.checkpoint is not None:
        receipt_key = public_key(arguments.receipt_key, "--receipt-key")
        checkpoint, found = _countersigned(arguments.checkpoint, receipt_key, file, report)
        faults += found
    if arguments.json:
        print(json.dumps(_as_json(file, report, faults, checkpoint)))
    else:
        _tell(file, report, faults, checkpoint)
    return WRONG if faults else OK


def find_faults(file: LedgerFile, report: Report) -> list[Fault]:
    """Return everything that is wrong with a ledger by itself, in the order of the file."""
    found = [(problem.index, problem.what) for problem in report.problems]
    found += _broken_stories(file, report.entries)
    faults = [
        Fault(index, file.offsets[index], what) for index, what in sorted(found, key=itemgetter(0))
    ]
    if not file.size:
        faults.append(Fault(None, 0, "the file is empty; a ledger begins with a BOOT entry"))
    if file.tail:
        faults.append(Fault(None, file.good, file.after_entries))
    return faults


def _broken_stories(file: LedgerFile, entries: Sequence[SignedEntry]) -> list[tuple[int, str]]:
    """Entries that lean on one that is not there, or that nobody could have written."""
    index = file.index
    kinds = {signed.digest: signed.entry.type for signed in entries}
    wrong: list[tuple[int, str]] = []

    def must_follow(signed: SignedEntry, digest: bytes, kind: EntryType) -> None:
        # One that could not be opened is a fault of its own, not of those that lean on it.
        earlier = digest in index and index[digest] < index[signed.digest]
        if not earlier or kinds.get(digest, kind) is not kind:
            what = f"{signed.entry.type} without the {kind} entry that it names before it"
            wrong.append((index[signed.digest], what))

    for signed in entries:
        if signed.entry.type not in events.BODIES:
            continue
        try:
            body = events.body_of(signed.entry)
        except FormatError as e:
            wrong.append((index[signed.digest], str(e)))
            continue
        match body:
            case events.Intent(consent=consent):
                must_follow(signed, consent, EntryType.CONSENT)
            case events.Sealed(intent=intent):
                must_follow(signed, intent, EntryType.INTENT)
    return wrong


def _countersigned(
    path: Path, key: PublicKey, file: LedgerFile, report: Report
) -> tuple[Checkpoint | None, list[Fault]]:
    raw = read_file(path, limit=MAX_ENTRY, what="a checkpoint")
    try:
        checkpoint = open_checkpoint(raw, [key])
    except VerificationError as e:
        return None, [Fault(None, 0, f"the checkpoint: {e}")]
    problem = check_covered(report.entries, checkpoint)
    if problem is None or not report.entries:
        return checkpoint, []
    ours = report.entries[-1].entry
    if (ours.device, ours.ledger) != (checkpoint.device, checkpoint.ledger):
        return checkpoint, [Fault(None, 0, problem.what)]
    if problem.index == len(report.entries):
        return checkpoint, [Fault(None, file.good, problem.what)]
    at = file.index[report.entries[problem.index].digest]
    return checkpoint, [Fault(at, file.offsets[at], problem.what)]


def _tell(
    file: LedgerFile, report: Report, faults: Sequence[Fault], checkpoint: Checkpoint | None
) -> None:
    head = report.head
    if head is not None:
        first, last = report.entries[0].entry, head.entry
        print(f"ledger {last.ledger.hex()} of device {last.device}: {len(file.raws)} entries,")
        print(f"{moment(first.wall_ms)} to {moment(last.wall_ms)} by the device's clock")
    for line in _fault_lines(faults):
        print(plain(line))
    if file.raws and not report.entries:
        print("  not one entry could be checked; is the key that of this device?")
    if checkpoint is not None:
        print(f"the hospital countersigned up to entry {checkpoint.seq}", end=" ")
        print(f"on {moment(checkpoint.time_ms)}")
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        print(f"DOES NOT HOLD: {count}")
    elif head is not None:
        print(f"HOLDS up to entry {head.entry.seq}, {head.digest.hex()}")


def _fault_lines(faults: Sequence[Fault]) -> list[str]:
    """One line for each fault; a run of entries with the same fault shares one."""
    lines = []
    for what, run in groupby(faults, key=lambda fault: fault.what):
        first, *others = run
        if first.entry is None:
            place = f"byte {first.byte}"
        elif others:
            place = f"entries {first.entry} to {others[-1].entry} (from byte {first.byte})"
        else:
            place = f"entry {first.entry} (byte {first.byte})"
        lines.append(f"  {place}: {what}")
    return lines


def _as_json(
    file: LedgerFile, report: Report, faults: Sequence[Fault], checkpoint: Checkpoint | None
) -> dict[str, object]:
    head = report.head
    return {
        "file": str(file.path),
        "holds": not faults,
        "device": head.entry.device if head else None,
        "ledger": head.entry.ledger.hex() if head else None,
        "entries": len(file.raws),
        "head": {"seq": head.entry.seq, "digest": head.digest.hex()} if head else None,
        "torn_bytes": len(file.tail) if file.torn else 0,
        "countersigned": (
            {"seq": checkpoint.seq, "time_ms": checkpoint.time_ms} if checkpoint else None
        ),
        "faults": [{"entry": f.entry, "byte": f.byte, "what": f.what} for f in faults],
    }
