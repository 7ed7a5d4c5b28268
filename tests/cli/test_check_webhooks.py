"""The doctor says which receivers have not been told everything, and why."""

import base64
from pathlib import Path

from cli import check_webhooks
from cli.findings import State
from gateway import config as configuration
from gateway.store import open_sqlite
from gateway.webhooks.outbox import Outbox

HOOK = '[[webhook]]\nurl = "https://a.example/x"\nsecret = "webhook.secret"\n'


def found(folder: Path, text: str = HOOK) -> dict[str, tuple[State, str]]:
    file = folder / "gateway.toml"
    file.write_text(f'[broker]\nhost = "127.0.0.1"\n{text}')
    looked = check_webhooks.look(configuration.load(file))
    return {one.name: (one.state, one.says) for one in looked}


def test_webhooks_are_told_by_name_secret_and_what_waits(tmp_path: Path) -> None:
    assert "cannot read" in found(tmp_path)["webhook webhook"][1]
    secret = tmp_path / "webhook.secret"
    secret.write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
    secret.chmod(0o600)
    assert found(tmp_path) == {"webhook webhook": (State.OK, "has been told everything")}
    (tmp_path / "state").mkdir()
    store = open_sqlite(tmp_path / "state" / "gateway.db")
    hooks = configuration.load(tmp_path / "gateway.toml").webhook
    outbox = Outbox(hooks, clock=lambda: 1_800_000_000_000, ring=lambda _: None)
    with store.begin() as session:
        outbox.announce(session, "filed", device="d", photo="0" * 64, number=1)
    state, says = found(tmp_path)["webhook webhook"]
    assert state is State.OK
    assert says == "1 event waits since 2027-01-15 08:00 UTC; to be sent soon"
    with store.begin() as session:
        session.connection().exec_driver_sql("update webhook_outbox set problem = 'it is away'")
    store.close()
    state, says = found(tmp_path)["webhook webhook"]
    assert state is State.BROKEN and says.endswith("UTC: it is away")
    state, says = found(tmp_path, "")["webhook webhook"]
    assert state is State.BROKEN and "no [[webhook]] has this name" in says
