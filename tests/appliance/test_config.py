"""The device's settings: what cannot work is said by its name before anything is switched on."""

from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import ApplianceConfig, HardwareSettings, NightSettings, load
from base.errors import ConfigError

LEAST = '[device]\nid = "ward3-bed12"\n[broker]\nhost = "broker"\n'


def read(folder: Path, more: str) -> ApplianceConfig:
    path = folder / "appliance.toml"
    path.write_text(LEAST + more)
    return load(path)


@pytest.mark.parametrize(
    ("wiring", "says"),
    [
        ("lamp_pin = 17", "hardware.lamp_pin: GPIO 17 is consent_pin already; each needs one of"),
        ("capture_pin = 2", "hardware.capture_pin: GPIO 2 belongs to the OLED's bus (I2C 1)"),
        ("buzzer_pin = 14", "hardware.buzzer_pin: GPIO 14 is the serial port, so leave it free"),
        ("consent_pin = 0", "hardware.consent_pin: GPIO 0 tells the Pi which boards sit on it"),
        ("consent_pin = 40", "hardware.consent_pin: use a GPIO number, 0 to 27, not the number of"),
        ("consent_pin = -1", "hardware.consent_pin: use a GPIO number, 0 to 27"),
        ('oled_bus = "spi"\noled_port = 0\nlamp_pin = 10', "hardware.lamp_pin: GPIO 10 belongs to"),
        ('oled_bus = "spi"\nlamp_pin = 24', "hardware.oled_dc_pin: GPIO 24 is lamp_pin already"),
        ('oled_bus = "spi"\nlamp_pin = 19', "hardware.lamp_pin: GPIO 19 belongs to the OLED's bus"),
        ("oled_port = -1", "hardware.oled_port: use the bus's number: 1 for /dev/i2c-1"),
        ("oled_address = 0x80", "hardware.oled_address: use 0x3C, or 0x3D where its jumper is set"),
    ],
)
def test_wiring_that_cannot_be_is_named_with_its_setting(
    tmp_path: Path, wiring: str, says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"[hardware]\n{wiring}\n")
    assert says in str(refused.value)


def test_a_pin_is_free_again_where_the_screen_hangs_on_the_other_bus(tmp_path: Path) -> None:
    assert read(tmp_path, "[hardware]\nlamp_pin = 24\n").hardware.lamp_pin == 24
    on_spi = '[hardware]\noled_bus = "spi"\noled_port = 0\nlamp_pin = 2\n'
    assert read(tmp_path, on_spi).hardware.lamp_pin == 2


@given(st.lists(st.integers(-3, 30), min_size=4, max_size=4))
def test_no_two_parts_ever_share_a_pin(pins: list[int]) -> None:
    names = ("consent_pin", "capture_pin", "lamp_pin", "buzzer_pin")
    try:
        HardwareSettings(**dict(zip(names, pins, strict=True)))  # type: ignore[arg-type]
    except ConfigError as e:
        assert e.setting in names
    else:
        assert len(set(pins)) == 4
        assert not set(pins) & {0, 1, 2, 3, 14, 15}


@pytest.mark.parametrize(
    ("night", "says"),
    [
        ('begin = "21:30"', "night.end: is missing: a night has a begin and an end"),
        ('end = "06:00"', "night.begin: is missing: a night has a begin and an end"),
        ('begin = "9 pm"\nend = "06:00"', "night.begin: '9 pm' is no time of day: write \"21:30\""),
        ('begin = "21:30"\nend = "24:00"', "night.end: '24:00' is no time of day"),
        ("begin = 21:30:00", "night.begin"),
    ],
)
def test_a_night_that_is_none_is_named_with_its_setting(
    tmp_path: Path, night: str, says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"[night]\n{night}\n")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("begin", "end", "inside", "outside"),
    [
        ("21:00", "06:00", ["21:00", "23:59", "00:00", "05:59"], ["06:00", "12:00", "20:59"]),
        ("01:00", "05:00", ["01:00", "04:59"], ["00:59", "05:00", "23:00"]),
        ("", "", [], ["00:00", "03:00"]),
        ("06:00", "06:00", [], ["05:59", "06:00"]),
    ],
)
def test_a_night_may_go_over_midnight(
    begin: str, end: str, inside: list[str], outside: list[str]
) -> None:
    night = NightSettings(begin, end)
    assert all(night.covers(time.fromisoformat(at)) for at in inside)
    assert not any(night.covers(time.fromisoformat(at)) for at in outside)
