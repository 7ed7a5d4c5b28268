"""``wardseal labels``: a sheet of disposable labels, to print and lay beside a wound."""

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from base.errors import FormatError
from cli.label_sheet import SHEETS, Wanted, pdf
from cli.label_words import SIDES, SITES
from cli.outcome import OK, UsageError
from wire.label import Code

_MOST_COPIES: Final = 1000
_MOST_LABELS: Final = 5000
_LONGEST_NAME: Final = 40


def labels(options: Namespace) -> int:
    """Write the PDF, or tell the sites that have names of their own in every language."""
    if options.sites:
        for code, names in SITES.items():
            print(f"{code:<10} {names[options.language]}")
        sides = ", ".join(f"{side} = {words[options.language]}" for side, words in SIDES.items())
        print(f"\n{sides}")
        return OK
    sheet = SHEETS[options.sheet]
    wanted = list(_wanted(_texts(options)))
    if not wanted:
        raise UsageError("say which labels: wardseal labels 'W1 HEEL L' SACRUM -o labels.pdf")
    if not 1 <= options.copies <= _MOST_COPIES:
        raise UsageError(f"--copies: use 1 to {_MOST_COPIES}")
    if len(wanted) * options.copies > _MOST_LABELS:
        raise UsageError(f"these are more than {_MOST_LABELS} labels; print them in several files")
    if not 0 <= options.skip < sheet.places:
        raise UsageError(f"--skip: a sheet of this kind has {sheet.places} labels")
    out: Path = options.output
    if out.exists() and not options.force:
        raise UsageError(f"{out} exists; --force replaces it")
    all_of_them = [label for label in wanted for _ in range(options.copies)]
    made = pdf(sheet, all_of_them, options.language, skip=options.skip)
    try:
        out.write_bytes(made)
    except OSError as e:
        raise UsageError(f"{out} cannot be written: {e.strerror}") from e
    pages = -(-(len(all_of_them) + options.skip) // sheet.places)
    print(f"{out}: {len(all_of_them)} labels on {pages} pages, {sheet.words}")
    print('Print at 100 % ("actual size"); the line at the foot of each page must be 100 mm long.')
    return OK


def _texts(options: Namespace) -> Iterable[str]:
    yield from options.label
    if options.list is None:
        return
    try:
        lines = options.list.read_text().splitlines()
    except OSError as e:
        raise UsageError(f"{options.list} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{options.list} is not UTF-8 text") from e
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                Code.of(text.partition("=")[0].strip())
            except FormatError as e:
                raise UsageError(f"{options.list}, line {number}: {e}") from e
            yield text


def _wanted(texts: Iterable[str]) -> Iterable[Wanted]:
    for text in texts:
        words, _, name = (part.strip() for part in text.partition("="))
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise UsageError(f"a site's name has at most {_LONGEST_NAME} letters: {name[:60]!r}")
        yield Wanted(Code.of(words), name or None)
