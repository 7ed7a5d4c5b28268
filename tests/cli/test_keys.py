"""New keys by command: three steps on two machines, a power cut at every step, credentials."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli import pki
from cli.__main__ import main
from gateway import config as configuration
from gateway.keyring.keys import GatewayKeys
from gateway.keyring.stored_copies import StoredCopies
from neighbours.object_store import ACCESS_KEY, REGION, SECRET_KEY, ObjectStore
from tests.cli.paperwork import Scribe, SealedPhoto
from wire.hpke import RecipientPrivate, SuiteName

CHECKOUT = Path(__file__).parents[2]
POWER_CUT = Path(__file__).with_name("power_cut.py")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose gateway keeps two sealed photos."""
    folder = tmp_path_factory.mktemp("made") / "site"
    site = pki.init(folder, site="test", suite=SuiteName.P256)
    opening = RecipientPrivate.decode((site.gateway / "opening.key").read_bytes())
    sealed = site.gateway / "state" / "sealed"
    sealed.mkdir(parents=True)
    for seed in (b"1", b"2"):
        photo = SealedPhoto(Scribe(seed * 32), opening)
        (sealed / f"{photo.photo.hex()}.wardseal").write_bytes(photo.bundle)
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> pki.Site:
    shutil.copytree(made, tmp_path / "site")
    return pki.Site(tmp_path / "site")


def at(site: pki.Site) -> list[str]:
    return ["--config", str(site.gateway / "gateway.toml")]


def held(site: pki.Site) -> GatewayKeys:
    return GatewayKeys.load(configuration.load(site.gateway / "gateway.toml").keys, {})


def photos(site: pki.Site) -> list[Path]:
    return sorted((site.gateway / "state" / "sealed").glob("*.wardseal"))


def opens_every_photo(site: pki.Site) -> bool:
    """Whether each photo opens with some key that the gateway has in use."""
    keys = [*site.gateway.glob("opening*.key")]
    out = site.folder / "out.jpg"
    in_use = {key.public.kid for key in held(site).openings}
    usable = [k for k in keys if RecipientPrivate.decode(k.read_bytes()).public.kid in in_use]

    def opens(photo: Path, key: Path) -> bool:
        out.unlink(missing_ok=True)
        main(["open", str(photo), "--key", str(key), "-o", str(out)])
        return out.exists() and out.read_bytes() == SealedPhoto.jpeg

    return all(any(opens(photo, key) for key in usable) for photo in photos(site))


def new_keys(site: pki.Site) -> None:
    assert main(["keys", "rotate", str(site.folder), *at(site), "--receipt"]) == 0


# -- three steps on two machines ------------------------------------------------------------------


