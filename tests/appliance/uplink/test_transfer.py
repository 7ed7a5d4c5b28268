"""One photo's transfer against a gateway that is simulated, and a line that does its worst."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.uplink import transfer
from appliance.uplink.transfer import Phase, Piece, Send, Transfer, chunk_that_fits
from wire.messages import (
    CHUNK,
    MIN_CHUNK,
    Busy,
    Data,
    Fin,
    Init,
    Nack,
    Query,
    Ready,
    Refused,
    Signed,
    Unknown,
    encode,
)

PHOTO = bytes(range(32))
ENTRIES = (b"consent", b"intent", b"sealed")
RECEIPT = Signed(PHOTO, b"receipt")


def begun(size: int = 10 * MIN_CHUNK, chunk: int = MIN_CHUNK) -> Transfer:
    """A transfer that is online and has said ``init``."""
    photo = Transfer(PHOTO, size, ENTRIES)
    photo.online(0.0, chunk)
    first = photo.pull(0.0)
    assert first is not None
    assert isinstance(first.what, Init)
    return photo


def ready(have: bytes = b"", credit: int = 8, to: str = "gw-a") -> Ready:
    return Ready(PHOTO, to, have, credit)


def all_of(photo: Transfer, now: float) -> list[Send]:
    found = []
    while (send := photo.pull(now)) is not None:
        found.append(send)
    return found


def pieces(sends: list[Send]) -> list[int]:
    return [send.what.i for send in sends if isinstance(send.what, Piece)]


def test_init_says_what_the_photo_is_and_goes_to_any_gateway() -> None:
    photo = Transfer(PHOTO, 100_000, ENTRIES)
    photo.online(5.0, CHUNK)
    assert photo.pull(5.0) == Send(Init(PHOTO, 100_000, CHUNK, *ENTRIES), None)
    assert photo.pull(5.0) is None


def test_nothing_is_sent_while_offline() -> None:
    photo = Transfer(PHOTO, 100_000, ENTRIES)
    assert photo.pull(0.0) is None
    assert photo.deadline() is None
    photo.online(0.0, CHUNK)
    photo.offline()
    assert photo.pull(1000.0) is None


def test_no_byte_of_the_photo_before_ready_and_init_again_after_10_s() -> None:
    photo = begun()
    assert photo.pull(9.9) is None
    again = photo.pull(10.0)
    assert again is not None
    assert isinstance(again.what, Init)


def test_the_window_is_8_the_credit_is_kept_and_chunks_go_to_the_gateway_named() -> None:
    photo = begun(size=20 * MIN_CHUNK)
    photo.heard(ready(credit=200), 1.0)
    first = all_of(photo, 1.0)
    assert pieces(first) == list(range(8))
    assert {send.to for send in first} == {"gw-a"}
    photo.taken(first[3].what, 1.1)
    assert pieces(all_of(photo, 1.1)) == [8]

    careful = begun(size=20 * MIN_CHUNK)
    careful.heard(ready(credit=2), 1.0)
    assert len(all_of(careful, 1.0)) == 2


def test_the_last_chunk_is_what_is_left_and_fin_follows_it_at_once() -> None:
    photo = begun(size=2 * MIN_CHUNK + 7)
    photo.heard(ready(), 1.0)
    sends = all_of(photo, 1.0)
    assert [send.what for send in sends] == [
        Piece(0, 0, MIN_CHUNK),
        Piece(1, MIN_CHUNK, MIN_CHUNK),
        Piece(2, 2 * MIN_CHUNK, 7),
        Fin(PHOTO),
    ]


def test_a_resumed_transfer_sends_only_what_the_bitmap_lacks() -> None:
    photo = begun(size=10 * MIN_CHUNK)
    photo.heard(ready(have=bytes([0b1111_0101, 0b10])), 1.0)
    assert pieces(all_of(photo, 1.0)) == [1, 3, 8]


def test_a_photo_that_is_all_there_needs_only_fin() -> None:
    photo = begun(size=3 * MIN_CHUNK)
    photo.heard(ready(have=b"\xff\xff\xff"), 1.0)
    assert [send.what for send in all_of(photo, 1.0)] == [Fin(PHOTO)]


def test_nack_names_what_is_sent_again_and_nonsense_in_it_starts_over() -> None:
    photo = begun(size=10 * MIN_CHUNK)
    photo.heard(ready(), 1.0)
    while photo.phase is Phase.SENDING:
        for send in all_of(photo, 1.0):
            photo.taken(send.what, 1.0)
    photo.heard(Nack(PHOTO, ((2, 3), (9, 4000), (7,), ())), 2.0)
    again = all_of(photo, 2.0)
    assert pieces(again) == [2, 3, 9]
    assert isinstance(again[-1].what, Fin)
    photo.heard(Nack(PHOTO, ((50, 60),)), 3.0)
    assert photo.phase is Phase.WAITING


def test_puback_never_means_delivered() -> None:
    photo = begun(size=2 * MIN_CHUNK)
    photo.heard(ready(), 1.0)
    for send in all_of(photo, 1.0):
        assert not photo.sent
        photo.taken(send.what, 1.0)
    assert photo.sent  # all given: that is what SENT says, and no more
    asked = [photo.pull(31.0), photo.pull(61.0), photo.pull(91.0), photo.pull(121.0)]
    assert [type(send.what) for send in asked if send] == [Query, Query, Query, Init]
    assert not photo.sent


def test_a_receipt_rests_the_transfer_and_the_gateway_is_asked_again_ever_later() -> None:
    photo = begun(size=MIN_CHUNK)
    photo.heard(ready(), 0.0)
    all_of(photo, 0.0)
    now, waits = 0.0, []
    for _ in range(8):
        photo.heard(RECEIPT, now)
        assert photo.sent
        due = photo.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        send = photo.pull(now)
        assert send is not None
        assert isinstance(send.what, Query)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_P8_a_forged_receipt_in_the_middle_stops_nothing() -> None:
    photo = begun(size=3 * MIN_CHUNK)
    photo.heard(ready(), 0.0)
    photo.pull(0.0)
    photo.heard(RECEIPT, 0.0)
    assert photo.phase is Phase.SENDING
    assert pieces(all_of(photo, 0.0)) == [1, 2]


@pytest.mark.parametrize(
    ("answer", "after"),
    [(Busy(PHOTO, 7), 7.0), (Busy(PHOTO, 3600), 300.0), (Refused(PHOTO, "not yet"), 60.0)],
)
def test_busy_and_refused_wait_their_time(answer: Busy | Refused, after: float) -> None:
    photo = begun()
    photo.heard(answer, 1.0)
    assert not photo.busy  # the line is free for others
    assert photo.pull(1.0 + after - 0.1) is None
    send = photo.pull(1.0 + after)
    assert send is not None
    assert isinstance(send.what, Init)


def test_init_that_nobody_hears_is_said_again_soon_and_then_every_10_s() -> None:
    photo = Transfer(PHOTO, 100, ENTRIES)
    photo.online(0.0, CHUNK)
    now, waits = 0.0, []
    for _ in range(6):
        send = photo.pull(now)
        assert send is not None
        photo.not_taken(send.what, now)
        due = photo.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, 10, 10]


def test_a_chunk_that_goes_nowhere_asks_again_each_time_later() -> None:
    photo = begun(size=10 * MIN_CHUNK)
    now, waits = 0.0, []
    for _ in range(8):
        photo.heard(ready(), now)
        piece = photo.pull(now)
        assert piece is not None
        photo.not_taken(piece.what, now)
        due = photo.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        assert photo.pull(now) is not None
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_late_answers_to_an_earlier_attempt_change_nothing() -> None:
    photo = begun(size=10 * MIN_CHUNK)
    photo.heard(ready(), 0.0)
    old = photo.pull(0.0)
    assert old is not None
    photo.offline()
    photo.online(1.0, MIN_CHUNK)
    photo.pull(1.0)
    photo.heard(ready(to="gw-b"), 1.0)
    photo.not_taken(old.what, 1.0)
    photo.heard(ready(to="gw-c"), 1.0)
    assert photo.phase is Phase.SENDING
    assert {send.to for send in all_of(photo, 1.0)} == {"gw-b"}


def test_no_acknowledgement_for_30_s_asks_again() -> None:
    photo = begun(size=20 * MIN_CHUNK)
    photo.heard(ready(), 0.0)
    all_of(photo, 0.0)
    assert photo.pull(29.0) is None
    photo.pull(30.0)
    again = photo.pull(31.0)
    assert again is not None
    assert isinstance(again.what, Init)


def test_the_chunk_shrinks_to_what_the_broker_takes_and_never_grows_back() -> None:
    photo = Transfer(PHOTO, 200_000, ENTRIES)
    photo.online(0.0, 2 * MIN_CHUNK)
    photo.online(0.0, CHUNK)
    send = photo.pull(0.0)
    assert send is not None
    assert isinstance(send.what, Init)
    assert send.what.chunk == 2 * MIN_CHUNK


@given(st.integers(0, 300_000))
def test_a_chunk_always_fits_with_everything_around_it(largest: int) -> None:
    chunk = chunk_that_fits(largest)
    assert chunk % MIN_CHUNK == 0
    assert chunk <= CHUNK
    if chunk:
        assert len(encode(Data(PHOTO, 255, bytes(chunk)))) <= largest
    else:
        assert largest < MIN_CHUNK + 128


# -- the worst line there is ----------------------------------------------------------------------


@dataclass
class Gateway:
    """What the other side of wire.messages does, in its simplest form; it may lose everything."""

    name: str
    size: int = 0
    chunk: int = 0
    chunks: dict[int, bytes] = field(default_factory=dict)
    whole: bytes = b""

    def hear(self, message: object) -> object | None:
        if isinstance(message, Init):
            if self.whole:
                return RECEIPT
            if (self.size, self.chunk) != (message.size, message.chunk):
                self.size, self.chunk, self.chunks = message.size, message.chunk, {}
            have = bytearray(-(-message.chunks // 8))
            for i in self.chunks:
                have[i // 8] |= 1 << i % 8
            return Ready(PHOTO, self.name, bytes(have), 8)
        if isinstance(message, Query):
            return RECEIPT if self.whole else Unknown(PHOTO)
        if isinstance(message, Data):
            if self.chunk:
                self.chunks[message.i] = message.bytes
            return None
        assert isinstance(message, Fin)
        if self.whole:
            return RECEIPT
        if not self.chunk:
            return Unknown(PHOTO)
        missing = sorted(set(range(-(-self.size // self.chunk))) - set(self.chunks))
        if missing:
            return Nack(PHOTO, tuple((i, i) for i in missing[:256]))
        self.whole = b"".join(self.chunks[i] for i in sorted(self.chunks))
        return RECEIPT


@dataclass
class World:
    """A simulated second hand: what is on its way, and when it arrives."""

    rng: random.Random
    loss: float
    twice: float
    now: float = 0.0
    counter: int = 0
    way: list[tuple[float, int, str, object]] = field(default_factory=list)

    def post(self, address: str, what: object) -> None:
        for _ in range(2 if self.rng.random() < self.twice else 1):
            if self.rng.random() >= self.loss:
                self.counter += 1
                late = self.rng.expovariate(5.0)
                heapq.heappush(self.way, (self.now + late, self.counter, address, what))


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(1, 40 * MIN_CHUNK),
    world=st.builds(
        World,
        st.builds(random.Random, st.integers(0, 2**32)),
        loss=st.sampled_from([0.0, 0.05, 0.3]),
        twice=st.sampled_from([0.0, 0.2]),
    ),
    break_every=st.sampled_from([0, 40, 90]),
    forget_every=st.sampled_from([0, 150]),
)
def test_a_photo_arrives_whole_over_a_line_that_loses_doubles_reorders_and_breaks(
    size: int, world: World, break_every: int, forget_every: int
) -> None:
    envelope = world.rng.randbytes(size)
    photo = Transfer(PHOTO, size, ENTRIES)
    gateways = {name: Gateway(name) for name in ("gw-a", "gw-b")}
    photo.online(0.0, chunk_that_fits(2 * MIN_CHUNK + 200))
    steps, published = 0, 0
    while photo.phase is not Phase.RESTING:
        steps += 1
        assert steps < 20_000, f"still {photo.phase} after {world.now} s"
        # The chaos ends, so that liveness can be asked for.
        world.loss = 0.0 if steps > 3_000 else world.loss
        if break_every and steps % break_every == 0 and steps < 3_000:
            photo.offline()
            assert photo.pull(world.now) is None
            world.way.clear()
            photo.online(world.now, chunk_that_fits(world.rng.choice([20_000, 200_000])))
        if forget_every and steps % forget_every == 0 and steps < 3_000:
            name = world.rng.choice(sorted(gateways))
            gateways[name] = Gateway(name)
        while (send := photo.pull(world.now)) is not None:
            published += 1
            what = send.what
            if isinstance(what, Piece):
                assert send.to in gateways
                assert len(photo._in_flight) <= transfer.WINDOW
                data = envelope[what.offset : what.offset + what.length]
                world.post(send.to, Data(PHOTO, what.i, data))
                world.post("acknowledged", what)
            else:
                for name in [send.to] if send.to else gateways:
                    world.post(name, what)
        due = photo.deadline()
        assert due is not None
        if world.way and world.way[0][0] <= max(due, world.now):
            world.now, _, address, what_came = heapq.heappop(world.way)
            if address == "acknowledged":
                assert isinstance(what_came, Piece)
                photo.taken(what_came, world.now)
            elif address == "device":
                photo.heard(what_came, world.now)  # type: ignore[arg-type]
            elif (answer := gateways[address].hear(what_came)) is not None:
                world.post("device", answer)
        else:
            world.now = max(world.now, due)
    assert any(gateway.whole == envelope for gateway in gateways.values())
    # Lost and doubled messages cost retries, but never a storm of them.
    assert published < 200 * (size // MIN_CHUNK + 10)
