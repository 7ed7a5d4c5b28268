"""Hands and face as the configuration has them: real ones, or a simulated ward's.

Called by ``appliance.__main__`` when it puts a panel together. What is not used is not
imported: a real device loads nothing simulated, and the other way round.
"""

from dataclasses import dataclass
from selectors import BaseSelector

from appliance.buttons import Buttons
from appliance.clock import Clock, SystemClock
from appliance.config import ApplianceConfig
from appliance.face import Face, Watcher, nobody
from appliance.lights import Lights
from appliance.oled import Oled
from appliance.spool import Spool


def clock_of(config: ApplianceConfig) -> Clock:
    """Return the kernel's clocks, or a simulated ward's, which can be set wrong."""
    if config.hardware.adapter == "simulated":
        from appliance.simulator.clock import SimulatedClock

        return SimulatedClock(config.paths.wall_shift, config.paths.production)
    return SystemClock()


def spool_of(config: ApplianceConfig) -> Spool:
    """Return the spool, or a simulated ward's, which can be filled."""
    if config.hardware.adapter == "simulated":
        from appliance.simulator.spool import SimulatedSpool

        return SimulatedSpool(config.paths, config.spool)
    return Spool(config.paths, config.spool)


@dataclass(frozen=True)
class Fittings:
    """What hangs on the device's pins and bus; ``watch`` passes on what can be seen of it."""

    buttons: Buttons
    lights: Lights
    oled: Oled
    watch: Watcher

    def close(self) -> None:
        """Lamp off, screen dark, pins free."""
        self.buttons.close()
        self.lights.close()
        self.oled.close()


def fit(config: ApplianceConfig, selector: BaseSelector, clock: Clock) -> Fittings:
    """Return the parts as they are wired; EnvironmentProblem when there are none.

    A simulated ward listens on ``paths.world_socket`` and is served by ``selector``.
    """
    hardware, now = config.hardware, clock.monotonic_ns
    watch: Watcher = nobody
    if hardware.adapter == "simulated":
        from appliance.simulator.bedside import Bedside
        from appliance.simulator.oled import SimulatedPanel
        from appliance.simulator.ward import Ward

        ward = Ward(
            config.paths.production,
            consent_pin=hardware.consent_pin,
            capture_pin=hardware.capture_pin,
            lamp_pin=hardware.lamp_pin,
            buzzer_pin=hardware.buzzer_pin,
        )
        panel = SimulatedPanel(hardware.oled_driver)
        factory, open_bus = ward.factory, panel.open_bus
        if hardware.oled_bus == "spi":
            open_bus = panel.open_spi(
                factory, dc_pin=hardware.oled_dc_pin, reset_pin=hardware.oled_reset_pin
            )
        bedside = Bedside(config.paths.world_socket, ward=ward, panel=panel)
        bedside.register(selector)
        watch = bedside.publish
    else:
        from appliance import oled, pins

        factory = pins.open_lgpio(config.paths.run)
        if hardware.oled_bus == "i2c":
            open_bus = oled.i2c(hardware.oled_port, hardware.oled_address)
        else:
            open_bus = oled.spi(
                hardware.oled_port,
                factory,
                dc_pin=hardware.oled_dc_pin,
                reset_pin=hardware.oled_reset_pin,
            )
    buttons = Buttons(
        factory,
        consent_pin=hardware.consent_pin,
        capture_pin=hardware.capture_pin,
        clock=now,
    )
    lights = Lights(factory, lamp_pin=hardware.lamp_pin, buzzer_pin=hardware.buzzer_pin, clock=now)
    return Fittings(buttons, lights, Oled(hardware.oled_driver, open_bus, now), watch)


def hands_and_face(
    config: ApplianceConfig, selector: BaseSelector, clock: Clock
) -> tuple[Buttons, Face]:
    """Return buttons, and screen with lamp and buzzer, for a panel."""
    parts = fit(config, selector, clock)
    face = Face(
        oled=parts.oled,
        lights=parts.lights,
        clock=clock,
        language=config.device.language,
        place=config.device.bed,
        night=config.night.covers,
        watch=parts.watch,
    )
    return parts.buttons, face
