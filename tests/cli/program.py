"""The real program as a process, as somebody at a terminal meets it."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = [sys.executable, "-P", "-m", "cli"]


def wardseal(
    *words: str | Path, where: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``wardseal`` to its end; whatever it was given, nobody may see a traceback."""
    done = subprocess.run(
        [*PROGRAM, *map(str, words)],
        cwd=where,
        env={**os.environ, "COLUMNS": "100"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "fault of Wardseal's own" not in done.stderr, done.stderr
    return done
