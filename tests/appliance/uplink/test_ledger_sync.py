"""Bringing ledgers to the hospital: in order, in batches, until their heads are signed for."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import tidemark
from appliance.tidemark import Tidemark
from appliance.uplink.ledger_sync import LedgerFile, Ledgers, LedgerSync
from wire import ledger
from wire.messages import MAX_BATCH, LedgerBatch, LedgerHave, encode

OLD, NEW = b"o" * 16, b"n" * 16


def write(folder: Path, name: bytes, entries: list[bytes], when: int = 0) -> Path:
    path = folder / f"{name.hex()}.wsl"
    path.write_bytes(b"".join(ledger.frame(entry) for entry in entries))
    os.utime(path, (when, when))
    return path


def mark(folder: Path, name: bytes = b"finished mark 16", length: int = 0) -> Path:
    """The panel's word on what is durable: of another ledger, so that these are whole."""
    path = folder / "ledger.mark"
    tidemark.write(path, Tidemark(name, length))
    return path


def nothing(_raw: bytes) -> None: ...


def have(name: bytes, count: int, *, signed: bool = True) -> LedgerHave:
    return LedgerHave(name, count, b"checkpoint" if signed else None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=700), max_size=60),
    st.lists(st.integers(0, 50_000), max_size=6),
)
def test_a_file_that_grows_byte_by_byte_is_taken_in_entry_by_entry(
    tmp_path_factory: pytest.TempPathFactory, entries: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(ledger.frame(entry) for entry in entries)
    path = tmp_path_factory.mktemp("ledger") / "l.wsl"
    seen: list[bytes] = []
    file = LedgerFile(path, seen.append)
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:cut])
        assert file.look()
    assert seen == entries
    assert file.count == len(entries)
    if entries:
        assert file.entries(0, 100_000)[0] == entries[0]
        assert file.entries(len(entries) - 1, 100_000) == (entries[-1],)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000))
def test_no_ledger_file_raises(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    (folder / f"{NEW.hex()}.wsl").write_bytes(raw)
    ledgers = Ledgers(folder, mark(folder), nothing)
    ledgers.look(0.0)
    ledgers.pull(0.0, 100_000)
    ledgers.syncs[NEW].heard(have(NEW, 0), 0.0)
    ledgers.pull(0.0, 100_000)


def test_batches_keep_to_the_packet_size_and_to_64_entries(tmp_path: Path) -> None:
    write(tmp_path, NEW, [bytes([n]) * 3000 for n in range(1, 200)])
    ledgers = Ledgers(tmp_path, mark(tmp_path), nothing)
    ledgers.look(0.0)
    assert ledgers.pull(0.0, 20_000) == LedgerBatch(NEW, 199, ())  # what have you?
    ledgers.syncs[NEW].heard(have(NEW, 0), 0.0)
    batch = ledgers.pull(0.0, 20_000)
    assert batch is not None
    assert 0 < len(encode(batch)) <= 20_000
    assert len(batch.entries) == 6
    ledgers.syncs[NEW].heard(have(NEW, 6), 0.0)
    large = ledgers.pull(0.0, 10_000_000)
    assert large is not None
    assert (large.first, len(large.entries)) == (6, MAX_BATCH)


def test_P6_an_older_ledger_goes_first_and_a_refused_one_is_not_waited_for(tmp_path: Path) -> None:
    """The hospital raises an alarm when a new ledger does not go on from the old one's head."""
    write(tmp_path, NEW, [b"new"], when=2000)
    write(tmp_path, OLD, [b"old 0", b"old 1"], when=1000)
    ledgers = Ledgers(tmp_path, mark(tmp_path), nothing)
    ledgers.look(0.0)
    asked = ledgers.pull(0.0, 10_000)
    assert asked is not None
    assert asked.ledger == OLD
    assert ledgers.pull(0.0, 10_000) is None  # nothing of the new one yet
    ledgers.syncs[OLD].heard(have(OLD, 1), 0.0)
    assert ledgers.pull(0.0, 10_000) == LedgerBatch(OLD, 1, (b"old 1",))
    ledgers.syncs[OLD].heard(have(OLD, 2), 0.0)
    asked = ledgers.pull(0.0, 10_000)
    assert asked is not None
    assert asked.ledger == NEW

    ledgers.online(1.0)
    ledgers.pull(1.0, 10_000)
    ledgers.syncs[OLD].heard(have(OLD, 1), 1.0)
    ledgers.pull(1.0, 10_000)
    ledgers.syncs[OLD].heard(have(OLD, 1), 1.0)  # it does not take entry 1
    asked = ledgers.pull(1.0, 10_000)
    assert asked is not None
    assert asked.ledger == NEW


def test_an_unanswered_batch_becomes_a_question_after_10_s() -> None:
    sync = LedgerSync(NEW)
    sync.online(0.0)
    sync.grew(5, 0.0)
    assert sync.pull(0.0) == 5  # the question
    sync.heard(have(NEW, 2), 0.0)
    assert sync.pull(0.0) == 2
    assert sync.pull(9.9) is None
    assert sync.pull(10.0) == 5
    sync.heard(have(NEW, 5, signed=False), 10.0)
    assert not sync.covered  # it has them, but has not signed for them
    assert sync.deadline() == 20.0
    assert sync.pull(20.0) == 5
    sync.heard(have(NEW, 5), 20.0)
    assert sync.covered
    assert sync.deadline() is None


def test_entries_that_are_not_taken_are_offered_again_ever_later() -> None:
    sync = LedgerSync(NEW)
    sync.online(0.0)
    sync.grew(5, 0.0)
    sync.pull(0.0)
    sync.heard(have(NEW, 3), 0.0)
    now, waits = 0.0, []
    for _ in range(7):
        assert sync.pull(now) == 3
        sync.heard(have(NEW, 3), now)
        due = sync.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_a_press_that_makes_several_entries_makes_one_batch() -> None:
    sync = LedgerSync(NEW)
    sync.online(0.0)
    sync.grew(1, 0.0)
    sync.pull(0.0)
    sync.heard(have(NEW, 1), 0.0)
    sync.grew(2, 100.0)
    sync.grew(3, 100.1)
    assert sync.pull(100.2) is None
    assert sync.pull(100.6) == 1


def test_a_question_that_nobody_heard_is_asked_again_soon_and_then_every_10_s() -> None:
    sync = LedgerSync(NEW)
    sync.online(0.0)
    sync.grew(1, 0.0)
    now, waits = 0.0, []
    for _ in range(6):
        assert sync.pull(now) == 1
        sync.not_taken(now)
        due = sync.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, 10, 10]


