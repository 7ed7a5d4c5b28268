"""Everything at the virtual site that somebody can pull, break or set wrong, and mend again.

Each plug has states, each state is reached by a verb that does it for real: a cable is out, a
process is dead, a file system has no room. What state a plug is in is looked up, never
remembered, for others (a power cut, the demo's terminal) pull at the same things.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.simulator.clock import set_wrong, shift_ms
from base.errors import FormatError
from cli.virtual_site import VirtualSite

_TEN_YEARS_MS: Final = 10 * 365 * 86_400_000

Verb = Callable[[VirtualSite], None]


@dataclass(frozen=True)
class Plug:
    """``verbs`` by the state they lead to, the good one first."""

    verbs: Mapping[str, Verb]
    state: Callable[[VirtualSite], str]


def _pull_cable(site: VirtualSite) -> None:
    if site.cable is not None:
        site.cable.pull()


def _plug_cable_in(site: VirtualSite) -> None:
    if site.cable is not None:
        site.cable.plug_in()


def _power_on(site: VirtualSite) -> None:
    if not site.device.powered:
        site.device.power_on()


def _cut_power(site: VirtualSite) -> None:
    if site.device.powered:
        site.device.cut_power()


def _start_broker(site: VirtualSite) -> None:
    if site.keeper.pid("broker") is None:
        site.start_broker()


def _fill_spool(site: VirtualSite) -> None:
    if site.device.powered:
        site.device.fill_spool()


def _clock(ms: int) -> Verb:
    return lambda site: set_wrong(site.device.config.paths.wall_shift, ms)


def _clock_state(site: VirtualSite) -> str:
    shift = shift_ms(site.device.config.paths.wall_shift)
    return "right" if shift == 0 else "ahead" if shift > 0 else "behind"


_CAMERA: Final = {"none": "works", "no_camera": "pulled", "hangs": "hangs"}

PLUGS: Final[Mapping[str, Plug]] = {
    "network": Plug(
        {"in": _plug_cable_in, "pulled": _pull_cable},
        lambda site: "pulled" if site.cable is not None and site.cable.pulled else "in",
    ),
    "broker": Plug(
        {"running": _start_broker, "stopped": lambda site: site.keeper.stop("broker")},
        lambda site: "stopped" if site.keeper.pid("broker") is None else "running",
    ),
    "power": Plug(
        {"on": _power_on, "off": _cut_power},
        lambda site: "on" if site.device.powered else "off",
    ),
    "camera": Plug(
        {
            "works": lambda site: site.world.mend(),
            "pulled": lambda site: site.world.unplug(),
            "hangs": lambda site: site.world.hang(),
        },
        lambda site: _CAMERA.get(site.world.world.fault, "other"),
    ),
    "spool": Plug(
        {"free": lambda site: site.device.empty_spool(), "full": _fill_spool},
        lambda site: "full" if site.device.spool_is_filled else "free",
    ),
    "clock": Plug(
        {"right": _clock(0), "ahead": _clock(_TEN_YEARS_MS), "behind": _clock(-_TEN_YEARS_MS)},
        _clock_state,
    ),
}
"""The screen is not here: its plug is at the bedside (``{"oled": "fail"}``)."""


class Plugs:
    """One pair of hands at the plugs of ``site``; may be called from any thread."""

    def __init__(self, site: VirtualSite) -> None:
        self._site = site
        self._lock = threading.Lock()

    def set(self, name: str, state: str) -> None:
        """Bring a plug into a state; FormatError when there is no such plug or state."""
        plug = PLUGS.get(name)
        if plug is None or state not in plug.verbs:
            raise FormatError(f"there is no plug {name!r} that could be {state!r}")
        with self._lock:
            plug.verbs[state](self._site)

    def states(self) -> dict[str, str]:
        """Every plug's state now."""
        return {name: plug.state(self._site) for name, plug in PLUGS.items()}
