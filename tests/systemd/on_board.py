"""What happens in the container: a device is given its keys, takes a photo, is hung, is attacked.

Run by the service manager in there, as root. Leaves ``results.json``; test_device.py judges.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.simulator.remote import Remote
from cli.virtual_site import Virtual, VirtualSite
from tests.systemd.container import CHECKOUT, MOVED_PYTHON, STARTED
from tests.systemd.unit_file import door_unit
from tests.waiting import until

OUT = Path("/out")
RUN = Path("/run/wardseal")
UNITS = Path("/usr/lib/systemd/system")
PANEL, UPLINK = "wardseal-panel.service", "wardseal-uplink.service"
WATCHDOG = 5
"""Seconds, for all three: the units' own would make this test long."""

results: dict[str, Any] = {}


def systemctl(*words: str) -> str:
    """What systemctl prints; it must succeed."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"systemctl {' '.join(words)}: {done.stderr}"
    return done.stdout


def show(unit: str, *names: str) -> dict[str, str]:
    """Some of a unit's properties."""
    lines = systemctl("show", unit, *[f"--property={name}" for name in names]).splitlines()
    return dict(line.split("=", 1) for line in lines)


def pid_of(unit: str) -> int:
    return int(show(unit, "MainPID")["MainPID"])


def darkrooms() -> list[str]:
    """The darkrooms that live."""
    listed = systemctl("list-units", "--plain", "--no-legend", "wardseal-darkroom@*.service")
    return [line.split()[0] for line in listed.splitlines() if " running " in f" {line} "]


def mode_of(path: Path) -> str:
    found = path.stat()
    return f"{path.owner()} {found.st_mode & 0o7777:04o}"


def give_keys(site: VirtualSite) -> None:
    """As ward IT does it, but with the virtual device's settings for hardware and broker."""
    bundle = site.pki.device(site.settings.id)
    subprocess.run([CHECKOUT / "image-build" / "enrol", "/", bundle], check=True)
    settings = (bundle / "virtual.toml").read_text()
    # Where things lie is the image's to say, so the defaults stand.
    settings = re.sub(r"\[paths\]\n(?:\w+ = .*\n)*", "", settings)
    Path("/etc/wardseal/appliance.toml").write_text(settings)


def watch_closely() -> None:
    """Shorten the watchdogs; and a Python that was moved finds its library by this variable."""
    folder = Path("/etc/systemd/system/wardseal-.service.d")
    folder.mkdir()
    (folder / "99-test.conf").write_text(
        f"[Service]\nWatchdogSec={WATCHDOG}\nEnvironment=LD_LIBRARY_PATH={MOVED_PYTHON}/lib\n"
    )
    systemctl("daemon-reload")


def press(ward: Remote, line: str) -> None:
    ward.hold(line, 0.08)


def open_window(ward: Remote) -> None:
    press(ward, "consent")
    until(lambda: ward.view.ready, 20, "the camera to be ready")


def finish_window(ward: Remote) -> None:
    """CONSENT ends a window; in its first two seconds it is taken for a repeated press."""
    pass_time(2.2)
    press(ward, "consent")
    until(lambda: not ward.view.open, 10, "the window to close")


