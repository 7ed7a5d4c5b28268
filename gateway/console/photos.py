"""What the pages say about photos: lists with filters, and one photo's whole story.

Only reading. Times are milliseconds since 1970 UTC; pages show them with their zone.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, func, select

from base.errors import FormatError, VerificationError
from gateway.console.tables import Viewing
from gateway.sharing.desk import ShareRow
from gateway.store import Filing, LedgerEntry, Photo, Presence, ReceiptRow, State, Store, Undo
from gateway.uses import Standing, Use, Verdict, may
from wire import events, messages, signing
from wire.ledger import EntryType, SignedEntry, open_entry
from wire.ledger_words import Numbers, meaning
from wire.signing import PublicKey

PAGE: Final = 60
SHOWN_STATES: Final = tuple(State)


@dataclass(frozen=True)
class Filter:
    """Which photos a list shows; empty means all. ``page`` counts from 0."""

    day: date | None = None
    device: str = ""
    state: str = ""
    page: int = 0

    def words(self) -> str:
        """Return what stands in the audit for this list."""
        day = self.day.isoformat() if self.day else "all days"
        return f"{day} device={self.device or '*'} state={self.state or '*'} page={self.page}"


@dataclass(frozen=True)
class Listed:
    """One photo in a list."""

    photo: str
    device: str
    state: str
    reason: str
    captured_ms: int
    width: int
    height: int


@dataclass(frozen=True)
class Page:
    """A page of photos; ``more`` when there is a next one."""

    photos: tuple[Listed, ...]
    total: int
    more: bool


@dataclass(frozen=True)
class Step:
    """A line of a photo's story. ``who`` signed or did it: device, hospital or a person."""

    at_ms: int
    who: str
    what: str
    detail: str = ""
    proof: str = ""


@dataclass(frozen=True)
class Story:
    """One photo: where it stands, and everything that is known about it, in time order."""

    photo: Listed
    level: str
    basis: str
    wording: str
    ledger: str
    seq: int
    filings: tuple[Filing, ...]
    steps: tuple[Step, ...] = field(default=())


_BEFORE: Final = 512
"""Entries before an INTENT among which its CONSENT stands for sure: a window is short."""
_AFTER: Final = 4096
"""What comes later than this is told by the hospital's own receipts."""

KeyOf = Callable[[str], PublicKey | None]


class Photos:
    """Reads the store. ``key_of(device)``: the registered public key, None for a stranger."""

    def __init__(self, *, store: Store, key_of: KeyOf) -> None:
        self._store = store
        self._key_of = key_of

    def page(self, wanted: Filter) -> Page:
        """Return one page of photos, the newest first."""
        with self._store.read() as session:
            total = session.scalar(_where(select(func.count(Photo.photo)), wanted)) or 0
            rows = session.scalars(
                _where(select(Photo), wanted)
                .order_by(Photo.captured_ms.desc(), Photo.photo)
                .limit(PAGE + 1)
                .offset(wanted.page * PAGE)
            ).all()
        return Page(tuple(map(listed, rows[:PAGE])), total, len(rows) > PAGE)

    def verdict(self, photo: str) -> Verdict | None:
        """Return whether a photo may be read for care; None when it is not known.

        One that waits for a person, in no record yet, is read to find out whose it is.
        """
        with self._store.read() as session:
            row = session.get(Photo, photo)
        if row is None:
            return None
        return may(Use.CARE, replace(Standing.of(row), filed=True))

    def version(self) -> str:
        """Return something that changes whenever a list might look different."""
        with self._store.read() as session:
            newest = session.scalar(select(func.max(Photo.changed_ms))) or 0
            count = session.scalar(select(func.count(Photo.photo))) or 0
        return f"{newest}-{count}"

    def devices(self) -> list[str]:
        """Return the devices that photos came from."""
        with self._store.read() as session:
            return list(session.scalars(select(Photo.device).distinct().order_by(Photo.device)))

    def presences(self) -> dict[str, Presence]:
        """Return what each device last said of itself."""
        with self._store.read() as session:
            return {row.device: row for row in session.scalars(select(Presence))}

    def story(self, photo: str) -> Story | None:
        """Return everything about one photo; None when it is not known."""
        with self._store.read() as session:
            row = session.get(Photo, photo)
            if row is None:
                return None
            raws = session.scalars(
                select(LedgerEntry.raw)
                .where(LedgerEntry.device == row.device, LedgerEntry.ledger == row.ledger)
                .where(LedgerEntry.seq.between(row.seq - _BEFORE, row.seq + _AFTER))
                .order_by(LedgerEntry.seq)
            ).all()
            filings = tuple(session.scalars(select(Filing).where(Filing.photo == photo)))
            receipts = session.scalars(
                select(ReceiptRow).where(ReceiptRow.photo == photo).order_by(ReceiptRow.number)
            ).all()
            shares = session.scalars(select(ShareRow).where(ShareRow.photo == photo)).all()
            undo = session.get(Undo, (row.device, row.intent))
            viewings = session.scalars(
                select(Viewing).where(Viewing.subject == photo).order_by(Viewing.at_ms)
            ).all()
        key = self._key_of(row.device)
        mine = _of_photo(raws, key, row)
        steps = [_step(signed, numbers) for signed, numbers in mine]
        steps += [step for filing in filings for step in _filed(filing)]
        steps += [_receipt(r) for r in receipts]
        steps += [Step(v.at_ms, v.name, f"looked at it ({v.what})", v.note) for v in viewings]
        steps += [
            Step(s.at_ms, s.by, f"shared it with {s.recipient} ({s.form})", s.reason, s.digest)
            for s in shares
        ]
        if undo is not None:
            steps.append(Step(undo.at_ms, "hospital", "withdrawal received", ""))
        consent = next((s for s, _ in mine if s.entry.type is EntryType.CONSENT), None)
        body = events.body_of(consent.entry) if consent else None
        return Story(
            photo=listed(row),
            level=body.level.value if body else "",
            basis=body.basis.value if body else "",
            wording=f"{body.wording.id} ({body.wording.language})" if body else "",
            ledger=row.ledger,
            seq=row.seq,
            filings=filings,
            steps=tuple(sorted(steps, key=lambda step: step.at_ms)),
        )


