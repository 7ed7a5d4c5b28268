from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.vectors.entries import BODIES
from tests.wire.chains import DEVICE, HOSPITAL, chain, entry
from tests.wire.strategies import any_of, changed
from wire import events, ledger, shapes
from wire.errors import BrokenLink
from wire.ledger import Checkpoint, Entry, EntryType, SignedEntry, frame, verify_chain
from wire.signing import Ed25519Signer

LENGTH = 8
CHAIN = chain(LENGTH)
RAWS = [signed.raw for signed in CHAIN]
KEYS = [DEVICE.public]
PLACES = st.integers(0, LENGTH - 1)


def problems(raws: list[bytes]) -> list[tuple[int, str]]:
    return [(problem.index, problem.what) for problem in verify_chain(raws, KEYS).problems]


@given(any_of(Entry))
def test_every_entry_comes_back_as_it_was(made: Entry) -> None:
    try:
        signed = ledger.sign_entry(made, DEVICE)
    except FormatError:
        assert len(shapes.pack(made)) > ledger.MAX_ENTRY - 200
        return
    assert ledger.open_entry(signed.raw, KEYS) == signed


@given(st.sampled_from(list(events.BODIES.items())).flatmap(lambda one: any_of(one[1])))
def test_every_body_comes_back_as_it_was(body: object) -> None:
    signed = entry(None, body)
    assert events.body_of(ledger.open_entry(signed.raw, KEYS).entry) == body


def test_the_vectors_are_about_the_same_bodies_as_the_declarations() -> None:
    declared = {str(name): {f.name for f in fields(shape)} for name, shape in events.BODIES.items()}
    assert {name: set(table) for name, table in BODIES.items()} == declared


def test_a_type_without_a_body_in_this_version_says_so() -> None:
    made = entry(None, events.Fault("x", "y"), type=EntryType.COMMAND)
    with pytest.raises(FormatError, match=r"^ledger entry 0: COMMAND has no body"):
        events.body_of(made.entry)


def test_a_text_too_long_is_refused_before_it_is_signed() -> None:
    with pytest.raises(FormatError, match=r"^Fault\.why has length 201; allowed are 0 to 200$"):
        entry(None, events.Fault("code", "x" * 201))


def test_an_entry_too_large_to_be_read_is_never_signed() -> None:
    with pytest.raises(FormatError, match=r"at most 4096 are allowed$"):
        ledger.sign_entry(replace(CHAIN[0].entry, body={"code": "x" * 4096}), DEVICE)


# ---- the chain -------------------------------------------------------------------------------


def test_a_ledger_that_holds() -> None:
    report = verify_chain(RAWS, KEYS)
    assert (report.problems, report.head) == ((), CHAIN[-1])
    assert list(report.entries) == CHAIN
    assert verify_chain([], KEYS).head is None


def test_it_can_be_checked_in_pieces() -> None:
    for n in range(1, LENGTH):
        assert verify_chain(RAWS[n:], KEYS, after=CHAIN[n - 1]).problems == ()
    wrong = verify_chain(RAWS[5:], KEYS, after=CHAIN[3]).problems
    assert [problem.index for problem in wrong] == [0, 0]


@given(st.data(), PLACES)
def test_P6_any_edit_is_found_where_it_is(data: st.DataObject, n: int) -> None:
    bad = data.draw(changed(RAWS[n]))
    if bad == RAWS[n]:
        return
    found = problems([*RAWS[:n], bad, *RAWS[n + 1 :]])
    assert found[0][0] == n


@given(st.integers(0, LENGTH - 2))
def test_P6_any_removal_is_found_where_it_is(n: int) -> None:
    found = problems([*RAWS[:n], *RAWS[n + 1 :]])
    assert found[0][0] == n
    if n == 0:
        assert found == [(0, "the ledger's beginning is missing")]
    else:
        gone = f"it does not continue entry {n - 1}: something was changed or taken out"
        assert found == [(n, f"its number is {n + 1} where {n} is due"), (n, gone)]


@given(PLACES, PLACES)
def test_P6_any_swap_or_doubling_is_found(one: int, two: int) -> None:
    if one == two:
        return
    swapped = list(RAWS)
    swapped[one], swapped[two] = swapped[two], swapped[one]
    assert problems(swapped)[0][0] == min(one, two)
    assert problems([*RAWS[: one + 1], *RAWS[one:]])[0][0] == one + 1


@given(PLACES, st.integers(1, 200))
def test_P6_rewriting_with_the_devices_own_key_is_found_at_the_next_entry(n: int, ns: int) -> None:
    """An attacker who has the key must rewrite everything after as well; see check_covered."""
    last = CHAIN[n - 1] if n else None
    rewritten = entry(last, events.Fault("other", str(ns)))
    found = problems([*RAWS[:n], rewritten.raw, *RAWS[n + 1 :]])
    assert [at for at, _ in found] == ([n + 1] if n + 1 < LENGTH else [])


@given(st.permutations(range(LENGTH)).filter(lambda order: order != list(range(LENGTH))))
def test_P6_no_other_order_holds(order: list[int]) -> None:
    assert problems([RAWS[n] for n in order])


