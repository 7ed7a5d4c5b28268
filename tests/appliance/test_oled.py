"""The OLED: luma's real drivers on a simulated panel, or on a wired one."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from appliance import oled
from appliance.oled import BRIGHT, DIM, DRIVERS, RETRY, Oled
from appliance.simulator.oled import SimulatedPanel
from appliance.simulator.ward import Ward
from base.errors import ConfigError, EnvironmentProblem


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def drawn(text: str) -> Image.Image:
    """A picture that is the same neither mirrored nor upside down."""
    image = Image.new("1", (128, 64))
    pen = ImageDraw.Draw(image)
    pen.line((0, 0, 127, 20), fill=1)
    pen.rectangle((3, 50, 40, 63), outline=1)
    pen.text((50, 30), text, fill=1)
    return image


@pytest.fixture
def clock() -> Clock:
    return Clock()


def on(bus: str, panel: SimulatedPanel, folder: Path) -> Callable[[], oled.Bus]:
    """What opens the panel on this bus."""
    if bus == "i2c":
        return panel.open_bus
    return panel.open_spi(Ward(folder / "production").factory, dc_pin=24, reset_pin=25)


@pytest.mark.parametrize("bus", ["i2c", "spi"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_the_glass_shows_exactly_the_picture_upright_and_unmirrored(
    driver: str, bus: str, clock: Clock, tmp_path: Path
) -> None:
    panel = SimulatedPanel(driver)
    screen = Oled(driver, on(bus, panel, tmp_path), clock)
    picture = drawn("ONE")
    screen.show(picture)
    assert not screen.broken
    assert ImageChops.logical_xor(panel.picture, picture).getbbox() is None
    screen.show(drawn("TWO"))
    assert panel.pixels == drawn("TWO").tobytes()


def test_a_screen_that_fails_is_broken_and_comes_back_set_up_anew(clock: Clock) -> None:
    panel = SimulatedPanel()
    screen = Oled("ssd1309", panel.open_bus, clock)
    screen.show(drawn("ONE"))
    panel.answers = False
    screen.show(drawn("TWO"))
    assert screen.broken
    assert screen.deadline() == RETRY
    panel.power_off()
    panel.answers = True
    screen.show(drawn("TWO"))
    assert screen.broken, "not before its time"
    clock.now = RETRY
    screen.show(drawn("TWO"))
    assert not screen.broken
    assert screen.deadline() is None
    assert panel.pixels == drawn("TWO").tobytes()


def test_a_screen_that_is_not_there_at_the_start_is_found_later(clock: Clock) -> None:
    panel = SimulatedPanel()
    panel.answers = False
    screen = Oled("ssd1309", panel.open_bus, clock)
    screen.show(drawn("ONE"))
    assert screen.broken
    panel.answers = True
    clock.now += RETRY
    screen.show(drawn("ONE"))
    assert panel.pixels == drawn("ONE").tobytes()


def test_it_dims_and_brightens(clock: Clock) -> None:
    panel = SimulatedPanel()
    screen = Oled("ssd1309", panel.open_bus, clock)
    screen.show(drawn("ONE"))
    assert panel.contrast == BRIGHT
    screen.show(drawn("ONE"), dim=True)
    assert panel.contrast == DIM
    screen.show(drawn("ONE"))
    assert panel.contrast == BRIGHT


def test_closing_darkens_the_glass(clock: Clock) -> None:
    panel = SimulatedPanel()
    screen = Oled("ssd1309", panel.open_bus, clock)
    screen.show(drawn("ONE"))
    screen.close()
    assert panel.pixels == bytes(1024)


def test_an_unknown_driver_is_a_setting_that_is_named(clock: Clock) -> None:
    with pytest.raises(ConfigError, match="oled_driver: use one of ssd1309, ssd1306, sh1106"):
        Oled("hd44780", SimulatedPanel().open_bus, clock)


def test_a_machine_without_the_bus_has_a_broken_screen_and_a_line_in_the_log_that_says_why(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    screen = Oled("ssd1309", oled.i2c(250, 0x3C), clock)
    screen.show(drawn("ONE"))
    assert screen.broken
    assert "there is no /dev/i2c-250. switch it on: raspi-config nonint do_i2c 0" in caplog.text
    clock.now += RETRY
    screen.show(drawn("ONE"))
    assert len(caplog.records) == 1, "once, not every two seconds"


def test_the_pins_of_an_spi_panel_are_driven_through_gpiozero(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "production")
    lines = oled._Lines(ward.factory)
    lines.setup(24, lines.OUT)
    lines.output(24, lines.HIGH)
    assert ward.factory.pin(24).state
    lines.cleanup()
    assert ward.factory.pin(24).function == "input"


def test_an_spi_panel_that_was_let_go_can_be_taken_up_again(clock: Clock, tmp_path: Path) -> None:
    """luma keeps pins that it was given, and gpiozero gives none out twice."""
    panel = SimulatedPanel()
    open_bus = on("spi", panel, tmp_path)
    for text in ("ONE", "TWO"):
        screen = Oled("ssd1309", open_bus, clock)
        screen.show(drawn(text))
        assert panel.pixels == drawn(text).tobytes()
        screen.close()


def test_a_machine_without_spidev_is_told_what_to_install(tmp_path: Path) -> None:
    if find_spec("spidev") is not None:
        pytest.skip("it is installed here")
    with pytest.raises(EnvironmentProblem, match="install python3-spidev, or wire the OLED to I2C"):
        oled.spi(0, Ward(tmp_path / "production").factory, dc_pin=24, reset_pin=25)


@pytest.mark.skipif(
    "WARDSEAL_OLED" not in os.environ, reason="needs a panel; WARDSEAL_OLED=<i2c port> names it"
)
def test_a_wired_panel_takes_the_same_calls(clock: Clock) -> None:
    screen = Oled("ssd1309", oled.i2c(int(os.environ["WARDSEAL_OLED"]), 0x3C), clock)
    screen.show(drawn("WARDSEAL"))
    assert not screen.broken
    screen.close()
