"""What happens in the container: a gateway's keys become credentials, and a unit is handed them.

Run by the service manager in there, as root. Leaves ``results.json``; test_gateway_keys.py judges.
"""

import json
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from cli import pki
from cli.__main__ import main
from gateway import config as configuration
from gateway.keyring.keys import GatewayKeys
from tests.systemd.container import CHECKOUT, MOVED_PYTHON, STARTED
from wire.hpke import SuiteName

OUT = Path("/out")
ETC = Path("/etc/wardseal-gateway")
UNIT = Path("/etc/systemd/system/keys-test.service")
SAID = Path("/run/keys-test")
SECRET = Path("/var/lib/systemd/credential.secret")
PYTHON = Path("/usr/lib/wardseal/venv")
USER = "nobody"

ASK = """\
import json, os, sys
from pathlib import Path
from gateway import config
from gateway.keyring.keys import GatewayKeys, handed_over, secrets
settings = config.load(Path(sys.argv[1]))
keys = GatewayKeys.load(settings.keys)
print(json.dumps({
    "user": os.getuid(),
    "epochs": [epoch.number for epoch in keys.epochs],
    "openings": [key.public.kid.hex() for key in keys.openings],
    "receipt": keys.receipt.public.kid.hex(),
    "handed": [one.handed for one in secrets(settings.keys.opening, os.environ)],
    "tls": handed_over(settings.broker.key, os.environ).exists(),
}))
"""

results: dict[str, Any] = {}


def start() -> int:
    """Start the unit once; return what systemctl ends with."""
    return subprocess.run(["systemctl", "start", UNIT.name], capture_output=True).returncode


def lay_out() -> Path:
    """Keys of two epochs, and a unit as docs/howto/keys.md has it."""
    site = pki.init(Path("/root/keys"), site="test", suite=SuiteName.P256)
    config = site.gateway / "gateway.toml"
    assert main(["keys", "rotate", str(site.folder), "--config", str(config), "--receipt"]) == 0
    shutil.copytree(site.gateway, ETC)
    ETC.chmod(0o755)
    for path in ETC.glob("*.key"):
        shutil.chown(path, USER)
    (library,) = (PYTHON / "lib").glob("python*/site-packages")
    shutil.copytree(CHECKOUT / "gateway", library / "gateway")
    (ETC / "ask.py").write_text(ASK)
    UNIT.write_text(
        "[Service]\nType=oneshot\n"
        f"User={USER}\n"
        f"Environment=LD_LIBRARY_PATH={MOVED_PYTHON}/lib\n"
        "LoadCredentialEncrypted=wardseal:/etc/wardseal/encrypted\n"
        f"ExecStart={PYTHON}/bin/python -P {ETC}/ask.py {ETC}/gateway.toml\n"
        f"StandardOutput=truncate:{SAID}\n"
    )
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    return ETC / "gateway.toml"


def happen() -> None:
    config = lay_out()
    before = GatewayKeys.load(configuration.load(Path("/root/keys/gateway/gateway.toml")).keys, {})
    results["before"] = {
        "epochs": [epoch.number for epoch in before.epochs],
        "openings": [key.public.kid.hex() for key in before.openings],
        "receipt": before.receipt.public.kid.hex(),
    }
    words = ["keys", "encrypt", "--config", str(config), "--to", "/etc/wardseal/encrypted"]
    results["encrypted"] = main([*words, "--with-key", "host"])
    results["left in the clear"] = sorted(path.name for path in ETC.glob("*.key"))
    results["started"] = start()
    results["handed"] = json.loads(SAID.read_text() or "{}")
    SECRET.rename("/root/secret-of-this-machine")
    results["started on another machine"] = start()


if __name__ == "__main__":
    (OUT / STARTED).touch()
    try:
        happen()
    except BaseException:  # noqa: BLE001  the test tells it
        results["broke off"] = traceback.format_exc()
    (OUT / "results.json").write_text(json.dumps(results))
    with (OUT / "journal").open("wb") as journal:
        subprocess.run(["journalctl", "--no-pager"], stdout=journal)
    sys.exit(0)
