"""What must hold when everything has come to rest, whatever happened before (P5, P6).

``settled`` says whether there is still something to wait for, ``audit`` what is wrong, in
sentences: device, hospital and record are compared with each other, byte for byte.
"""

import hashlib
import json
from collections import Counter
from pathlib import Path

from cli.virtual_site import VirtualSite
from tests.journey.at_hospital import Hospital
from tests.journey.on_device import Book, Fate, device_key, read_book
from wire import events
from wire.ledger import SignedEntry

ENDINGS = {"FILED", "HELD", "UNDONE", "LOST"}


class Auditor:
    """Compares the two sides of one site; ``envelopes``: what was seen released, by photo id."""

    def __init__(self, site: VirtualSite) -> None:
        self._site = site
        self.envelopes: dict[str, bytes] = {}
        self._sizes: dict[Path, int] = {}
        self._book: Book | None = None
        self._paths = site.device.config.paths
        self.hospital = Hospital(site)
        self.key = device_key(site.device_key)

    def book(self) -> Book:
        """The device's ledgers as they are now; read again when they have changed."""
        sizes = {path: path.stat().st_size for path in self._paths.ledger.glob("*.wsl")}
        if self._book is None or sizes != self._sizes:
            self._sizes, self._book = sizes, read_book(self._paths.ledger, self.key)
        return self._book

    def waits_for(self) -> str:
        """What is still on its way, in words; "" when everything has come to rest."""
        book = self.book()
        if book.torn:
            return "the ledger's last entry to be whole"
        for fate in book.fates():
            if not fate.settled:
                return f"the photo of INTENT {fate.intent.entry.seq} ({_say(fate)}) to settle"
        for folder in (self._paths.outbox, self._paths.sealing):
            if left := [path.name for path in folder.iterdir()]:
                return f"{folder.name}/ to be empty of {left}"
        if letters := [path.name for path in self._paths.mailbox.glob("*.msg")]:
            return f"the mailbox to be empty of {letters}"
        for chain in book.chains:
            has = len(self.hospital.ledger(chain[0].entry.ledger))
            if has != len(chain):
                return f"the hospital to have all {len(chain)} ledger entries; it has {has}"
        return ""

    def audit(self) -> list[str]:
        """Return everything that is wrong, in words."""
        book = self.book()
        wrong = [f"ledger entry {problem.index}: {problem.what}" for problem in book.problems]
        wrong += _links(book)
        for chain in book.chains:
            if self.hospital.ledger(chain[0].entry.ledger) != [signed.raw for signed in chain]:
                wrong.append("the hospital's copy of the ledger is another one")
        fates = book.fates()
        for fate in fates:
            name = f"INTENT {fate.intent.entry.seq}"
            wrong += [f"{name}: {what}" for what in (*_life(fate), *self._promised(fate))]
        wrong += self._record(fates)
        wrong += [f"alarm: {why} ({subject})" for subject, why in self.hospital.worklist("alarm")]
        return wrong

    def _promised(self, fate: Fate) -> list[str]:
        """What the device was told, and would tell a nurse, against what the hospital has."""
        wrong = []
        if fate.outcome == "LOST":
            subjects = [subject for subject, _ in self.hospital.worklist("lost")]
            names = [f"intent {fate.intent.digest.hex()}"]
            names += [fate.photo.hex()] if fate.photo else []
            if not set(names) & set(subjects):
                wrong.append("LOST, and not on the hospital's worklist")
        if fate.photo is None:
            return wrong
        signed = [(number, status) for number, status in self.hospital.receipts(fate.photo)]
        wrong += [
            f"the hospital never signed {seen.status} number {seen.number}"
            for seen in fate.receipts
            if (seen.number, seen.status) not in signed
        ]
        if any(seen.status == "FILED" for seen in fate.receipts):
            wrong += self._filed(fate.photo, undone=fate.outcome == "UNDONE")
        return wrong

    def _filed(self, photo: bytes, *, undone: bool) -> list[str]:
        filed = self.hospital.filed(photo)
        sealed = self.envelopes.get(photo.hex()) or self.hospital.sealed_copy(photo)
        if filed is None:
            return ["FILED, and not in the record"]
        if sealed is None and undone:
            # An UNDO may have taken the sealed copy along; the care copy stays what it was.
            digest = hashlib.sha256(filed.jpeg.read_bytes()).hexdigest()
            same = digest == filed.page["picture"]["sha256"]
            return [] if same else ["UNDONE, and the care copy is not what was filed"]
        if sealed is None or hashlib.sha256(sealed).digest() != photo:
            return ["FILED, and the sealed copy is not what the device sealed"]
        if filed.jpeg.read_bytes() != self.hospital.opened(sealed).jpeg:
            return ["FILED, and the record has other bytes than the device sealed"]
        if filed.page["photo"] != photo.hex():
            return ["FILED, and its page is another photo's"]
        return []

    def _record(self, fates: list[Fate]) -> list[str]:
        """Nothing twice, nothing half, and nothing that nobody took."""
        pictures = [p for p in self.hospital.pictures() if p.with_suffix(".json").exists()]
        known = {fate.photo.hex() for fate in fates if fate.photo}
        twice = [name for name, n in Counter(path.stem for path in pictures).items() if n > 1]
        wrong = [f"the photo {name} is in the record twice" for name in twice]
        wrong += [
            f"the photo {path.stem} is in the record and on no ledger"
            for path in pictures
            if path.stem not in known
        ]
        pages = [json.loads(path.with_suffix(".json").read_bytes()) for path in pictures]
        intents = Counter(page["proof"]["intent"] for page in pages)
        wrong += [f"two photos for one CAPTURE: {name}" for name, n in intents.items() if n > 1]
        half = self._site.record / ".arriving"
        wrong += [f"left half filed: {path.name}" for path in half.glob("*")]
        return wrong


