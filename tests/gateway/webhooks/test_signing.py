"""Signatures are those of Standard Webhooks; secrets that are none are refused in words."""

from pathlib import Path

import pytest

from base.errors import ConfigError, EnvironmentProblem
from gateway.webhooks import signing

# The vector of the Standard Webhooks libraries' own tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def secret(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "webhook.secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_published_vector_is_signed_the_same(tmp_path: Path) -> None:
    keys = signing.keys_in(secret(tmp_path, SECRET), "webhook.secret")
    headers = signing.headers(
        keys, id_="msg_p5jXN8AQM9LWM0D4loKWxJek", at_seconds=1614265330, body=BODY
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_while_a_secret_changes_both_sign(tmp_path: Path) -> None:
    new = "whsec_" + "QUJD" * 11
    keys = signing.keys_in(secret(tmp_path, f"{new}\n{SECRET}\n"), "webhook.secret")
    headers = signing.headers(
        keys, id_="msg_p5jXN8AQM9LWM0D4loKWxJek", at_seconds=1614265330, body=BODY
    )
    first, second = headers["webhook-signature"].split(" ")
    assert second == SIGNATURE and first != second


@pytest.mark.parametrize(
    "text", ["", "hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", "whsec_" + "QUJD" * 30, "é"]
)
def test_what_is_no_secret_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^webhook\.secret: .*openssl rand") as caught:
        signing.keys_in(secret(tmp_path, text), "webhook.secret")
    assert "hunter2" not in str(caught.value)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        signing.keys_in(secret(tmp_path, SECRET, 0o640), "webhook.secret")
