"""The uplink as the process that systemd starts: what it loads, weighs, costs, and how it ends."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from base.lifeline import tied
from base.mqtt import Message
from tests.appliance.uplink.hospital import Hospital
from tests.brokers import GATEWAY, Loop, Site
from tests.waiting import until
from wire import cbor

DEVICE = "bed-1"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Site]:
    made = Site(tmp_path / "site", free_port())
    made.broker.start()
    yield made
    made.broker.stop()


def configured(site: Site, folder: Path) -> Path:
    """Write a device's directories and its file."""
    files = site.files(DEVICE)
    (folder / "run").mkdir()
    (folder / "state" / "ledger").mkdir(parents=True)
    (folder / "boot_id").write_text("ab" * 16)
    path = folder / "device.toml"
    path.write_text(
        f"""
        [device]
        id = "{DEVICE}"
        [broker]
        host = "localhost"
        port = {site.broker.port}
        ca = "{files.ca}"
        certificate = "{files.certificate}"
        key = "{files.key}"
        [paths]
        run = "run"
        state = "state"
        boot_id = "boot_id"
        """
    )
    return path


def started(config: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "appliance", "--role", "uplink", "--config", str(config)]
    log = config.with_suffix(".log").open("ab")
    with log:
        return subprocess.Popen(tied(argv), cwd=ROOT, stderr=log)


def online(folder: Path) -> bool:
    path = folder / "run" / "mailbox" / "link"
    if not path.exists():
        return False
    told = cbor.decode(path.read_bytes(), limit=65536, what="link")
    return isinstance(told, dict) and told["online"] is True


def pss_kib(pid: int) -> int:
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1])


def wakes(pid: int) -> int:
    """How often its threads have waited for something and gone on."""
    told = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(
        int(n) for one in told for n in re.findall(r"\nvoluntary_ctxt_switches:\s+(\d+)", one)
    )


def test_it_says_hello_and_goodbye_and_ends_with_0(site: Site, short_dir: Path) -> None:
    loop = Loop()
    hospital = Hospital(loop.add(site.settings(GATEWAY), subscriptions=Hospital.subscriptions()))
    loop.online()
    process = started(configured(site, short_dir))
    loop.until(lambda: online(short_dir), 20, "the uplink to be online")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert not online(short_dir)
    loop.until(lambda: len(loop.events[GATEWAY]) >= 3, 10, "two states")
    for event in loop.events[GATEWAY]:
        if isinstance(event, Message):
            hospital.hear(event)
    assert [state.online for state, _ in hospital.states] == [True, False]
    loop.close()


def test_killed_it_leaves_a_will_and_its_successor_takes_over(site: Site, short_dir: Path) -> None:
    config = configured(site, short_dir)
    first = started(config)
    until(lambda: online(short_dir), 20, "the first uplink to be online")
    first.kill()
    first.wait()
    (short_dir / "run" / "mailbox" / "link").unlink()
    second = started(config)
    until(lambda: online(short_dir), 20, "the second uplink to be online")
    second.terminate()
    assert second.wait(timeout=10) == 0


def test_without_a_broker_it_stays_and_says_so(site: Site, short_dir: Path) -> None:
    site.broker.stop()
    config = configured(site, short_dir)
    process = started(config)
    log = config.with_suffix(".log")
    until(lambda: "nothing answers at localhost" in log.read_text(), 20, "the reason in the log")
    assert process.poll() is None
    assert "Traceback" not in log.read_text()
    process.terminate()
    assert process.wait(timeout=10) == 0


def test_P7_it_loads_no_camera_no_button_no_screen_and_no_key_of_the_device() -> None:
    program = "import appliance.uplink.client, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "appliance.uplink.photos" in loaded
    forbidden = {
        "appliance.buttons",
        "appliance.camera",
        "appliance.crypto",
        "appliance.darkroom",
        "appliance.ledger",
        "appliance.lights",
        "appliance.panel",
        "appliance.screen",
        "gpiozero",
        "luma",
        "numpy",
        "PIL",
        "sqlalchemy",
    }
    assert not {name for name in loaded if any((name + ".").startswith(f + ".") for f in forbidden)}


@pytest.mark.alone
def test_it_weighs_less_than_30_mib_and_sleeps_when_idle(site: Site, short_dir: Path) -> None:
    """What its wakes cost is measured by ``bench.journey --idle``; here they are counted."""
    process = started(configured(site, short_dir))
    until(lambda: online(short_dir), 20, "the uplink to be online")
    before, begun = wakes(process.pid), time.monotonic()
    until(lambda: time.monotonic() > begun + 6, 10, "six idle seconds")
    woken = wakes(process.pid) - before
    weight = pss_kib(process.pid)
    process.terminate()
    process.wait(timeout=10)
    assert weight < 30 * 1024
    assert woken <= 2 * 6