def test_the_root_key_may_be_on_another_machine(
    site: pki.Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in docs/howto/keys.md: request, sign, install. Only public keys travel."""
    gateway, stick = tmp_path / "gateway-host", tmp_path / "stick"
    shutil.copytree(site.gateway, gateway)
    shutil.rmtree(site.gateway)
    stick.mkdir()
    request, keyset = stick / "request.cose", stick / "keyset.cose"
    config = ["--config", str(gateway / "gateway.toml")]
    assert main(["keys", "request", *config, str(request), "--receipt"]) == 0
    said = capsys.readouterr().out
    assert main(["keys", "request", *config, str(request), "--receipt"]) == 0
    assert capsys.readouterr().out == said, "the same keys are asked for again"
    secret = next(gateway.glob("opening-*.key")).read_bytes()
    assert RecipientPrivate.decode(secret).encode()[-32:] not in request.read_bytes()

    words = ["keys", "sign", str(site.folder), str(request), str(keyset)]
    safe = tmp_path / "safe"
    site.offline.rename(safe)
    assert main(words) == 2
    assert "bring them here and name their folder" in capsys.readouterr().err.lower()
    assert main([*words, "--offline", str(safe)]) == 0
    shown = capsys.readouterr().out
    for line in said.splitlines():
        if line.startswith("  "):
            assert line.rpartition(" ")[2] in shown, "a person can compare"
    first = keyset.read_bytes()
    assert main([*words, "--offline", str(safe)]) == 0
    assert keyset.read_bytes() == first, "no epoch is given twice"
    assert "Signed before" in capsys.readouterr().out

    assert main(["keys", "install", *config, str(keyset)]) == 0
    keys = GatewayKeys.load(configuration.load(gateway / "gateway.toml").keys, {})
    assert keys.keyset.raw == first == (site.folder / "keyset.cose").read_bytes()
    assert keys.keyset.keyset.epoch == 2 and len(keys.keyset.keyset.receipt_keys) == 2
    assert list(gateway.glob("receipt-*.pub"))


def test_P8_a_request_by_somebody_else_is_not_signed(
    site: pki.Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = pki.init(tmp_path / "other", site="other", suite=SuiteName.P256)
    request, keyset = str(tmp_path / "request"), str(tmp_path / "keyset")
    assert main(["keys", "request", *at(other), request]) == 0
    assert main(["keys", "sign", str(site.folder), request, keyset]) == 2
    assert "no request of this site's gateway" in capsys.readouterr().err
    raw = bytearray(Path(request).read_bytes())
    raw[-1] ^= 1
    Path(request).write_bytes(raw)
    assert main(["keys", "sign", str(other.folder), request, keyset]) == 2
    assert not Path(keyset).exists()


def test_a_device_that_is_made_later_gets_the_newest_keyset(site: pki.Site) -> None:
    new_keys(site)
    bundle = pki.device(site, "ward-a-9")
    assert (bundle / "keyset.cose").read_bytes() == held(site).keyset.raw


def test_without_the_root_key_no_key_is_made(
    site: pki.Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.offline.rename(tmp_path / "safe")
    assert main(["keys", "rotate", str(site.folder), *at(site)]) == 2
    assert "it belongs to the keys in the safe" in capsys.readouterr().err
    assert not list(site.gateway.glob("opening-*"))


def test_more_receipt_keys_than_a_keyset_holds_are_refused_in_words(
    site: pki.Site, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        new_keys(site)
    capsys.readouterr()
    assert main(["keys", "rotate", str(site.folder), *at(site), "--receipt"]) == 1
    assert "first retire the oldest" in capsys.readouterr().err


# -- a power cut at every durable step ------------------------------------------------------------


def nothing(_site: pki.Site) -> None:
    pass


def requested(site: pki.Site) -> None:
    assert main(["keys", "request", *at(site), str(site.folder / "request"), "--receipt"]) == 0


def signed(site: pki.Site) -> None:
    requested(site)
    names = [str(site.folder / name) for name in ("request", "keyset")]
    assert main(["keys", "sign", str(site.folder), *names]) == 0


def rewrapped(site: pki.Site) -> None:
    new_keys(site)
    assert main(["keys", "rewrap", *at(site)]) == 0


CONFIG = ["--config", "{case}/gateway/gateway.toml"]
CUTS: dict[str, tuple[Callable[[pki.Site], None], list[str], int]] = {
    "rotate": (nothing, ["rotate", "{case}", *CONFIG, "--receipt"], 20),
    "request": (nothing, ["request", *CONFIG, "{case}/request", "--receipt"], 10),
    "sign": (requested, ["sign", "{case}", "{case}/request", "{case}/keyset"], 6),
    "install": (signed, ["install", *CONFIG, "{case}/keyset"], 6),
    "rewrap": (new_keys, ["rewrap", *CONFIG], 8),
    "retire": (rewrapped, ["retire", *CONFIG], 10),
}


@pytest.mark.parametrize("command", CUTS)
def test_P5_killed_at_any_step_there_are_the_old_keys_or_the_new_and_never_neither(
    site: pki.Site, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, words, at_least = CUTS[command]
    prepare(site)
    cases = tmp_path / "cases"
    cases.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", POWER_CUT, site.folder, cases, "--", "keys", *words],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    count = int(done.stdout)
    assert count > at_least, "the traps were not in the way"
    before, after = held(site), held(pki.Site(cases / f"{count:03}"))
    for number in range(1, count + 1):
        case = pki.Site(cases / f"{number:03}")
        keys = held(case)
        assert keys.keyset.keyset.epoch in {before.keyset.keyset.epoch, after.keyset.keyset.epoch}
        assert opens_every_photo(case), f"killed at step {number}"
        again = [word.replace("{case}", str(case.folder)) for word in words]
        assert main(["keys", *again]) == 0
        finished = held(case)
        assert finished.keyset.keyset.epoch >= after.keyset.keyset.epoch
        assert [one.retired for one in finished.epochs][: len(after.epochs)] == [
            one.retired for one in after.epochs
        ]
        assert opens_every_photo(case), f"done again after step {number}"
        if command == "retire":
            assert not (case.gateway / "opening.key").exists()
        if command == "rewrap":
            assert len(list(photos(case)[0].parent.glob("*.rewrap"))) == 2


# -- re-wrapping says what it cannot do -----------------------------------------------------------


def test_what_cannot_be_rewrapped_is_named_and_keeps_the_old_keys(
    site: pki.Site, capsys: pytest.CaptureFixture[str]
) -> None:
    new_keys(site)
    first, second = photos(site)
    stranger = SealedPhoto(Scribe(b"3" * 32), RecipientPrivate.generate(SuiteName.P256))
    (first.parent / f"{stranger.photo.hex()}.wardseal").write_bytes(stranger.bundle)
    second.write_bytes(second.read_bytes()[:-1])
    opening = RecipientPrivate.decode((site.gateway / "opening.key").read_bytes())
    changed = SealedPhoto(Scribe(b"4" * 32), opening)
    envelope = bytearray(changed.envelope)
    envelope[2000] ^= 1  # in the picture; the key of the content is still the right one
    photo = hashlib.sha256(envelope).hexdigest()
    bundle = changed.bundle.replace(changed.envelope, bytes(envelope))
    (first.parent / f"{photo}.wardseal").write_bytes(bundle)
    (first.parent / f"{'ab' * 32}.wardseal").write_bytes(first.read_bytes())
    capsys.readouterr()
    assert main(["keys", "rewrap", *at(site), "--dry-run"]) == 1
    assert "3 would be re-wrapped" in capsys.readouterr().out
    assert main(["keys", "rewrap", *at(site)]) == 1
    said = capsys.readouterr().out
    assert f"photo {stranger.photo.hex()}: none of the keys here opens it" in said
    assert f"photo {second.stem}: " in said
    assert f"photo {photo}: the photo was changed after it was sealed" in said
    assert f"photo {'ab' * 32}: what lies there is not the photo" in said
    assert "1 re-wrapped" in said and "4 cannot be re-wrapped" in said
    assert not (first.parent / f"{photo}.rewrap").exists()
    assert main(["keys", "retire", *at(site)]) == 1
    assert "1 files here are no sealed copies" in capsys.readouterr().out


# -- copies in an object store --------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[ObjectStore]:
    log = tmp_path_factory.mktemp("store") / "log"
    with ObjectStore(log, free_port()).wait() as store:
        store.make_bucket("archive")
        yield store


class LargePhoto(SealedPhoto):
    """One of which only the two ends are looked at first."""

    jpeg = SealedPhoto.jpeg * 40


@pytest.fixture
def archive(bucket: ObjectStore, site: pki.Site) -> Iterator[Any]:
    """The store as its administrator has it, with a sealed photo; the gateway knows it, too."""
    secrets = site.gateway / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET_KEY}"\n')
    with (site.gateway / "gateway.toml").open("a") as file:
        file.write(
            f'[[storage]]\nname = "archive"\nservice = "s3"\ncontent = "sealed"\n'
            f'bucket = "archive"\nendpoint = "{bucket.endpoint}"\nregion = "{REGION}"\n'
            f'regions = ["{REGION}"]\nsecrets = "secrets.toml"\nprefix = "ward/3"\n'
        )
    client = boto3.client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    opening = RecipientPrivate.decode((site.gateway / "opening.key").read_bytes())
    photo = LargePhoto(Scribe(b"7" * 32), opening)
    client.put_object(
        Bucket="archive",
        Key=f"ward/3/2026-03-01/{photo.photo.hex()}-2.wardseal",
        Body=photo.bundle,
    )
    client.put_object(Bucket="archive", Key="ward/3/2026-03-01/somebody-elses.txt", Body=b"x")
    yield client
    for key in stored(client):
        client.delete_object(Bucket="archive", Key=key)
    client.close()


def stored(client: Any) -> dict[str, bytes]:
    found = client.list_objects_v2(Bucket="archive").get("Contents", [])
    return {
        one["Key"]: client.get_object(Bucket="archive", Key=one["Key"])["Body"].read()
        for one in found
    }


def test_P5_copies_in_an_object_store_open_with_every_newest_key_as_well(
    site: pki.Site, archive: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(archive)
    beside = next(key for key in before if key.endswith(".wardseal"))[: -len("wardseal")] + "rewrap"
    earlier: set[bytes] = set()
    for epoch in (2, 3):
        new_keys(site)
        unchanged = stored(archive)
        capsys.readouterr()
        assert main(["keys", "rewrap", *at(site), "--dry-run"]) == 0
        said = f"Copies in archive, for epoch {epoch}: 1 would be re-wrapped"
        assert said in capsys.readouterr().out
        assert stored(archive) == unchanged
        assert main(["keys", "rewrap", *at(site)]) == 0
        assert f"in archive, for epoch {epoch}: 1 re-wrapped" in capsys.readouterr().out
        after = stored(archive)
        assert {key: after[key] for key in before} == before, "the device signed these bytes"
        assert after[beside] not in earlier
        earlier.add(after[beside])
        for key, data in after.items():
            (tmp_path / Path(key).name).write_bytes(data)
        newest = next(
            path
            for path in site.gateway.glob("opening-*.key")
            if RecipientPrivate.decode(path.read_bytes()).public.kid
            == held(site).openings[0].public.kid
        )
        out = tmp_path / f"{epoch}.jpg"
        copy = tmp_path / Path(beside).with_suffix(".wardseal").name
        main(["open", str(copy), "--key", str(newest), "-o", str(out)])
        assert out.read_bytes() == LargePhoto.jpeg
    assert main(["keys", "rewrap", *at(site)]) == 0
    assert "0 re-wrapped (0 bytes" in capsys.readouterr().out
    assert main(["keys", "retire", *at(site), "--dry-run"]) == 0
    assert "Object stores are not looked at here" in capsys.readouterr().out


def test_what_stands_beside_a_copy_is_replaced_only_as_it_was_seen_and_goes_with_the_copy(
    site: pki.Site, archive: Any
) -> None:
    (settings,) = configuration.load(site.gateway / "gateway.toml").storage
    shelf = StoredCopies(settings)
    (copy,) = shelf.copies()
    assert not copy.problem and copy.size == len(stored(archive)[copy.place])
    beside = str(Path(copy.place).with_suffix(".rewrap"))
    archive.put_object(Bucket="archive", Key=beside, Body=b"half of someth")
    assert shelf.further(copy) == (), "half a re-wrap counts for nothing, and is made anew"
    shelf.lay_beside(copy, b"whole")
    assert stored(archive)[beside] == b"whole"
    archive.delete_object(Bucket="archive", Key=copy.place)
    shelf.lay_beside(copy, b"late")
    assert beside not in stored(archive), "the copy had gone meanwhile"
    assert list(shelf.copies()) == []


def test_a_store_that_is_away_is_said_and_keeps_no_other_copy_waiting(
    site: pki.Site, archive: Any, free_port: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    new_keys(site)
    file = site.gateway / "gateway.toml"
    there = next(line for line in file.read_text().splitlines() if line.startswith("endpoint"))
    away = f'endpoint = "http://127.0.0.1:{free_port()}"'
    file.write_text(file.read_text().replace(there, away))
    capsys.readouterr()
    assert main(["keys", "rewrap", *at(site)]) == 1
    said = capsys.readouterr().out
    assert "Copies here, for epoch 2: 2 re-wrapped" in said
    assert "Copies in archive: archive cannot be read: " in said


# -- at rest --------------------------------------------------------------------------------------


@pytest.fixture
def creds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """systemd-creds with a machine's key of its own (systemd-creds(1))."""
    if shutil.which("systemd-creds") is None:
        pytest.skip("systemd-creds is not here")
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "credential.secret"))


