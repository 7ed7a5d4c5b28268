"""``wardseal open``: the picture, and an honest word on who made it."""

import hashlib
import json
import stat
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.cli.paperwork import DEVICE, Scribe, SealedPhoto, ledger_file, save
from tests.cli.program import wardseal
from wire import cbor, pem
from wire.attestation import commitment
from wire.envelope import Private
from wire.hpke import RecipientPrivate, SuiteName

OPENING = RecipientPrivate(SuiteName.HYBRID, b"o" * 32)
BADGED = Private("A1", {}, badge="S4711", salt=bytes(32))
SHOWN = commitment(bytes(32), "S4711")
OTHER = RecipientPrivate(SuiteName.P256, b"p" * 32)
NO_KEY = "NOT VERIFIED: no signature was checked; give the device's key with --device-key"


class Desk:
    """Somebody with a sealed photo, the keys and a ledger in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scribe = Scribe().morning()
        self.photo = SealedPhoto(self.scribe, OPENING)
        self.key = save(folder, "opening.key", OPENING.encode(), 0o600)
        self.device_key = save(folder, "device.pub", pem.encode_public(self.scribe.signer.public))
        self.bundle = save(folder, "photo.wardseal", self.photo.bundle)
        self.envelope = save(folder, "photo.cose", self.photo.envelope)
        self.ledger = save(folder, "ledger.wsl", self.scribe.file)
        self.init = save(folder, "photo.init", cbor.encode(list(self.photo.entries)))
        self.output = folder / "photo.jpg"

    def open(self, file: Path, *words: str | Path) -> CompletedProcess[str]:
        """Run the program."""
        return wardseal("open", file, "--key", self.key, "-o", self.output, *words)

    def written(self) -> bool:
        """Whether the picture is there; if so, it is the whole picture and nobody else's."""
        if not self.output.exists():
            return False
        assert self.output.read_bytes() == SealedPhoto.jpeg
        assert stat.S_IMODE(self.output.stat().st_mode) == 0o600
        return True


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_photo_file_with_the_device_s_key_is_verified(desk: Desk) -> None:
    done = desk.open(desk.bundle, "--device-key", desk.device_key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"VERIFIED: the device {DEVICE} signed exactly this photo",
        (
            "  entry 8: CONSENT: staff attest that they asked and the patient agreed;"
            " for care only; wording W1 (en)"
        ),
        "  entry 9: INTENT: CAPTURE pressed, for care only, under the consent of entry 8",
        (
            f"  entry 10: SEALED: photo {desk.photo.photo.hex()[:12]} of entry 9 is sealed,"
            f" {len(desk.photo.envelope):,} bytes"
        ),
        f"photo {desk.photo.photo.hex()}",
        f"  by device {DEVICE}, 2027-01-15 12:00:09Z (clock: synced), for the keys of epoch 1",
        "  bed: A1",
        '  quality: {"sharp": 90}',
        "  band: 12345678",
        f"written: {desk.output}, {len(SealedPhoto.jpeg):,} bytes",
    ]
    assert desk.written()


@pytest.mark.parametrize("source", ["ledger", "init"])
def test_an_envelope_finds_its_entries_in_a_ledger_or_beside_it(desk: Desk, source: str) -> None:
    entries = desk.ledger if source == "ledger" else desk.init
    done = desk.open(desk.envelope, "--device-key", desk.device_key, "--entries", entries)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED: ")
    assert desk.written()


def test_without_the_device_s_key_it_opens_and_says_that_nothing_was_verified(desk: Desk) -> None:
    for file in (desk.bundle, desk.envelope):
        done = desk.open(file, "--force")
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith(NO_KEY)
        assert desk.written()


def test_an_envelope_without_entries_is_not_verified(desk: Desk) -> None:
    done = desk.open(desk.envelope, "--device-key", desk.device_key)
    assert done.returncode == 1
    assert done.stdout.startswith("NOT VERIFIED: an envelope alone says little")
    assert desk.written()


def mixed(desk: Desk) -> bytes:
    """Another photo's entries around this envelope."""
    other = SealedPhoto(desk.scribe, OPENING)
    other.envelope = desk.photo.envelope
    return other.bundle


def renamed(desk: Desk) -> bytes:
    """Signed by the device, but the envelope claims another device took it."""
    return SealedPhoto(desk.scribe, OPENING, device="ward-b-9").bundle


def without_consent(desk: Desk) -> bytes:
    """The INTENT entry stands where the CONSENT should."""
    photo = SealedPhoto(desk.scribe, OPENING)
    photo.consent = photo.intent
    return photo.bundle


def badged(desk: Desk) -> bytes:
    """A badge inside that the device never signed for."""
    return SealedPhoto(desk.scribe, OPENING, private=BADGED).bundle


def test_the_badge_inside_is_held_against_the_ledger(desk: Desk) -> None:
    photo = SealedPhoto(desk.scribe, OPENING, private=BADGED, attest=SHOWN)
    file = save(desk.folder, "badged.wardseal", photo.bundle)
    done = desk.open(file, "--device-key", desk.device_key)
    assert done.returncode == 0, done.stdout
    assert "under the consent of entry 11, attested by a badge\n" in done.stdout
    assert "  badge: S4711\n" in done.stdout


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (badged, "there is a badge in the photo that its INTENT entry does not name"),
        (mixed, "this is not the photo that the device signed"),
        (renamed, "the photo's header names another device, boot or number"),
        (without_consent, "expected a CONSENT entry, found INTENT"),
    ],
)
def test_P8_a_photo_whose_proof_fails_is_not_verified_and_not_written(
    desk: Desk, make: Any, words: str
) -> None:
    file = save(desk.folder, "bad.wardseal", make(desk))
    done = desk.open(file, "--device-key", desk.device_key)
    assert done.returncode == 1
    assert done.stdout.startswith(f"NOT VERIFIED: {words}\n")
    assert done.stdout.endswith("not written; --unverified writes it all the same\n")
    assert not desk.written()
    again = desk.open(file, "--device-key", desk.device_key, "--unverified")
    assert again.returncode == 1
    assert again.stdout.startswith(f"NOT VERIFIED: {words}\n")
    assert desk.written()


