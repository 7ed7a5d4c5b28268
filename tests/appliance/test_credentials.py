"""A key that was handed to this process goes before the file that the settings name."""

from pathlib import Path

import pytest

from appliance.config import ApplianceConfig, BrokerSettings, DeviceSettings
from appliance.credentials import handed_over


@pytest.fixture
def config() -> ApplianceConfig:
    return ApplianceConfig(device=DeviceSettings("ward-a-1"), broker=BrokerSettings("broker"))


@pytest.fixture
def handed(tmp_path: Path) -> dict[str, str]:
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_without_credentials_the_settings_stand(
    config: ApplianceConfig, handed: dict[str, str]
) -> None:
    assert handed_over(config, {}) == config
    assert handed_over(config, handed) == config


def test_the_panel_is_handed_the_signing_key_and_no_other(
    config: ApplianceConfig, handed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "device.key").touch()
    found = handed_over(config, handed)
    assert found.keys.signing == tmp_path / "device.key"
    assert found.broker == config.broker
    assert found.keys.public == config.keys.public


def test_the_uplink_is_handed_its_tls_key_and_no_other(
    config: ApplianceConfig, handed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tls.key").touch()
    found = handed_over(config, handed)
    assert found.broker.key == tmp_path / "tls.key"
    assert found.broker.certificate == config.broker.certificate
    assert found.keys == config.keys
