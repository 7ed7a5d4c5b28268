"""The two menus behind a held CONSENT: CONSENT steps through them, CAPTURE chooses.

The places never change while the window is open, so that a nurse can count the presses
without looking; what is not on offer at all (teaching when nobody agreed, undo when there is
nothing to undo any more) is at the end or left out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.hands import SECOND
from wire.events import Basis, Level

MENU_OVER: Final = 10 * SECOND


class Item(StrEnum):
    """One line of a menu."""

    EMERGENCY = "EMERGENCY"
    NO_CAPACITY = "NO CAPACITY"
    PROXY = "PROXY"
    UNDO_WINDOW = "UNDO 14:03"
    BACK = "BACK"
    UNDO_LAST = "UNDO LAST"
    UNDO_ALL = "UNDO ALL"
    TEACHING = "+TEACHING"


BASES: Final = {
    Item.EMERGENCY: Basis.EMERGENCY,
    Item.NO_CAPACITY: Basis.NO_CAPACITY,
    Item.PROXY: Basis.PROXY,
}


@dataclass(frozen=True, slots=True)
class Menu:
    """An open menu: its items, which one is shown, when it was last touched.

    ``window`` is the closed window that UNDO would undo.
    """

    items: tuple[Item, ...]
    touched: int
    index: int = 0
    window: int = 0

    @property
    def item(self) -> Item:
        return self.items[self.index]

    @property
    def over(self) -> int:
        """When nobody has pressed for too long (monotonic nanoseconds)."""
        return self.touched + MENU_OVER


def idle_menu(at: int, window: int | None) -> Menu:
    """Return the menu outside a window; ``window``: the one that can still be undone, if any."""
    undo = () if window is None else (Item.UNDO_WINDOW,)
    return Menu((*BASES, *undo, Item.BACK), at, window=window or 0)


def window_menu(at: int, level: Level, basis: Basis) -> Menu:
    """Return the menu of an open window; teaching needs a patient who agreed."""
    offered = level is Level.CARE and basis is Basis.AGREED
    teaching = (Item.TEACHING,) if offered else ()
    return Menu((Item.BACK, Item.UNDO_LAST, Item.UNDO_ALL, *teaching), at)
