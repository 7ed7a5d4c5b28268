"""How long a neighbour may take to answer, and what is said when it does not."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx2

from base.errors import EnvironmentProblem

_ANSWERS_WITHIN: Final = 60.0
_LAST_WORDS: Final = 400


def wait_until(answers: Callable[[], bool], who: str, log: Path) -> None:
    """Return when it answers; EnvironmentProblem has the end of what it wrote into ``log``."""
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while not answers():
        if time.monotonic() > deadline:
            raise EnvironmentProblem(f"{who} does not answer; {last_words(log)}")
        time.sleep(0.02)


def last_words(log: Path) -> str:
    """What a process wrote last, as the end of a sentence."""
    said = log.read_text(errors="replace").strip()[-_LAST_WORDS:] if log.exists() else ""
    return f"it said: {said}" if said else "it said nothing"


def fetch(url: str, accept: str = "*/*") -> httpx2.Response:
    """GET from a neighbour on this machine."""
    return httpx2.get(url, headers={"accept": accept}, trust_env=False, timeout=30)