def _links(book: Book) -> list[str]:
    """A new ledger goes on from the head of the one before."""
    wrong = []
    for old, new in zip(book.chains, book.chains[1:], strict=False):
        boot = events.body_of(new[0].entry)
        head = (old[-1].entry.ledger, old[-1].entry.seq, old[-1].digest)
        named = boot.previous and (boot.previous.ledger, boot.previous.seq, boot.previous.head)
        if named != head:
            wrong.append("a ledger does not go on from the one before")
    return wrong


def _life(fate: Fate) -> list[str]:
    wrong = []
    if fate.outcome not in ENDINGS:
        wrong.append(f"it ended as {fate.outcome or 'nothing at all'}")
    if len(fate.ends) != 1:
        wrong.append(f"it ended {len(fate.ends)} times: {fate.ends}")
    numbers = [seen.number for seen in fate.receipts]
    if numbers != sorted(set(numbers)):
        wrong.append(f"its receipts do not rise: {numbers}")
    return wrong


def _say(fate: Fate) -> str:
    statuses = [seen.status for seen in fate.receipts]
    ends = [type(end).__name__ for end in fate.ends]
    sealed = "sealed" if fate.sealed else "not sealed"
    return ", ".join([sealed, *(["undone"] if fate.undone else []), *statuses, *ends])


def taken_under_consent(entries: list[SignedEntry]) -> list[str]:
    """P1 on the ledger: each INTENT stands under an earlier CONSENT of an open window."""
    consents: set[bytes] = set()
    wrong = []
    for signed in entries:
        match events.body_of(signed.entry):
            case events.Consent():
                consents.add(signed.digest)
            case events.Window() | events.Boot():
                consents.clear()
            case events.Intent(consent=digest) if digest not in consents:
                wrong.append(f"INTENT {signed.entry.seq} stands under no open consent")
            case _:
                pass
    return wrong
