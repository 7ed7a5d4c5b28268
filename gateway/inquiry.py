"""Who photographed this bed on that day, with what attested, who looked at it, was it shared?

One answer for each photo, from four sources: what the device signed (verified while it is asked),
the badge that opens the signed commitment, the console's audit, the shares. The first two can be
checked by anybody without us: ``bundle`` is a ZIP file with the answer, the whole ledgers behind
it as ``wardseal ledger verify`` reads them, the devices' keys and the hospital's signed receipts.
Who looked and what was shared is the hospital's own word, and the bundle says so.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import evidence, lookers
from gateway.evidence import KeyOf
from gateway.finding import day_bounds
from gateway.identity.identify import current
from gateway.lookers import Looked, WrongChart
from gateway.sharing import shares
from gateway.sharing.shares import Share
from gateway.store import Store
from gateway.tables import Photo, ReceiptRow
from wire import attestation, events
from wire.ledger import EntryType

MOST: Final = 200


@dataclass(frozen=True)
class Looker:
    """Everything that one person looked at of a photo, in one line."""

    name: str
    login: str
    times: int
    first_ms: int
    last_ms: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What is known of one photo. ``entries``: the signed entries behind it, by number and type.

    ``badge`` is the code that was read, empty if none was. ``proven``: it opens the commitment
    that the device signed; False where there is a badge and it does not.
    """

    photo: str
    device: str
    ledger: str
    at_ms: int
    clock: str
    state: str
    objection: str
    level: str
    basis: str
    wording: str
    badge: str
    badge_salt: str
    proven: bool
    entries: tuple[tuple[int, str], ...]
    patient: str
    looked: tuple[Looked, ...]
    wrong_charts: tuple[WrongChart, ...]
    shares: tuple[Share, ...]

    @property
    def lookers(self) -> tuple[Looker, ...]:
        """Who looked, each once, in order of the first time."""
        theirs: dict[str, list[Looked]] = {}
        for look in self.looked:
            theirs.setdefault(look.login, []).append(look)
        return tuple(
            Looker(
                name=looks[0].name,
                login=login,
                times=sum(look.what != lookers.REASON for look in looks),
                first_ms=looks[0].at_ms,
                last_ms=looks[-1].at_ms,
                reasons=tuple(look.note for look in looks if look.note),
            )
            for login, looks in theirs.items()
        )


@dataclass(frozen=True)
class Inquiry:
    """A question with its answers, oldest photo first; ``more``: beyond ``MOST`` of them."""

    ward: str
    bed: str
    day: date
    answers: tuple[Answer, ...]
    more: bool


