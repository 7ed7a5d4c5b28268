"""The uplink's loop against a real mosquitto: photos out, receipts in, ledgers covered."""

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from appliance import tidemark
from appliance.tidemark import Tidemark
from appliance.uplink.client import Uplink
from appliance.uplink.mailbox import Mailbox
from appliance.uplink.outbox import Outbox
from base import doorbell
from base.memory import wipe_file
from base.mqtt import Message
from tests.appliance.uplink.hospital import Hospital
from tests.brokers import GATEWAY, OTHER_GATEWAY, Loop, Site
from tests.fake_broker import Proxy
from wire import cbor, ledger, topics
from wire.messages import CHUNK, Busy, Data, Init, LedgerBatch, Ready, Refused, Signed, decode

DEVICE = "bed-1"
BOOT = b"b" * 16


class Ward:
    """A device's directories with an uplink over them, and a hospital, all in one loop."""

    def __init__(self, folder: Path, port: int, **broker: Any) -> None:
        self.site = Site(folder / "site", port, **broker)
        self.site.broker.start()
        self.loop = Loop()
        self.outbox, self.mailbox, self.ledgers = (
            folder / name for name in ("outbox", "mailbox", "ledger")
        )
        for path in (self.outbox, self.mailbox, self.ledgers):
            path.mkdir()
        self.mark = folder / "ledger.mark"
        tidemark.write(self.mark, Tidemark(bytes(16), 0))  # the ledgers here are all finished
        self.bell = folder / "uplink.bell"
        self.rung = self.released = 0
        link = self.loop.add(
            self.site.settings(GATEWAY), subscriptions=Hospital.subscriptions(), label="hospital"
        )
        self.hospital = Hospital(link)
        self.uplink = self.new_uplink()

    def new_uplink(self, **changes: Any) -> Uplink:
        def ring() -> None:
            self.rung += 1

        uplink = Uplink(
            device=DEVICE,
            settings=self.site.settings(DEVICE, **changes),
            outbox=Outbox(self.outbox),
            ledgers=self.ledgers,
            mark=self.mark,
            mailbox=Mailbox(self.mailbox, ring),
            bell=doorbell.hang(self.bell),
            boot=BOOT,
            selector=self.loop.new_selector(),
        )
        uplink.start()
        return uplink

    def kill_uplink(self) -> None:
        """Leave it as a killed process would: its sockets are closed, nobody says goodbye."""
        self.uplink.link._close()
        self.uplink._bell.close()

    def turn(self) -> None:
        self.uplink.turn(longest=0.002)
        self.loop.turn(longest=0.002)
        events = self.loop.events["hospital"]
        for event in events:
            if isinstance(event, Message):
                self.hospital.hear(event)
        events.clear()

    def until(self, wanted: Callable[[], Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := wanted()):
            assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
            self.turn()
        return value

    def release(self, envelope: bytes) -> bytes:
        """Put a photo into the outbox as the panel does, and ring."""
        photo = hashlib.sha256(envelope).digest()
        raw = cbor.encode([b"consent", b"intent", b"sealed"])
        (self.outbox / f"{photo.hex()}.init").write_bytes(raw)
        draft = self.outbox / "draft"
        draft.write_bytes(envelope)
        self.released += 1  # files written within one tick of the kernel would be equally old
        os.utime(draft, (self.released, self.released))
        draft.rename(self.outbox / f"{photo.hex()}.cose")
        doorbell.ring(self.bell)
        return photo

    def mail(self, kind: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.mailbox.glob(f"{kind}.*.msg"))]

    def link_state(self) -> Any:
        return cbor.decode((self.mailbox / "link").read_bytes(), limit=65536, what="link")

    def close(self) -> None:
        with ExitStack() as stack:
            stack.callback(self.site.broker.stop)
            stack.callback(self.loop.close)
            stack.callback(self.uplink.close)


@pytest.fixture
def ward(short_dir: Path, free_port: Callable[[], int]) -> Iterator[Ward]:
    made = Ward(short_dir, free_port())
    yield made
    made.close()


