"""Make the test vectors of this folder; README.md says what they mean.

    python -m tests.vectors.generate            write bases.json, keys.json and cases.jsonl
    python -m tests.vectors.generate --check    exit 1 if they would come out differently
    python -m tests.vectors.sealing             encapsulate the content keys anew (random)

Nothing is imported from the product. What a case expects is said by its author, from docs/spec/;
no case was filled in with what the product happened to answer.
"""

import sys

from tests.vectors import (
    bundles,
    entries,
    envelopes,
    hospital,
    ledgers,
    messages,
    recipients,
    sealing,
    spellings,
)
from tests.vectors.writing import Book, files


def keys() -> list[dict[str, str]]:
    """Every key of the vectors, private halves included: they are for tests alone."""
    signing = [
        {
            "name": key.name,
            "kind": key.kind,
            "secret": key.secret.hex(),
            "public": key.cose.hex(),
            "kid": key.kid.hex(),
        }
        for key in sealing.SIGNING_KEYS
    ]
    recipients = [
        {
            "name": key.name,
            "kind": key.kind,
            "private": key.private_cose.hex(),
            "public": key.cose.hex(),
            "kid": key.kid.hex(),
        }
        for key in sealing.SEALING_KEYS
    ]
    return signing + recipients


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stdout.write(__doc__ or "")
        return 2
    book = Book()
    for chapter in (
        spellings,
        hospital,
        entries,
        ledgers,
        envelopes,
        recipients,
        bundles,
        messages,
    ):
        chapter.write(book)
    made = files(book, keys())
    if arguments == ["--check"]:
        stale = [path.name for path, text in made.items() if path.read_text() != text]
        sys.stdout.write("differs: " + ", ".join(stale) + "\n" if stale else "the same\n")
        return 1 if stale else 0
    for path, text in made.items():
        path.write_text(text)
        sys.stdout.write(f"{path.name}: {len(text)} bytes\n")
    sys.stdout.write(f"{sum(1 for _ in book.lines()) - 1} cases\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
