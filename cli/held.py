"""What the demo holds into the view of its camera: wristbands and a badge."""

from dataclasses import dataclass
from pathlib import Path

from appliance.codes import Kind, Patterns, Symbol
from appliance.config import CodeSettings
from appliance.simulator.bands import BADGE, BAND, badge, wristband
from appliance.wording import Phrase, line
from cli.outcome import UsageError


@dataclass(frozen=True)
class Held:
    """What somebody holds into the view: the codes of wristbands and of a badge."""

    bands: tuple[str, ...]
    badge: str | None

    def __post_init__(self) -> None:
        patterns = Patterns(CodeSettings())
        codes = [("--band", Kind.BAND, code) for code in self.bands]
        codes += [("--badge", Kind.BADGE, self.badge)] if self.badge is not None else []
        for option, kind, code in codes:
            found = patterns.code(Symbol(code, gs1=code.startswith("(")))
            if found is None or found.kind is not kind:
                like = BAND if kind is Kind.BAND else BADGE
                raise UsageError(
                    f"{option}: {code!r} is no code that this device reads; use {like[:6]} and 18"
                    f" digits, the last of which is the check digit, such as {like!r}"
                )

    def pictures(self, folder: Path) -> list[Path]:
        """Draw them."""
        drawn = [wristband(code, folder) for code in self.bands]
        return drawn if self.badge is None else [*drawn, badge(self.badge, folder)]

    def words(self, language: str) -> frozenset[str]:
        """What the screen says once all of it is read."""
        said = []
        if self.bands:
            several = len(set(self.bands)) > 1
            said.append(Phrase.SEVERAL_BANDS if several else Phrase.BAND_OK)
        if self.badge is not None:
            said.append(Phrase.BADGE_OK)
        return frozenset(line(phrase, language) for phrase in said)
