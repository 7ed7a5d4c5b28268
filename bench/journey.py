"""From CAPTURE to FILED, beside the sum of its bare parts; and what an idle device costs.

    python -m bench.journey [--rounds N] [--keep]
    python -m bench.journey --idle

A whole virtual site runs for it: mosquitto with mutual TLS, gateway, panel, darkroom, uplink.
The camera delivers one raw frame exactly as it is, so the bare parts work on the same pixels
and the same bytes. They are measured between the photos, on the same machine in the same
minutes: the encoder, a bare paho QoS 1 publisher with 96 KiB chunks over the same TLS, the
cipher, the decoder, and as many fsynced writes, of the same sizes, as the journey makes.
"""

import argparse
import ast
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.frame import Frame
from appliance.simulator import scene, world
from appliance.simulator.remote import Remote
from base import turbojpeg
from base.durable import write_all, write_atomic
from base.keyfiles import read_public
from base.memory import Buffer
from bench import report
from bench.sealing import LAYOUT, WIDTH, Bare, Times, timed
from bench.transfer import HOSPITAL, BarePaho, files, make_keys
from cli import story
from cli.broker import Broker, BrokerSettings
from cli.virtual_site import Virtual, VirtualSite, wait_for
from wire import envelope, pem
from wire.hpke import RecipientPrivate
from wire.ledger import read_frames
from wire.proof import parse_bundle

FRAME = "frame.yuv"
ENTRY = bytes(600)
"""About a ledger entry, framed, or a page of the record."""

PAGE = bytes(8192)
"""About what a commit adds to the database's write-ahead log."""


ENTRIES: Final = ("INTENT", "SEALED", "RECEIPT", "WIPED")
"""What a photo that is filed adds to the ledger."""


@dataclass(frozen=True)
class Journey:
    """One photo's milliseconds from INTENT, by the device's clock; ``exposed``: the sensor's."""

    exposed: float
    sealed: float
    filed: float


class Bench:
    """A running site, and a pair of hands."""

    def __init__(self, site: VirtualSite, remote: Remote) -> None:
        self._site = site
        self._remote = remote
        self._key = pem.public_key(read_public(site.device_key, "device key"))

    def open_window(self) -> None:
        """Press CONSENT and wait for the camera."""
        self._press("consent")
        wait_for(lambda: self._remote.view.ready, 30, "the camera")

    def close_window(self) -> None:
        """Press CONSENT again; within two seconds of opening or closing it would be a repeat."""
        time.sleep(2.1)
        self._press("consent")
        wait_for(lambda: not self._remote.view.lamp, 30, "the lamp to go off")
        time.sleep(2.1)

    def take(self) -> Journey:
        """Press CAPTURE and wait until the photo is filed."""
        due = len(self._entries()) + len(ENTRIES)
        self._press("capture")
        wait_for(lambda: len(self._entries()) >= due, 30, "the photo to be filed")
        photo = story.tell(story.read(self._ledger(), self._key).entries)[-1]
        assert photo.status == "FILED", f"the photo is {photo.status}"
        sealed, filed = (
            photo.after_ms(photo.intent_ns, at) for at in (photo.sealed_ns, photo.receipt_ns)
        )
        assert sealed is not None and filed is not None
        # The PDF follows by itself; nothing else is measured while a processor is at it.
        assert photo.id is not None
        report = f"*/{photo.id.hex()}.pdf"
        wait_for(lambda: any(self._site.record.glob(report)), 30, "the photo's report")
        return Journey(last_stages(self._site)["expose"] / 1000, sealed, filed)

    def _entries(self) -> list[bytes]:
        """The ledger's entries unread: whoever waits must not use the processor he measures."""
        return read_frames(self._ledger().read_bytes())[0]

    def _ledger(self) -> Path:
        file = story.current(self._site.device.config.paths.ledger)
        assert file is not None, "the device has a ledger"
        return file

    def _press(self, line: str) -> None:
        self._remote.hold(line, 0.06)


