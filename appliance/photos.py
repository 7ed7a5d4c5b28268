"""A photo's life after CAPTURE, as the nurse may be told of it."""

from enum import StrEnum


class Stage(StrEnum):
    """How far a photo has come; each is shown only when it is true."""

    TAKEN = "taken"
    SEALED = "sealed"
    RELEASED = "released"
    SENT = "sent"
    FILED = "filed"
    HELD = "held"
    REJECTED = "rejected"
    UNDONE = "undone"
    LOST = "lost"