def test_P8_a_photo_of_another_device_is_not_verified(desk: Desk) -> None:
    other = Scribe(b"x" * 32).signer.public.encode().hex()
    done = desk.open(desk.bundle, "--device-key", other)
    assert done.returncode == 1
    assert done.stdout.startswith("NOT VERIFIED: ")
    assert not desk.written()


def test_a_ledger_that_does_not_know_the_photo_says_so(desk: Desk) -> None:
    morning = save(desk.folder, "other.wsl", Scribe().morning().file)
    done = desk.open(desk.envelope, "--device-key", desk.device_key, "--entries", morning)
    assert done.returncode == 1
    assert f"NOT VERIFIED: {morning} has no SEALED entry for this photo" in done.stdout
    lacking = [s.raw for s in desk.scribe.entries if s is not desk.photo.consent]
    cut = save(desk.folder, "cut.wsl", ledger_file(lacking))
    done = desk.open(desk.envelope, "--device-key", desk.device_key, "--entries", cut)
    assert f"NOT VERIFIED: {cut} lacks the CONSENT entry of this photo" in done.stdout


def test_P10_a_ledger_whose_entries_name_each_other_wrongly_gets_a_sentence(desk: Desk) -> None:
    scribe = Scribe()
    scribe.sealed(scribe.consent(), desk.photo.photo, len(desk.photo.envelope))
    wrong = save(desk.folder, "wrong.wsl", scribe.file)
    done = desk.open(desk.envelope, "--device-key", desk.device_key, "--entries", wrong)
    assert done.returncode == 1
    assert f"NOT VERIFIED: {wrong} lacks the INTENT entry of this photo" in done.stdout


def test_P4_a_photo_that_was_changed_does_not_open(desk: Desk) -> None:
    data = bytearray(desk.photo.envelope)
    data[len(data) // 2] ^= 1
    done = desk.open(save(desk.folder, "changed.cose", bytes(data)))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "wardseal: the photo was changed after it was sealed\n"
    assert not desk.written()


def test_P4_another_key_does_not_open_it(desk: Desk) -> None:
    desk.key = save(desk.folder, "other.key", OTHER.encode(), 0o600)
    done = desk.open(desk.bundle)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "wardseal: the photo is not sealed to this key\n"


def test_a_picture_is_not_overwritten_unless_asked(desk: Desk) -> None:
    desk.output.write_bytes(b"precious")
    desk.output.chmod(0o644)
    done = desk.open(desk.bundle)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"wardseal: {desk.output} exists already; --force replaces it\n"
    assert desk.output.read_bytes() == b"precious"
    assert desk.open(desk.bundle, "--force").returncode == 1
    assert desk.written()


def test_a_picture_is_never_written_through_a_link(desk: Desk) -> None:
    elsewhere = save(desk.folder, "elsewhere", b"precious")
    desk.output.symlink_to(elsewhere)
    assert desk.open(desk.bundle).returncode == 2
    assert desk.open(desk.bundle, "--force").returncode == 1
    assert elsewhere.read_bytes() == b"precious"
    assert desk.written()


@pytest.mark.parametrize(
    ("data", "mode", "code", "words"),
    [
        (OPENING.encode(), 0o640, 3, "users other than its owner can open it"),
        (pem.generate_ed25519(), 0o600, 2, "opening.key and recovery.key open"),
        (b"", 0o600, 2, "opening.key and recovery.key open photos"),
    ],
    ids=["open to all", "a signing key", "empty"],
)
def test_P10_a_key_that_cannot_be_used_is_named(
    desk: Desk, data: bytes, mode: int, code: int, words: str
) -> None:
    desk.key = save(desk.folder, "opening.key", data, mode)
    done = desk.open(desk.bundle)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("data", [b"", b"\x85", b"\x85" * 500, b"\xd8\x60\x84", b"JPEG" * 100])
def test_P10_what_is_no_sealed_photo_gets_a_sentence(desk: Desk, data: bytes) -> None:
    done = desk.open(save(desk.folder, "any", data))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert not desk.written()


def test_what_is_inside_cannot_rewrite_the_terminal(desk: Desk) -> None:
    class Hostile(SealedPhoto):
        jpeg = b"\x7fELF" * 10
        private = type(SealedPhoto.private)("\x1b[2J", {"\r": "\n"})

    file = save(desk.folder, "hostile.wardseal", Hostile(desk.scribe, OPENING).bundle)
    done = desk.open(file)
    assert "  bed: \\x1b[2J\n" in done.stdout
    assert "  what is inside does not begin like a JPEG\n" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_story_as_json(desk: Desk) -> None:
    done = desk.open(desk.bundle, "--device-key", desk.device_key, "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["verified"] is True
    assert found["written"] == str(desk.output)
    assert found["photo"] == hashlib.sha256(desk.photo.envelope).hexdigest()
    assert found["device"] == DEVICE
    assert found["private"] == {"bed": "A1", "quality": {"sharp": 90}, "band": "12345678"}
    assert json.loads(desk.open(desk.bundle, "--force", "--json").stdout)["verified"] is False
