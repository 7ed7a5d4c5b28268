"""What a photo may be used for: one table, and the one function that everything asks.

Care photos belong to the medical record, and consent to be photographed is not why they are kept;
so an objection does not take them away, but whoever reads one then says why. Everything beyond
care needs the patient's own agreement to that level, attested by somebody who can be named, and
ends with the objection at once. docs/howto/governance.md shows the same table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.tables import Photo, State
from wire.events import Basis, Level


class Use(StrEnum):
    """What somebody wants to do with a photo."""

    RECORD = "keep in the record"
    CARE = "read for care"
    REFERRAL = "share for a referral"
    TEACHING = "use for teaching"
    PUBLICATION = "publish"


@dataclass(frozen=True)
class Rule:
    """What a use needs. ``levels``: those that allow it; empty: none that a device can give.

    ``agreed``: only where the patient agreed (no emergency, no proxy, no lack of capacity).
    ``attested``: only with a badge. ``objection``: what becomes of it after an objection.
    """

    levels: tuple[Level, ...]
    agreed: bool
    attested: bool
    objection: "Objection"


class Objection(StrEnum):
    """What an objection does to a use."""

    GOES_ON = "goes on"
    WITH_REASON = "with a logged reason"
    ENDS = "ends"


KEPT, RESTRICTED, ERASED = "kept", "restricted", "erased"
"""What governance may make of an objection."""
_ANY: Final = (Level.CARE, Level.TEACHING)
TABLE: Final[dict[Use, Rule]] = {
    Use.RECORD: Rule(_ANY, agreed=False, attested=False, objection=Objection.GOES_ON),
    Use.CARE: Rule(_ANY, agreed=False, attested=False, objection=Objection.WITH_REASON),
    Use.REFERRAL: Rule(_ANY, agreed=False, attested=False, objection=Objection.ENDS),
    Use.TEACHING: Rule((Level.TEACHING,), agreed=True, attested=True, objection=Objection.ENDS),
    Use.PUBLICATION: Rule((), agreed=True, attested=True, objection=Objection.ENDS),
}


@dataclass(frozen=True)
class Standing:
    """What decides: the photo's level and basis, whether it is attested, and an objection.

    ``decided``: what governance made of the objection (``gateway.objections.Decision``), if it has.
    """

    level: str
    basis: str
    attested: bool
    objection: bool
    filed: bool = True
    decided: str = ""

    @classmethod
    def of(cls, photo: Photo) -> "Standing":
        """Return how a photo of the database stands."""
        return cls(
            level=photo.level,
            basis=photo.basis,
            attested=photo.attested,
            objection=photo.state == State.UNDONE or photo.objection != "",
            filed=photo.filed_ms is not None,
            decided=photo.objection,
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a use may be, and in words why not. ``reason``: only with a reason, logged.

    ``governance``: and only by governance.
    """

    may: bool
    why: str = ""
    reason: bool = False
    governance: bool = False


def may(use: Use, photo: Standing) -> Verdict:
    """Say whether a photo may be used for this. What is not known counts as not given."""
    rule = TABLE[use]
    if photo.decided == ERASED:
        return Verdict(False, "it was erased")
    if not photo.filed:
        return Verdict(False, "the photo is in no record")
    if photo.objection and rule.objection is Objection.ENDS:
        return Verdict(False, "the patient objected")
    if not rule.levels:
        return Verdict(False, "no device can give this: it needs the specific outlet, in writing")
    if photo.level not in rule.levels:
        return Verdict(False, f"consent was given for {photo.level or 'nothing that is known'}")
    if rule.agreed and photo.basis != Basis.AGREED:
        return Verdict(False, "the patient did not agree in person")
    if rule.attested and not photo.attested:
        return Verdict(False, "nobody who can be named has attested the consent")
    if not photo.objection or rule.objection is not Objection.WITH_REASON:
        return Verdict(True)
    return Verdict(True, reason=photo.decided != KEPT, governance=photo.decided == RESTRICTED)


def table() -> str:
    """Return the table as the documentation shows it (Markdown)."""
    lines = [
        "| use | level | patient agreed | attested | after an objection |",
        "|---|---|---|---|---|",
    ]
    for use, rule in TABLE.items():
        levels = ", ".join(rule.levels) or "never from a device"
        yes = {True: "needed", False: "not needed"}
        cells = (use, levels, yes[rule.agreed], yes[rule.attested], rule.objection)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
