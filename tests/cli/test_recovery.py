"""The yearly drill: what docs/howto/recovery.md says to type, where there is nothing else."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import pki
from cli.__main__ import main
from gateway import config as configuration
from gateway.keyring.keys import GatewayKeys
from tests.cli.paperwork import Scribe, SealedPhoto, save
from tests.gateway.hospital import Hospital
from wire import pem
from wire.hpke import RecipientPrivate

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "howto" / "recovery.md"


def commands() -> list[list[str]]:
    """What the page says to type, in its order."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def run(words: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run as on a fresh machine: no settings, no home, no network."""
    if words[0] == "wardseal":
        words = [sys.executable, "-P", "-m", "cli", *words[1:]]
    alone = ["unshare", "--net", "--map-root-user"] if shutil.which("unshare") else []
    nothing = {"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath, "HOME": "/nonexistent"}
    tried = subprocess.run([*alone, "true"], capture_output=True, env=nothing) if alone else None
    if tried is not None and tried.returncode != 0:  # a container may not make a network of its own
        alone = []
    return subprocess.run(
        [*alone, *words], cwd=where, env=nothing, capture_output=True, text=True, timeout=60
    )


def test_P4_the_recovery_key_alone_opens_a_sealed_photo_as_the_page_says(tmp_path: Path) -> None:
    site = pki.init(tmp_path / "keys", site="test")
    recovery = RecipientPrivate.decode((site.offline / "recovery.key").read_bytes())
    scribe = Scribe()
    photo = SealedPhoto(scribe, recovery)
    desk = tmp_path / "desk"
    (desk / "safe").mkdir(parents=True)
    save(desk, "photo.wardseal", photo.bundle)
    save(desk, "device.pub", pem.encode_public(scribe.signer.public))
    save(desk, "ledger.wsl", Scribe().morning().file)
    (site.offline / "recovery.key").rename(desk / "safe" / "recovery.key")
    shutil.rmtree(site.folder)

    said = []
    for words in commands():
        done = run(words, desk)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        said.append(done.stdout)
        if "-o" in words:
            assert (desk / "photo.jpg").read_bytes() == photo.jpeg
    assert said[0].startswith("VERIFIED: the device ward-a-1 signed exactly this photo")
    assert said[1].rstrip().rpartition("\n")[2].startswith("HOLDS up to entry")
    assert not (desk / "photo.jpg").exists()
    assert sorted(path.name for path in desk.iterdir()) == [
        "device.pub",
        "ledger.wsl",
        "photo.wardseal",
        "safe",
    ]


def test_what_a_gateway_kept_opens_with_the_recovery_key_after_two_rotations(
    tmp_path: Path,
) -> None:
    hospital = Hospital(tmp_path).open()
    try:
        device = hospital.enrol()
        photo = device.photo(b"no picture")
        hospital.receive(device, photo)
    finally:
        hospital.close()
    for _ in range(2):
        config = ["--config", str(hospital.config_file)]
        assert main(["keys", "rotate", str(hospital.site.folder), *config]) == 0
    assert main(["keys", "rewrap", *config]) == 0
    kept = hospital.state / "sealed" / f"{photo.hex}.wardseal"
    key, out = hospital.site.offline / "recovery.key", tmp_path / "out.jpg"
    public = device.signer.public.encode().hex()
    words = ["--key", str(key), "--device-key", public, "-o", str(out)]
    assert main(["open", str(kept), *words]) == 0
    assert out.read_bytes() == photo.jpeg


def test_the_recovery_key_can_stand_in_for_a_lost_opening_key(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    lost = RecipientPrivate.decode((hospital.site.gateway / "opening.key").read_bytes()).public
    shutil.copy(hospital.site.offline / "recovery.key", hospital.site.gateway / "opening.key")
    hospital.open()
    try:
        device = hospital.enrol()
        assert hospital.receive(device, device.photo()).status == "FILED"
    finally:
        hospital.close()
    config = ["--config", str(hospital.config_file)]
    words = ["keys", "rotate", str(hospital.site.folder), *config, "--replaces"]
    assert main([*words, "ffff"]) == 1
    assert main([*words, lost.kid.hex()[:16]]) == 0
    keys = GatewayKeys.load(configuration.load(hospital.config_file).keys, {})
    old, new = (epoch.signed.keyset.recipients for epoch in keys.epochs)
    assert lost in old and lost not in new
    assert new[1] == old[1], "the recovery key stays"
    assert new[0].kid in {key.public.kid for key in keys.openings}


@pytest.mark.parametrize("name", ["--key", "-o"])
def test_the_page_names_files_that_the_drill_has(name: str) -> None:
    assert any(name in words for words in commands())
