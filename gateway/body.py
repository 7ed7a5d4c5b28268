"""The parts of the body that a photo may show: one coded list, for every record system.

Codes are SNOMED CT body structures (FHIR ``bodySite``, DICOM PS3.16 CID 4 and 4031). The list is
short on purpose: what a ward photographs, in the order of the body. A label's own word (``wire.
label``) leads to a code where it is one of the words here; where it is not, a person chooses.
"""

from dataclasses import dataclass
from typing import Final

SNOMED: Final = "http://snomed.info/sct"
SIDES: Final = {"": "no side", "left": "left", "right": "right", "both": "both sides"}
_OF_LABEL: Final = {"L": "left", "R": "right", None: ""}


@dataclass(frozen=True)
class Part:
    """A part of the body. ``words``: what a label may call it, in capitals."""

    code: str
    display: str
    words: tuple[str, ...] = ()


PARTS: Final = (
    Part("69536005", "Head", ("HEAD",)),
    Part("41695006", "Scalp", ("SCALP",)),
    Part("89545001", "Face", ("FACE",)),
    Part("117590005", "Ear", ("EAR",)),
    Part("45206002", "Nose", ("NOSE",)),
    Part("123851003", "Mouth", ("MOUTH",)),
    Part("45048000", "Neck", ("NECK",)),
    Part("16982005", "Shoulder", ("SHOULDER",)),
    Part("91470000", "Axilla", ("AXILLA", "ARMPIT")),
    Part("40983000", "Upper arm", ("ARM", "UPPER-ARM")),
    Part("127949000", "Elbow", ("ELBOW",)),
    Part("14975008", "Forearm", ("FOREARM",)),
    Part("8205005", "Wrist", ("WRIST",)),
    Part("85562004", "Hand", ("HAND",)),
    Part("7569003", "Finger", ("FINGER",)),
    Part("76505004", "Thumb", ("THUMB",)),
    Part("51185008", "Chest", ("CHEST", "THORAX")),
    Part("76752008", "Breast", ("BREAST",)),
    Part("818981001", "Abdomen", ("ABDOMEN", "BELLY")),
    Part("77568009", "Back", ("BACK",)),
    Part("54735007", "Sacrum", ("SACRUM",)),
    Part("64688005", "Coccyx", ("COCCYX",)),
    Part("85710004", "Ischium", ("ISCHIUM",)),
    Part("46862004", "Buttock", ("BUTTOCK",)),
    Part("38864007", "Perineum", ("PERINEUM",)),
    Part("26893007", "Groin", ("GROIN",)),
    Part("29836001", "Hip", ("HIP",)),
    Part("68367000", "Thigh", ("THIGH",)),
    Part("72696002", "Knee", ("KNEE",)),
    Part("30021000", "Lower leg", ("LEG", "SHIN", "CALF")),
    Part("344001", "Ankle", ("ANKLE",)),
    Part("76853006", "Heel", ("HEEL",)),
    Part("56459004", "Foot", ("FOOT",)),
    Part("29707007", "Toe", ("TOE",)),
)
_BY_CODE: Final = {part.code: part for part in PARTS}
_BY_WORD: Final = {word: part for part in PARTS for word in part.words}


def part(code: str) -> Part | None:
    """Return the part with this code."""
    return _BY_CODE.get(code)


def of_label(site: str | None, side: str | None) -> tuple[Part | None, str]:
    """Return what a label's words mean, as (part, side); the part is None where nobody knows."""
    return _BY_WORD.get(site or ""), _OF_LABEL.get(side, "")
