"""Audit questions, ready made: each a title, a reason to ask, and the rows that answer it.

They read the database only. Who asks them is written down like every other view.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from base.errors import FormatError
from gateway.console.tables import Viewing
from gateway.identity.tables import MoveRow
from gateway.lookers import in_wrong_charts
from gateway.objections import ObjectionRow
from gateway.sharing.shares import ShareRow
from gateway.store import Store
from gateway.tables import LedgerEntry, Photo, State, WorkItem, WorkKind
from wire import events, shapes, signing
from wire.events import Basis
from wire.ledger import TYP_ENTRY, Entry, EntryType

MOST: Final = 500
_LOOKED_AT: Final = 10 * MOST
"""How many of the newest consents, windows and presses of CAPTURE a question goes through."""
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Row:
    """One finding: when, on which device, what, and the photo it is about, if it is about one."""

    at_ms: int
    device: str
    what: str
    photo: str = ""


@dataclass(frozen=True)
class Question:
    """``ask`` returns at most ``MOST`` rows, the newest first."""

    name: str
    title: str
    why: str
    ask: Callable[[Session], list[Row]]


class Questions:
    """All of them. Entries are not verified again: they were, before they were stored."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self.all: Final = (
            Question(
                "without-consent",
                "Photos without consent",
                "Nobody was asked: emergency, or no capacity. Each is owed a reason in the notes.",
                lambda session: _consents(session, _by_another_basis),
            ),
            Question(
                "no-photo",
                "Consent without a photo",
                "The camera was on and nothing was taken. Often means that a device is not liked.",
                _windows,
            ),
            Question(
                "too-fast",
                "Photographed within a second of consent",
                "Too fast for anybody to have been asked after the button was pressed.",
                _too_fast,
            ),
            Question(
                "unattested",
                "Photos that nobody has attested",
                "No badge was read: filed for care, and for no other use.",
                _unattested,
            ),
            Question(
                "emergency",
                "Without the patient's own consent, by ward",
                "Emergency, no capacity, a representative: how often, where, and when last.",
                _by_ward,
            ),
            Question(
                "held",
                "Photos on hold, the oldest first",
                "Each waits for a person to say whose it is.",
                self._held,
            ),
            Question(
                "withdrawn",
                "Consent withdrawn",
                "UNDO was pressed: no secondary use, no sharing.",
                _withdrawn,
            ),
            Question(
                "objections",
                "Objections and what was decided",
                "However they came; those without a decision are on the worklist.",
                _objections,
            ),
            Question(
                "moves",
                "Moved to another patient",
                "Who asked, who decided, why, and how many had seen the photo in the wrong chart.",
                _moves,
            ),
            Question(
                "lost",
                "Photos lost",
                "Taken, and gone before the hospital had signed for them.",
                lambda session: _work(session, WorkKind.LOST),
            ),
            Question(
                "alarms",
                "Alarms",
                "Something signed contradicts something else that was signed.",
                lambda session: _work(session, WorkKind.ALARM),
            ),
            Question(
                "shared",
                "Shared outside",
                "Who gave which photo to whom, and why.",
                _shared,
            ),
            Question(
                "viewings",
                "Who looked at what",
                "Every page and picture that was shown, and every one that was refused.",
                _viewings,
            ),
        )

    def named(self, name: str) -> Question | None:
        """Return one question."""
        return next((question for question in self.all if question.name == name), None)

    def answer(self, question: Question) -> list[Row]:
        """Ask it."""
        with self._store.read() as session:
            return question.ask(session)

    def _held(self, session: Session) -> list[Row]:
        rows = session.scalars(
            select(Photo).where(Photo.state == State.HELD).order_by(Photo.captured_ms).limit(MOST)
        )
        now = self._clock()
        return [
            Row(r.captured_ms, r.device, f"{_age(now - r.changed_ms)}: {r.reason}", r.photo)
            for r in rows
        ]


def _entries(session: Session, *types: EntryType) -> list[Entry]:
    """Return the newest entries of some types; they were verified when they were stored."""
    found = []
    raws = chain.from_iterable(
        session.scalars(
            select(LedgerEntry.raw)
            .where(LedgerEntry.type == each.value)
            .order_by(LedgerEntry.stored_ms.desc())
            .limit(_LOOKED_AT)
        )
        for each in types
    )
    for raw in raws:
        _, payload = signing.untrusted(raw, typ=TYP_ENTRY)
        found.append(shapes.from_map(Entry, payload, "ledger entry"))
    return found


def _body(entry: Entry) -> object:
    try:
        return events.body_of(entry)
    except FormatError:
        return None


def _consents(session: Session, wanted: Callable[[events.Consent], str]) -> list[Row]:
    rows = []
    for entry in _entries(session, EntryType.CONSENT):
        body = _body(entry)
        if isinstance(body, events.Consent) and (what := wanted(body)):
            rows.append(Row(entry.wall_ms, entry.device, what))
    return _newest(rows)


