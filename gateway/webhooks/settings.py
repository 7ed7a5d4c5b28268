"""Who is told of what: one ``[[webhook]]`` section for each receiver.

[[webhook]]
url = "https://integration.hospital.example/wardseal"
secret = "webhook.secret"
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from base.errors import ConfigError
from gateway.filing.settings import PeerSettings

Happening = Literal["filed", "held", "undone", "rejected", "moved"]
"""The first four are what a receipt says; ``moved``: a photo is another patient's now."""
USUAL: Final[tuple[Happening, ...]] = ("filed", "held", "undone")


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(PeerSettings):
    """A receiver of webhooks; ``url`` is where they are posted to.

    ``secret``: a file with the key that requests are signed with (``whsec_…``, one a line: each
    signs, so that a receiver may change from one to the next). ``events``: what it is told of.
    """

    name: str = "webhook"
    secret: Path
    events: tuple[Happening, ...] = USUAL
    timeout_seconds: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.events or len(set(self.events)) != len(self.events):
            raise ConfigError("events", "name each event once, and at least one")


def check_names(hooks: tuple[WebhookSettings, ...]) -> None:
    """Raise ConfigError unless every receiver has a name of its own."""
    names = [hook.name for hook in hooks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError("webhook.name", f"{name!r} names two receivers; give each its own")
