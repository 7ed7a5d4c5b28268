"""0 accepted of 10,000: a photo's chunks reordered, dropped, doubled, spliced, cut, bits flipped.

Each mutant is offered twice: to the check that a gateway makes against the device's signature,
which must refuse it, and, as if that check were not there, to the opening itself, which must
refuse it or give exactly what was sealed (a change to the other recipient's part alone; a
splice can also be nearly all of the second photo, and then it is that one).

``./test`` tries 10,000; ``./test --crash 2000`` tries 100,000 (50 for each kill).
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from base.errors import FormatError, VerificationError
from tests.wire.chains import DEVICE, GATEWAY, JPEG, Photo
from wire import envelope, proof

MUTANTS_FOR_EACH_KILL = 50
CHUNK = 64
PHOTO, OTHER = Photo(), Photo(JPEG[::-1])
PROOF = proof.open_proof(*PHOTO.raws, [DEVICE.public])
PARSED = envelope.parse(PHOTO.data)

Mutation = Callable[[random.Random], bytes]


def chunks(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def reorder(at: random.Random) -> bytes:
    pieces = chunks(PHOTO.data)
    one, two = at.sample(range(len(pieces)), 2)
    pieces[one], pieces[two] = pieces[two], pieces[one]
    return b"".join(pieces)


def drop(at: random.Random) -> bytes:
    pieces = chunks(PHOTO.data)
    del pieces[at.randrange(len(pieces))]
    return b"".join(pieces)


def double(at: random.Random) -> bytes:
    pieces = chunks(PHOTO.data)
    pieces.insert(at.randrange(len(pieces) + 1), at.choice(pieces))
    return b"".join(pieces)


def splice(at: random.Random) -> bytes:
    pieces, others = chunks(PHOTO.data), chunks(OTHER.data)
    first, last = sorted(at.sample(range(len(pieces) + 1), 2))
    return b"".join(pieces[:first] + others[first:last] + pieces[last:])


def cut(at: random.Random) -> bytes:
    return PHOTO.data[: at.randrange(len(PHOTO.data))]


def extend(at: random.Random) -> bytes:
    return PHOTO.data + at.randbytes(at.randint(1, CHUNK))


def flip(at: random.Random) -> bytes:
    data = bytearray(PHOTO.data)
    for _ in range(at.choice((1, 1, 1, 2, 8))):
        data[at.randrange(len(data))] ^= 1 << at.randrange(8)
    return bytes(data)


def overwrite(at: random.Random) -> bytes:
    length = at.randint(1, 32)
    start = at.randrange(len(PHOTO.data) - length)
    filling = at.choice((bytes(length), b"\xff" * length, at.randbytes(length)))
    return PHOTO.data[:start] + filling + PHOTO.data[start + length :]


MUTATIONS: tuple[Mutation, ...] = (reorder, drop, double, splice, cut, extend, flip, overwrite)


def refused(offer: Callable[[], object]) -> bool:
    try:
        offer()
    except (FormatError, VerificationError):
        return True
    return False


def opened(data: bytes) -> tuple[object, bytes]:
    found = envelope.parse(data)
    content = envelope.open_into(found, GATEWAY, memoryview(bytearray(found.header.length)))
    return (found.header, content.private), bytes(content.jpeg)


SEALED = [opened(PHOTO.data), opened(OTHER.data)]


@pytest.mark.campaign
def test_P5_no_mutant_of_an_envelope_is_ever_believed(kills: int, kill_seed: int) -> None:
    at = random.Random(kill_seed)
    tried: Counter[str] = Counter()
    opened_as_it_was = 0
    while tried.total() < kills * MUTANTS_FOR_EACH_KILL:
        mutation = at.choice(MUTATIONS)
        data = mutation(at)
        if data == PHOTO.data:
            continue
        tried[mutation.__name__] += 1
        what = f"a mutant by {mutation.__name__}, seed {kill_seed}: {data.hex()}"
        assert refused(lambda: proof.check_envelope(data, PARSED, PROOF)), what  # noqa: B023
        if not refused(lambda: opened(data)):  # noqa: B023
            assert opened(data) in SEALED, what
            opened_as_it_was += 1
    assert len(tried) == len(MUTATIONS)
    # The other recipient's part is a twentieth of these bytes; far more would be a hole.
    assert 0 < opened_as_it_was < tried.total() / 5