def _by_another_basis(body: events.Consent) -> str:
    return "" if body.basis is events.Basis.AGREED else f"basis: {body.basis.value}"


def _windows(session: Session) -> list[Row]:
    rows = []
    for entry in _entries(session, EntryType.WINDOW):
        body = _body(entry)
        if isinstance(body, events.Window) and body.photos == 0:
            rows.append(Row(entry.wall_ms, entry.device, f"the window closed: {body.why}"))
    return _newest(rows)


def _too_fast(session: Session) -> list[Row]:
    rows = []
    begun: dict[tuple[str, bytes], Entry] = {}
    entries = _entries(session, EntryType.CONSENT, EntryType.INTENT)
    for entry in sorted(entries, key=lambda each: (each.device, each.ledger, each.seq)):
        if entry.type is EntryType.CONSENT:
            begun[entry.device, entry.ledger] = entry
        elif (consent := begun.get((entry.device, entry.ledger))) is not None:
            waited = entry.mono_ns - consent.mono_ns
            if consent.boot == entry.boot and 0 <= waited < _SECOND_NS:
                what = f"CAPTURE {waited / _SECOND_NS:.2f} s after CONSENT"
                rows.append(Row(entry.wall_ms, entry.device, what))
    return _newest(rows)


def _withdrawn(session: Session) -> list[Row]:
    rows = session.scalars(
        select(Photo)
        .where(Photo.state == State.UNDONE)
        .order_by(Photo.changed_ms.desc())
        .limit(MOST)
    )
    return [Row(r.changed_ms, r.device, "undone", r.photo) for r in rows]


def _unattested(session: Session) -> list[Row]:
    rows = session.scalars(
        select(Photo)
        .where(Photo.attested.is_(False), Photo.filed_ms.is_not(None))
        .order_by(Photo.captured_ms.desc())
        .limit(MOST)
    )
    return [
        Row(r.captured_ms, r.device, f"{_place(r.ward, r.bed)}, {r.basis}", r.photo) for r in rows
    ]


def _by_ward(session: Session) -> list[Row]:
    rows = session.execute(
        select(Photo.ward, Photo.basis, func.count(), func.max(Photo.captured_ms))
        .where(Photo.basis.in_([basis.value for basis in Basis if basis is not Basis.AGREED]))
        .group_by(Photo.ward, Photo.basis)
    )
    return _newest(
        [
            Row(last, "", f"{_place(ward, '')}: {count} by {basis}")
            for ward, basis, count, last in rows
        ]
    )


def _objections(session: Session) -> list[Row]:
    rows = session.scalars(select(ObjectionRow).order_by(ObjectionRow.id.desc()).limit(MOST))
    return [
        Row(
            r.at_ms,
            "",
            f"{'UNDO on the device' if r.device else f'{r.said_by}, entered by {r.by}'}:"
            f" {f'{r.decision} by {r.decided_by}, {r.reason}' if r.decision else 'not decided'}",
            r.photo,
        )
        for r in rows
    ]


def _moves(session: Session) -> list[Row]:
    rows = session.scalars(select(MoveRow).order_by(MoveRow.id.desc()).limit(MOST))
    return [
        Row(
            r.asked_ms,
            "",
            f"{r.by} asked: {r.reason}; {r.stand}{f' by {r.second}' if r.second else ''};"
            f" {_lookers(session, r.photo)} had seen it there",
            r.photo,
        )
        for r in rows
    ]


def _lookers(session: Session, photo: str) -> int:
    charts = in_wrong_charts(session, photo)
    return len({look.login for chart in charts for look in chart.lookers})


def _place(ward: str, bed: str) -> str:
    where = f"ward {ward}" if ward else "no ward"
    return f"{where}, bed {bed}" if bed else where


def _work(session: Session, kind: WorkKind) -> list[Row]:
    rows = session.scalars(
        select(WorkItem)
        .where(WorkItem.kind == kind.value)
        .order_by(WorkItem.opened_ms.desc())
        .limit(MOST)
    )
    return [
        Row(r.opened_ms, r.device, r.why, r.subject if _is_photo(r.subject) else "") for r in rows
    ]


def _shared(session: Session) -> list[Row]:
    rows = session.scalars(select(ShareRow).order_by(ShareRow.id.desc()).limit(MOST))
    return [Row(r.at_ms, "", f"{r.by} to {r.recipient}: {r.reason}", r.photo) for r in rows]


def _viewings(session: Session) -> list[Row]:
    rows = session.scalars(select(Viewing).order_by(Viewing.id.desc()).limit(MOST))
    return [
        Row(
            r.at_ms,
            "",
            f"{r.name} ({r.login}): {r.what} {'' if _is_photo(r.subject) else r.subject}".rstrip(),
            r.subject if _is_photo(r.subject) else "",
        )
        for r in rows
    ]


def _is_photo(subject: str) -> bool:
    return len(subject) == 64 and all(c in "0123456789abcdef" for c in subject)


def _newest(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row.at_ms)[:MOST]


def _age(ms: int) -> str:
    minutes = ms // 60_000
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"
