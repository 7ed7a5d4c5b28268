"""Keys that the service manager hands to one role (systemd.exec(5), LoadCredential=).

On the device the private keys lie in files that only root can open. The manager reads them and
puts a copy where one role alone can see it, in memory that is never swapped out; it may also
decrypt them, with the machine's TPM. ``CREDENTIALS_DIRECTORY`` says where. So one settings file
serves all roles and a shell alike: a key that was handed over goes before the file it names.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.config import ApplianceConfig

SIGNING: Final = "device.key"
"""The credential that stands in for ``keys.signing``; the panel's alone."""

TLS: Final = "tls.key"
"""The credential that stands in for ``broker.key``; the uplink's alone."""


def handed_over(config: ApplianceConfig, environ: Mapping[str, str]) -> ApplianceConfig:
    """Return ``config`` with the paths of those keys that this process was handed."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return config
    signing, tls = Path(folder) / SIGNING, Path(folder) / TLS
    return replace(
        config,
        keys=replace(config.keys, signing=signing) if signing.exists() else config.keys,
        broker=replace(config.broker, key=tls) if tls.exists() else config.broker,
    )
