"""Sets one report and ends: a process of its own, so that nothing of a patient outlives it.

Typst keeps what it has set in a cache: a reason to give it one life per report, without the
gateway's keys. It is told everything on standard input (JSON, the data of the template) and
writes the PDF to standard output. It never sees the photo: the page is set around a stand-in,
and gateway.report.mounting puts the photo in its place.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Final, Literal

import typst

TEMPLATE: Final = Path(__file__).parent / "report.typ"
_MEMORY: Final = 4 * 1024 * 1024 * 1024
_SECONDS: Final = 60


def typeset(data: dict[str, object]) -> bytes:
    """Return the PDF: PDF/UA-1, or merely tagged where a name has characters no font has."""
    inputs = {"data": json.dumps(data)}
    try:
        return _compile(inputs, "ua-1")
    except RuntimeError as e:
        if "could not be displayed" not in str(e):
            raise
        return _compile(inputs, None)


def _compile(inputs: dict[str, str], standard: Literal["ua-1"] | None) -> bytes:
    done: object = typst.compile(  # type: ignore[type-var]  # of its stub
        TEMPLATE.read_bytes(),
        root=TEMPLATE.parent,
        sys_inputs=inputs,
        pdf_standards=standard,
    )
    assert isinstance(done, bytes)
    return done


def main() -> int:
    """One report from standard input to standard output; 1 with one line when it cannot be set."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    # Typst would start a thread for each processor, and one page has no use for more than two; on
    # a large server they would be more than the unit's TasksMax= lets it have.
    os.environ["RAYON_NUM_THREADS"] = "2"
    try:
        pdf = typeset(json.load(sys.stdin.buffer))
    except (RuntimeError, ValueError, MemoryError) as e:
        sys.stderr.write(f"{' '.join(str(e).split())[:300]}\n")
        return 1
    sys.stdout.buffer.write(pdf)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
