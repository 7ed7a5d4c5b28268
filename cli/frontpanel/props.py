"""Things to hold into the camera's view, or to lay into the scene: the ward's own paper.

Their codes are real and belong to nobody: bands and badge are the simulator's, the label is one
that ``wardseal labels`` has made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from appliance.simulator import bands
from appliance.simulator.world import SCENES
from base.errors import FormatError

LABEL: Final = "label-heel-left.png"


@dataclass(frozen=True)
class Prop:
    """``draw`` puts its picture into a folder and returns the file; a label ``lies``.

    ``code``: what is read from it.
    """

    title: str
    draw: Callable[[Path], Path]
    code: str = ""
    lies: bool = False


PROPS: Final[Mapping[str, Prop]] = {
    "wristband": Prop("Wristband", partial(bands.wristband, bands.BAND), bands.BAND),
    "wristband-2": Prop(
        "Another wristband", partial(bands.wristband, bands.OTHER_BAND), bands.OTHER_BAND
    ),
    "badge": Prop("Staff badge", partial(bands.badge, bands.BADGE), bands.BADGE),
    "label": Prop("Label: heel, left", lambda _folder: SCENES / LABEL, lies=True),
}


def prop(name: str) -> Prop:
    """Return the thing of this name; FormatError when there is none."""
    found = PROPS.get(name)
    if found is None:
        raise FormatError(f"there is no {name!r} to hold")
    return found


def of(codes: Sequence[str]) -> list[str]:
    """Return the names of the things that have these codes; of others there is no picture here."""
    return [name for name, each in PROPS.items() if each.code and each.code in codes]
