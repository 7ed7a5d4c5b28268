"""From frame to sealed photo, beside the bare encoder, the naive way, and what others use.

    python -m bench.sealing [--rounds N] [--keep]

Each round takes a fresh 12 MP frame from the simulated camera. Two processes do the same work
on frames of the same scene: one with the allocator settings of a darkroom, one without, because
the naive way would not have them; the bare encoder is measured in both. Peers encrypt the same
JPEG. ``--keep`` writes the tables to docs/bench.md.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image

from appliance.crypto.sealing import Sealer
from appliance.frame import Frame, Layout
from appliance.simulator import scene, world
from base import turbojpeg
from base.durable import fsync_dir
from base.memory import ALLOCATOR_ENV, Buffer
from bench import peers, report
from wire import envelope, hpke
from wire.envelope import Header
from wire.ledger import ClockTrust

WIDTH, HEIGHT, QUALITY = 4056, 3040, 92
LAYOUT: Final = Layout.padded(WIDTH, HEIGHT)
USUAL_SIZE: Final = 8 * 1024 * 1024
KEYS: Final = [hpke.RecipientPrivate.generate(hpke.SuiteName.HYBRID).public for _ in range(2)]

Times = dict[str, list[float]]


def header(seq: int) -> Header:
    """A header as a panel would order it."""
    return Header(
        device="bench",
        boot=bytes(16),
        seq=seq,
        consent=bytes(32),
        intent=bytes(32),
        epoch=1,
        keyset=bytes(32),
        time_ms=1,
        trust=ClockTrust.NONE,
        length=1,
    )


@contextmanager
def timed(times: Times, what: str) -> Iterator[None]:
    """Add the milliseconds that the block takes to ``times``."""
    begun = time.perf_counter()
    yield
    times.setdefault(what, []).append((time.perf_counter() - begun) * 1000)


class Bare:
    """libjpeg-turbo from the frame's planes into a buffer that is there, and nothing else."""

    def __init__(self) -> None:
        self._encoder = turbojpeg.Encoder()
        self._out = Buffer(turbojpeg.bound(WIDTH, HEIGHT))
        self._out.wipe(USUAL_SIZE)

    def encode(self, frame: Frame) -> memoryview:
        length = self._encoder.encode_yuv420(
            frame.planes,
            width=WIDTH,
            height=HEIGHT,
            strides=frame.strides,
            quality=QUALITY,
            out=self._out.view,
        )
        return self._out.view[:length]


def frames(count: int) -> Iterator[Frame]:
    """Fresh frames of one scene, in one buffer as a camera has it."""
    sight = scene.load(world.SCENES / world.DEFAULT_SCENE, LAYOUT)
    with Buffer(LAYOUT.size) as buffer:
        for _ in range(count):
            sight.expose(buffer.view, LAYOUT)
            with Frame(buffer.view[:], LAYOUT) as frame:
                yield frame
    sight.close()


def ours(rounds: int, folder: Path) -> Times:
    """The darkroom's way, its stages, and what a disk would add."""
    times: Times = {}
    bare = Bare()
    with Sealer(
        sealing=folder,
        width=WIDTH,
        height=HEIGHT,
        jpeg_quality=QUALITY,
        recipients=KEYS,
        bed="bench",
        usual_size=USUAL_SIZE,
    ) as sealer:
        for seq, frame in enumerate(frames(rounds + 1)):
            with timed(times, "bare"):
                jpeg = bare.encode(frame)
            times.setdefault("jpeg", []).append(len(jpeg))
            with timed(times, "ours"):
                photo = sealer.seal(frame, header(seq), lambda _: None)
            for stage, micros in photo.stages_us.items():
                times.setdefault(stage, []).append(micros / 1000)
            (folder / photo.name).unlink()
            sealer.make_room()
    return times


def naive(rounds: int, folder: Path) -> Times:
    """Pillow and ``bytes``: from the same frame, and from an RGB frame that cost nothing."""
    times: Times = {}
    bare = Bare()
    for seq, frame in enumerate(frames(rounds + 1)):
        with timed(times, "bare"):
            bare.encode(frame)
        with timed(times, "naive"):
            image = as_image(frame)
            size = seal_with_pillow(image, header(seq), folder / "naive.cose")
        times.setdefault("jpeg", []).append(size)
        rgb = image.convert("RGB").tobytes()
        with timed(times, "naive rgb"):
            image = Image.frombytes("RGB", (WIDTH, HEIGHT), rgb)
            seal_with_pillow(image, header(seq), folder / "naive.cose")
    return times


