"""Two gateways on one PostgreSQL and one state folder: each photo is one gateway's, and once."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.databases import Server
from tests.gateway.hospital import Hospital
from wire import messages, topics
from wire.messages import Fin, Init, Query, Ready, Receipt, Signed, Status


class Pair:
    """Both hear what is said to any of them, as the broker would have it."""

    def __init__(self, folder: Path, url: str, claim_seconds: int) -> None:
        limits = {"limits": {"claim_seconds": claim_seconds}}
        self.both = [Hospital(folder, limits, url=url, name=name) for name in ("one", "two")]
        for each in self.both:
            each.open()

    def close(self) -> None:
        for each in self.both:
            each.close()

    def any(self, device: Device, message: Init | Query) -> None:
        for each in self.both:
            each.hear(device.name, "up/any", message)

    def said(self, device: Device, photo: Photo, kind: Any) -> list[Any]:
        topic = topics.down(device.name, "up")
        return [
            message
            for each in self.both
            for to, message in each.sent
            if to == topic and isinstance(message, kind) and message.photo == photo.id
        ]

    def until(self, predicate: Any, what: str) -> Any:
        def look() -> Any:
            self.both[1].turn()
            return predicate()

        return self.both[0].until(look, 20, what)

    def send(self, device: Device, photo: Photo, ready: Ready) -> None:
        (taker,) = (each for each in self.both if each.name == ready.to)
        for data in photo.chunks():
            taker.hear(device.name, f"up/{ready.to}", data)
        taker.hear(device.name, f"up/{ready.to}", Fin(photo.id))

    def receipts(self, device: Device, photo: Photo) -> list[Receipt]:
        return [self.both[0].read(one) for one in self.said(device, photo, Signed)]


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, _keys: Path, postgresql: Server
) -> Iterator[Pair]:
    """A claim is long, for a busy machine is no dead one, unless a test waits for its end."""
    shutil.copytree(_keys, tmp_path / "site")
    made = Pair(tmp_path, postgresql.database(), getattr(request, "param", 120))
    yield made
    made.close()


def test_P5_of_two_gateways_one_takes_each_photo_and_it_is_filed_once(pair: Pair) -> None:
    one = pair.both[0]
    devices = [one.enrol(f"ward3-bed{number}") for number in range(3)]
    photos = [(device, device.photo(jpeg(seed=n))) for device in devices for n in range(3)]
    for device, photo in photos:
        pair.any(device, photo.init())
    for device, photo in photos:
        pair.until(lambda d=device, p=photo: pair.said(d, p, Ready), "a gateway that takes it")
    for device, photo in photos:
        (ready,) = pair.said(device, photo, Ready)
        pair.send(device, photo, ready)
    for device, photo in photos:
        pair.until(lambda d=device, p=photo: pair.receipts(d, p), "its receipt")
    for device, photo in photos:
        assert {(r.status, r.number) for r in pair.receipts(device, photo)} == {(Status.FILED, 1)}
        pair.any(device, Query(photo.id))
        pair.until(lambda d=device, p=photo: len(pair.receipts(d, p)) >= 3, "both answers")
        assert len(set(pair.receipts(device, photo))) == 1
    assert one.rows("select count(*) from filings") == [(len(photos),)]
    assert len(list(one.record.glob("*/*.jpg"))) == len(photos)


@pytest.mark.parametrize("pair", [1], indirect=True, ids=["a short claim"])
def test_P5_what_a_gateway_left_in_the_middle_the_other_takes_up(pair: Pair) -> None:
    one, two = pair.both
    device = one.enrol()
    photo = device.photo(jpeg(320, 240))
    one.hear(device.name, "up/any", photo.init())
    ready = one.expect(Ready)
    chunks = photo.chunks()
    for data in chunks[:-1]:
        one.hear(device.name, f"up/{ready.to}", data)
    one.close()

    def taken() -> Any:
        two.hear(device.name, "up/any", photo.init())
        two.turn()
        return next((m for _, m in two.sent if isinstance(m, Ready)), None)

    again = two.until(taken, 20, "the claim to lapse")
    assert again.have != bytes(len(again.have))  # it goes on from what the first one has
    two.hear(device.name, "up/two", chunks[-1])
    two.hear(device.name, "up/two", Fin(photo.id))
    found = two.until(lambda: two.receipts(photo), 20, "the receipt")
    assert [(r.status, r.number) for r in found] == [(Status.FILED, 1)]
    one.open()


def test_P5_an_undo_heard_by_one_gateway_stops_what_the_other_has_in_hand(pair: Pair) -> None:
    one, two = pair.both
    device = one.enrol()
    photo = device.photo(jpeg(320, 240))
    one.hear(device.name, "up/any", photo.init())
    ready = one.expect(Ready)
    device.undo(photo)
    two.hear(device.name, "ledger", device.batch())
    two.expect(messages.LedgerHave)
    pair.send(device, photo, ready)
    found = pair.until(lambda: pair.receipts(device, photo), "its receipt")
    assert {r.status for r in found} == {Status.UNDONE}
    assert not one.filed(photo)


def test_a_database_that_was_restarted_is_found_again(pair: Pair, postgresql: Server) -> None:
    one = pair.both[0]
    device = one.enrol()
    first, second = device.photo(), device.photo(jpeg(seed=1))
    assert one.receive(device, first).status == Status.FILED
    postgresql.stop("immediate")
    one.hear(device.name, "up/any", second.init())
    busy = one.expect(messages.Busy)
    assert busy.photo == second.id
    postgresql.start()
    assert one.receive(device, second).status == Status.FILED
