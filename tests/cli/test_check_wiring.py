"""``wardseal check --wiring``: an installer at a real terminal, before a simulated ward."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from appliance.simulator.remote import Remote, View
from base import doorbell
from tests.cli.paperwork import save
from tests.cli.program import PROGRAM, wardseal
from tests.waiting import until


class Installer:
    """Sits at a terminal in which the walk runs, and stands beside the device."""

    def __init__(self, folder: Path, *, production: bool = False) -> None:
        self.settings = device(folder)
        self.said = ""
        self._mine, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [*PROGRAM, "check", "--wiring", "--config", str(self.settings)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            close_fds=True,
        )
        os.close(terminal)
        self.device = Remote(folder / "run" / "world.sock")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.device.close()
        self._process.kill()
        self._process.wait()
        os.close(self._mine)

    def _listen(self) -> None:
        while select.select([self._mine], [], [], 0.01)[0]:
            try:
                self.said += os.read(self._mine, 4096).decode()
            except OSError:  # the other side of the terminal is closed
                return

    def hears(self, words: str) -> None:
        """Wait until the terminal says this, and read no further than that twice."""

        def heard() -> bool:
            self._listen()
            return words in self.said

        until(heard, 30, f"{words!r} in {self.said!r}")
        self.said = self.said.partition(words)[2]

    def types(self, line: str) -> None:
        os.write(self._mine, line.encode() + b"\n")

    def sees(self) -> View:
        self.device.reconnect()
        return self.device.view

    def presses(self, line: str) -> None:
        self.device.press(line)
        time.sleep(0.1)
        self.device.release(line)

    def leaves(self) -> tuple[int, str]:
        """The exit code, and all that was said since the last question."""
        self._process.wait(30)
        self._listen()
        return self._process.returncode, self.said.replace("\r\n", "\n")

    # -- the questions

    def reads_the_screen(self) -> None:
        self.hears("Which number is on the screen?")
        self.types(self.sees().words[0])

    def looks_at_the_lamp(self) -> None:
        for question, lit in (("Is the lamp lit?", True), ("And is it dark now?", False)):
            self.hears(question)
            until(partial(self._lamp_is, lit), 5, "the lamp")
            self.types("y")

    def _lamp_is(self, lit: bool) -> bool:
        return self.device.view.lamp is lit

    def counts_the_beeps(self) -> None:
        until(lambda: self.device.view.buzzer, 5, "the buzzer")
        beeps = {"refused": 1, "closed": 2, "poor": 3}[self.device.view.buzzer]
        self.hears("How many beeps did you hear?")
        self.types(str(beeps))


def device(folder: Path) -> Path:
    (folder / "run").mkdir(exist_ok=True)
    return save(
        folder,
        "appliance.toml",
        f'[device]\nid = "ward-a-1"\n[broker]\nhost = "localhost"\n'
        f'[paths]\nrun = "{folder}/run"\nproduction = "{folder}/production"\n'
        '[hardware]\nadapter = "simulated"\n[camera]\nadapter = "simulated"\n'.encode(),
    )


@pytest.fixture
def installer(short_dir: Path) -> Iterator[Installer]:
    with Installer(short_dir) as person:
        yield person


def test_an_installer_is_led_through_every_part(installer: Installer) -> None:
    installer.reads_the_screen()
    installer.looks_at_the_lamp()
    installer.counts_the_beeps()
    installer.hears("Press CONSENT and let it go.")
    installer.presses("consent")
    installer.hears("Press CAPTURE and let it go.")
    installer.presses("capture")
    installer.hears("Tread on the foot switch.")
    installer.presses("capture")
    code, said = installer.leaves()
    names = ["screen", "lamp", "buzzer", "CONSENT button", "CAPTURE button", "foot switch"]
    assert re.findall(r"^(ok|off|BROKEN) +(\S+(?: \S+)*?)  ", said, re.MULTILINE) == [
        ("ok", name) for name in (*names, "camera")
    ]
    assert "one press on GPIO 17, 0.1 s long" in said
    assert said.endswith("7 ok, 0 off, 0 BROKEN\n")
    assert code == 0


def test_what_is_wired_wrong_is_named_with_its_setting(installer: Installer) -> None:
    installer.hears("Which number is on the screen?")
    installer.types("")
    installer.hears("Is the lamp lit?")
    installer.types("perhaps")
    installer.hears("Is the lamp lit?")
    installer.types("n")
    installer.hears("How many beeps did you hear?")
    installer.types("7")
    installer.hears("Press CONSENT and let it go.")
    assert not installer.sees().lamp  # an answer of no leaves it on for nobody
    installer.presses("capture")  # the wires are swapped
    installer.hears("Press CAPTURE and let it go.")
    installer.types("")
    installer.hears("Tread on the foot switch.")
    installer.presses("consent")
    code, said = installer.leaves()
    for words in (
        "nothing was read off it instead of",
        "Set hardware.oled_driver",
        "stays dark while GPIO 22 is high",
        "7 heard where",
        "the press came on GPIO 27, which is CAPTURE",
        "swap the two wires, or hardware.consent_pin and hardware.capture_pin",
        "no press arrives on GPIO 27",
        "a foot must never be able to give a consent",
        "1 ok, 0 off, 6 BROKEN",
    ):
        assert words in said
    assert code == 1


def test_a_screen_that_does_not_answer_a_jammed_button_and_no_foot_switch(
    short_dir: Path,
) -> None:
    with Installer(short_dir) as installer:
        installer.hears("Which number")
        installer.sees()
        installer.device.break_screen()
        installer.device.press("consent")
        until(lambda: installer.device.view.picture == bytes(1024), 5, "the dark screen")
        installer.types("")
        installer.looks_at_the_lamp()
        installer.counts_the_beeps()
        installer.hears("Press CAPTURE and let it go.")  # CONSENT was down before anybody asked
        installer.presses("capture")
        installer.hears("Tread on the foot switch.")
        installer.types("")
        code, said = installer.leaves()
    assert "GPIO 17 is low though nobody presses" in said
    assert "foot switch     there is none" in said
    assert code == 1


def test_it_does_not_touch_the_pins_of_a_panel_that_runs(short_dir: Path) -> None:
    settings = device(short_dir)
    with doorbell.hang(short_dir / "run" / "panel.bell"):
        done = wardseal("check", "--wiring", "--config", settings)
    assert done.returncode == 2
    assert "the panel is running and holds the buttons: stop it first" in done.stderr
    # A bell that a killed panel has left behind rings for nobody.
    done = wardseal("check", "--wiring", "--config", settings)
    assert "nobody" in done.stderr or "left before its end" in done.stderr


@pytest.mark.parametrize("words", [[], ["--config", "x.toml", "--json"]])
def test_it_needs_settings_and_somebody_to_ask(words: list[str]) -> None:
    done = wardseal("check", "--wiring", *words)
    assert done.returncode == 2
    assert "--wiring goes with --config FILE" in done.stderr
