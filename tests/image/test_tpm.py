"""Keys that a stolen card does not give away: the howto's "Keys in a TPM", done in the device."""

import pytest

from cli.virtual_site import VirtualSite
from tests.image.hospital import PANEL, UPLINK, book, show, wait_until_ready
from tests.image.machine import Machine
from tests.waiting import until

pytestmark = pytest.mark.image

KEYS = {PANEL: "device.key", UPLINK: "tls.key"}


def test_P7_the_device_works_with_keys_that_only_its_own_TPM_can_open(
    machine: Machine, site: VirtualSite
) -> None:
    wait_until_ready(machine)
    before = len(book(machine, site).entries)
    assert machine.shell("systemd-creds has-tpm2 || true").splitlines()[0] in {"yes", "partial"}
    for unit, name in KEYS.items():
        kept = f"/var/lib/wardseal/{name}.cred"
        machine.shell(
            f"systemd-creds encrypt --with-key=tpm2 --name={name} /etc/wardseal/{name} {kept}"
        )
        dropin = f"[Service]\nLoadCredential=\nLoadCredentialEncrypted={name}:{kept}\n"
        machine.write(f"/run/systemd/system/{unit}.d/60-key.conf", dropin.encode())
        # As on a card that has only the encrypted one.
        machine.shell(f"mount --bind /dev/null /etc/wardseal/{name}")
    pids = {unit: show(machine, unit, "MainPID") for unit in KEYS}
    machine.shell("systemctl daemon-reload; systemctl restart --no-block wardseal.target")
    machine.shell(f"systemctl restart --no-block {PANEL} {UPLINK}")
    for unit, pid in pids.items():
        until(lambda u=unit, p=pid: show(machine, u, "MainPID") not in {"0", p}, 120, unit)  # type: ignore[misc]
    wait_until_ready(machine)
    ledger = book(machine, site)
    assert len(ledger.entries) > before, "it signs"
    assert not ledger.problems
