"""A darkroom as its launcher starts it, and a test that plays the panel beside it.

The entries and the keyset are signed with real keys; nothing else of a panel is here, so that
a test can also say what no panel would.
"""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

from appliance import orders
from appliance.orders import Capture, Line, Open, Ready, Report, Sealed, Verdict, View
from appliance.simulator.world import CameraWorld
from base.memory import ALLOCATOR_ENV
from wire import envelope, events, hpke, keyset, pem, shapes
from wire.envelope import Header
from wire.events import Basis, Level
from wire.ledger import ClockTrust, Entry, EntryType, SignedEntry, sign_entry
from wire.signing import Ed25519Signer

DEVICE = "ward3-bed12"
WIDTH, HEIGHT = 4056, 3040
PATIENCE = 30.0
"""Seconds; only a failing test waits so long, on a busy machine."""

T = TypeVar("T")
WORDING = events.Wording("w1", "en", hashlib.sha256(b"May we take a photo?").digest())


@dataclass
class Life:
    """One darkroom process and the panel's end of its connection."""

    process: "subprocess.Popen[bytes]"
    line: Line

    def next(self) -> Report | None:
        """The next report that is no viewfinder frame; None at the end of file."""
        while True:
            report = self.line.receive()
            if not isinstance(report, View):
                assert not isinstance(report, Open | Capture)
                return report

    def expect(self, kind: type[T]) -> T:
        """The next report, which must be of this kind."""
        report = self.next()
        assert isinstance(report, kind), report
        return report

    def wait_for_view(self) -> bytes:
        """The next viewfinder frame; right after it the darkroom rests for a quarter second."""
        while True:
            report = self.line.receive()
            assert report is not None
            if isinstance(report, View):
                return bytes(report.bits)

    def end(self) -> int:
        """Hang up and return the exit code."""
        self.line.hang_up()
        while self.line.receive() is not None:
            pass
        return self.process.wait(PATIENCE)

    def ended(self) -> int:
        """The exit code of a darkroom that ends by itself."""
        assert self.next() is None
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


class Bedside:
    """A device's folders and keys, the hospital's keys, and the world before the lens."""

    def __init__(
        self,
        folder: Path,
        *,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        deadline_seconds: float = 8.0,
    ) -> None:
        self.folder = folder
        self.boot = os.urandom(16)
        self.ledger = os.urandom(16)
        self.seq = 0
        self.device = Ed25519Signer(os.urandom(32))
        self.root = Ed25519Signer(os.urandom(32))
        self.gateway = hpke.RecipientPrivate.generate(hpke.SuiteName.HYBRID)
        self.recovery = hpke.RecipientPrivate.generate(hpke.SuiteName.P256)
        self.keyset = keyset.issue(
            keyset.Keyset(
                epoch=3,
                not_after_ms=2**50,
                recipients=(self.gateway.public, self.recovery.public),
                receipt_keys=(Ed25519Signer(os.urandom(32)).public,),
                fleet_keys=(),
            ),
            self.root,
        )
        self.sealing = folder / "run" / "sealing"
        self.sealing.mkdir(parents=True)
        self.world = CameraWorld(folder / "world" / "camera.toml")
        (folder / "boot_id").write_text(self.boot.hex())
        (folder / "device.pub").write_bytes(pem.encode_public(self.device.public))
        (folder / "root.pub").write_bytes(pem.encode_public(self.root.public))
        self.config = folder / "appliance.toml"
        self.config.write_text(
            f"""
            [device]
            id = "{DEVICE}"
            bed = "W3-12"
            [broker]
            host = "localhost"
            [paths]
            run = "run"
            state = "state"
            boot_id = "boot_id"
            production = "production"
            [camera]
            adapter = "simulated"
            width = {size[0]}
            height = {size[1]}
            deadline_seconds = {deadline_seconds}
            """
        )

    def start(
        self,
        *,
        environment: Mapping[str, str] = ALLOCATOR_ENV,
        program: tuple[str, ...] = ("-m", "appliance", "--role", "darkroom", "--config"),
    ) -> Life:
        """Start a darkroom; ``program``: Python's arguments, to which the config file is added."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(PATIENCE)
        plain = {k: v for k, v in os.environ.items() if k not in ALLOCATOR_ENV}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, *program, str(self.config)],
                stdin=theirs.fileno(),
                env={**plain, **environment},
            )
        return Life(process, Line(ours))

    def open(self, life: Life) -> SignedEntry:
        """Wait until it is idle, log a consent, wait until the camera is ready."""
        life.expect(orders.Idle)
        consent = self.consent()
        life.line.send(Open(consent.raw, self.keyset.raw))
        life.expect(Ready)
        return consent

    def take(self, life: Life, consent: SignedEntry, attest: bytes | None = None) -> Sealed:
        """Take one photo."""
        self.order(life, consent, attest)
        life.expect(Verdict)
        return self.sealed(life)

    def order(self, life: Life, consent: SignedEntry, attest: bytes | None = None) -> int:
        """Order a photo and return its number; ``attest``: the badge's commitment."""
        intent = self.intent(consent, attest)
        life.line.send(Capture(intent.raw, self.header(consent, intent)))
        return intent.entry.seq

    def sealed(self, life: Life) -> Sealed:
        """The report that a photo is sealed, whose file must be there, whole."""
        sealed = life.expect(Sealed)
        assert (self.sealing / sealed.name).stat().st_size == sealed.size
        return sealed

    def entry(self, kind: EntryType, payload: object, /, **changes: object) -> SignedEntry:
        """The device's next ledger entry; ``changes`` are fields of ``Entry``."""
        self.seq += 1
        entry = Entry(
            device=DEVICE,
            ledger=self.ledger,
            seq=self.seq,
            prev=bytes(32),
            boot=self.boot,
            mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            wall_ms=1_780_000_000_000,
            trust=ClockTrust.SYNCED,
            type=kind,
            body=shapes.to_map(payload),
        )
        return sign_entry(replace(entry, **changes), self.device)  # type: ignore[arg-type]

    def consent(self, level: Level = Level.CARE, /, **changes: object) -> SignedEntry:
        """A fresh CONSENT entry."""
        body = events.Consent(level, Basis.AGREED, WORDING)
        return self.entry(EntryType.CONSENT, body, **changes)

    def intent(
        self, consent: SignedEntry, attest: bytes | None = None, /, **changes: object
    ) -> SignedEntry:
        """A fresh INTENT entry under ``consent``."""
        body = events.Intent(consent.digest, Level.CARE, Basis.AGREED, attest)
        return self.entry(EntryType.INTENT, body, **changes)

    def header(
        self, consent: SignedEntry, intent: SignedEntry, /, **changes: object
    ) -> dict[str, object]:
        """The header that the panel would order for that intent."""
        header = Header(
            device=DEVICE,
            boot=self.boot,
            seq=intent.entry.seq,
            consent=consent.digest,
            intent=intent.digest,
            epoch=3,
            keyset=self.keyset.hash,
            time_ms=1_780_000_000_000,
            trust=ClockTrust.SYNCED,
            length=1,
        )
        fields = {name: value for name, value in vars(header).items() if name != "length"}
        return {**fields, **changes}

    def opened(self, sealed: Sealed) -> envelope.Content:
        """Open a photo with the gateway's key."""
        found = envelope.parse((self.sealing / sealed.name).read_bytes())
        out = memoryview(bytearray(found.header.length))
        return envelope.open_into(found, self.gateway, out)
