"""What the hospital's processes write to their logs: their own words, and no library's small talk.

Our log lines name photos and devices, nobody else (P9). A library cannot know that: an HTTP
client that tells every address it asks would tell a patient's number with it. So of libraries
only warnings are heard, besides what changes the database.
"""

import logging
import sys
from typing import Final

_OURS: Final = ("__main__", "base", "gateway", "alembic")


def begin(process: str) -> None:
    """Write to standard error; ``process`` is the first word of every line."""
    logging.basicConfig(
        level=logging.WARNING, format=f"{process} %(levelname)s %(message)s", stream=sys.stderr
    )
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