def _where(query: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.day is not None:
        begin = datetime.combine(wanted.day, datetime.min.time(), UTC)
        query = query.where(
            Photo.captured_ms >= _ms(begin), Photo.captured_ms < _ms(begin + timedelta(days=1))
        )
    if wanted.device:
        query = query.where(Photo.device == wanted.device)
    if wanted.state:
        query = query.where(Photo.state == wanted.state)
    return query


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def listed(row: Photo) -> Listed:
    """Return a row as it stands in a list."""
    return Listed(
        photo=row.photo,
        device=row.device,
        state=row.state,
        reason=row.reason,
        captured_ms=row.captured_ms,
        width=row.width,
        height=row.height,
    )


def _of_photo(
    raws: Sequence[bytes], key: PublicKey | None, row: Photo
) -> list[tuple[SignedEntry, Numbers]]:
    """Return the entries that are about this photo, each verified here and now."""
    if key is None:
        return []
    numbers = Numbers()
    found: list[SignedEntry] = []
    consents: dict[bytes, SignedEntry] = {}
    attests: dict[bytes | None, SignedEntry] = {}
    intent = bytes.fromhex(row.intent)
    for raw in raws:
        try:
            signed = open_entry(raw, (key,))
            body = events.body_of(signed.entry)
        except (FormatError, VerificationError):
            continue  # the ledger's own page says what is wrong with it
        numbers.add(signed.digest, signed.entry.seq)
        if isinstance(body, events.Consent):
            consents[signed.digest] = signed
        elif isinstance(body, events.Attest):
            attests[body.commitment] = signed
        elif signed.digest == intent:
            found += [consents[body.consent]] if body.consent in consents else []
            found += [attests[body.attest]] if body.attest in attests else []
            found.append(signed)
        elif intent == getattr(body, "intent", b"") or row.photo == _photo_of(body):
            found.append(signed)
    return [(signed, numbers) for signed in found]


def _photo_of(body: object) -> str:
    photo = getattr(body, "photo", None)
    return photo.hex() if isinstance(photo, bytes) else ""


def _step(signed: SignedEntry, numbers: Numbers) -> Step:
    entry = signed.entry
    return Step(
        at_ms=entry.wall_ms,
        who="device",
        what=meaning(entry, numbers),
        detail=f"entry {entry.seq}, clock {entry.trust.value}",
        proof=signed.digest.hex(),
    )


def _filed(filing: Filing) -> list[Step]:
    """What happened to a photo in one record system."""
    where = filing.reference or ""
    happened = (
        (filing.filed_ms, f"filed in {filing.sink}", where),
        (filing.objection_ms, f"objection recorded in {filing.sink}", where),
        (filing.corrected_ms, f"entered in error in {filing.sink}", where),
    )
    return [Step(at, "hospital", what, detail) for at, what, detail in happened if at is not None]


def _receipt(row: ReceiptRow) -> Step:
    _, untrusted = signing.untrusted(row.raw, typ=messages.TYP_RECEIPT)
    at_ms = untrusted.get("time_ms")
    return Step(
        at_ms=at_ms if isinstance(at_ms, int) else 0,
        who="hospital",
        what=f"signed {row.status.upper()}",
        detail=f"receipt {row.number}",
        proof=hashlib.sha256(row.raw).hexdigest(),
    )
