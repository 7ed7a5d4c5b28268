"""Opened pictures for the console: there when a photo is in the record or waits, gone with it."""

import io
import resource
from pathlib import Path

import pytest
from PIL import Image

from gateway.decoding import Small
from gateway.lightbox import Lightbox
from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital


def shown(hospital: Hospital) -> list[str]:
    return sorted(path.name for path in (hospital.state / "opened").iterdir())


def wait_until_shown(hospital: Hospital, photo: Photo) -> Path:
    picture = hospital.state / "opened" / f"{photo.hex}.jpg"
    both = picture, picture.with_suffix(".small.jpg")
    hospital.until(lambda: all(path.exists() for path in both), 10, "the picture, large and small")
    return picture


def test_a_filed_photo_lies_there_as_it_was_sealed_and_small(
    hospital: Hospital, device: Device
) -> None:
    drawing = Image.linear_gradient("L").resize((322, 243)).convert("RGB")
    photo = device.photo(sealed_like_ours(drawing))
    assert hospital.receive(device, photo).status == "FILED"
    picture = wait_until_shown(hospital, photo)
    assert picture.read_bytes() == photo.jpeg
    small = Image.open(io.BytesIO(picture.with_suffix(".small.jpg").read_bytes()))
    assert small.size == (41, 31)
    wanted = drawing.resize(small.size)
    apart = [abs(a - b) for a, b in zip(wanted.tobytes(), small.tobytes(), strict=True)]
    assert sum(apart) < 3 * len(apart), "it is the same picture"


def test_nobody_but_the_group_may_read_it(hospital: Hospital, device: Device) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    picture = wait_until_shown(hospital, photo)
    assert picture.stat().st_mode & 0o777 == 0o640
    assert picture.parent.stat().st_mode & 0o007 == 0


def test_a_photo_that_waits_for_a_person_can_be_looked_at(
    hospital: Hospital, device: Device
) -> None:
    consent = device.consent()
    one = device.photo(consent=consent)
    rival = device.photo(jpeg(seed=1), consent=consent, intent=one.intent)
    hospital.receive(device, one)
    assert hospital.receive(device, rival).status == "HELD"
    wait_until_shown(hospital, rival)


def test_what_cannot_be_decoded_is_shown_to_nobody(hospital: Hospital, device: Device) -> None:
    photo = device.photo(b"<script>alert(1)</script>")
    assert hospital.receive(device, photo).status == "HELD"
    assert shown(hospital) == []


@pytest.mark.parametrize("filed", [False, True])
def test_an_undo_before_filing_leaves_no_picture(
    hospital: Hospital, device: Device, filed: bool
) -> None:
    photo = device.photo()
    if filed:
        hospital.receive(device, photo)
        wait_until_shown(hospital, photo)
    device.undo(photo)
    hospital.sync(device, device.batch())
    undone = "select 1 from photos where state = 'undone'"
    if filed:
        hospital.until(lambda: hospital.rows(undone), 10, "the undo")
        assert len(shown(hospital)) == 2, "the care copy stays until governance decides"
    else:
        assert hospital.receive(device, photo).status == "UNDONE"
        assert shown(hospital) == []


def test_half_a_picture_is_none(tmp_path: Path) -> None:
    lightbox, photo = Lightbox(tmp_path), "ab" * 32
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        lightbox.prepare(photo, memoryview(bytearray(20_000)))
        lightbox.show(photo, Small(8, 6, bytearray(72)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    lightbox = Lightbox(tmp_path / "gone")
    lightbox.prepare("ab" * 32, memoryview(bytearray(10)))
    lightbox.show("ab" * 32, Small(8, 6, bytearray(72)))
    lightbox.take_away("ab" * 32)
    assert list(tmp_path.iterdir()) == []


def sealed_like_ours(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, subsampling="4:2:0", optimize=False)
    return out.getvalue()
