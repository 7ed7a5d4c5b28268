"""No photo stays unseen because a gateway died, or because two came close together."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.running import Running
from wire import messages
from wire.messages import Fin, Status


def shown(hospital: Hospital, photo: Photo) -> bool:
    opened = hospital.state / "opened"
    return all((opened / f"{photo.hex}{end}").exists() for end in (".jpg", ".small.jpg"))


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int], database_url: str) -> Iterator[Running]:
    made = Running(tmp_path, free_port(), database_url)
    made.connect()
    yield made
    made.close()


@pytest.mark.journey
def test_killed_between_receipt_and_picture_it_shows_the_picture_when_it_starts(
    site: Running,
) -> None:
    photo, hospital = site.device.photo(jpeg(640, 480)), site.hospital
    with site.gateway("gateway.custody:Custodian.rest:before:1") as process:
        site.send(photo, unless=lambda: process.poll() is not None)
        site.until(lambda: process.poll() == -signal.SIGKILL, 5, "its death")
    assert not shown(hospital, photo)
    with site.gateway():
        receipt = site.send(photo)
        assert receipt is not None
        assert receipt.status == Status.FILED
        site.until(lambda: shown(hospital, photo), 10, "the picture")
    assert (hospital.state / "opened" / f"{photo.hex}.jpg").read_bytes() == photo.jpeg
    assert not list((hospital.state / "opened").glob(".*"))


def test_a_held_one_is_shown_again_and_what_cannot_be_decoded_never_is(
    hospital: Hospital, device: Device
) -> None:
    consent = device.consent()
    one = device.photo(consent=consent)
    rival = device.photo(jpeg(seed=1), consent=consent, intent=one.intent)
    for each in (one, rival):
        hospital.receive(device, each)
        hospital.until(lambda each=each: shown(hospital, each), 10, "the picture")
    broken = device.photo(b"no picture")
    assert hospital.receive(device, broken).status == Status.HELD
    hospital.close()
    (hospital.state / "opened" / f"{rival.hex}.small.jpg").write_bytes(b"")  # a power cut's
    (hospital.state / "opened" / f"{one.hex}.jpg").unlink()
    hospital.open()
    small = hospital.state / "opened" / f"{rival.hex}.small.jpg"
    hospital.until(lambda: small.stat().st_size > 0 and shown(hospital, one), 10, "both")
    hospital.sync(device, device.batch())
    assert not list((hospital.state / "opened").glob(f"*{broken.hex}*"))


def test_each_of_photos_that_come_close_together_is_shown(
    hospital: Hospital, device: Device
) -> None:
    photos = [device.photo(jpeg(seed=seed)) for seed in range(3)]
    ready = {photo.id: hospital.ask(device, photo) for photo in photos}
    for photo in photos:
        to = ready[photo.id].to
        for data in photo.chunks():
            hospital.hear(device.name, f"up/{to}", data)
        hospital.hear(device.name, f"up/{to}", Fin(photo.id))
    for photo in photos:
        hospital.until(lambda photo=photo: shown(hospital, photo), 10, "its picture")
        path = hospital.state / "opened" / f"{photo.hex}.jpg"
        assert path.read_bytes() == photo.jpeg
    assert len({m.photo for _, m in hospital.sent if isinstance(m, messages.Signed)}) == 3
