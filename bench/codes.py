"""What reading wristbands and badges costs: of each viewfinder frame, and of the darkroom's start.

    python -m bench.codes [--rounds N] [--keep]

The frames are those of the simulated camera, 1024 x 768, with sensor noise. Each round draws the
viewfinder and reads each frame, by our reader and by zxing-cpp as it comes (every format, inverted
and downscaled as well), one after the other. ``--keep`` writes the table to docs/bench.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import zxingcpp

from appliance import reader, viewfinder
from appliance.frame import Frame, Layout
from appliance.lookout import REST
from appliance.orders import VIEW_BYTES
from appliance.simulator import bands, scene, world
from base.memory import ALLOCATOR_ENV
from bench import report
from bench.looks import BOARDS

SENSOR: Final = Layout.padded(4056, 3040)
SMALL: Final = Layout.padded(1024, 768)
VIEWS_A_SECOND: Final = 4
_START: Final = """
import time
import appliance.viewfinder, appliance.sightings, appliance.lookout, appliance.codes
def pss():
    text = open("/proc/self/smaps_rollup").read()
    return int(text.split("Pss:")[1].split()[0])
before, begun = pss(), time.perf_counter()
import appliance.reader
print((time.perf_counter() - begun) * 1000, (pss() - before) / 1024)
"""

Times = dict[str, list[float]]


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.codes")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="write the table to docs/bench.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _scenes(Path(folder)) as scenes:
        times = _measure(scenes, arguments.rounds)
    text = _text(times, _start(), arguments.rounds)
    print(text)
    if arguments.keep:
        report.keep("codes", text)


@contextmanager
def _scenes(folder: Path) -> Iterator[dict[str, scene.Scene]]:
    """What the camera sees, by name."""
    band, badge = bands.wristband(bands.BAND, folder), bands.badge(bands.BADGE, folder)
    slanted = world.Laid(str(band), 0.4, 0.5, 0.35, turned=25, tilted=20)
    shown = world.SCENES / world.DEFAULT_SCENE
    scenes = {
        "nothing to read": scene.load(shown, SENSOR),
        "a busy picture, nothing to read": scene.load(world.SCENES / "coffee.png", SENSOR),
        "band and badge": scene.load(shown, SENSOR, (band, badge)),
        "a band that lies aslant": scene.load(shown, SENSOR, laid=((slanted, band),)),
    }
    try:
        yield scenes
    finally:
        for one in scenes.values():
            one.close()


def _measure(scenes: dict[str, scene.Scene], rounds: int) -> Times:
    times: Times = {}
    bits = memoryview(bytearray(VIEW_BYTES))
    for _ in range(rounds):
        for name, shown in scenes.items():
            with _glance(shown) as frame:
                _time(times, "draw", partial(viewfinder.draw, frame, bits))
                _time(times, f"ours, {name}", partial(reader.read, frame))
                _time(times, f"theirs, {name}", partial(_as_it_comes, frame))
    return times


@contextmanager
def _glance(shown: scene.Scene) -> Iterator[Frame]:
    buffer = memoryview(bytearray(SMALL.size))
    shown.glance(buffer, SMALL)
    with Frame(buffer, SMALL) as frame:
        yield frame


def _as_it_comes(frame: Frame) -> None:
    luma: Any = frame.luma
    zxingcpp.read_barcodes(
        zxingcpp.ImageView(
            luma, frame.width, frame.height, zxingcpp.ImageFormat.Lum, frame.strides[0]
        )
    )


def _time(times: Times, name: str, work: Callable[[], object]) -> None:
    begun = time.perf_counter()
    work()
    times.setdefault(name, []).append((time.perf_counter() - begun) * 1000)


def _start() -> tuple[float, float]:
    """Milliseconds and MiB that the reader's import takes, the median of five processes."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", _START],
            capture_output=True,
            text=True,
            check=True,
            env={**ALLOCATOR_ENV, "PYTHONPATH": str(report.PAGE.parents[1])},
        ).stdout.split()
        for _ in range(5)
    ]
    return (
        statistics.median(float(ms) for ms, _ in runs),
        statistics.median(float(mib) for _, mib in runs),
    )


def _text(times: Times, start: tuple[float, float], rounds: int) -> str:
    draw = statistics.median(times["draw"])
    rows = [("the viewfinder's picture alone", f"{draw:.2f}", "1", "")]
    most = 0.0
    for name in (key.removeprefix("ours, ") for key in times if key.startswith("ours, ")):
        ours, theirs = (statistics.median(times[f"{who}, {name}"]) for who in ("ours", "theirs"))
        most = max(most, ours)
        rows.append(
            (
                f"with the reader: {name}",
                f"{draw + ours:.2f}",
                f"{(draw + ours) / draw:.1f}",
                f"{ours / theirs:.2f}",
            )
        )
    boards = ", ".join(f"{name} {most * slower:.0f} ms" for name, slower in BOARDS.items())
    share = VIEWS_A_SECOND * most / 1000 * 100
    head = (
        "one viewfinder frame, median",
        "ms",
        "to the picture",
        "reader to zxing-cpp as it comes",
    )
    return f"""
## Wristbands and badges

{report.machine()} {rounds} rounds, frames of 1024 x 768.

{report.table(head, rows)}

At {VIEWS_A_SECOND} frames a second the slowest of them takes {share:.1f} % of one core while a
window is open. On a slower board the reader rests {REST} times as long as it looked, so it never
takes more than a fifth of the time: a look of 100 ms is followed by at least 400 ms without one,
and a band is read in its second look. On a board that is so many times slower (estimated, as in
bench/looks): {boards}.

Loading the reader takes {start[0]:.0f} ms of a darkroom's start, before anybody has pressed
anything, and {start[1]:.1f} MiB of its memory.
"""


if __name__ == "__main__":
    main()