def photo_of(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_a_photo_travels_whole_and_its_receipt_is_left_unopened(ward: Ward) -> None:
    envelope = photo_of(1_000_003)
    photo = ward.release(envelope)
    ward.until(lambda: ward.mail("receipt"), 10, "a receipt in the mailbox")
    assert ward.hospital.photos[photo] == envelope
    assert ward.mail("receipt") == [b"signed for " + photo]
    assert ward.link_state() == {"online": True, "sent": [photo]}
    assert ward.rung


def test_a_wiped_photo_is_forgotten(ward: Ward) -> None:
    photo = ward.release(photo_of(300_000))
    ward.until(lambda: ward.link_state()["sent"] == [photo], 10, "SENT")
    wipe_file(ward.outbox / f"{photo.hex()}.cose")
    doorbell.ring(ward.bell)
    ward.until(lambda: ward.link_state()["sent"] == [], 10, "the photo to be forgotten")


def test_a_photo_wiped_in_the_middle_stops_the_transfer(ward: Ward) -> None:
    def wipe_after_three(what: object) -> object | None:
        if isinstance(what, Data) and what.i == 3:
            wipe_file(ward.outbox / f"{what.photo.hex()}.cose")
        return ward.hospital.usual(what)

    ward.hospital.answer = wipe_after_three
    ward.release(photo_of(3_000_000))
    ward.until(lambda: not list(ward.outbox.glob("*.cose")), 10, "the wipe")
    other = ward.release(photo_of(200_000, seed=2))
    ward.until(lambda: other in ward.hospital.photos, 10, "the next photo")
    assert len([what for _, what in ward.hospital.heard if isinstance(what, Data)]) < 20
    ward.until(lambda: ward.link_state()["sent"] == [other], 10, "SENT")


def test_several_photos_go_oldest_first_and_none_waits_for_a_refused_one(ward: Ward) -> None:
    envelopes = [photo_of(250_000, seed) for seed in range(5)]
    refused = hashlib.sha256(envelopes[0]).digest()
    busy = hashlib.sha256(envelopes[1]).digest()

    def answer(what: object) -> object | None:
        if isinstance(what, Init) and what.photo == refused:
            return Refused(refused, "revoked: the device bed-1 has been revoked")
        if isinstance(what, Init) and what.photo == busy:
            return Busy(busy, 60)
        return ward.hospital.usual(what)

    ward.hospital.answer = answer
    photos = [ward.release(envelope) for envelope in envelopes]
    ward.until(lambda: len(ward.hospital.photos) == 3, 10, "three photos")
    assert list(ward.hospital.photos) == photos[2:]
    ward.until(lambda: ward.link_state().get("refused") == "revoked", 10, "the refusal")
    ward.hospital.answer = ward.hospital.usual
    wipe_file(ward.outbox / f"{refused.hex()}.cose")  # undone, say: nothing is refused any more
    doorbell.ring(ward.bell)
    ward.until(lambda: "refused" not in ward.link_state(), 10, "no refusal")


def test_nothing_of_a_photo_is_sent_before_ready(ward: Ward) -> None:
    ward.hospital.answer = lambda _what: None
    ward.release(photo_of(300_000))
    ward.until(lambda: any(isinstance(w, Init) for _, w in ward.hospital.heard), 10, "init")
    for _ in range(50):
        ward.turn()
    assert not [what for _, what in ward.hospital.heard if isinstance(what, Data)]


def test_P8_only_the_gateway_that_answered_is_sent_the_photo(ward: Ward) -> None:
    kinds = []

    def answer(what: object) -> object | None:
        reply = ward.hospital.usual(what)
        return Ready(reply.photo, "gw-z", reply.have, 8) if isinstance(reply, Ready) else reply

    ward.hospital.answer = answer
    ward.release(photo_of(300_000))
    ward.until(lambda: any(isinstance(w, Init) for _, w in ward.hospital.heard), 10, "init")
    for _ in range(50):
        ward.turn()
    kinds = [kind for kind, what in ward.hospital.heard if isinstance(what, Data)]
    assert kinds == []  # they went to up/gw-z, where nobody listens


def test_a_broker_killed_in_the_middle_costs_only_what_was_on_its_way(ward: Ward) -> None:
    seen = 0

    def kill_at_ten(what: object) -> object | None:
        nonlocal seen
        if isinstance(what, Data):
            seen += 1
            if seen == 10:
                ward.site.broker.kill()
        return ward.hospital.usual(what)

    ward.hospital.answer = kill_at_ten
    envelope = photo_of(3_000_000)
    photo = ward.release(envelope)
    ward.until(lambda: seen >= 10, 10, "the tenth chunk")
    ward.until(lambda: not ward.uplink.link.online, 10, "offline")
    ward.until(lambda: ward.link_state() == {"online": False, "sent": []}, 10, "OFFLINE")
    ward.site.broker.start()
    ward.until(lambda: ward.mail("receipt"), 20, "a receipt")
    assert ward.hospital.photos[photo] == envelope
    assert seen <= -(-3_000_000 // 98304) + 16  # a window twice over, not the photo twice over


def test_an_uplink_that_died_takes_up_where_the_bitmap_says(ward: Ward) -> None:
    envelope = photo_of(3_000_000)
    ward.hospital.receipts = False
    photo = ward.release(envelope)

    def some() -> bool:
        incoming = ward.hospital.incoming.get(photo)
        return incoming is not None and len(incoming.chunks) >= 12

    ward.until(some, 10, "a dozen chunks")
    ward.kill_uplink()
    had = len(ward.hospital.incoming[photo].chunks)
    ward.hospital.heard.clear()
    ward.hospital.receipts = True
    ward.uplink = ward.new_uplink()
    ward.until(lambda: ward.mail("receipt"), 20, "a receipt")
    assert ward.hospital.photos[photo] == envelope
    again = [what for _, what in ward.hospital.heard if isinstance(what, Data)]
    assert len(again) <= 31 - had + 8


def test_a_line_that_swallows_everything_is_given_up_and_the_photo_resumes(
    ward: Ward, free_port: Callable[[], int]
) -> None:
    port = free_port()
    with Proxy(port, ward.site.broker.port) as proxy:
        seen = 0

        def swallow_at_ten(what: object) -> object | None:
            nonlocal seen
            if isinstance(what, Data):
                seen += 1
                proxy.black_hole = seen == 10 or proxy.black_hole
            return ward.hospital.usual(what)

        ward.hospital.answer = swallow_at_ten
        ward.uplink.close()
        ward.uplink = ward.new_uplink(port=port, keepalive_seconds=1)
        envelope = photo_of(3_000_000)
        photo = ward.release(envelope)
        ward.until(lambda: proxy.black_hole, 10, "the tenth chunk")
        ward.until(lambda: not ward.uplink.link.online, 10, "the silence to be noticed")
        assert ward.link_state() == {"online": False, "sent": []}
        proxy.black_hole = False
        ward.until(lambda: ward.mail("receipt"), 20, "a receipt")
        assert ward.hospital.photos[photo] == envelope
        assert seen <= -(-3_000_000 // 98304) + 16
        inits = [what for _, what in ward.hospital.heard if isinstance(what, Init)]
        assert {init.chunk for init in inits} == {CHUNK}  # silence says nothing about sizes
        ward.uplink.close()
    ward.uplink = ward.new_uplink()


def test_chunks_shrink_to_what_the_broker_takes(
    short_dir: Path, free_port: Callable[[], int]
) -> None:
    ward = Ward(short_dir, free_port(), largest_packet=40_000)
    envelope = photo_of(300_000)
    photo = ward.release(envelope)
    ward.until(lambda: photo in ward.hospital.photos, 10, "the photo")
    assert ward.hospital.photos[photo] == envelope
    inits = [what for _, what in ward.hospital.heard if isinstance(what, Init)]
    assert [init.chunk for init in inits] == [32768]
    ward.close()


# -- state ----------------------------------------------------------------------------------------


def test_birth_and_farewell_are_retained_and_the_will_carries_the_same_session(
    ward: Ward,
) -> None:
    ward.until(lambda: ward.hospital.states, 10, "a birth")
    birth, _ = ward.hospital.states[0]
    assert (birth.online, birth.boot) == (True, BOOT)
    ward.hospital.states.clear()
    ward.kill_uplink()
    ward.until(lambda: ward.hospital.states, 10, "the will")
    will, _ = ward.hospital.states[0]
    assert (will.online, will.boot, will.session) == (False, BOOT, birth.session)
    ward.hospital.states.clear()
    ward.uplink = ward.new_uplink()
    ward.until(lambda: ward.hospital.states, 10, "the second birth")
    second, _ = ward.hospital.states[0]
    assert second.session > birth.session  # so a will that comes late is known as stale
    ward.hospital.states.clear()
    ward.uplink.close()
    ward.until(lambda: ward.hospital.states, 10, "the farewell")
    farewell, _ = ward.hospital.states[0]
    assert (farewell.online, farewell.session) == (False, second.session)
    ward.loop.add(
        ward.site.settings(OTHER_GATEWAY), subscriptions=[topics.all_up("state")], label="late"
    )
    kept = ward.loop.first("late", Message)
    assert (kept.retained, decode(kept.payload)) == (True, farewell)
    ward.uplink = ward.new_uplink()


# -- the ledger -----------------------------------------------------------------------------------


def entry(n: int) -> bytes:
    return b"entry %04d " % n + bytes(n % 300)


def test_P6_the_ledger_is_sent_until_its_own_head_is_signed_for(ward: Ward) -> None:
    path = ward.ledgers / f"{'ab' * 16}.wsl"
    path.write_bytes(b"".join(ledger.frame(entry(n)) for n in range(1000)))
    name = bytes.fromhex("ab" * 16)
    ward.until(lambda: len(ward.hospital.ledgers.get(name, [])) == 1000, 10, "the whole ledger")
    assert ward.hospital.ledgers[name] == [entry(n) for n in range(1000)]
    ward.until(lambda: b"head 1000" in ward.mail("countersign"), 10, "the countersignature")
    with path.open("ab") as file:
        file.write(ledger.frame(entry(1000)) + ledger.frame(entry(1001))[:7])
        file.flush()
        os.fsync(file.fileno())
        doorbell.ring(ward.bell)
        ward.until(lambda: b"head 1001" in ward.mail("countersign"), 10, "the next head")
        file.write(ledger.frame(entry(1001))[7:])
    doorbell.ring(ward.bell)
    ward.until(lambda: b"head 1002" in ward.mail("countersign"), 10, "the entry that was torn")
    assert ward.hospital.ledgers[name][-1] == entry(1001)


def test_an_uplink_that_starts_again_sends_only_what_the_hospital_lacks(ward: Ward) -> None:
    name = bytes.fromhex("cd" * 16)
    ward.hospital.ledgers[name] = [entry(n) for n in range(90)]
    path = ward.ledgers / f"{name.hex()}.wsl"
    path.write_bytes(b"".join(ledger.frame(entry(n)) for n in range(100)))
    doorbell.ring(ward.bell)
    ward.until(lambda: len(ward.hospital.ledgers[name]) == 100, 10, "the last ten")
    sent = [what for _, what in ward.hospital.heard if isinstance(what, LedgerBatch)]
    assert sum(len(batch.entries) for batch in sent) == 10


def test_an_old_copy_of_the_ledger_shows_its_head_to_the_hospital(ward: Ward) -> None:
    name = bytes.fromhex("ef" * 16)
    ward.hospital.ledgers[name] = [entry(n) for n in range(50)]
    path = ward.ledgers / f"{name.hex()}.wsl"
    path.write_bytes(b"".join(ledger.frame(entry(n)) for n in range(20)))
    doorbell.ring(ward.bell)

    def shown() -> list[LedgerBatch]:
        return [w for _, w in ward.hospital.heard if isinstance(w, LedgerBatch) and w.entries]

    ward.until(shown, 10, "the head")
    assert [(batch.first, batch.entries) for batch in shown()] == [(19, (entry(19),))]


# -- what comes in --------------------------------------------------------------------------------


def pointing_to(gateway: str) -> bytes:
    """A ``ready`` that names no gateway but a way out of the topics."""
    body = {"photo": bytes(32), "to": gateway, "have": b"", "credit": 8}
    return cbor.encode(["ready", body])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff" * 100,
        b"\x82\x64init\xa0",
        b"\x82\x63abc\xa0",
        bytes(60_000),
        *(pointing_to(name) for name in ("+", "#", "a/b", "..", "a\0b", "", "x" * 33)),
    ],
)
def test_nonsense_from_the_broker_is_passed_over(ward: Ward, payload: bytes) -> None:
    link = ward.loop.links["hospital"]
    ward.until(lambda: ward.hospital.states, 10, "a birth")
    for kind in ("up", "ledger", "cmd/x", "twin"):
        link.publish(topics.down(DEVICE, kind), payload)
    photo = ward.release(photo_of(50_000))
    ward.until(lambda: photo in ward.hospital.photos, 10, "a photo all the same")
    ward.until(lambda: ward.mail("receipt"), 10, "its receipt")
    assert len(list(ward.mailbox.iterdir())) == 2  # link and that receipt


def test_a_keyset_is_left_for_the_panel_once(ward: Ward) -> None:
    link = ward.loop.links["hospital"]
    ward.until(lambda: ward.hospital.states, 10, "a birth")
    for keyset in (b"epoch 1", b"epoch 1", b"epoch 2"):
        link.publish(topics.down(DEVICE, "keyset"), keyset)
    ward.until(lambda: len(ward.mail("keyset")) == 2, 10, "two keysets")
    assert ward.mail("keyset") == [b"epoch 1", b"epoch 2"]


def test_P8_a_flood_of_receipts_nobody_asked_for_leaves_room_for_the_one_that_matters(
    ward: Ward,
) -> None:
    ward.until(lambda: ward.hospital.states, 10, "a birth")
    for n in range(600):
        ward.hospital.say(DEVICE, "up", Signed(n.to_bytes(32, "big"), bytes(2000)))
    photo = ward.release(photo_of(50_000))
    ward.until(lambda: b"signed for " + photo in ward.mail("receipt"), 20, "the receipt")
    assert len(ward.mail("receipt")) <= 129
