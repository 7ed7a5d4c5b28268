"""``wardseal pki``: makes the keys and says, file by file, what they are and where they belong."""

from argparse import Namespace
from pathlib import Path
from typing import Final

from cli import pki
from wire.hpke import SuiteName

_SITE: Final = """\
The keys of site {site} are in {folder}:

offline/        INTO A SAFE, then delete it here. Nothing on the ward or at the gateway needs it.
  root.key        signs the list of keys that devices believe; its loss means enrolling all anew
  recovery.key    opens EVERY photo of this site, should the gateway's key be lost
  ca.key, ca.crt  certifies who may connect to the broker; needed again for each new device
gateway/        onto the gateway's machine, and nowhere else
  opening.key     opens every photo
  receipt.key     signs that a photo is in the record: whoever has it can make devices wipe
  tls.key         connects to the broker as {user} (with tls.crt)
  devices/        the registry: one file for each device that may send
  gateway.toml    settings to start from
broker/         onto the broker's machine
  tls.key         the broker's own identity (with tls.crt), for {hosts}
public, may be anywhere (copies lie where they are needed)
  root.pub        what every device is pinned to
  receipt.pub     checks receipts and countersigned ledgers
  keyset.cose     epoch 1: seal photos to opening.key and recovery.key ({suite}), until {end}
  ca.crt          the broker's certificate authority

Next:  wardseal pki device {folder} ward-a-1 --bed "A1"
"""

_DEVICE: Final = """\
The device {name} is registered ({entry}).
Its bundle is in {bundle}; take it to the device by hand, then delete it here:

  device.key      SECRET: signs the device's ledger and with it every photo
  tls.key         SECRET: connects to the broker as {name} (with tls.crt)
  device.pub      checks this device's ledger; keep a copy for  wardseal ledger verify
  root.pub        what the device is pinned to
  keyset.cose     which hospital keys it seals photos to
  ca.crt          the broker's certificate authority
  appliance.toml  settings to start from

Next:  wardseal check --role panel --config {bundle}/appliance.toml
"""


def init(arguments: Namespace) -> int:
    """``pki init``."""
    folder: Path = arguments.folder
    suite = SuiteName(arguments.suite)
    site = pki.init(folder, site=arguments.site, suite=suite, hosts=arguments.host)
    print(
        _SITE.format(
            site=arguments.site,
            folder=site.folder,
            user=pki.GATEWAY_USER,
            hosts=", ".join(dict.fromkeys((*arguments.host, *pki.LOCAL))),
            suite=suite,
            end=pki.keyset_end(site),
        ),
        end="",
    )
    return 0


def device(arguments: Namespace) -> int:
    """``pki device``."""
    site = pki.Site(arguments.folder, arguments.offline)
    bundle = pki.device(site, arguments.id, bed=arguments.bed)
    entry = site.registry / f"{arguments.id}.toml"
    print(_DEVICE.format(name=arguments.id, entry=entry, bundle=bundle), end="")
    return 0
