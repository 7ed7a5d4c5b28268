"""A hospital whose keys are rotated, by the commands that people use."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from gateway import config as configuration
from gateway.keyring.keys import GatewayKeys
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from wire import events, messages, topics
from wire.keyset import SignedKeyset, check_follows, open_keyset
from wire.messages import Receipt


def keys(hospital: Hospital, command: str, *words: str | Path, code: int = 0) -> None:
    """``wardseal keys COMMAND`` at this hospital's gateway."""
    known = ["--config", str(hospital.config_file)] if command != "sign" else []
    assert main(["keys", command, *map(str, words), *known]) == code


def rotate(hospital: Hospital, *words: str) -> SignedKeyset:
    """New keys, with the root at hand; the gateway starts again with them."""
    keys(hospital, "rotate", hospital.site.folder, *words)
    hospital.reopen()
    return held(hospital).keyset


def held(hospital: Hospital) -> GatewayKeys:
    return GatewayKeys.load(configuration.load(hospital.config_file).keys, {})


def status(hospital: Hospital, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    keys(hospital, "status", "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def take_keyset(hospital: Hospital, device: Device) -> None:
    """The device gets what lies at the broker, checks it as a panel does, and enters it."""
    topic, here = topics.down(device.name, "keyset"), held(hospital)
    newest = here.keyset.raw
    hospital.until(lambda: hospital.kept_at_broker.get(topic) == newest, 10, "the newest keyset")
    offered = open_keyset(newest, (here.root,))
    check_follows(offered, device.keyset)
    device.keyset = offered
    device.write(events.KeysetInUse(offered.keyset.epoch, offered.hash))


def start_ledger(device: Device) -> None:
    """What every device's ledger begins with."""
    device.write(events.Boot("test", "start"))
    device.write(events.KeysetInUse(device.keyset.keyset.epoch, device.keyset.hash))


def sync(hospital: Hospital, device: Device) -> None:
    """Bring the device's whole ledger to the hospital."""
    at = 0
    while at < len(device.entries):
        at = hospital.sync(device, device.batch(at, at + 32)).next


def believed(hospital: Hospital, device: Device, photo: Photo) -> Receipt:
    """The last receipt for a photo, if the device believes it by the keyset that it has."""
    signed = [m for _, m in hospital.sent if isinstance(m, messages.Signed)]
    raw = [one.receipt for one in signed if one.photo == photo.id][-1]
    return messages.open_receipt(raw, device.keyset.keyset.receipt_keys, device=device.name)