def test_P6_another_devices_entry_does_not_fit_in() -> None:
    foreign = chain(LENGTH, Ed25519Signer(b"x" * 32))
    for n in range(LENGTH):
        assert problems([*RAWS[:n], foreign[n].raw, *RAWS[n + 1 :]])[0][0] == n


def test_P6_what_belongs_elsewhere_is_named() -> None:
    for more, what in (
        ({"device": "ward-8"}, "it belongs to another device or ledger"),
        ({"ledger": b"x" * 16}, "it belongs to another device or ledger"),
        ({"mono_ns": 1}, "its monotonic time runs backwards"),
    ):
        odd = entry(CHAIN[3], events.Fault("x", "y"), **more)
        assert problems([*RAWS[:4], odd.raw]) == [(4, what)]
    rebooted = entry(CHAIN[3], events.Boot("0.1", "start"), boot=b"n" * 16, mono_ns=1)
    assert problems([*RAWS[:4], rebooted.raw]) == []


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_bad_content_is_reported_and_never_raised(raws: list[bytes]) -> None:
    assert len(verify_chain(raws, KEYS).problems) == len(raws)


# ---- files -----------------------------------------------------------------------------------


def join(raws: list[bytes]) -> bytes:
    return b"".join(map(frame, raws))


@given(st.integers(0, len(join(RAWS))))
def test_a_power_cut_at_any_byte_leaves_whole_entries_and_a_torn_tail(at: int) -> None:
    data = join(RAWS)[:at]
    report, torn = ledger.verify_file(data, KEYS)
    assert report.problems == ()
    assert join([signed.raw for signed in report.entries]) + data[len(data) - torn :] == data
    assert torn < ledger.MAX_FRAME


@given(st.integers(0, LENGTH - 1), st.integers(ledger.MAX_ENTRY + 1, 2**32 - 1))
def test_a_damaged_length_is_no_torn_tail(n: int, length: int) -> None:
    """Taking it for one would cut off whole entries behind it."""
    start = join(RAWS[:n])
    long = join(RAWS[n:])[4:] + join(RAWS) * 2
    report, torn = ledger.verify_file(start + length.to_bytes(4, "big") + long, KEYS)
    assert torn == 0
    assert [problem.index for problem in report.problems] == [n]
    assert "too many for a torn one" in report.problems[0].what


@given(st.binary(max_size=200) | changed(join(RAWS[:3])))
def test_any_file_can_be_read(data: bytes) -> None:
    raws, good = ledger.read_frames(data)
    assert join(raws) == data[:good]
    ledger.verify_file(data, KEYS)
    ledger.verify_file(memoryview(data), KEYS)


# ---- the hospital's countersignature ---------------------------------------------------------


def checkpoint(signed: SignedEntry) -> Checkpoint:
    made = signed.entry
    return Checkpoint(made.device, made.ledger, made.seq, signed.digest, made.wall_ms)


@given(any_of(Checkpoint))
def test_every_checkpoint_comes_back_as_it_was(made: Checkpoint) -> None:
    raw = ledger.sign_checkpoint(made, HOSPITAL)
    assert ledger.open_checkpoint(raw, [HOSPITAL.public], device=made.device) == made
    with pytest.raises(VerificationError):
        ledger.open_checkpoint(raw, [DEVICE.public])


def test_P8_a_countersignature_for_another_device_is_refused() -> None:
    raw = ledger.sign_checkpoint(checkpoint(CHAIN[3]), HOSPITAL)
    with pytest.raises(BrokenLink, match=r"^the countersignature is for another device$"):
        ledger.open_checkpoint(raw, [HOSPITAL.public], device="ward-8")


@given(st.integers(0, LENGTH), PLACES)
def test_P6_a_cut_end_or_an_older_copy_is_found_by_the_countersignature(n: int, at: int) -> None:
    problem = ledger.check_covered(CHAIN[:n], checkpoint(CHAIN[at]))
    assert (problem is None) == (at < n)
    if problem and n:
        have = f"the hospital has this ledger up to entry {at}, the file ends with {n - 1}"
        assert (problem.index, problem.what) == (n, f"entries are missing: {have}")


@given(PLACES, PLACES)
def test_P6_history_rewritten_with_the_devices_key_is_found_by_the_countersignature(
    at: int, start: int
) -> None:
    rewritten = CHAIN[:start]
    for _ in range(start, LENGTH):
        last = rewritten[-1] if rewritten else None
        rewritten.append(entry(last, events.Fault("another", "story")))
    assert verify_chain([signed.raw for signed in rewritten], KEYS).problems == ()
    problem = ledger.check_covered(rewritten, checkpoint(CHAIN[at]))
    assert (problem is None) == (at < start)
    if problem:
        assert problem.what == f"the hospital has countersigned another entry {at}"


def test_a_countersignature_of_another_ledger_says_nothing_of_this_one() -> None:
    other = Checkpoint("ward-7", b"x" * 16, 3, CHAIN[3].digest, 0)
    problem = ledger.check_covered(CHAIN, other)
    assert problem is not None
    assert problem.what == "the checkpoint is of another device or ledger"
