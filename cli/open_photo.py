"""``wardseal open``: one sealed photo, opened by hand, with an honest word on who made it.

Anybody who has the hospital's public keys can seal a picture to them; that it opens proves
nothing. VERIFIED means: the device whose key was given signed a CONSENT, an INTENT under it and
a SEALED entry for exactly these bytes, and the envelope names exactly these entries, as the
INTENT names the badge that is inside.
"""

import json
import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base import keyfiles
from base.durable import write_all
from base.errors import FormatError, VerificationError
from base.memory import Buffer, harden_process
from cli.given_key import public_key
from cli.outcome import OK, WRONG, UsageError
from cli.photo_file import PhotoFile, find_entries, read_photo
from cli.terminal import moment, plain, readable
from wire import envelope, proof, rewrap, shapes
from wire.attestation import check_badge
from wire.envelope import Content, Envelope
from wire.hpke import RecipientPrivate
from wire.ledger_words import Numbers, meaning
from wire.proof import Proof
from wire.signing import PublicKey

_JPEG: Final = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Verdict:
    """``proof`` when everything was checked and holds; ``failed`` when a check did not hold."""

    proof: Proof | None
    why: str = ""
    failed: bool = False

    @property
    def words(self) -> str:
        """What is said first."""
        if self.proof is None:
            return f"NOT VERIFIED: {self.why}"
        return f"VERIFIED: the device {self.proof.sealed.entry.device} signed exactly this photo"


def open_photo(arguments: Namespace) -> int:
    """``open``."""
    harden_process()
    output: Path = arguments.output
    if os.path.lexists(output) and not arguments.force:
        raise UsageError(f"{output} exists already; --force replaces it")
    private = _private_key(arguments.key)
    device_key = public_key(arguments.device_key, "--device-key") if arguments.device_key else None
    file = read_photo(arguments.file)
    sealed = envelope.parse(file.sealed)
    verdict = _judge(file, sealed, arguments.entries, device_key)
    written = None
    with Buffer(sealed.header.length) as buffer:
        content = envelope.open_into(rewrap.extended(sealed, file.further), private, buffer.view)
        verdict = _with_badge(verdict, content)
        if not verdict.failed or arguments.unverified:
            _write(output, content.jpeg)
            written = output
        story = _story(file, sealed, content)
        content.jpeg.release()
    if arguments.json:
        verified = verdict.proof is not None
        outcome = {"verified": verified, "why": verdict.why, "written": written and str(written)}
        print(json.dumps({**outcome, **story}))
    else:
        _tell(verdict, story, written)
    return OK if verdict.proof is not None else WRONG


def _private_key(path: Path) -> RecipientPrivate:
    try:
        return RecipientPrivate.decode(keyfiles.read_secret(path, "--key"))
    except FormatError as e:
        raise UsageError(f"--key {path}: {e}; opening.key and recovery.key open photos") from e


def _judge(
    file: PhotoFile, sealed: Envelope, elsewhere: Path | None, device_key: PublicKey | None
) -> Verdict:
    if device_key is None:
        return Verdict(None, "no signature was checked; give the device's key with --device-key")
    try:
        entries = find_entries(elsewhere, file.photo) if elsewhere else file.entries
        if entries is None:
            return Verdict(None, "an envelope alone says little; give its ledger with --entries")
        found = proof.open_proof(*entries, [device_key])
        proof.check_envelope(file.sealed, sealed, found)
    except (FormatError, VerificationError) as e:
        return Verdict(None, str(e), failed=True)
    return Verdict(found)


def _with_badge(verdict: Verdict, content: Content) -> Verdict:
    """Hold the badge inside against the one that the INTENT entry names."""
    if verdict.proof is None:
        return verdict
    try:
        check_badge(content.private, verdict.proof.intent)
    except VerificationError as e:
        return Verdict(None, str(e), failed=True)
    return verdict


def _write(path: Path, jpeg: memoryview) -> None:
    """Write the picture for its owner alone, whatever was there before."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        write_all(descriptor, jpeg)
        os.fsync(descriptor)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def _story(file: PhotoFile, sealed: Envelope, content: Content) -> dict[str, object]:
    """Everything that envelope and private header say, in the types of JSON."""
    header = sealed.header
    return {
        "photo": file.photo.hex(),
        "device": header.device,
        "entry": header.seq,
        "time_ms": header.time_ms,
        "trust": header.trust.value,
        "epoch": header.epoch,
        "bytes": len(content.jpeg),
        "jpeg": bytes(content.jpeg[:3]) == _JPEG,
        "private": readable(shapes.to_map(content.private)),
    }


def _tell(verdict: Verdict, story: dict[str, object], written: Path | None) -> None:
    print(plain(verdict.words))
    if verdict.proof is not None:
        numbers = Numbers()
        for signed in (verdict.proof.consent, verdict.proof.intent, verdict.proof.sealed):
            entry = signed.entry
            print(f"  entry {entry.seq}: {entry.type}: {plain(meaning(entry, numbers))}")
            numbers.add(signed.digest, entry.seq)
    taken = f"{moment(int(str(story['time_ms'])))} (clock: {story['trust']})"
    print(f"photo {story['photo']}")
    print(f"  by device {story['device']}, {taken}, for the keys of epoch {story['epoch']}")
    private = story["private"]
    assert isinstance(private, dict)
    for name, value in private.items():
        print(f"  {name}: {plain(value if isinstance(value, str) else json.dumps(value))}")
    if not story["jpeg"]:
        print("  what is inside does not begin like a JPEG")
    if written is None:
        print("not written; --unverified writes it all the same")
    else:
        print(f"written: {plain(str(written))}, {story['bytes']:,} bytes")