def as_image(frame: Frame) -> Image.Image:
    """The frame as Pillow can take it: planes to ``bytes``, colour at full size, merged."""
    sizes = [(WIDTH, HEIGHT), *[(WIDTH // 2, HEIGHT // 2)] * 2]
    channels = []
    for plane, stride, size in zip(frame.planes, frame.strides, sizes, strict=True):
        channel = Image.frombytes("L", size, bytes(plane), "raw", "L", stride, 1)
        channels.append(channel.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST))
    return Image.merge("YCbCr", channels)


def seal_with_pillow(image: Image.Image, ordered: Header, path: Path) -> int:
    """Encode, encrypt and write, a new ``bytes`` for each step; return the JPEG's length."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling="4:2:0")
    jpeg = out.getvalue()
    content = envelope.content_prefix(envelope.Private("bench", {}), len(jpeg)) + jpeg
    room = bytearray(envelope.room(len(content)))
    size = envelope.seal_into(
        memoryview(room),
        header=replace(ordered, length=len(content)),
        plaintext=memoryview(content),
        key=os.urandom(32),
        recipients=KEYS,
    )
    path.write_bytes(bytes(room[:size]))
    return len(jpeg)


def in_process(way: str, rounds: int, environment: dict[str, str]) -> Times:
    """Run one way in a process of its own; the first round is thrown away."""
    plain = {k: v for k, v in os.environ.items() if k not in ALLOCATOR_ENV}
    done = subprocess.run(
        [sys.executable, "-m", "bench.sealing", "--way", way, "--rounds", str(rounds)],
        env={**plain, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    times: Times = json.loads(done.stdout)
    return {what: values[1:] for what, values in times.items()}


def fsync(size: int, rounds: int) -> float:
    """Median milliseconds to make a file of ``size`` bytes and its name durable on this disk."""
    times: Times = {}
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        path = Path(folder) / "envelope"
        for _ in range(rounds):
            path.write_bytes(os.urandom(size))
            with timed(times, "fsync"), path.open("rb") as file:
                os.fsync(file.fileno())
                fsync_dir(path.parent)
            path.unlink()
    return statistics.median(times["fsync"])


def one_jpeg() -> bytes:
    """A JPEG of the scene, for the peers."""
    bare = Bare()
    return next(bytes(bare.encode(frame)) for frame in frames(1))


def to_bare(times: Times, what: str) -> float:
    """Median ratio to the bare encoder on the same frame a moment before: load cancels out."""
    return statistics.median(a / b for a, b in zip(times[what], times["bare"], strict=True))


def tables(rounds: int) -> tuple[str, bool]:
    """Measure everything; return the tables, and whether the two figures hold."""
    sealed = in_process("ours", rounds, dict(ALLOCATOR_ENV))
    by_hand = in_process("naive", rounds, {})
    ms: Callable[[Times, str], float] = lambda times, what: statistics.median(times[what])  # noqa: E731
    bare = ms(sealed, "bare")
    over_bare = to_bare(sealed, "ours")
    over_naive = to_bare(by_hand, "naive") / over_bare
    rows = [
        ("libjpeg-turbo alone, into a buffer", f"{bare:.1f}", "1"),
        ("**frame to sealed envelope**", f"**{ms(sealed, 'ours'):.1f}**", f"**{over_bare:.2f}**"),
    ]
    for stage, words in (
        ("encode", "of it: encode, the verdict beside it"),
        ("seal", "of it: content key, cipher, two HPKE recipients"),
        ("store", "of it: cut and rename"),
        ("wipe", "of it: what wiping is left to wait for"),
    ):
        rows.append((words, f"{ms(sealed, stage):.1f}", f"{ms(sealed, stage) / bare:.2f}"))
    for what, words in (
        ("naive", "Pillow and `bytes`, wiping nothing"),
        ("naive rgb", "the same, had the frame come as RGB at no cost"),
    ):
        rows.append((words, f"{ms(by_hand, what):.1f}", f"{to_bare(by_hand, what):.2f}"))
    kept = fsync(int(ms(sealed, "jpeg")), rounds)
    rows.append(("fsync on this disk (`spool.persist` only)", f"{kept:.1f}", f"{kept / bare:.2f}"))
    first = report.table(("12 MP frame to sealed, median", "ms", "to bare encode"), rows)
    verdict = (
        f"Frame to sealed costs {over_bare:.2f} x the bare encoder (at most 1.25) and is"
        f" {over_naive:.1f} x faster than the naive way (at least 2). JPEGs:"
        f" {ms(sealed, 'jpeg') / 1e6:.1f} MB ours, {ms(by_hand, 'jpeg') / 1e6:.1f} MB naive."
    )
    second = peers.table(one_jpeg(), KEYS, rounds)
    text = f"## Sealing\n\n{report.machine()} {rounds} rounds.\n\n{first}\n\n{verdict}\n\n{second}"
    return text, over_bare <= 1.25 and over_naive >= 2


def main() -> int:
    """Print the tables; exit code 1 when a figure does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.sealing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", action="store_true", help="write the tables to docs/bench.md")
    parser.add_argument("--way", choices=("ours", "naive"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            way = ours if options.way == "ours" else naive
            print(json.dumps(way(options.rounds, Path(folder))))
        return 0
    text, holds = tables(options.rounds)
    print(text)
    if options.keep:
        report.keep("sealing", text)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
