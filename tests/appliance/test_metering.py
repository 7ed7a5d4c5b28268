"""Exposure, white balance and focus: settled, held, and let go in another light."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.metering import Metering

ALL = ("AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains", "AfMode", "AfRange")
STILL: dict[str, Any] = {
    "AeState": 2,
    "AfState": 2,
    "ColourGains": (1.5, 2.0),
    "ExposureTime": 8000,
    "AnalogueGain": 2.0,
    "Lux": 400.0,
}
HELD = {
    "AeEnable": False,
    "AwbEnable": False,
    "ExposureTime": 8000,
    "AnalogueGain": 2.0,
    "ColourGains": (1.5, 2.0),
}


def settled(controls: tuple[str, ...] = ALL) -> Metering:
    metering = Metering(controls)
    while not metering.held:
        metering.see(STILL)
    return metering


def frames(count: int, **changed: Any) -> Iterator[dict[str, Any]]:
    return ({**STILL, **changed} for _ in range(count))


def test_what_has_settled_is_held_with_its_values() -> None:
    metering = Metering(ALL)
    assert metering.begin() == {"AeEnable": True, "AwbEnable": True, "AfMode": 2, "AfRange": 2}
    set_to = [metering.see(STILL) for _ in range(6)]
    assert [found for found in set_to if found] == [HELD]
    assert metering.settled


def test_nothing_is_held_while_exposure_or_colour_move() -> None:
    metering = Metering(ALL)
    for n in range(20):
        assert metering.see({**STILL, "AeState": 1}) == {}
        assert metering.see({**STILL, "ColourGains": (1.5 + n / 10, 2.0)}) == {}
    assert not metering.settled


def test_an_older_libcamera_says_it_by_another_name() -> None:
    metering = Metering(ALL)
    old = {name: value for name, value in STILL.items() if name != "AeState"}
    for _ in range(9):
        assert metering.see({**old, "AeLocked": False}) == {}
    assert [found for _ in range(9) if (found := metering.see({**old, "AeLocked": True}))] == [HELD]


def test_in_another_light_it_lets_go_and_settles_anew() -> None:
    metering = settled()
    set_to = [found for frame in frames(8, Lux=900.0) if (found := metering.see(frame))]
    assert set_to == [{"AeEnable": True, "AwbEnable": True}, HELD]


def test_a_hand_that_passes_changes_nothing() -> None:
    metering = settled()
    for frame in (*frames(2, Lux=100.0), STILL, *frames(2, Lux=100.0), STILL):
        assert metering.see(frame) == {}


def test_a_lens_that_still_moves_is_waited_for_and_one_that_cannot_is_not() -> None:
    metering = settled()
    metering.see({**STILL, "AfState": 1})
    assert not metering.settled
    metering.see({**STILL, "AfState": 3})
    assert metering.settled, "a subject without edges must not keep anybody waiting"
    fixed = settled(tuple(name for name in ALL if not name.startswith("Af")))
    fixed.see({**STILL, "AfState": 1})
    assert fixed.settled


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "AeState": st.integers(0, 2),
                "AeLocked": st.booleans(),
                "AfState": st.integers(0, 3),
                "ColourGains": st.tuples(st.floats(0.1, 8), st.floats(0.1, 8)),
                "Lux": st.floats(0, 1e5),
                "ExposureTime": st.integers(0, 10**6),
            },
        ),
        max_size=40,
    ),
    st.sets(st.sampled_from(ALL)),
)
def test_whatever_comes_only_controls_that_exist_are_set(
    seen: list[dict[str, Any]], controls: set[str]
) -> None:
    metering = Metering(controls)
    assert metering.begin().keys() <= controls
    for metadata in seen:
        assert metering.see(metadata).keys() <= controls
