"""``wardseal ledger show``: what a ledger tells, entry by entry, as it stands in the file."""

import hashlib
import json
import sys
from argparse import Namespace

from base.errors import FormatError, VerificationError
from cli.ledger_file import read_ledger, unverified
from cli.outcome import OK, WRONG
from cli.terminal import moment, plain, readable
from wire import shapes
from wire.ledger import Entry
from wire.ledger_words import Numbers, meaning


def show(arguments: Namespace) -> int:
    """``ledger show``; the exit code says whether every entry could be read, not that it holds."""
    file = read_ledger(arguments.file)
    numbers = Numbers()
    unread = 0
    for index, (raw, at) in enumerate(zip(file.raws, file.offsets, strict=True)):
        digest = hashlib.sha256(raw).digest()
        try:
            entry = unverified(raw)
        except (FormatError, VerificationError) as e:
            unread += 1
            _line(arguments.json, {"entry": index, "byte": at, "unreadable": str(e)})
            continue
        words = meaning(entry, numbers)
        numbers.add(digest, entry.seq)
        if arguments.json:
            print(
                json.dumps({**_fields(entry), "byte": at, "digest": digest.hex(), "words": words})
            )
        else:
            when = f"{moment(entry.wall_ms)} {entry.trust:6}"
            print(f"{entry.seq:6}  {when}  {entry.type:7}  {plain(words)}")
    if file.tail:
        _line(arguments.json, {"byte": file.good, "unreadable": file.after_entries})
    if not arguments.json:
        print(
            "This is what the file says. `wardseal ledger verify` says if it holds.",
            file=sys.stderr,
        )
    return WRONG if unread or file.tail else OK


def _fields(entry: Entry) -> dict[str, object]:
    fields = {name: readable(value) for name, value in shapes.to_map(entry).items()}
    return {**fields, "time": moment(entry.wall_ms)}


def _line(as_json: bool, found: dict[str, object]) -> None:
    if as_json:
        print(json.dumps(found))
        return
    place = f"entry {found['entry']}, byte" if "entry" in found else "byte"
    print(f"     ?  {place} {found['byte']}: {plain(str(found['unreadable']))}")
