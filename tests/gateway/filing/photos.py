"""Records to file: a real JPEG, a patient or none, and the pictures and names of attackers."""

import hashlib
import io
from dataclasses import replace
from functools import cache
from typing import Any

from PIL import Image

from gateway.filing.base import Filed
from gateway.filing.record import Assignment, Encounter, Patient, Record, Site
from wire import cards

PHOTO = "ab" * 32
AT_MS = 1_700_000_000_000
PATIENT = Patient("4711", "urn:oid:1.2.3", "Muster", "Erika", "1950-01-02", "female")
WHOSE = Assignment(
    patient=PATIENT,
    encounter=Encounter("V-99", "urn:oid:1.2.4"),
    site=Site("76853006", "Heel structure", "left"),
    how="wristband; the bed agrees",
)
OTHER = Assignment(2, Patient("9001", "urn:oid:1.2.3", "Beispiel", "Otto", "1941-12-31", "male"))

# Whatever a code, a name or a number may be full of, on its way into a record.
HOSTILE = [
    '"><script>alert(1)</script>',
    "|^~\\&\rMSH|^~\\&|EVIL\rPID|1||666\x0b\x1c\r",
    "\\X0D\\PID|1\\.br\\",
    "../../../etc/passwd\0.jpg",
    "Patient/1?_format=json&name=x|y,z$\\",
    "https://evil.example/x#frag",
    "'; DROP TABLE photos; --",
    "/JS (app.alert(1)) ] endobj (\\)>> %PDF-1.7",
    '#eval("1+1") $x$ *b* @ref <label>',
    "\\\\1.2.3=^^\u202e\u0000\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "a\r\nX-Evil: 1\r\n\r\n",
]


@cache
def picture(width: int = 64, height: int = 48) -> bytes:
    """A JPEG as the device writes them: baseline, 4:2:0, no metadata."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, subsampling="4:2:0")
    return out.getvalue()


def record(**changes: Any) -> Record:
    jpeg = changes.pop("jpeg", picture())
    usual = Record(
        photo=PHOTO,
        device="ward3-bed12",
        captured_ms=AT_MS,
        clock="synced",
        level="care",
        basis="agreed",
        wording={"id": "W1", "language": "en", "sha256": cards.CARDS["en"].wording.hash.hex()},
        bed="W3-12",
        quality={"poor": []},
        label=None,
        proof={
            "ledger": "00" * 16,
            "seq": 2,
            "consent": "c0" * 32,
            "intent": "c1" * 32,
            "sealed": "c2" * 32,
        },
        width=64,
        height=48,
        jpeg_sha256=hashlib.sha256(jpeg).hexdigest(),
        jpeg=memoryview(bytearray(jpeg)),
        badge="N-20931",
        assignment=WHOSE,
    )
    return replace(usual, **changes)


def hostile(evil: str) -> Record:
    """A record that is full of it wherever a device, a band, a label or a person wrote text."""
    return record(
        bed=evil,
        badge=evil,
        level="care",
        quality={evil: evil, "poor": [evil]},
        label={evil: evil, "mm_per_pixel": evil},
        wording={"id": evil, "language": evil, "sha256": "00" * 32},
        assignment=Assignment(
            patient=Patient(evil, evil, evil, evil, evil, evil),
            encounter=Encounter(evil, evil),
            site=Site("76853006", evil, evil),
            how=evil,
        ),
    )


def filed_of(one: Record, reference: str | None = None) -> Filed:
    return Filed(one.photo, one.captured_ms, one.clock, one.assignment, reference)