class Inquiries:
    """Reads the store. ``key_of(device)``: the registered public key, None for a stranger.

    ``ledger_file(device, ledger)`` yields a whole ledger as a file, piece by piece.
    """

    def __init__(
        self,
        *,
        store: Store,
        key_of: KeyOf,
        ledger_file: Callable[[str, str], Iterator[bytes]],
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._key_of = key_of
        self._ledger_file = ledger_file
        self._clock = clock

    def ask(self, ward: str, bed: str, day: date) -> Inquiry:
        """Answer for one bed (of every ward, if ``ward`` is empty) and one day in UTC."""
        query = select(Photo).where(Photo.bed == bed, *day_bounds(day, day))
        if ward:
            query = query.where(Photo.ward == ward)
        with self._store.read() as session:
            rows = list(
                session.scalars(query.order_by(Photo.captured_ms, Photo.photo).limit(MOST + 1))
            )
            answers = tuple(self._answer(session, row) for row in rows[:MOST])
        return Inquiry(ward, bed, day, answers, len(rows) > MOST)

    def _answer(self, session: Session, row: Photo) -> Answer:
        mine = evidence.of_photo(evidence.raws_of(session, row), self._key_of(row.device), row)
        entries = [signed for signed, _ in mine]
        consent = next((s for s in entries if s.entry.type is EntryType.CONSENT), None)
        intent = next((s for s in entries if s.digest.hex() == row.intent), None)
        said: events.Consent | None = events.body_of(consent.entry) if consent else None
        taken: events.Intent | None = events.body_of(intent.entry) if intent else None
        whose = current(session, row.photo)
        return Answer(
            photo=row.photo,
            device=row.device,
            ledger=row.ledger,
            at_ms=row.captured_ms,
            clock=row.clock,
            state=row.state,
            objection=row.objection,
            level=taken.level.value if taken else row.level,
            basis=taken.basis.value if taken else row.basis,
            wording=f"{said.wording.id} ({said.wording.language})" if said else "",
            badge=row.badge,
            badge_salt=row.badge_salt,
            proven=taken is not None and _opens(row, taken.attest),
            entries=tuple((s.entry.seq, s.entry.type.value) for s in entries),
            patient=(whose and whose.patient) or "",
            looked=tuple(lookers.of_photo(session, row.photo)),
            wrong_charts=tuple(lookers.in_wrong_charts(session, row.photo)),
            shares=tuple(shares.of(session, row.photo)),
        )

    def bundle(self, inquiry: Inquiry, *, by: str) -> bytes:
        """Return the ZIP file; ``by`` is who asked."""
        answer: dict[str, Any] = {
            "wardseal-inquiry": 1,
            "asked_by": by,
            "asked_ms": self._clock(),
            **asdict(inquiry),
            "day": inquiry.day.isoformat(),
        }
        files = {"answer.json": json.dumps(answer, indent=1, ensure_ascii=False).encode()}
        for device, ledger in sorted({(a.device, a.ledger) for a in inquiry.answers}):
            files[f"ledgers/{device}-{ledger}.wsl"] = b"".join(self._ledger_file(device, ledger))
            if (key := self._key_of(device)) is not None:
                files[f"keys/{device}.pub"] = key.encode()
        files |= self._receipts(inquiry)
        files["README.txt"] = _readme(inquiry, self._key_of).encode()
        sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
        files["SHA256SUMS"] = "".join(sums).encode()
        out = io.BytesIO()
        when = datetime.fromtimestamp(self._clock() / 1000, UTC).timetuple()[:6]
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                info = zipfile.ZipInfo(f"wardseal-inquiry/{name}", when)
                info.external_attr = 0o600 << 16
                archive.writestr(info, data, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    def _receipts(self, inquiry: Inquiry) -> dict[str, bytes]:
        photos = [answer.photo for answer in inquiry.answers]
        with self._store.read() as session:
            rows = session.scalars(select(ReceiptRow).where(ReceiptRow.photo.in_(photos)))
            return {f"receipts/{row.photo}.{row.number}.cose": row.raw for row in rows}


def _opens(row: Photo, committed: bytes | None) -> bool:
    if not row.badge or not row.badge_salt or committed is None:
        return False
    return attestation.commitment(bytes.fromhex(row.badge_salt), row.badge) == committed


def _readme(inquiry: Inquiry, key_of: KeyOf) -> str:
    """How to check the bundle on a machine that has never seen this hospital."""
    checks = [
        f"    wardseal ledger verify ledgers/{device}-{ledger}.wsl --key keys/{device}.pub"
        for device, ledger in sorted({(a.device, a.ledger) for a in inquiry.answers})
        if key_of(device) is not None
    ]
    where = f"ward {inquiry.ward}, bed {inquiry.bed}" if inquiry.ward else f"bed {inquiry.bed}"
    commands = "\n".join(checks) or "    (no photo, so there is no ledger to check)"
    return f"""\
Photographs of {where} on {inquiry.day.isoformat()} (UTC): {len(inquiry.answers)}

answer.json   one answer for each photo: device, level, basis, wording, badge; who looked; shares
ledgers/      everything that those devices ever signed, entry by entry
keys/         the devices' public keys, as this hospital registered them
receipts/     what the hospital signed to the devices about these photos
SHA256SUMS    sha256sum -c SHA256SUMS finds a file that has changed since

Check it without a network, on any machine with Wardseal:

{commands}

Each command says whether every signature, number and link holds, and --json lists the entries.
For each photo, answer.json gives the numbers of the entries behind it ("entries"). Compare the
keys with the hospital's own list of devices: a bundle cannot vouch for the keys that it brings.

A badge is named on no ledger. INTENT holds SHA-256 of CBOR ["wardseal-badge/1", salt, badge];
"badge" and "badge_salt" in answer.json are what opens it, and "proven" says that they do.

Who looked and what was shared is this hospital's own record: it is not signed by any device.
This file names patients and staff. Keep it as you keep a record, and delete it when it has served.
"""
