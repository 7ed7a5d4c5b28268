"""P1 and P2 in the order in which things really happen: ledger, lamp, camera, and the end of it.

The simulated camera reads its scene when it opens, and the kernel tells; what the lamp does is
told on the bedside socket by the panel itself, in its order. Whatever was told before the
camera opened lies in that socket by then, so the order seen here is the true one.
"""

import json
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import pytest

from appliance.simulator.world import SCENES
from cli.virtual_site import Virtual, VirtualSite
from tests.faults import inotify
from tests.faults.inotify import Inotify
from tests.journey.audit import Auditor, taken_under_consent
from tests.journey.nurse import Nurse
from tests.waiting import until
from wire import events


class Witness:
    """Writes down what is wrong at the very moment it is: "" for every opening that was right."""

    def __init__(self, site: VirtualSite, scene: Path) -> None:
        self._site = site
        self._auditor = Auditor(site)
        self._inotify = Inotify()
        self._inotify.add(scene, inotify.OPEN)
        self._bedside = socket.socket(socket.AF_UNIX)
        self._bedside.connect(str(site.device.config.paths.world_socket))
        self._bedside.setblocking(False)
        self._heard = b""
        self._lamp = False
        self._in_use: set[int] = set()
        self._wake, self._woken = socket.socketpair()
        self.openings: list[str] = []
        self.ends: list[str] = []
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        for end in (self._woken, self._bedside, self._inotify):
            end.close()

    def _watch(self) -> None:
        with DefaultSelector() as selector:
            for source in (self._inotify, self._bedside, self._woken):
                selector.register(source, EVENT_READ)
            while all(key.fileobj is not self._woken for key, _ in selector.select()):
                opened = list(self._inotify.read())
                self._listen()
                for _ in opened:
                    self._camera_opened()

    def _listen(self) -> None:
        while True:
            try:
                data = self._bedside.recv(65536)
            except BlockingIOError:
                return
            if not data:
                return
            *whole, self._heard = (self._heard + data).split(b"\n")
            for line in whole:
                lit = bool(json.loads(line)["lamp"])
                if self._lamp and not lit:
                    self._lamp_went_off()
                self._lamp = lit

    def _camera_opened(self) -> None:
        wrong = [] if self._lamp else ["the lamp was off"]
        bodies = [events.body_of(signed.entry) for signed in self._auditor.book().entries]
        last = [body for body in bodies if isinstance(body, events.Consent | events.Window)]
        if not last or isinstance(last[-1], events.Window):
            wrong.append("no consent was on the ledger")
        self.openings.append(" and ".join(wrong))
        self._in_use |= set(self._site.keeper.pids("darkroom").values())

    def _lamp_went_off(self) -> None:
        alive = [pid for pid in self._in_use if _has_memory(pid)]
        self.ends.append(f"darkrooms {alive} were still there" if alive else "")
        self._in_use.clear()


def _has_memory(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/maps").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera looks at, and nobody else."""
    return Path(shutil.copy(SCENES / "retina.jpg", tmp_path_factory.mktemp("scene")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> Iterator[VirtualSite]:
    camera: dict[str, dict[str, object]] = {"camera": {"deadline_seconds": 1.0}}
    small = Virtual(release_seconds=0.0, width=1014, height=760, extra=camera)
    with VirtualSite(tmp_path_factory.mktemp("lamp"), small) as site:
        site.world.point_at(scene)
        site.start()
        yield site


@pytest.fixture
def nurse(site: VirtualSite) -> Iterator[Nurse]:
    nurse = Nurse(site)
    nurse.wait_until_up()
    yield nurse
    site.world.mend()
    nurse.finish()
    nurse.close()


@pytest.fixture
def witness(site: VirtualSite, nurse: Nurse, scene: Path) -> Iterator[Witness]:
    witness = Witness(site, scene)
    yield witness
    witness.close()


def test_P2_the_lamp_is_on_before_the_camera_and_off_after_its_process(
    nurse: Nurse, witness: Witness
) -> None:
    for _ in range(3):
        nurse.open_window()
        assert nurse.capture()
        nurse.finish()
    until(lambda: len(witness.ends) == 3, 10, "the lamp to have gone off three times")
    assert witness.openings == [""] * 3
    assert witness.ends == [""] * 3


def test_P2_a_camera_that_hangs_leaves_the_lamp_on_until_its_process_is_gone(
    site: VirtualSite, nurse: Nurse, witness: Witness
) -> None:
    site.world.hang()
    nurse.open_window()
    assert nurse.capture()
    nurse.wait_until(lambda view: "LOST" in view.words, "LOST to be said")
    until(lambda: witness.ends, 20, "the lamp to go off")
    assert witness.openings == [""]
    assert witness.ends == [""]
    assert not nurse.look().open


def test_P1_no_hands_however_wild_open_the_camera_without_a_consent(
    site: VirtualSite, nurse: Nurse, witness: Witness
) -> None:
    dice = random.Random(1)
    auditor = Auditor(site)
    before = len(auditor.book().bodies(events.Consent))
    lines = ("consent", "capture")
    until_then = time.monotonic() + 12
    while time.monotonic() < until_then:
        line = dice.choice(lines)
        match dice.randrange(4):
            case 0:
                nurse.remote.bounce(line, dice.randrange(1, 30))
            case 1:
                nurse.remote.press(line)
            case 2:
                nurse.remote.release(line)
            case _:
                nurse.press(*dice.sample(lines, dice.randint(1, 2)))
        time.sleep(dice.choice((0.0, 0.01, 0.05, 0.3)))
    for line in lines:
        nurse.remote.release(line)
    nurse.finish()
    asked = len(auditor.book().bodies(events.Consent)) - before
    assert 0 < len(witness.openings) <= asked
    assert set(witness.openings) == {""}
    assert set(witness.ends) == {""}
    assert taken_under_consent(auditor.book().entries) == []