def test_an_empty_ledger_says_nothing() -> None:
    sync = LedgerSync(NEW)
    sync.online(0.0)
    assert sync.pull(0.0) is None
    assert sync.deadline() is None


def test_a_file_that_becomes_shorter_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path, NEW, [b"a", b"b", b"c"])
    ledgers = Ledgers(tmp_path, mark(tmp_path), nothing)
    ledgers.look(0.0)
    assert ledgers.syncs[NEW].count == 3
    path.write_bytes(ledger.frame(b"x"))
    ledgers.look(1.0)
    assert ledgers.syncs[NEW].count == 1
    assert ledgers.pull(1.0, 10_000) == LedgerBatch(NEW, 1, ())


def test_no_folder_yet_is_no_ledger_yet(tmp_path: Path) -> None:
    ledgers = Ledgers(tmp_path / "later", mark(tmp_path), nothing)
    ledgers.look(0.0)
    assert ledgers.pull(0.0, 10_000) is None
    assert ledgers.deadline() is None


def test_P6_nothing_is_carried_before_it_would_survive_a_power_cut(tmp_path: Path) -> None:
    """Else the hospital signs for an entry that the device, after the cut, gives to another."""
    path = write(tmp_path, NEW, [b"durable", b"not yet"])
    ledgers = Ledgers(tmp_path, tmp_path / "ledger.mark", nothing)
    ledgers.look(0.0)
    assert ledgers.syncs == {}  # the panel has not come up: what is in the file may be torn
    for length, count in ((0, 0), (4 + len(b"durable"), 1), (path.stat().st_size, 2)):
        mark(tmp_path, NEW, length)
        ledgers.look(0.0)
        assert ledgers.syncs[NEW].count == count


@pytest.mark.parametrize("raw", [b"", b"\xff" * 10, b"x" * 5000])
def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path, raw: bytes) -> None:
    write(tmp_path, NEW, [b"durable"])
    mark(tmp_path).write_bytes(raw)
    ledgers = Ledgers(tmp_path, tmp_path / "ledger.mark", nothing)
    ledgers.look(0.0)
    assert ledgers.syncs == {}
