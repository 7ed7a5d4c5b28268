"""Talking to a person at a terminal, and to nobody when the output goes elsewhere.

Text that came from a file is never printed as it is: a ledger or an envelope may come from a
device that somebody has taken over, and control characters can rewrite what a terminal shows.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO, TypeVar

from base.errors import FormatError
from cli.outcome import UsageError

T = TypeVar("T")

_PIECE: Final = 1 << 20


def plain(text: str) -> str:
    """Return ``text`` with everything that is not printable spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def moment(ms: int) -> str:
    """Return milliseconds since 1970 as a UTC time that sorts as text."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"  # a clock can be wrong by more than a calendar holds


def readable(value: object) -> object:
    """Return a CBOR value as JSON has it: byte strings as hexadecimal digits."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {str(key): readable(item) for key, item in value.items()}
        case list() | tuple():
            return [readable(item) for item in value]
    return value


def progress(
    items: Iterable[T],
    total: int,
    what: str,
    *,
    stream: TextIO | None = None,
    every_seconds: float = 0.2,
) -> Iterator[T]:
    """Yield ``items``; on a terminal, say now and then how far it has got, in one line."""
    stream = stream or sys.stderr
    due = time.monotonic() + 2 * every_seconds if stream.isatty() else float("inf")
    said = False
    for done, item in enumerate(items):
        if time.monotonic() >= due:
            due = time.monotonic() + every_seconds
            said = True
            print(f"\r{what}: {done} of {total} ", end="", file=stream, flush=True)
        yield item
    if said:
        print("\r\033[K", end="", file=stream, flush=True)


def read_file(path: Path, *, limit: int, what: str) -> bytes:
    """Return a file that was named on the command line; UsageError or FormatError in words."""
    data = bytearray()
    try:
        with path.open("rb", buffering=0) as file:
            # Piece by piece: it may be a pipe, whose length nobody knows.
            while len(data) <= limit and (piece := file.read(_PIECE)):
                data += piece
    except OSError as e:
        raise UsageError(f"cannot read {what} {path}: {e.strerror}") from e
    if len(data) > limit:
        raise FormatError(f"{path} is too long: {what} has at most {limit:,} bytes")
    return bytes(data)
