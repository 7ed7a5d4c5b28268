"""What stands in the report of a photo, and having it set.

The report says what the record says and no more: a patient only if identity has found one, a
scale only if a label in the picture gave one, a site only from a label or a person. The picture
is embedded byte for byte; whoever has the PDF has the photo. The same record in the same style
gives the same bytes, whenever the report is made.
"""

import json
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from base.errors import WardsealError
from gateway.filing.record import Record
from gateway.filing.text import plain_all
from gateway.report import code
from gateway.report.mounting import NotMounted, mount
from gateway.report.words import WORDS
from wire import cards

_SECONDS: Final = 60
_BARS_MM: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class ReportError(WardsealError):
    """The report could not be made."""


@dataclass(frozen=True)
class Style:
    """How a site wants its reports: language, the zone of times, its name at the top."""

    language: str = "en"
    zone: tzinfo = UTC
    organization: str = ""


class _Made:
    """The report that a thread has made last, for as long as its record lives."""

    def __init__(self, record: Record, style: Style, pdf: bytes) -> None:
        self._record = weakref.ref(record, self._forget)
        self._style = style
        self.pdf = pdf

    def is_of(self, record: Record, style: Style) -> bool:
        return self._record() is record and self._style == style

    def _forget(self, _: object) -> None:
        self.pdf = b""


_of_thread = threading.local()


def make_report(record: Record, style: Style) -> bytes:
    """Return the PDF. Raises ReportError.

    Several record systems get the same record one after the other: it is set once for them.
    """
    made: _Made | None = getattr(_of_thread, "made", None)
    if made is None or not made.is_of(record, style):
        made = _of_thread.made = _Made(record, style, _set(record, style))
    return made.pdf


def _set(record: Record, style: Style) -> bytes:
    data = plain_all(describe(record, style) | {"picture": _picture(record, style)})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "gateway.report.typesetter"],
            input=json.dumps(data).encode(),
            # Nothing of the gateway's own: neither where its keys are, nor the allocator settings,
            # which make Python slow; what it is told goes with it.
            env={},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ReportError(f"the report could not be set: {e}") from e
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
        raise ReportError(f"the report could not be set: {why}")
    try:
        return mount(done.stdout, record.jpeg, record.width, record.height)
    except NotMounted as e:
        raise ReportError(f"the report could not be set: {e}") from e


def describe(record: Record, style: Style) -> dict[str, Any]:
    """Return what the template shows, as text: everything but the picture."""
    words = WORDS[style.language]
    card = cards.by_hash(bytes.fromhex(record.wording["sha256"]))
    return {
        "language": style.language,
        "author": record.device,
        "organization": style.organization,
        "words": words,
        "facts": _facts(record, style),
        "scale": _scale(record),
        "wording": {
            "name": f"{record.wording['id']} ({record.wording['language']})",
            "language": card.language if card else style.language,
            "text": card and card.text,
            "sha256": record.wording["sha256"],
        },
        "proof": [
            (words["photo"], record.photo),
            (words["jpeg"], record.jpeg_sha256),
            (words["ledger"], f"{record.proof.get('ledger')}, {record.proof.get('seq')}"),
            (words["sealed"], str(record.proof.get("sealed"))),
        ],
        "code": code.drawn(proof_text(record)),
    }


def proof_text(record: Record) -> str:
    """Return what the QR code says: one line that names the photo and its ledger entries."""
    proof = record.proof
    fields = {
        "device": record.device,
        "ledger": proof.get("ledger"),
        "seq": proof.get("seq"),
        "photo": record.photo,
        "jpeg": record.jpeg_sha256,
        "consent": proof.get("consent"),
        "intent": proof.get("intent"),
        "sealed": proof.get("sealed"),
    }
    return "wardseal-proof/1 " + " ".join(f"{name}={value}" for name, value in fields.items())


def _facts(record: Record, style: Style) -> list[tuple[str, str]]:
    words = WORDS[style.language]
    whose = record.assignment
    patient = whose.patient
    name = words["nobody"]
    if patient is not None:
        full = ", ".join(part for part in (patient.family, patient.given) if part)
        born = f"{words['born']} {patient.born}" if patient.born else ""
        name = " · ".join(part for part in (full, born, patient.number) if part)
    rows = [(words["patient"], name), (words["named_by"], whose.how)]
    if whose.encounter is not None:
        rows.append((words["encounter"], whose.encounter.number))
    if record.bed:
        rows.append((words["bed"], record.bed))
    if whose.site is not None:
        side = words.get(whose.site.side, whose.site.side)
        rows.append((words["site"], ", ".join(part for part in (whose.site.display, side) if part)))
    if whose.note:
        rows.append((words["note"], whose.note))
    label = record.read_label
    if label is not None and label.code is not None:
        rows.append((words["label"], label.code))
    poor = record.quality.get("poor")
    faults = [str(fault) for fault in poor] if isinstance(poor, list) else []
    return [
        *rows,
        (words["taken"], _taken(record, style)),
        (words["device"], record.device),
        (words["staff"], record.badge or words["unattested"]),
        (words["quality"], ", ".join(words.get(f, f) for f in faults) or words["good"]),
        (words["level"], words.get(record.level, record.level)),
        (words["basis"], words.get(record.basis, record.basis)),
        *([] if _per_pixel(record) else [(words["scale"], words["no_scale"])]),
    ]


def _taken(record: Record, style: Style) -> str:
    words = WORDS[style.language]
    if record.clock == "none":
        return words["no_clock"]
    try:
        taken = _local(datetime.fromtimestamp(record.captured_ms / 1000, UTC), style)
    except (ValueError, OverflowError, OSError):
        return words["no_clock"]
    return f"{taken} ({words['floor']})" if record.clock == "floor" else taken


def _local(at: datetime, style: Style) -> str:
    """ISO date and time of day, with the zone's name and its offset from UTC."""
    local = at.astimezone(style.zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} (UTC{offset[:3]}:{offset[3:5]})"


def _per_pixel(record: Record) -> float | None:
    """Millimetres per pixel as the label in the picture gave them, if it did."""
    label = record.read_label
    return None if label is None or label.nm_per_px is None else label.nm_per_px / 1_000_000


def _scale(record: Record) -> dict[str, Any] | None:
    """Return the longest round bar within a third of the picture's width."""
    per_pixel = _per_pixel(record)
    if per_pixel is None:
        return None
    width_mm = record.width * per_pixel
    bar = max((mm for mm in _BARS_MM if mm <= width_mm / 3), default=None)
    if bar is None:
        return None
    return {"share": bar / width_mm, "text": f"{bar} mm ({per_pixel:.3f} mm / px)"}


def _picture(record: Record, style: Style) -> dict[str, Any]:
    alt = WORDS[style.language]["picture"].format(time=_taken(record, style), bed=record.bed)
    return {"width": record.width, "height": record.height, "alt": alt}
