"""P3, looked at from outside: what is left of a photo in the darkroom's memory and in files."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from appliance.frame import Layout
from appliance.orders import Sealed
from appliance.simulator.scene import RawScene
from tests.appliance.bedside import HEIGHT, WIDTH, Bedside, Life
from tests.residue.known_secrets import entropy_coded, of_envelope
from tests.residue.scanner import Findings, Scanner
from tests.waiting import until
from wire import envelope
from wire.ledger import SignedEntry

SCENES = Path(__file__).parents[2] / "appliance" / "simulator" / "scenes"
SCENE = SCENES / "coffee.png"
LABEL = SCENES / "label-heel-left.png"
SMALL = Layout.padded(1024, 768)
NAIVE = (str(Path(__file__).parent / "naive_darkroom.py"),)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may read the memory of a process that shuts others out"
)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw frame on disk: a photograph with noise, so that each of its windows is its own.

    A label lies in it, so that whatever reads labels has something to read.
    """
    path = tmp_path_factory.mktemp("scene") / "frame.yuv"
    random = np.random.default_rng(3)
    with Image.open(SCENE) as file, Image.open(LABEL) as label:
        picture = file.convert("YCbCr").resize((WIDTH, HEIGHT))
        picture.paste(label.convert("YCbCr"), (500, 1800))
    with path.open("wb") as raw:
        for number, plane in enumerate(picture.split()):
            levels = np.asarray(plane if number == 0 else plane.reduce(2), dtype=np.int16)
            noise = random.integers(-6, 7, levels.shape, dtype=np.int16)
            raw.write(np.clip(levels + noise, 0, 255).astype(np.uint8).tobytes())
    return path


@pytest.fixture(scope="module")
def raw_scanner(frame: Path) -> Scanner:
    scanner = Scanner({"raw frame": frame.read_bytes()})
    assert scanner.share("raw frame") > 0.95
    return scanner


@pytest.fixture
def bedside(frame: Path) -> Iterator[Bedside]:
    """A device whose run directory is on a real tmpfs, in front of the frame."""
    with tempfile.TemporaryDirectory(prefix="ws-", dir="/dev/shm") as folder:
        # A scan takes seconds, in which a darkroom that is looking for codes gets nothing done.
        bedside = Bedside(Path(folder), deadline_seconds=60)
        bedside.world.point_at(frame)
        yield bedside


def scanner_of(bedside: Bedside, sealed: Sealed) -> Scanner:
    """A scanner for one photo's JPEG and all of its keys."""
    found = envelope.parse((bedside.sealing / sealed.name).read_bytes())
    secrets, plaintext = of_envelope(found, [bedside.gateway, bedside.recovery])
    jpeg = entropy_coded(bytes(plaintext[plaintext.index(b"\xff\xd8\xff") :]))
    scanner = Scanner({"JPEG": jpeg, **secrets})
    assert scanner.share("JPEG") > 0.95
    return scanner


def scan(life: Life, scanners: list[Scanner]) -> list[Findings]:
    """Look through a living darkroom, between two viewfinder frames."""
    life.wait_for_view()
    return [scanner.process(life.process.pid) for scanner in scanners]


def photos(bedside: Bedside, life: Life, consent: SignedEntry, count: int) -> list[Sealed]:
    return [bedside.take(life, consent) for _ in range(count)]


def test_P3_nothing_of_a_photo_is_left_in_a_living_darkroom_once_it_is_sealed(
    bedside: Bedside, raw_scanner: Scanner
) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        taken = photos(bedside, life, consent, 2)
        for sealed in taken:
            label = bedside.opened(sealed).private.label
            assert label is not None and label["code"] == "W2 HEEL L", "the label was not read"
        scanners = [raw_scanner, *(scanner_of(bedside, sealed) for sealed in taken)]
        for findings in scan(life, scanners):
            assert not findings.windows, findings
            assert findings.bytes_read > 20e6
        assert life.end() == 0


def test_P3_nothing_is_left_of_a_photograph_with_sensor_noise_either(bedside: Bedside) -> None:
    # The simulated camera's other way to a frame, through Pillow and numpy.
    bedside.world.point_at(SCENE)
    bedside.world.lay(LABEL)
    with bedside.start() as life:
        consent = bedside.open(life)
        (taken,) = photos(bedside, life, consent, 1)
        (findings,) = scan(life, [scanner_of(bedside, taken)])
        assert not findings.windows, findings
        life.end()


def test_P3_nothing_of_a_viewfinder_frame_is_left_once_it_was_read(
    bedside: Bedside, frame: Path
) -> None:
    # The barcode reader makes pictures of its own of each frame.
    buffer = memoryview(bytearray(SMALL.size))
    shown = RawScene(frame, Layout.padded(WIDTH, HEIGHT))
    shown.glance(buffer, SMALL)
    shown.close()
    scanner = Scanner({"small frame": buffer[: SMALL.stride * SMALL.height]})
    assert scanner.share("small frame") > 0.95
    with bedside.start() as life:
        bedside.open(life)

        def nothing_left() -> bool:
            (findings,) = scan(life, [scanner])
            assert findings.bytes_read > 20e6
            return not findings.windows

        # The reader looks after the picture was sent: a scan may come while it still does.
        until(nothing_left, 20, "a moment without a frame in it")
        assert life.end() == 0


def test_P3_nothing_of_a_photo_is_in_any_file_but_sealed_once_the_darkroom_has_ended(
    bedside: Bedside, raw_scanner: Scanner
) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        (taken,) = photos(bedside, life, consent, 1)
        assert life.end() == 0
    for scanner in (raw_scanner, scanner_of(bedside, taken)):
        findings = scanner.files(bedside.folder)
        assert not findings.windows, findings
        assert findings.bytes_read > taken.size


def test_P3_the_scanner_catches_a_naive_darkroom(bedside: Bedside, raw_scanner: Scanner) -> None:
    with bedside.start(program=NAIVE, environment={}) as life:
        consent = bedside.open(life)
        (taken,) = photos(bedside, life, consent, 1)
        assert bedside.opened(taken).jpeg[:3] == b"\xff\xd8\xff"
        raw = raw_scanner.process(life.process.pid)
        rest = scanner_of(bedside, taken).process(life.process.pid)
        life.end()
    assert raw.windows["raw frame"] > 100
    assert rest.windows["JPEG"] > 10_000
    assert rest.windows["mlkem768-x25519 content key"] == 4


def test_P3_the_darkroom_does_not_start_without_the_allocator_settings(bedside: Bedside) -> None:
    with bedside.start(environment={}) as life:
        assert life.next() is None
        assert life.process.wait(10) == 1
