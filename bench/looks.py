"""What the darkroom sees in a picture, beside the encoder: verdict, label, viewfinder.

    python -m bench.looks [--rounds N] [--keep]

Each round takes a fresh 12 MP frame of a photograph, with and without a label in it, in a
process with a darkroom's allocator settings. What one thread does alone is told in milliseconds
of its processor time, which other work on the machine hardly changes; frame to sealed takes two
threads, and is told by the clock, with the machine's load beside it. The peer, in a process
without them, is the usual way to tell a sharp picture: the variance of the Laplacian over all
of its pixels, by numpy. ``--keep`` writes the table to docs/bench.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from appliance import quality, viewfinder
from appliance.crypto.sealing import Sealer
from appliance.frame import Frame, Layout
from appliance.label import LabelReader
from appliance.orders import VIEW_BYTES
from appliance.simulator import scene, world
from base.memory import ALLOCATOR_ENV, Buffer
from bench import report
from bench.sealing import (
    HEIGHT,
    KEYS,
    LAYOUT,
    QUALITY,
    USUAL_SIZE,
    WIDTH,
    Bare,
    Times,
    header,
    timed,
)

BOARDS = {"Pi 5": 2, "Pi 4": 5, "Zero 2 W": 12}
"""How many times longer one core takes than here, by published single-core scores; an estimate."""

LABEL = world.Laid("label-heel-left.png", x=0.7, y=0.6, width=0.2, turned=15)
SMALL = Layout.padded(1024, 768)


@contextmanager
def busy(times: Times, what: str) -> Iterator[None]:
    """Add the milliseconds that the block keeps this thread's core busy to ``times``."""
    begun = time.thread_time()
    yield
    times.setdefault(what, []).append((time.thread_time() - begun) * 1000)


def laplacian_variance(frame: Frame) -> float:
    """The peer."""
    luma = np.frombuffer(frame.luma, dtype=np.uint8).reshape(frame.height, frame.strides[0])
    p = luma[:, : frame.width].astype(np.int16)
    edges = 4 * p[1:-1, 1:-1] - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:]
    return float(edges.var())


def measure(rounds: int, folder: Path, *, labelled: bool) -> Times:
    """Times in milliseconds of each look, alone on a core, and of sealing with them beside it."""
    times: Times = {}
    laid = [(LABEL, world.SCENES / LABEL.picture)] if labelled else []
    sight = scene.load(world.SCENES / "coffee.png", LAYOUT, laid=laid)
    bare, limits = Bare(), quality.Thresholds()
    with (
        LabelReader() as reader,
        Buffer(LAYOUT.size) as buffer,
        Buffer(SMALL.size) as small,
        Buffer(VIEW_BYTES) as bits,
        Sealer(
            sealing=folder,
            width=WIDTH,
            height=HEIGHT,
            jpeg_quality=QUALITY,
            recipients=KEYS,
            bed="bench",
            usual_size=USUAL_SIZE,
        ) as sealer,
    ):
        for seq in range(rounds + 1):
            sight.glance(small.view, SMALL)
            with busy(times, "view"), Frame(small.view[:], SMALL) as view:
                viewfinder.draw(view, bits.view)
            sight.expose(buffer.view, LAYOUT)
            with Frame(buffer.view[:], LAYOUT) as frame:
                with timed(times, "bare by the clock"), busy(times, "bare"):
                    bare.encode(frame)
                with busy(times, "verdict"):
                    quality.judge(
                        frame.luma,
                        width=WIDTH,
                        height=HEIGHT,
                        stride=LAYOUT.stride,
                        thresholds=limits,
                    )
                with busy(times, "label"):
                    found = reader.read(frame)
                if (found is not None and found.code is not None) != labelled:
                    raise SystemExit("the label is not what it should be")
                with busy(times, "peer"):
                    laplacian_variance(frame)
                with timed(times, "sealed"):
                    photo = sealer.seal(frame, header(seq), lambda _: None)
            (folder / photo.name).unlink()
            sealer.make_room()
    sight.close()
    return {what: values[1:] for what, values in times.items()}


def in_process(rounds: int, *, labelled: bool, environment: Mapping[str, str]) -> Times:
    """Measure in a process of its own."""
    others = {name: value for name, value in os.environ.items() if name not in ALLOCATOR_ENV}
    way = "labelled" if labelled else "plain"
    done = subprocess.run(
        [sys.executable, "-m", "bench.looks", "--way", way, "--rounds", str(rounds)],
        env={**others, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    times: Times = json.loads(done.stdout)
    return times


def table(rounds: int) -> tuple[str, bool]:
    """Measure; return the table, and whether verdict and sealing keep to their figures."""
    plain, labelled = (
        in_process(rounds, labelled=which, environment=ALLOCATOR_ENV) for which in (False, True)
    )
    peer = in_process(rounds, labelled=False, environment={})
    rows, ratio = [], {}
    by_clock = {"sealed", "bare by the clock"}
    for words, times, what in (
        ("libjpeg-turbo alone, into a buffer", plain, "bare"),
        ("**verdict: exposure, sharpness, motion**", plain, "verdict"),
        ("peer: variance of the Laplacian, numpy", peer, "peer"),
        ("label: that there is none", plain, "label"),
        ("label: scale, light, site and side", labelled, "label"),
        ("one viewfinder picture, from 1024 x 768", plain, "view"),
        ("by the clock: libjpeg-turbo alone", plain, "bare by the clock"),
        ("by the clock: frame to sealed, without a label", plain, "sealed"),
        ("**by the clock: frame to sealed, with a label**", labelled, "sealed"),
    ):
        base = times["bare by the clock" if what in by_clock else "bare"]
        ratio[words] = statistics.median(a / b for a, b in zip(times[what], base, strict=True))
        rows.append((words, f"{statistics.median(times[what]):.1f}", f"{ratio[words]:.2f}"))
    verdict = statistics.median(plain["verdict"])
    sealed = ratio["**by the clock: frame to sealed, with a label**"]
    said = (
        f"The verdict takes {verdict:.1f} ms (at most 30). Verdict and label run beside the"
        f" encoder on a core of their own: with a label, frame to sealed costs {sealed:.2f} x the"
        f" bare encoder (at most 1.25; the machine's load was {os.getloadavg()[0]:.1f} on"
        f" {os.cpu_count()} cores)."
    )
    looks = verdict + statistics.median(labelled["label"])
    said += (
        " Expected on a board, not measured: this times what its core is slower by published"
        " single-core scores, so for verdict and label together "
        + ", ".join(f"{looks * times:.0f} ms on a {board}" for board, times in BOARDS.items())
        + "; the encoder beside them is slower by as much."
    )
    head = ("12 MP, median", "ms", "to bare encode")
    text = (
        f"## Looks\n\n{report.machine()} {rounds} rounds.\n\n{report.table(head, rows)}\n\n{said}"
    )
    return text, verdict <= 30 and sealed <= 1.25


def main() -> int:
    """Print the table; exit code 1 when a figure does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.looks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--way", choices=["plain", "labelled"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        with tempfile.TemporaryDirectory(prefix="ws-", dir="/dev/shm") as folder:
            times = measure(options.rounds, Path(folder), labelled=options.way == "labelled")
        print(json.dumps(times))
        return 0
    text, holds = table(options.rounds)
    print(text)
    if options.keep:
        report.keep("looks", text)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