def pass_time(seconds: float) -> None:
    """For what must *not* happen meanwhile."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, seconds + 10, "time to pass")


def a_photo(site: VirtualSite, ward: Remote) -> None:
    open_window(ward)
    results["lamp while the camera can see"] = ward.view.lamp
    press(ward, "capture")
    until(lambda: list(site.record.rglob("*.jpg")), 30, "the photo in the hospital's folder")
    until(lambda: not list((RUN / "outbox").glob("*.cose")), 20, "the wipe after the receipt")
    results["left in sealing"] = [path.name for path in (RUN / "sealing").glob("*.cose")]
    results["uplink says"] = show(UPLINK, "StatusText")["StatusText"]
    (ledger,) = Path("/var/lib/wardseal/ledger").glob("*.wsl")
    results["modes"] = {
        "link": mode_of(RUN / "mailbox" / "link"),
        "ledger": mode_of(ledger),
        "ledger.mark": mode_of(RUN / "ledger.mark"),
        "uplink.bell": mode_of(RUN / "mailbox" / "uplink.bell"),
        "panel.bell": mode_of(RUN / "panel.bell"),
        "darkroom.sock": mode_of(RUN / "darkroom.sock"),
    }


def an_envelope_on_the_way(site: VirtualSite, ward: Remote) -> None:
    """With the gateway gone, an envelope stays in the outbox for the doors to be tried on."""
    site.keeper.stop("gateway")
    press(ward, "capture")
    until(lambda: list((RUN / "outbox").glob("*.cose")), 20, "a photo in the outbox")
    results["modes"]["envelope"] = mode_of(next((RUN / "outbox").glob("*.cose")))
    finish_window(ward)


def what_was_on_the_way(site: VirtualSite) -> None:
    until(lambda: not list((RUN / "outbox").glob("*.cose")), 60, "the second photo to be filed")
    results["photos filed"] = len(list(site.record.rglob("*.jpg")))


def try_doors(role: str, unit: str) -> None:
    """Run the probe as ``unit`` is run: the same file, with another command."""
    roles = {"panel": pid_of(PANEL), "uplink": pid_of(UPLINK)}
    others = {name: pid for name, pid in roles.items() if name != role}
    answers = OUT / f"doors-{role}"
    # A name that begins like the others, so that the shared walls stand around it too.
    probe = Path(f"/run/systemd/system/wardseal-{role}-doors.service")
    probe.write_text(door_unit((UNITS / unit).read_text(), others, "/run/doors.py", str(answers)))
    own = UNITS / f"{unit}.d"
    if own.is_dir():
        shutil.copytree(own, f"{probe}.d")
    systemctl("daemon-reload")
    systemctl("start", f"wardseal-{role}-doors.service")
    results[f"doors of the {role}"] = json.loads(answers.read_text())


def all_doors() -> None:
    shutil.copy(CHECKOUT / "tests" / "systemd" / "doors.py", "/run/doors.py")
    Path("/run/doors.py").chmod(0o644)
    # An address of the hospital's and one of the internet's, both of them here.
    for address in ("10.1.2.3", "198.51.100.7"):
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try_doors("panel", PANEL)
    try_doors("darkroom", "wardseal-darkroom@.service")
    try_doors("uplink", UPLINK)


def a_hung_darkroom(ward: Remote) -> None:
    """Stopped in the middle of a window, as a driver that holds every thread would stop it."""
    open_window(ward)
    (unit,) = darkrooms()
    os.kill(pid_of(unit), signal.SIGSTOP)
    begun = time.monotonic()
    until(lambda: unit not in darkrooms(), 20, "the watchdog to end the darkroom")
    results["darkroom ended after"] = time.monotonic() - begun
    until(lambda: set(darkrooms()) - {unit}, 20, "the next darkroom")
    until(lambda: ward.view.ready, 20, "the camera to be ready again")
    finish_window(ward)
    until(lambda: len(darkrooms()) == 1 and not ward.view.lamp, 20, "the darkroom to end")
    failed = systemctl("list-units", "--all", "--plain", "--no-legend", "--state=failed")
    results["failed units left"] = failed.splitlines()


def a_hung_panel(ward: Remote) -> None:
    before = pid_of(PANEL)
    os.kill(before, signal.SIGSTOP)
    until(lambda: pid_of(PANEL) not in {0, before}, 20, "a new panel")
    ward.reconnect(20)
    results["words after a hung panel"] = ward.view.words
    results["panel's restarts"] = show(PANEL, "NRestarts")["NRestarts"]


def all_quiet() -> None:
    """Longer than a watchdog's time, in which nothing happens: nobody may be killed for that."""
    before = {unit: pid_of(unit) for unit in (PANEL, UPLINK, *darkrooms())}
    pass_time(WATCHDOG + 2)
    after = {unit: pid_of(unit) for unit in (PANEL, UPLINK, *darkrooms())}
    results["the same processes after a quiet time"] = before == after


def story() -> None:
    with VirtualSite(
        Path("/tmp/site"),
        Virtual(
            width=1280, height=960, release_seconds=0.2, extra={"camera": {"deadline_seconds": 1.0}}
        ),
    ) as site:
        site.start_broker()
        site.start_gateway()
        give_keys(site)
        watch_closely()
        Path("/run/world").mkdir()
        systemctl("start", "wardseal.target")
        ward = Remote.connect(RUN / "world.sock", 30)
        until(lambda: ward.view.online, 30, "the device to be online")
        until(darkrooms, 30, "a darkroom")
        results["restarts"] = {u: show(u, "NRestarts")["NRestarts"] for u in (PANEL, UPLINK)}
        for step in (
            all_quiet,
            lambda: a_photo(site, ward),
            lambda: an_envelope_on_the_way(site, ward),
            all_doors,
            lambda: a_hung_panel(ward),
            site.start_gateway,
            lambda: a_hung_darkroom(ward),
            lambda: what_was_on_the_way(site),
        ):
            step()
        systemctl("stop", "wardseal.target")
        until(lambda: not darkrooms(), 10, "the last darkroom to end with its connection")
        until(lambda: "inactive" in show(PANEL, "ActiveState").values(), 10, "the panel to end")
        results["after the end"] = show(PANEL, "ActiveState", "Result")
        results["mounts outlive the services"] = Path("/run/wardseal").is_mount()


def main(tell: Callable[[], None] = story) -> None:
    (OUT / STARTED).touch()
    try:
        tell()
    except Exception:  # noqa: BLE001 - whatever it was, the judge has to hear of it
        results["broke off"] = traceback.format_exc()
    finally:
        journal = subprocess.run(["journalctl", "--boot", "--no-pager"], capture_output=True)
        (OUT / "journal").write_bytes(journal.stdout)
        (OUT / "results.json").write_text(json.dumps(results, indent=1, default=str))


if __name__ == "__main__":
    main()
