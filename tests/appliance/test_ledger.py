"""P6: the ledger is on disk before anything happens, and recovers from whatever a crash left."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import ledger as durable
from appliance import tidemark
from appliance.ledger import DurableLedger, LedgerUnavailable
from appliance.tidemark import Tidemark
from tests.appliance.ward import Ward
from wire import events
from wire.ledger import read_frames, verify_chain


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def _file(ward: Ward) -> Path:
    return ward.paths.ledger / f"{ward.ledger.ledger.hex()}.wsl"


@contextmanager
def _files_may_grow_to(size: int) -> Iterator[None]:
    """Make writes beyond ``size`` fail part-way, as on a full SD card."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_P1_an_entry_is_in_the_file_when_append_returns(ward: Ward) -> None:
    consent = ward.consent()
    raws, _ = read_frames(_file(ward).read_bytes())
    assert raws[-1] == consent.raw


def test_P6_the_uplink_is_told_how_far_the_ledger_is_durable(ward: Ward) -> None:
    for _ in range(3):
        ward.consent()
        mark = tidemark.read(ward.paths.tidemark)
        assert mark == Tidemark(ward.ledger.ledger, _file(ward).stat().st_size)
    with _files_may_grow_to(_file(ward).stat().st_size + 20), pytest.raises(LedgerUnavailable):
        ward.consent()
    assert tidemark.read(ward.paths.tidemark) == mark


@given(cut=st.integers(min_value=1, max_value=200), garbage=st.binary(max_size=40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_P6_a_torn_tail_is_cut_and_said(
    tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes
) -> None:
    ward = Ward(tmp_path_factory.mktemp("ward"))
    ward.consent()
    ward.ledger.close()
    whole = _file(ward).read_bytes()
    _file(ward).write_bytes(whole[: len(whole) - cut] + garbage)
    ward.start()
    bodies = ward.bodies()
    faults = [body.code for body in bodies if isinstance(body, events.Fault)]
    # Garbage can make the torn frame whole again; then its number is not used a second time.
    assert faults in (["ledger-torn"], ["ledger-damaged"])
    assert not any(isinstance(body, events.Consent) for body in bodies)


def test_P6_an_edited_ledger_is_kept_and_a_new_one_names_its_last_good_head(ward: Ward) -> None:
    good = ward.consent()
    ward.intend(good)
    ward.ledger.close()
    old, old_id = _file(ward), ward.ledger.ledger
    data = bytearray(old.read_bytes())
    data[-5] ^= 1
    old.write_bytes(bytes(data))
    ward.start()
    assert old.read_bytes() == bytes(data), "what is evidence is not touched"
    boot = ward.bodies()[0]
    assert isinstance(boot, events.Boot)
    assert boot.previous == events.Previous(old_id, good.entry.seq, good.digest)
    assert any(isinstance(b, events.Fault) and b.code == "ledger-damaged" for b in ward.bodies())


def test_P1_a_full_disk_refuses_the_entry_and_leaves_no_part_of_it(ward: Ward) -> None:
    ward.consent()
    size = _file(ward).stat().st_size
    with (
        _files_may_grow_to(size + 100),
        pytest.raises(LedgerUnavailable, match="cannot be written"),
    ):
        ward.consent()
    ward.consent()
    raws, good = read_frames(_file(ward).read_bytes())
    assert good == _file(ward).stat().st_size
    assert not verify_chain(raws, [ward.signer.public]).problems
    assert len(raws) == 3, "BOOT, and two consents: the refused one left nothing"


def test_a_ledger_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.ledger.close()
    for path in ward.paths.ledger.iterdir():
        path.unlink()
    ward.paths.ledger.rmdir()
    ward.paths.ledger.write_text("in the way")
    with pytest.raises(LedgerUnavailable, match="the ledger cannot be opened: "):
        ward.start()


def test_P6_a_missing_file_begins_a_new_ledger_and_says_so(ward: Ward) -> None:
    ward.ledger.close()
    _file(ward).unlink()
    ward.start()
    assert [type(body) for body in ward.bodies()] == [events.Boot, events.Fault]


def test_a_restart_goes_on_with_the_same_ledger(ward: Ward) -> None:
    first = ward.ledger.ledger
    ward.ledger.close()
    ward.start()
    assert ward.ledger.ledger == first
    whys = [body.why for body in ward.bodies() if isinstance(body, events.Boot)]
    assert whys == ["first start", "restart"]
    ward.ledger.close()
    ward.start(rebooted=True)
    last = ward.bodies()[-1]
    assert isinstance(last, events.Boot) and last.why == "start"


def test_P6_what_could_not_be_made_to_last_is_not_there_to_be_carried_away(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = _file(ward).read_bytes()
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        ward.consent()
    assert _file(ward).read_bytes() == before


def test_a_disk_without_room_for_an_entry_does_not_pass_the_check(ward: Ward) -> None:
    with _files_may_grow_to(100), pytest.raises(LedgerUnavailable, match="cannot be written"):
        ward.ledger.check()
    ward.ledger.check()
    assert not list(ward.paths.ledger.glob("probe*"))


def test_P6_a_new_ledger_without_its_first_entry_is_not_in_use_yet(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.consent()
    old, head = ward.ledger.ledger, ward.ledger._head
    ward.ledger.close()
    monkeypatch.setattr(durable, "LONGEST", 2)

    def full(*_: object) -> None:
        raise LedgerUnavailable("the ledger cannot be written")

    with monkeypatch.context() as patched:
        patched.setattr(DurableLedger, "append", full)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                ward.start()
    ward.start()
    boot = ward.bodies()[0]
    assert head is not None and isinstance(boot, events.Boot)
    assert boot.previous == events.Previous(old, head.entry.seq, head.digest)


def test_P5_no_ledger_is_rotated_while_a_photo_is_under_way(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "LONGEST", 3)
    photo, old = ward.intend(ward.consent()), ward.ledger.ledger
    for _ in range(2):
        ward.ledger.close()
        ward.start()
        assert ward.ledger.ledger == old and ward.register.open() == [photo]
    ward.custodian.lose(photo, "the device restarted")
    ward.ledger.close()
    ward.start()
    assert ward.ledger.ledger != old


def test_P5_a_photo_outlives_the_damaged_ledger_that_it_began_in(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.ledger.append(events.Fault("screen", "the screen does not answer"))
    ward.ledger.close()
    old = _file(ward)
    data = bytearray(old.read_bytes())
    data[-5] ^= 1
    old.write_bytes(bytes(data))
    for _ in range(3):
        ward.start()
        assert [known.intent for known in ward.register.open()] == [photo.intent]
        ward.ledger.close()
    ward.start()
    ward.custodian.lose(ward.register.open()[0], "the device restarted")
    ward.ledger.close()
    ward.start()
    assert not ward.register.open()
