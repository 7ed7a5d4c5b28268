"""A site's keys and a device's: complete, consistent, private where they must be, never twice."""

import os
import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from appliance.config import load as load_device_settings
from appliance.crypto.keys import DeviceKeys, TrustedKeyset, load_public
from base.errors import ConfigError, EnvironmentProblem, FormatError
from base.tls import TlsFiles, client_context
from cli import pki
from cli.outcome import UsageError
from gateway.config import load as load_gateway_settings
from gateway.devices import Registry
from tests.cli.program import wardseal
from wire import pem
from wire.hpke import RecipientPrivate, SuiteName
from wire.keyset import open_keyset

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
PRIVATE = {
    "offline/root.key",
    "offline/recovery.key",
    "offline/ca.key",
    "gateway/opening.key",
    "gateway/receipt.key",
    "gateway/tls.key",
    "broker/tls.key",
    "devices/ward-a-1/device.key",
    "devices/ward-a-1/tls.key",
}


@pytest.fixture
def site(tmp_path: Path) -> pki.Site:
    made = pki.init(tmp_path / "keys", site="st-mary", hosts=["broker.st-mary.example"])
    pki.device(made, "ward-a-1", bed="A1")
    return made


def test_private_files_are_their_owner_s_alone_and_no_folder_is_open(site: pki.Site) -> None:
    private = set()
    for path in (site.folder, *site.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif mode == 0o600:
            private.add(str(path.relative_to(site.folder)))
        else:
            assert mode == 0o644, path
            assert b"PRIVATE" not in path.read_bytes()
    assert private == PRIVATE


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        pki.init(tmp_path / "keys", site="st-mary")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "keys/offline/root.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys/offline").stat().st_mode) == 0o700


@pytest.mark.parametrize("suite", SuiteName)
def test_the_keyset_names_the_gateway_s_and_the_recovery_key(
    tmp_path: Path, suite: SuiteName
) -> None:
    site = pki.init(tmp_path / "keys", site="st-mary", suite=suite, now=NOW)
    root = load_public(site.folder / "root.pub", "root")
    keys = open_keyset((site.folder / "keyset.cose").read_bytes(), [root]).keyset
    opening = RecipientPrivate.decode((site.gateway / "opening.key").read_bytes())
    recovery = RecipientPrivate.decode((site.offline / "recovery.key").read_bytes())
    assert keys.recipients == (opening.public, recovery.public)
    assert opening.public.suite is recovery.public.suite is suite
    assert keys.receipt_keys == (load_public(site.folder / "receipt.pub", "receipt"),)
    assert keys.receipt_keys[0] == pem.signer((site.gateway / "receipt.key").read_bytes()).public
    assert (keys.epoch, keys.fleet_keys) == (1, ())
    assert pki.keyset_end(site) == "2029-01-14"
    assert root == pem.signer((site.offline / "root.key").read_bytes()).public


def test_the_device_s_bundle_is_what_its_roles_load(site: pki.Site, tmp_path: Path) -> None:
    settings = load_device_settings(site.device("ward-a-1") / "appliance.toml")
    assert (settings.device.id, settings.device.bed) == ("ward-a-1", "A1")
    assert settings.broker.host == "broker.st-mary.example"
    keys = DeviceKeys.load(
        signing=settings.keys.signing, public=settings.keys.public, root=settings.keys.root
    )
    trusted = TrustedKeyset.load(
        state=tmp_path / "state", enrolled=settings.keys.keyset, root=keys.root
    )
    assert trusted.current.keyset.epoch == 1
    entry = Registry(site.registry).admit("ward-a-1")
    assert (entry.key, entry.note) == (keys.signer.public, "A1")


def test_the_gateway_s_settings_name_the_keys_that_were_made(site: pki.Site) -> None:
    settings = load_gateway_settings(site.gateway / "gateway.toml")
    assert settings.broker.host == "broker.st-mary.example"
    for path in (settings.keys.opening, settings.keys.receipt, settings.broker.key):
        assert path.is_file()
    assert Registry(settings.paths.devices).check() == 1


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """One TLS handshake in memory; return the server's end of it."""
    one, two = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(two, one, server_hostname=host)
    theirs = server.wrap_bio(one, two, server_side=True)
    for end in (ours, theirs, ours, theirs):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    theirs.do_handshake()
    return theirs


@pytest.mark.parametrize("host", ["broker.st-mary.example", "localhost", "127.0.0.1", "::1"])
@pytest.mark.parametrize("who", ["ward-a-1", pki.GATEWAY_USER])
def test_device_and_gateway_meet_the_broker_by_mutual_tls(
    site: pki.Site, host: str, who: str
) -> None:
    folder = site.gateway if who == pki.GATEWAY_USER else site.device(who)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(site.broker / "tls.crt", site.broker / "tls.key")
    server.load_verify_locations(site.broker / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    files = TlsFiles(ca=folder / "ca.crt", certificate=folder / "tls.crt", key=folder / "tls.key")
    shown = shake_hands(client_context(files), server, host).getpeercert()
    assert shown is not None
    assert shown["subject"] == ((("commonName", who),),)


def test_nothing_is_ever_overwritten(site: pki.Site) -> None:
    before = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="exists already, and keys are never overwritten"):
        pki.init(site.folder, site="other")
    with pytest.raises(UsageError, match=r"ward-a-1 is registered already .*never used again"):
        pki.device(site, "ward-a-1")
    (site.registry / "ward-a-1.toml").unlink()
    with pytest.raises(UsageError, match="ward-a-1 exists already, and keys are never"):
        pki.device(site, "ward-a-1")
    del before[site.registry / "ward-a-1.toml"]
    assert before == {p: p.read_bytes() for p in site.folder.rglob("*") if p.is_file()}


