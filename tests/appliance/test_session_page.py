"""The page about the session says what the device does."""

from appliance.hands import Gesture
from appliance.state import Mode
from appliance.table import TABLE
from scripts import draw_session


def test_the_page_is_drawn_from_the_table_that_runs() -> None:
    assert draw_session.PAGE.read_text() == draw_session.page(), (
        "draw it again: python scripts/draw_session.py"
    )


def test_every_press_has_a_meaning_in_every_mode_but_cleaning() -> None:
    for mode in set(Mode) - {Mode.CLEANING}:
        cues = {row.cue for row in TABLE[mode]}
        expected = set(Gesture)
        if "MENU" in mode.value:
            expected -= {Gesture.HOLD}  # the menu is open already
        assert expected <= cues, mode


def test_no_row_is_hidden_behind_one_that_always_fits() -> None:
    for rows in TABLE.values():
        settled = set()
        for row in rows:
            assert row.cue not in settled
            if row.when.__doc__ == "Otherwise.":
                settled.add(row.cue)
