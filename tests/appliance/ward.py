"""A device's insides for tests: real keys, a real ledger, real envelopes, small ones."""

import os
from dataclasses import dataclass
from pathlib import Path

from appliance.clock import SystemClock
from appliance.config import PathSettings, SpoolSettings
from appliance.crypto.keys import TrustedKeyset
from appliance.custody import Custodian, Photo, Register, header_for, read_ledger
from appliance.ledger import DurableLedger
from appliance.spool import Spool
from wire import envelope, events, hpke, keyset, messages
from wire.ledger import SignedEntry, read_frames, verify_chain
from wire.messages import Receipt, Status
from wire.signing import Ed25519Signer

DEVICE = "ward3-bed12"
WORDING = events.Wording("W1", "en", bytes(32))


@dataclass
class Hospital:
    """The keys that a hospital has, and the keyset it gives its devices."""

    root: Ed25519Signer
    receipts: Ed25519Signer
    opening: hpke.RecipientPrivate
    keyset: keyset.SignedKeyset

    @classmethod
    def found(cls, not_after_ms: int = 2**50) -> "Hospital":
        root, receipts = Ed25519Signer(os.urandom(32)), Ed25519Signer(os.urandom(32))
        opening = hpke.RecipientPrivate.generate(hpke.SuiteName.P256)
        keys = keyset.Keyset(1, not_after_ms, (opening.public,), (receipts.public,), ())
        return cls(root, receipts, opening, keyset.issue(keys, root))

    def receipt(self, photo: bytes, status: Status = Status.FILED, number: int = 1) -> bytes:
        """Sign a receipt for a photo of this ward's device."""
        words = Receipt(DEVICE, photo, status, number, 1_700_000_000_000, "", ())
        return messages.sign_receipt(words, self.receipts)


class Ward:
    """One device's folders on disk, started anew as often as a test likes."""

    def __init__(self, folder: Path, *, not_after_ms: int = 2**50) -> None:
        self.paths = PathSettings(run=folder / "run", state=folder / "state")
        self.hospital = Hospital.found(not_after_ms)
        self.signer = Ed25519Signer(os.urandom(32))
        self.boot = os.urandom(16)
        (folder / "keyset.cose").write_bytes(self.hospital.keyset.raw)
        self._enrolled = folder / "keyset.cose"
        for directory in (self.paths.sealing, self.paths.outbox, self.paths.mailbox):
            directory.mkdir(parents=True)
        self.start()

    def start(self, *, rebooted: bool = False) -> None:
        """Start the panel's insides; with ``rebooted`` the RAM is empty and the boot id new."""
        if rebooted:
            self.boot = os.urandom(16)
            for directory in (self.paths.sealing, self.paths.outbox):
                for path in directory.iterdir():
                    path.unlink()
        self.trusted = TrustedKeyset.load(
            state=self.paths.state, enrolled=self._enrolled, root=self.hospital.root.public
        )
        self.ledger = DurableLedger(
            self.paths.ledger,
            mark=self.paths.tidemark,
            device=DEVICE,
            signer=self.signer,
            clock=SystemClock(),
            boot=self.boot,
        )
        self.ledger.open("test")
        self.register = Register()
        self.history = read_ledger(self.register, self.ledger.entries)
        self.spool = Spool(self.paths, SpoolSettings())
        self.custodian = Custodian(
            register=self.register,
            ledger=self.ledger,
            spool=self.spool,
            keyset=self.trusted,
            ciphers=frozenset({envelope.AES_256_GCM}),
        )

    def consent(self) -> SignedEntry:
        """Step 1."""
        granted = events.Consent(events.Level.CARE, events.Basis.AGREED, WORDING)
        return self.ledger.append(granted)

    def intend(self, consent: SignedEntry) -> Photo:
        """Step 3."""
        body = events.Intent(consent.digest, events.Level.CARE, events.Basis.AGREED)
        return self.register.add(consent, self.ledger.append(body))

    def seal(
        self,
        photo: Photo,
        *,
        seq: int | None = None,
        recipients: tuple[hpke.RecipientPublic, ...] = (),
    ) -> bytes:
        """Step 6, as the darkroom does it; return the envelope's bytes."""
        jpeg = os.urandom(1000)
        content = envelope.content_prefix(envelope.Private("Bed 12", {}), len(jpeg)) + jpeg
        ordered = header_for(photo, self.hospital.keyset)
        header = envelope.Header(**{**vars(ordered), "length": len(content)})
        out = memoryview(bytearray(envelope.room(len(content))))
        size = envelope.seal_into(
            out,
            header=header,
            plaintext=memoryview(bytearray(content)),
            key=os.urandom(32),
            recipients=recipients or self.hospital.keyset.keyset.recipients,
        )
        sealed = bytes(out[:size])
        self.spool.sealed_path(photo.seq if seq is None else seq).write_bytes(sealed)
        return sealed

    def bodies(self) -> list[object]:
        """Every entry's body on the current ledger, as a fresh reader sees it."""
        data = (self.paths.ledger / f"{self.ledger.ledger.hex()}.wsl").read_bytes()
        raws, good = read_frames(data)
        report = verify_chain(raws, [self.signer.public])
        assert good == len(data) and not report.problems
        return [events.body_of(signed.entry) for signed in report.entries]