def test_a_bundle_that_cannot_be_finished_leaves_nothing_behind(site: pki.Site) -> None:
    site.registry.rename(site.gateway / "elsewhere")
    with pytest.raises(FileNotFoundError):
        pki.device(site, "ward-a-2")
    assert [path.name for path in site.device("").iterdir()] == ["ward-a-1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"site": "St Mary"}, "site name 'St Mary': use 1 to 32 of a-z, 0-9 and -"),
        ({"site": "st-mary", "hosts": ["*.example"]}, "'*.example' is neither a host name"),
        ({"site": "st-mary", "hosts": ["a..b"]}, "'a..b' is neither a host name"),
        ({"site": "st-mary", "hosts": ["münchen"]}, "'münchen' is neither a host name"),
        ({"site": "st-mary", "hosts": ["h" * 65]}, "is not a host name or address"),
    ],
    ids=["site", "wildcard", "dots", "letters", "length"],
)
def test_P10_a_name_that_cannot_be_one_leaves_nothing_behind(
    tmp_path: Path, words: dict[str, object], said: str
) -> None:
    with pytest.raises((UsageError, FormatError, ConfigError), match=re.escape(said)):
        pki.init(tmp_path / "keys", **words)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["Ward-1", "gw_1", "", "a/b", "..", "w" * 33, "a b"])
def test_P10_a_device_s_name_can_stand_in_a_topic_and_is_no_hospital_user_s(
    site: pki.Site, name: str
) -> None:
    with pytest.raises(FormatError, match="use 1 to 32 of a-z, 0-9 and -"):
        pki.device(site, name)


@pytest.mark.parametrize("bed", ['A"1', "A\n1", "A\\1", "A\x00", "x" * 201, "\udcff"])
def test_P10_a_bed_s_name_is_plain_text(site: pki.Site, bed: str) -> None:
    with pytest.raises(UsageError, match="a bed's name has up to 200 printable characters"):
        pki.device(site, "ward-a-2", bed=bed)
    assert not site.device("ward-a-2").exists()


def test_the_keys_in_the_safe_can_be_brought_back_from_elsewhere(
    site: pki.Site, tmp_path: Path
) -> None:
    (site.folder / "offline").rename(tmp_path / "safe")
    with pytest.raises(UsageError, match=r"it belongs to the keys in the safe.*--offline"):
        pki.device(site, "ward-a-2")
    bundle = pki.device(pki.Site(site.folder, tmp_path / "safe"), "ward-a-2")
    shown = x509.load_pem_x509_certificate((bundle / "tls.crt").read_bytes())
    authority = x509.load_pem_x509_certificate((site.folder / "ca.crt").read_bytes())
    shown.verify_directly_issued_by(authority)


def test_P10_another_site_s_authority_or_an_open_key_is_refused(
    site: pki.Site, tmp_path: Path
) -> None:
    other = pki.init(tmp_path / "other", site="other")
    with pytest.raises(FormatError, match="belongs to another site's authority"):
        pki.device(pki.Site(site.folder, other.offline), "ward-a-2")
    (site.offline / "ca.key").chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        pki.device(site, "ward-a-2")
    (site.offline / "ca.key").chmod(0o600)
    (site.offline / "ca.key").write_bytes(b"?")
    with pytest.raises(FormatError, match="are not an authority's key and certificate"):
        pki.device(site, "ward-a-2")
    assert not Registry(site.registry).find("ward-a-2")


def test_the_program_makes_keys_and_says_where_each_secret_is(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = wardseal("pki", "init", folder, "--site", "st-mary", "--host", "b.example")
    assert (made.returncode, made.stderr) == (0, "")
    device = wardseal("pki", "device", folder, "ward-a-1", "--bed", "A1")
    assert (device.returncode, device.stderr) == (0, "")
    said = made.stdout + device.stdout
    assert "offline/        INTO A SAFE" in said
    assert "for b.example, localhost, 127.0.0.1, ::1" in said
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "ward-a-1.toml":
            assert re.search(
                rf"^  {path.name}|, {path.name} |with {path.name}", said, re.MULTILINE
            ), path
    again = wardseal("pki", "init", tmp_path / "more", "--site", "st-mary", "--host", "b.example")
    assert again.stdout == made.stdout.replace(str(folder), str(tmp_path / "more"))


def test_the_page_about_keys_tells_every_private_file() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/keys.md").read_text()
    for name in PRIVATE:
        assert f"`{name.replace('ward-a-1', 'ID')}`" in page


def test_P10_the_program_refuses_to_overwrite_with_a_word(tmp_path: Path) -> None:
    done = wardseal("pki", "init", tmp_path, "--site", "st-mary")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"wardseal: {tmp_path} exists already, and keys are never overwritten\n")
