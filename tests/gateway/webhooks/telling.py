"""Settings with a webhook, and waiting for what it brings."""

import base64
from pathlib import Path
from typing import Any

from gateway import config as configuration
from gateway.webhooks.settings import WebhookSettings
from tests.gateway.bedside import Photo
from tests.gateway.hospital import Hospital
from tests.gateway.webhooks.receiver import Receiver

KEY = bytes(range(32))


def settings(folder: Path, receiver: Receiver, **changes: Any) -> dict[str, dict[str, Any]]:
    """One webhook that is told of everything."""
    secret = folder / "webhook.secret"
    secret.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
    secret.chmod(0o600)
    usual = {
        "url": receiver.url,
        "secret": str(secret),
        "events": ["filed", "held", "undone", "rejected", "moved"],
        "timeout_seconds": 1,
    }
    return {"[webhook]": {**usual, **changes}}


def configured(hospital: Hospital, receiver: Receiver) -> tuple[WebhookSettings, ...]:
    hospital.write_config(settings(hospital.folder, receiver))
    return configuration.load(hospital.config_file).webhook


def told(hospital: Hospital, receiver: Receiver, photo: Photo, *what: str) -> None:
    hospital.until(lambda: receiver.told(photo.hex) == list(what), 30, f"{what}")


def arrived(hospital: Hospital) -> None:
    waits = "select problem from webhook_outbox where delivered_ms is null"
    hospital.until(lambda: not hospital.rows(waits), 30, "everything to arrive")
