"""P10: the gateway's file, keys and registry: what is wrong is said in words, with its name."""

import os
from pathlib import Path

import pytest

from base.errors import ConfigError, EnvironmentProblem, WardsealError
from gateway import config as configuration
from gateway.config import KeySettings
from gateway.devices import Device, NotAdmitted, Registry, register
from gateway.keyring.keys import GatewayKeys
from tests.gateway.hospital import Hospital
from wire import pem
from wire.hpke import RecipientPrivate, SuiteName
from wire.signing import Ed25519Signer

KEY = Ed25519Signer(bytes(32)).public


def load(tmp_path: Path, text: str) -> configuration.GatewayConfig:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return configuration.load(file)


def test_a_host_is_all_that_must_be_said(tmp_path: Path) -> None:
    config = load(tmp_path, '[broker]\nhost = "broker.ward"')
    assert (config.identity, config.name, config.broker.user) == (
        "none",
        "gateway",
        "wardseal_gateway",
    )
    assert config.paths.incoming == tmp_path / "state" / "incoming"
    assert config.filing.folder == tmp_path / "record"


@pytest.mark.parametrize(
    ("text", "setting", "problem"),
    [
        ("", "broker.host", "is missing"),
        ("[broker]\nhots = 'b'", "broker.hots", "did you mean broker.host?"),
        ("[broker]\nhost = 'b'\nport = 0", "broker.port", "use 1 to 65535"),
        ("[broker]\nhost = 'b'\nuser = 'ward3'", "broker.user", "at least one _"),
        ("name = 'any'\n[broker]\nhost = 'b'", "name", "all gateways hear"),
        ("name = 'a/b'\n[broker]\nhost = 'b'", "name", "use 1 to 32 of a-z, 0-9 and -"),
        ("identity = 'bed'\n[broker]\nhost = 'b'", "identity", 'must be one of "none"'),
        ("[broker]\nhost='b'\n[limits]\nenvelope_mib=41", "limits.envelope_mib", "use 1 to 40"),
        ("[broker]\nhost='b'\n[limits]\ntransfers=0", "limits.transfers", "use 1 to 10000"),
        ("[broker]\nhost='b'\n[limits]\nincoming_mib=3", "limits.incoming_mib", "at least one"),
        ("[broker]\nhost='b'\n[limit]\ntransfers=1", "limit", "did you mean limits?"),
    ],
)
def test_P10_a_wrong_setting_is_named(
    tmp_path: Path, text: str, setting: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.setting == setting
    assert problem in str(caught.value)


IDENTITY = "[broker]\nhost='b'\n[identity]\nauthority='MRN'\n"


@pytest.mark.parametrize(
    ("text", "setting", "problem"),
    [
        ("[broker]\nhost='b'\n[identity]\nband_pattern='x'", "identity.authority", "is missing"),
        (f"{IDENTITY}bed_alone='file'", "identity.risk_owner", "the name of who answers"),
        (f"{IDENTITY}risk_owner='me'", "identity.risk_owner", "belongs to bed_alone"),
        (f"{IDENTITY}bed_alone='perhaps'", "identity.bed_alone", "must be one of"),
        (f"{IDENTITY}band_pattern='('", "identity.band_pattern", "is no regular expression"),
        (f"{IDENTITY}band_pattern='(a)(b)'", "identity.band_pattern", "one group at most"),
        (f"{IDENTITY}zone='Mars'", "identity.zone", "Europe/Berlin"),
        (f"{IDENTITY}[identity.adt]\nhost='0.0.0.0'", "identity.adt.host", "are needed"),
        (f"{IDENTITY}[identity.adt]\nkey='k'", "identity.adt.certificate", "go together"),
        (f"{IDENTITY}[identity.fhir]\nurl='https://f'", "identity.fhir.location_system", "missing"),
        (f"{IDENTITY}autority='x'", "identity.autority", "did you mean identity.authority?"),
        ("[broker]\nhost='b'\n[store]\nurl='mysql://h/d'", "store.url", "use postgresql://"),
        ("[broker]\nhost='b'\n[store]\nurl='x'", "store.url", "use postgresql://"),
        ("[broker]\nhost='b'\n[worklist]\nescalate_minutes=0", "worklist.escalate_minutes", "use"),
    ],
)
def test_P10_a_wrong_setting_of_identity_or_store_is_named(
    tmp_path: Path, text: str, setting: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.setting == setting
    assert problem in str(caught.value)


def test_a_password_in_the_settings_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a passfile") as caught:
        load(tmp_path, "[broker]\nhost='b'\n[store]\nurl='postgresql://u:hunter2@h/d'")
    assert "hunter2" not in str(caught.value)


# -- keys -----------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> KeySettings:
    folder = Hospital(tmp_path).site.gateway
    return KeySettings(
        opening=folder / "opening.key",
        receipt=folder / "receipt.key",
        root=folder / "root.pub",
        keyset=folder / "keyset.cose",
    )


def test_the_keys_of_a_site_fit_together(keys: KeySettings) -> None:
    loaded = GatewayKeys.load(keys)
    assert loaded.keyset.keyset.epoch == 1


def secret(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def other_opening(keys: KeySettings) -> None:
    secret(keys.opening, RecipientPrivate.generate(SuiteName.P256).encode())


def other_receipt(keys: KeySettings) -> None:
    secret(keys.receipt, pem.generate_ed25519())


def other_root(keys: KeySettings) -> None:
    keys.root.write_bytes(pem.encode_public(KEY))


def torn_keyset(keys: KeySettings) -> None:
    keys.keyset.write_bytes(keys.keyset.read_bytes()[:-1])


def empty_opening(keys: KeySettings) -> None:
    secret(keys.opening, b"")


def no_receipt(keys: KeySettings) -> None:
    keys.receipt.unlink()


@pytest.mark.parametrize(
    ("damage", "setting", "problem"),
    [
        (other_opening, "keys.opening", "none of the keys that photos are sealed to"),
        (other_receipt, "keys.receipt", "none of the keys whose receipts devices believe"),
        (other_root, "keys.keyset", "signed by a key that is not trusted"),
        (torn_keyset, "keys.keyset", "keyset"),
        (empty_opening, "keys.opening", "opening.key"),
        (no_receipt, "keys.receipt", "No such file"),
    ],
)
def test_P10_a_key_that_does_not_fit_is_named(
    keys: KeySettings, damage: object, setting: str, problem: str
) -> None:
    assert callable(damage)
    damage(keys)
    with pytest.raises(ConfigError) as caught:
        GatewayKeys.load(keys)
    assert caught.value.setting == setting
    assert problem in str(caught.value)


def test_a_private_key_that_others_can_read_is_refused(keys: KeySettings) -> None:
    keys.opening.chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        GatewayKeys.load(keys)


# -- the registry ---------------------------------------------------------------------------------


def test_a_registered_device_is_read_back_with_any_note(tmp_path: Path) -> None:
    note = 'bed 12 "by the window" \\ \n\x00\x7f ☺'
    register(tmp_path, Device("ward3", KEY, "active", note))
    found = Registry(tmp_path).admit("ward3")
    assert (found.key, found.status) == (KEY, "active")
    assert "by the window" in found.note


def test_a_change_to_the_registry_holds_at_once(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    register(tmp_path, Device("ward3", KEY, "active"))
    registry.admit("ward3")
    register(tmp_path, Device("ward3", KEY, "revoked"))
    with pytest.raises(NotAdmitted, match="the device ward3 has been revoked"):
        registry.admit("ward3")
    (tmp_path / "ward3.toml").unlink()
    with pytest.raises(NotAdmitted, match="the device ward3 is not registered here"):
        registry.admit("ward3")


@pytest.mark.parametrize(
    "name", ["../ward3", "a/b", "a+b", "#", "", "ward3\0", ".", "..", "WARD3", "a" * 33]
)
def test_no_name_leads_out_of_the_registry(tmp_path: Path, name: str) -> None:
    (tmp_path / "devices").mkdir()
    register(tmp_path, Device("ward3", KEY, "active"))
    with pytest.raises(WardsealError):
        Registry(tmp_path / "devices").admit(name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('id = "ward4"\nstatus = "active"\npublic_key = "00"', "the file is called ward3.toml"),
        ('id = "ward3"\nstatus = "on"\npublic_key = "00"', "status: must be one of"),
        ('id = "ward3"\nstatus = "active"\npublic_key = "00"', "is not a public key in hex"),
        ('id = "ward3"\nstatus = "active"\npublic_key = "zz"', "is not a public key in hex"),
        ('id = "ward3"\nstatus = "active"', "public_key: is missing"),
        ('id = "ward3"\nkey = "x"', "unknown setting"),
    ],
)
def test_P10_a_wrong_registry_file_is_named_at_the_start(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "ward3.toml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        Registry(tmp_path).check()


def test_a_registry_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"paths\.devices: .*nowhere is not a folder"):
        Registry(tmp_path / "nowhere").check()


def test_the_registry_counts_its_devices(tmp_path: Path) -> None:
    for name in ("ward3", "ward4"):
        register(tmp_path, Device(name, KEY, "active"))
    assert Registry(tmp_path).check() == 2
    assert os.stat(tmp_path / "ward3.toml").st_mode & 0o777 == 0o644
