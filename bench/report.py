"""Tables in docs/bench.md: each bench owns the part between its two markers and leaves the rest."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "bench.md"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a markdown table; every column but the first is set right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def machine() -> str:
    """Return one sentence about where and when this was measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "Model"))
        ),
        platform.machine(),
    )
    today = datetime.now(UTC).date()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{today}, {model}, {os.cpu_count()} cores, {system}."


def keep(section: str, text: str, page: Path = PAGE) -> None:
    """Put ``text`` between the markers of ``section``, which are made when they are missing."""
    first, last = f"<!-- {section} -->", f"<!-- /{section} -->"
    old = page.read_text() if page.exists() else "# Measured\n"
    if first not in old:
        old = f"{old.rstrip()}\n\n{first}\n{last}\n"
    before, _, rest = old.partition(first)
    _, _, after = rest.partition(last)
    page.write_text(f"{before}{first}\n{text.strip()}\n{last}{after}")
