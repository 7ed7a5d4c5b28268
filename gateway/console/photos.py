"""What the pages say about photos: one photo's whole story, and how each stands in a list.

Only reading; finding them is gateway.finding's. Times are milliseconds since 1970 UTC; pages show
them with their zone.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import evidence
from gateway.console.audit import What
from gateway.console.tables import Viewing
from gateway.evidence import KeyOf
from gateway.keyring import keyset_uses
from gateway.lookers import SEEN, WrongChart, in_wrong_charts
from gateway.objections import ObjectionRow
from gateway.reviews import Review, Reviews, Status
from gateway.series import width_mm
from gateway.sharing import shares
from gateway.sharing.shares import Share
from gateway.sites import BodySiteRow
from gateway.store import Store
from gateway.tables import Filing, Photo, Presence, ReceiptRow, Undo, WorkItem, WorkKind, WorkStep
from gateway.uses import Standing, Use, Verdict, may
from gateway.webhooks.outbox import Hook, hooks_of
from wire import events, messages, signing
from wire.ledger import EntryType, SignedEntry
from wire.ledger_words import Numbers, meaning


@dataclass(frozen=True)
class Listed:
    """One photo in a list. ``width_mm``: what the picture spans at its label; None without one."""

    photo: str
    device: str
    state: str
    reason: str
    captured_ms: int
    width: int
    height: int
    ward: str
    bed: str
    level: str
    attested: bool
    poor: bool
    label: str
    objection: str
    width_mm: float | None


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
    badge: str
    said_afterwards: Step | None
    """Whose word there is on a photo for which no badge was read; it attests nothing."""
    filings: tuple[Filing, ...]
    wrong_charts: tuple[WrongChart, ...]
    steps: tuple[Step, ...] = field(default=())


class Photos:
    """Reads the store. ``key_of(device)``: the registered public key, None for a stranger."""

    def __init__(self, *, store: Store, key_of: KeyOf, reviews: Reviews) -> None:
        self._store = store
        self._reviews = reviews
        self._key_of = key_of

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

    def presences(self) -> dict[str, Presence]:
        """Return what each device last said of itself."""
        with self._store.read() as session:
            return {row.device: row for row in session.scalars(select(Presence))}

    def hooks(self) -> list[Hook]:
        """Return how it stands with the receivers of webhooks."""
        with self._store.read() as session:
            return hooks_of(session)

    def epochs(self) -> keyset_uses.Epochs:
        """Return which keyset each device has, and which one they are told of."""
        with self._store.read() as session:
            return keyset_uses.epochs(session)

    def story(self, photo: str) -> Story | None:
        """Return everything about one photo; None when it is not known."""
        with self._store.read() as session:
            row = session.get(Photo, photo)
            if row is None:
                return None
            raws = evidence.raws_of(session, row)
            filings = tuple(session.scalars(select(Filing).where(Filing.photo == photo)))
            receipts = session.scalars(
                select(ReceiptRow).where(ReceiptRow.photo == photo).order_by(ReceiptRow.number)
            ).all()
            shared = shares.of(session, photo)
            undo = session.get(Undo, (row.device, row.intent))
            sites = session.scalars(select(BodySiteRow).where(BodySiteRow.photo == photo)).all()
            objections = session.scalars(
                select(ObjectionRow).where(ObjectionRow.photo == photo)
            ).all()
            owed = _owed(session, photo)
            wrong_charts = tuple(in_wrong_charts(session, photo))
            viewings = session.scalars(
                select(Viewing).where(Viewing.subject == photo).order_by(Viewing.at_ms)
            ).all()
        key = self._key_of(row.device)
        mine = evidence.of_photo(raws, key, row)
        steps = [_step(signed, numbers) for signed, numbers in mine]
        steps += [step for filing in filings for step in _filed(filing)]
        steps += [_receipt(r) for r in receipts]
        steps += [
            Step(v.at_ms, v.name, f"looked at it ({v.what})", v.note)
            for v in viewings
            if v.what in (*SEEN, What.REASON)
        ]
        steps += [step for share in shared for step in _shared(share)]
        if undo is not None and not undo.told:
            steps.append(Step(undo.at_ms, "hospital", "withdrawal received", ""))
        steps += [step for _, step in owed]
        steps += [_site(row) for row in sites]
        steps += [step for row in objections for step in _objection(row)]
        steps += [step for review in self._reviews.of(photo) for step in _review(review)]
        consent = next((s for s, _ in mine if s.entry.type is EntryType.CONSENT), None)
        body = events.body_of(consent.entry) if consent else None
        return Story(
            photo=listed(row),
            level=body.level.value if body else "",
            basis=body.basis.value if body else "",
            wording=f"{body.wording.id} ({body.wording.language})" if body else "",
            ledger=row.ledger,
            seq=row.seq,
            badge=row.badge,
            said_afterwards=next(
                (step for kind, step in reversed(owed) if kind == WorkKind.UNATTESTED), None
            ),
            filings=filings,
            wrong_charts=wrong_charts,
            steps=tuple(sorted(steps, key=lambda step: step.at_ms)),
        )


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
        ward=row.ward,
        bed=row.bed,
        level=row.level,
        attested=row.attested,
        poor=row.poor,
        label=row.label,
        objection=row.objection,
        width_mm=width_mm(row),
    )


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
        (filing.corrected_ms, f"{filing.stand} in {filing.sink}", where),
    )
    return [Step(at, "hospital", what, detail) for at, what, detail in happened if at is not None]


_ANSWERS: Final = {
    WorkKind.UNATTESTED: "said afterwards who asked, without a badge",
    WorkKind.REASON: "gave the reason that was owed",
}


def _owed(session: Session, photo: str) -> list[tuple[WorkKind, Step]]:
    """What was owed and people have said since, oldest first: their word, with their name."""
    closed = (
        select(WorkItem.kind, WorkStep)
        .join(WorkStep, WorkStep.item == WorkItem.id)
        .where(WorkItem.subject == photo, WorkItem.kind.in_(list(_ANSWERS)))
        .where(WorkStep.what == "closed")
        .order_by(WorkStep.id)
    )
    return [
        (WorkKind(kind), Step(row.at_ms, row.by, _ANSWERS[WorkKind(kind)], row.note))
        for kind, row in session.execute(closed)
    ]


def _site(row: BodySiteRow) -> Step:
    words = " ".join(word for word in (row.side, row.display) if word)
    what = f"said that it shows: {words}" if words else "made a note"
    return Step(row.at_ms, row.by, what, row.note)


def _objection(row: ObjectionRow) -> list[Step]:
    """Who said what and when; what was decided, by whom."""
    steps = []
    if not row.device:
        what = f"entered that {row.said_by} objected"
        steps.append(Step(row.at_ms, row.by, what, row.words))
    if row.decided_ms is not None:
        asked = "asked for erasure" if row.decision == "erased" else f"decided: {row.decision}"
        reason = "; ".join(part for part in (row.reason, row.law) if part)
        steps.append(Step(row.decided_ms, row.decided_by, asked, reason))
    if row.second_ms is not None:
        steps.append(Step(row.second_ms, row.second, "confirmed the erasure", ""))
    return steps


def _shared(share: Share) -> list[Step]:
    """What left the hospital, what ended it, and what came of asking for it back."""
    what = f"shared it with {share.recipient} ({share.form}; {share.use})"
    detail = "; ".join(part for part in (share.reason, share.confirmed) if part)
    steps = [Step(share.at_ms, share.by, what, detail, share.digest)]
    if share.revoked_ms is not None:
        ended = f"ended what was shared with {share.recipient}"
        steps.append(Step(share.revoked_ms, share.revoked_by, ended, share.revoked_why))
    if share.answered_ms is not None:
        asked = f"asked {share.recipient} to destroy the copy"
        steps.append(Step(share.answered_ms, share.answered_by, asked, share.answer))
    return steps


def _review(review: Review) -> list[Step]:
    asked = Step(review.asked_ms, review.by, f"asked {review.owner} to look", review.question)
    if review.closed_ms is None:
        return [asked]
    how = "took the request back" if review.status is Status.REVOKED else "answered the request"
    return [asked, Step(review.closed_ms, review.closed_by, how, review.note)]


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