class Parts:
    """The bare parts of the journey, on the bytes that the journey has just moved."""

    def __init__(self, site: VirtualSite, folder: Path, paho: BarePaho) -> None:
        self._folder = folder
        self._paho = paho
        copy = next((site.state / "gateway" / "sealed").glob("*"))
        self._envelope = bytes(parse_bundle(copy.read_bytes()).envelope)
        self._key = RecipientPrivate.decode((site.pki.gateway / "opening.key").read_bytes())
        self._bare = Bare()
        self._decoder = turbojpeg.Decoder()
        self._plain = Buffer(len(self._envelope))
        self._planes = Buffer(LAYOUT.size + WIDTH)
        self._sight = scene.load(folder / FRAME, LAYOUT)

    def measure(self, times: Times) -> None:
        """Do each part once."""
        with Buffer(LAYOUT.size) as buffer:
            self._sight.expose(buffer.view, LAYOUT)
            with Frame(buffer.view[:], LAYOUT) as frame, timed(times, "encode"):
                self._bare.encode(frame)
        with timed(times, "transfer"):
            self._paho.send(self._envelope)
        with timed(times, "decrypt"):
            parsed = envelope.parse(self._envelope)
            content = envelope.open_into(parsed, self._key, self._plain.view)
        with timed(times, "decode"):
            self._decoder.decode_yuv(content.jpeg, self._planes.view)
        with timed(times, "decode at an eighth"):
            self._decoder.decode_yuv(content.jpeg, self._planes.view, shrink=8)
        with timed(times, "fsynced writes"):
            self._write(content.jpeg)

    def _write(self, jpeg: memoryview) -> None:
        """INTENT and SEALED appended; JPEG, page and folder in the record; one commit."""
        for name, data in (("ledger", ENTRY), ("ledger", ENTRY), ("jpeg", jpeg), ("wal", PAGE)):
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if name == "jpeg" else os.O_APPEND)
            descriptor = os.open(self._folder / name, flags, 0o600)
            write_all(descriptor, data)
            os.fdatasync(descriptor)
            os.close(descriptor)
        write_atomic(self._folder / "page.json", ENTRY)


def run(rounds: int) -> tuple[Times, dict[str, float], float]:
    """Return milliseconds by part, PSS in MiB by role and moment, and idle CPU in percent."""
    times: Times = {}
    with tempfile.TemporaryDirectory(prefix="wardseal-bench-") as name:
        folder = Path(name)
        make_keys(folder)
        scene_file = folder / FRAME
        write_frame(scene_file)
        with VirtualSite(folder / "site", Virtual(release_seconds=0.0)) as site:
            site.world.point_at(scene_file)
            site.start()
            with (
                Remote.connect(site.device.config.paths.world_socket, 30) as remote,
                receiver(folder) as port,
            ):
                wait_for(lambda: remote.view.online, 30, "the device to be online")
                memory, cpu = at_rest(site)
                paho = BarePaho(folder, port)
                bench = Bench(site, remote)
                measure(rounds, times, bench, lambda: Parts(site, folder, paho))
                memory |= at_work(site, bench)
                paho.close()
    return times, memory, cpu


def measure(rounds: int, times: Times, bench: Bench, parts_of: Callable[[], Parts]) -> None:
    """Photos and bare parts in turn, five photos to a window; the first two warm up."""
    parts: Parts | None = None
    for number in range(rounds + 2):
        if number % 5 == 0:
            bench.open_window()
        journey = bench.take()
        parts = parts or parts_of()
        parts.measure(times if number >= 2 else {})
        if number >= 2:
            times.setdefault("sealed", []).append(journey.sealed)
            times.setdefault("filed", []).append(journey.filed)
            times.setdefault("delivered", []).append(journey.filed - journey.exposed)
        if number % 5 == 4 or number == rounds + 1:
            bench.close_window()


def write_frame(path: Path) -> None:
    """Write one frame of the default scene, noise and all, without padding."""
    sight = scene.load(world.SCENES / world.DEFAULT_SCENE, LAYOUT)
    with Buffer(LAYOUT.size) as buffer, path.open("wb") as file:
        sight.expose(buffer.view, LAYOUT)
        with Frame(buffer.view[:], LAYOUT) as frame:
            shapes = zip(frame.planes, LAYOUT.strides, LAYOUT.widths, LAYOUT.heights, strict=True)
            for plane, stride, width, height in shapes:
                for y in range(height):
                    file.write(plane[y * stride : y * stride + width])
    sight.close()


@contextmanager
def receiver(folder: Path) -> Iterator[int]:
    """A second broker and a bare subscriber in a process of its own; yields the port."""
    settings = BrokerSettings(
        directory=folder / "broker", files=files(folder, "localhost"), hospital_users=[HOSPITAL]
    )
    with Broker(settings) as broker:
        command = [sys.executable, "-m", "bench.transfer", "--receive", str(folder)]
        command.append(str(broker.port))
        sink = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert sink.stdout is not None
        sink.stdout.readline()
        try:
            yield broker.port
        finally:
            sink.terminate()
            sink.wait()
            sink.stdout.close()


def last_stages(site: VirtualSite) -> dict[str, int]:
    """The darkroom's own times of the last photo, in microseconds, from the panel's log."""
    lines = (site.state / "logs" / "panel.log").read_text().splitlines()
    told = [line for line in lines if "microseconds: " in line][-1]
    found: dict[str, int] = ast.literal_eval(told.partition("microseconds: ")[2])
    return found


def pss(pid: int) -> float:
    """A process's share of memory (PSS) in MiB; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def device_memory(site: VirtualSite) -> dict[str, float]:
    """PSS of the device's processes by role."""
    pids = site.keeper.pids()
    found: dict[str, float] = {role: pss(pids[role]) for role in ("panel", "uplink")}
    rooms = [pss(pid) for name, pid in pids.items() if name.startswith("darkroom")]
    return {**found, "darkroom": sum(rooms)}


