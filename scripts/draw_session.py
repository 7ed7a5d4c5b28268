"""Draws docs/session.md from the tables that the device runs on.

python scripts/draw_session.py            write it
python scripts/draw_session.py --check    exit 1 when the committed page is out of date
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from appliance import answers  # noqa: E402
from appliance.hands import Gesture  # noqa: E402
from appliance.photos import LIFE  # noqa: E402
from appliance.state import Mode  # noqa: E402
from appliance.table import TABLE  # noqa: E402

PAGE: Final = ROOT / "docs" / "session.md"

_HEAD: Final = """# The session: what every press leads to

This page is drawn from `appliance/table.py` and `appliance/photos.py` by
`scripts/draw_session.py`; a test fails when it is out of date. The theory is in
`appliance/session.py`, the reasons are in
[decision 0020](decisions/0020-session-table.md), the screens in [screens.md](screens.md).

CONSENT acts when it is let go, and only if CAPTURE was up all the while. CAPTURE acts when it
goes down. Whatever was held means nothing more when it is let go.

## Modes

```mermaid
stateDiagram-v2
    direction LR
    [*] --> IDLE
"""
_TABLE: Final = """```

## The table

In each mode the first row that fits is taken; what has no row means nothing there.

"""
_PHOTO: Final = """
## A photo's life after CAPTURE

A report that is not drawn here changes nothing, so reports may come late, twice or in any
order and the screen never goes back behind what is proven. UNDO is a wish beside the stage: a
photo that was not released is wiped, a released one says `UNDO SENT` until the hospital has
acknowledged it.

```mermaid
stateDiagram-v2
    direction LR
    [*] --> TAKEN
"""


_REFUSALS: Final = (answers.refuse, answers.cannot_log, answers.nothing_there)


def _name(mode: Mode) -> str:
    return mode.value.replace(" ", "_")


def _arrows() -> Iterator[str]:
    """One arrow between two modes for all that leads from one to the other."""
    for mode, rows in TABLE.items():
        for then in Mode:
            cues = []
            for row in rows:
                label = row.cue.value
                if row.cue is Gesture.CAPTURE and "_MENU" in _name(mode):
                    # Mermaid takes no second colon in a label.
                    label = (row.when.__doc__ or "").rstrip(".").replace("UNDO 14:03", "UNDO")
                here = row.then is then and row.then is not mode
                if here and row.do not in _REFUSALS and label not in cues:
                    cues.append(label)
            if cues:
                yield f"    {_name(mode)} --> {_name(then)}: {', '.join(cues)}"


def _rows(mode: Mode) -> Iterator[str]:
    yield f"### {mode.value.title()}"
    yield ""
    yield "| on | if | do | screen | then |"
    yield "|---|---|---|---|---|"
    for row in TABLE[mode]:
        guard = "" if row.when is answers.always else (row.when.__doc__ or "").rstrip(".")
        done = (row.do.__doc__ or "").split("\n")[0].rstrip(".")
        shows = f"`{row.shows}`" if row.shows else ""
        then = "" if row.then is mode else row.then.value.lower()
        yield f"| {row.cue.value} | {guard} | {done} | {shows} | {then} |"
    yield ""


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD, "\n".join(_arrows()), "\n", _TABLE]
    parts.append("\n".join(line for mode in Mode for line in _rows(mode)))
    parts.append(_PHOTO)
    for stage, nexts in LIFE.items():
        parts += [f"    {stage.value} --> {to.value}\n" for to in nexts]
    parts.append("    FILED --> [*]\n    UNDONE --> [*]\n```\n")
    return "".join(parts)


def main() -> int:
    """Write, or compare."""
    if "--check" in sys.argv:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
