"""What docs/howto/api.md shows works: the settings are read, the ten lines verify a request."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from gateway import config as configuration
from gateway.webhooks import signing

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "api.md").read_text()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def shown(language: str) -> list[str]:
    return re.findall(rf"(?s)```{language}\n(.*?)```", PAGE)


def test_the_settings_on_the_page_are_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[broker]\nhost = "broker"\n{shown("toml")[0]}')
    (hook,) = configuration.load(file).webhook
    assert hook.events == ("filed", "held", "undone")


def test_the_ten_lines_on_the_page_tell_genuine_from_forged(tmp_path: Path) -> None:
    room: dict[str, Any] = {}
    exec(shown("python")[0], room)  # noqa: S102  # what integrators would paste
    event_id, now = room["event_id"], int(time.time())
    (secret := tmp_path / "webhook.secret").write_text(SECRET)
    secret.chmod(0o600)
    keys = signing.keys_in(secret, "webhook.secret")
    body = b'{"type": "photo.filed"}'
    genuine = signing.headers(keys, id_="msg_1", at_seconds=now, body=body)
    assert event_id(genuine, body, SECRET) == "msg_1"
    both = {**genuine, "webhook-signature": f"v1,AAAA {genuine['webhook-signature']}"}
    assert event_id(both, body, SECRET) == "msg_1"
    stale = signing.headers(keys, id_="msg_1", at_seconds=now - 301, body=body)
    for headers, sent in (
        (genuine, body + b" "),
        ({**genuine, "webhook-id": "msg_2"}, body),
        ({**genuine, "webhook-timestamp": str(now + 1)}, body),
        (stale, body),
    ):
        with pytest.raises(ValueError, match=r"not signed|too old"):
            event_id(headers, sent, SECRET)