def cpu_ns(site: VirtualSite) -> int:
    """Nanoseconds of processor time that the device's processes have used, by the scheduler."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for name, pid in site.keeper.pids().items()
        if name.startswith(("panel", "uplink", "darkroom"))
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def at_rest(site: VirtualSite) -> tuple[dict[str, float], float]:
    """Memory by role, and CPU in percent of one core, over twenty idle seconds."""
    wait_for(lambda: site.keeper.pids("darkroom"), 30, "a darkroom")
    time.sleep(10)  # it has loaded what it needs
    before, begun = cpu_ns(site), time.monotonic()
    time.sleep(20)
    used = (cpu_ns(site) - before) / 1e9 / (time.monotonic() - begun)
    memory = {f"{role}, idle": mib for role, mib in device_memory(site).items()}
    return memory, used * 100


def at_work(site: VirtualSite, bench: Bench) -> dict[str, float]:
    """The peak of all roles together, and each role's share at that moment."""
    peak: dict[str, float] = {}
    going = True

    def watch() -> None:
        nonlocal peak
        while going:
            now = device_memory(site)
            if sum(now.values()) > sum(peak.values()):
                peak = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    bench.open_window()
    bench.take()
    going = False
    watcher.join()
    bench.close_window()
    return {f"{role}, peak": mib for role, mib in peak.items()}


def told(rounds: int, times: Times, memory: dict[str, float], cpu: float) -> str:
    """Return the section of docs/bench.md."""
    middle = {name: statistics.median(values) for name, values in times.items()}
    parts = ("encode", "transfer", "decrypt", "decode", "fsynced writes")
    shrunk = tuple(part.replace("decode", "decode at an eighth") for part in parts)
    bare, less = (sum(middle[part] for part in which) for which in (parts, shrunk))
    ratio, strict = (to_parts(times, which) for which in (parts, shrunk))
    rows = [
        (f"bare: {part}", f"{middle[part]:.1f}", f"{middle[part] / bare:.2f}") for part in parts
    ]
    rows.append(("sum of the bare parts", f"{bare:.1f}", "1"))
    eighth = middle["decode at an eighth"]
    rows.append(("decode at an eighth of the size", f"{eighth:.1f}", f"{eighth / bare:.2f}"))
    rows.append(("the sum with that instead", f"{less:.1f}", f"{less / bare:.2f}"))
    journey = (
        ("**frame delivered to FILED**", "delivered"),
        ("INTENT to FILED, the sensor's time included", "filed"),
        ("of it: INTENT to SEALED", "sealed"),
    )
    rows += [(name, f"{middle[key]:.1f}", f"{middle[key] / bare:.2f}") for name, key in journey]
    roles = ("panel", "uplink", "darkroom")
    room: list[tuple[str, ...]] = [
        (role, f"{memory[f'{role}, idle']:.1f}", f"{memory[f'{role}, peak']:.1f}") for role in roles
    ]
    whole = [sum(memory[f"{role}, {when}"] for role in roles) for when in ("idle", "peak")]
    room.append(("**together**", *(f"**{mib:.1f}**" for mib in whole)))
    return f"""## Journey

{report.machine()} {rounds} photos of 12 MP, release time 0, everything on one machine.

{report.table(("CAPTURE to FILED, median", "ms", "to the bare parts"), rows)}

Photo by photo, frame delivered to FILED takes {ratio:.2f} x the sum of its bare parts (at most
1.3). The gateway decodes at an eighth of the size, which proves as much (docs/decisions/0043);
against the sum with that decode in it, the journey takes {strict:.2f} x.

{report.table(("memory of the device, PSS in MiB", "idle", "peak of a 12 MP photo"), room)}

At most 120 MiB idle and 260 MiB at the peak are allowed. Idle, the device uses {cpu:.2f} % of
one core (at most 0.5).
"""


def to_parts(times: Times, parts: tuple[str, ...]) -> float:
    """Return the middle of what the journeys took, each to the sum of the parts after it."""
    done = times["delivered"]
    return statistics.median(
        done[i] / sum(times[part][i] for part in parts) for i in range(len(done))
    )


def main() -> int:
    """Measure, print the tables, and keep them where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.journey", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="write the tables into docs/bench.md")
    parser.add_argument("--idle", action="store_true", help="only what an idle device costs")
    options = parser.parse_args()
    if options.idle:
        with (
            tempfile.TemporaryDirectory(prefix="wardseal-bench-") as name,
            VirtualSite(Path(name) / "site", Virtual()) as site,
        ):
            site.world.point_at(world.DEFAULT_SCENE)
            site.start()
            memory, cpu = at_rest(site)
        print(f"Idle: {cpu:.3f} % of one core (at most 0.5), {sum(memory.values()):.1f} MiB.")
        return 0
    text = told(options.rounds, *run(options.rounds))
    print(text)
    if options.keep:
        report.keep("journey", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