def test_keys_are_encrypted_to_the_machine_and_handed_over_by_it(
    site: pki.Site, tmp_path: Path, creds: None, capsys: pytest.CaptureFixture[str]
) -> None:
    new_keys(site)
    before = held(site)
    encrypted, handed = tmp_path / "encrypted", tmp_path / "handed"
    clear = [p for p in site.gateway.iterdir() if p.suffix == ".key"]
    assert len(clear) == 5
    contents = {path.name: path.read_bytes() for path in clear}
    words = ["keys", "encrypt", *at(site), "--to", str(encrypted), "--with-key", "host"]
    assert main(words) == 0
    assert not [path for path in clear if path.exists()]
    for path in encrypted.iterdir():
        assert contents[path.name][-32:] not in path.read_bytes()

    handed.mkdir()
    for path in encrypted.iterdir():  # what LoadCredentialEncrypted=wardseal:FOLDER does
        into = handed / f"wardseal_{path.name}"
        subprocess.run(["systemd-creds", "decrypt", f"--name={into.name}", path, into], check=True)
        into.chmod(0o400)
    settings = configuration.load(site.gateway / "gateway.toml").keys
    after = GatewayKeys.load(settings, {"CREDENTIALS_DIRECTORY": str(handed)})
    assert after.receipt.public == before.receipt.public
    assert [k.public for k in after.openings] == [k.public for k in before.openings]
    assert main(words) == 0
    assert "No private key lies in the clear here." in capsys.readouterr().out


def test_P5_a_key_is_wiped_only_when_its_credential_is_the_same_key(
    site: pki.Site, tmp_path: Path, creds: None, capsys: pytest.CaptureFixture[str]
) -> None:
    encrypted = tmp_path / "encrypted"
    words = ["keys", "encrypt", *at(site), "--to", str(encrypted), "--with-key", "host"]
    other = tmp_path / "other"
    shutil.copytree(site.gateway, other)
    assert main(words) == 0
    shutil.copytree(other, site.gateway, dirs_exist_ok=True)
    assert main(words) == 0, "an earlier run was ended before it could wipe"
    assert not (site.gateway / "opening.key").exists()
    stranger = RecipientPrivate.generate(SuiteName.P256).encode()
    (site.gateway / "opening.key").write_bytes(stranger)
    (site.gateway / "opening.key").chmod(0o600)
    assert main(words) == 2
    assert "exists and is another key" in capsys.readouterr().err
    assert (site.gateway / "opening.key").read_bytes() == stranger
