"""Hands and face as the configuration has them: real ones, or a simulated ward's.

Called by ``appliance.__main__`` when it puts a panel together. What is not used is not
imported: a real device loads nothing simulated, and the other way round.
"""

from selectors import BaseSelector

from appliance.buttons import Buttons
from appliance.clock import Clock, SystemClock
from appliance.config import ApplianceConfig
from appliance.face import Face, Watcher, nobody
from appliance.lights import Lights
from appliance.oled import Oled


def clock_of(config: ApplianceConfig) -> Clock:
    """Return the kernel's clocks, or a simulated ward's, which can be set wrong."""
    if config.hardware.adapter == "simulated":
        from appliance.simulator.clock import SimulatedClock

        return SimulatedClock(config.paths.wall_shift, config.paths.production)
    return SystemClock()


def hands_and_face(
    config: ApplianceConfig, selector: BaseSelector, clock: Clock
) -> tuple[Buttons, Face]:
    """Return buttons, and screen with lamp and buzzer; EnvironmentProblem when there are none.

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
        bedside = Bedside(config.paths.world_socket, ward=ward, panel=panel)
        bedside.register(selector)
        watch = bedside.publish
    else:
        from appliance import oled, pins

        factory = pins.open_lgpio(config.paths.run)
        if hardware.oled_bus == "i2c":
            open_bus = oled.i2c(hardware.oled_port, hardware.oled_address)
        else:
            open_bus = oled.spi(hardware.oled_port, factory)
    buttons = Buttons(
        factory,
        consent_pin=hardware.consent_pin,
        capture_pin=hardware.capture_pin,
        clock=now,
    )
    lights = Lights(factory, lamp_pin=hardware.lamp_pin, buzzer_pin=hardware.buzzer_pin, clock=now)
    screen = Oled(hardware.oled_driver, open_bus, now)
    face = Face(
        oled=screen,
        lights=lights,
        clock=clock,
        language=config.device.language,
        place=config.device.bed,
        watch=watch,
    )
    return buttons, face
