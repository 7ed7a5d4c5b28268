"""Devices are told of a new keyset: once every gateway can open what they will seal to it."""

import pytest

from base.errors import ConfigError
from tests.gateway.bedside import Device
from tests.gateway.hospital import Hospital
from tests.gateway.rotating import held, rotate, start_ledger, sync, take_keyset
from wire import messages, topics


def told(hospital: Hospital, device: Device) -> int | None:
    """The epoch that lies at the broker for a device."""
    raw = hospital.kept_at_broker.get(topics.down(device.name, "keyset"))
    return next((e.number for e in held(hospital).epochs if e.signed.raw == raw), None)


def online(hospital: Hospital, device: Device, session: int) -> None:
    hospital.hear(device.name, "state", messages.State(True, device.boot, session))


def test_a_new_keyset_is_left_at_the_broker_for_each_device_until_its_ledger_has_it(
    hospital: Hospital, device: Device
) -> None:
    start_ledger(device)
    sync(hospital, device)
    other = hospital.enrol("ward3-bed13", "revoked")
    hospital.look_around()
    online(hospital, device, 1)
    sync(hospital, device)
    assert hospital.kept_at_broker == {}, "it has the newest"

    rotate(hospital)
    hospital.until(lambda: told(hospital, device) == 2, 10, "the new keyset")
    assert told(hospital, other) is None, "a revoked device is told nothing"
    take_keyset(hospital, device)
    assert device.keyset == held(hospital).keyset

    hospital.kept_at_broker.clear()
    online(hospital, device, 2)
    hospital.until(lambda: told(hospital, device) == 2, 10, "it is told again when it connects")
    sync(hospital, device)
    hospital.kept_at_broker.clear()
    online(hospital, device, 3)
    hospital.look_around()
    sync(hospital, device)
    assert hospital.kept_at_broker == {}


def test_P5_no_device_is_told_before_every_gateway_that_lives_has_the_keys(
    hospital: Hospital, device: Device
) -> None:
    with_old_keys = "insert into gateway_epochs values ('gateway-2', 1, 1, {})"
    hospital.change(with_old_keys.format(2**60))
    rotate(hospital)
    start_ledger(device)
    sync(hospital, device)
    assert told(hospital, device) is None
    hospital.change("update gateway_epochs set epoch = 2 where gateway = 'gateway-2'")
    hospital.look_around()
    hospital.until(lambda: told(hospital, device) == 2, 10, "the newest")


def test_P5_a_gateway_without_the_keys_that_devices_were_given_does_not_start(
    hospital: Hospital,
) -> None:
    hospital.change("insert into gateway_epochs values ('gateway-2', 3, 2, 0)")
    hospital.close()
    with pytest.raises(ConfigError, match=r"given the keyset of epoch 2, and the newest here is 1"):
        hospital.open()
    rotate(hospital)
