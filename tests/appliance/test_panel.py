"""The panel as a whole: ledger before effect (P1), lamp (P2), custody (P5), no trust (P7, P8)."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import orders, signals
from appliance.custody import Recovered
from appliance.photos import Stage
from appliance.post import LinkState
from base import doorbell
from tests.appliance.panel_rig import Rig
from tests.appliance.ward import DEVICE, Hospital
from wire import events, keyset, ledger, shapes
from wire.messages import Status
from wire.reasons import Reason


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def flipped(raw: bytes) -> bytes:
    """The same with one bit of its signature changed."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def _stage(rig: Rig) -> Stage:
    return rig.state.photos[-1].stage


def _released(rig: Rig) -> tuple[orders.Line, bytes]:
    """Take one photo and let it lie in the outbox; return its id."""
    darkroom = rig.open_window()
    rig.take_photo(darkroom)
    rig.until(lambda: list(rig.ward.paths.outbox.glob("*.cose")), "the release")
    return darkroom, bytes.fromhex(next(rig.ward.paths.outbox.glob("*.cose")).stem)


def test_P1_the_darkroom_gets_the_consent_that_is_on_the_ledger(rig: Rig) -> None:
    darkroom = rig.connect_darkroom()
    rig.press_consent()
    rig.until(lambda: rig.eyes.lit, "the lamp")
    order = darkroom.receive()
    assert isinstance(order, orders.Open)
    entry = ledger.open_entry(order.consent, [rig.ward.signer.public])
    assert rig.bodies(events.Consent) == [events.body_of(entry.entry)]


def test_P1_a_screen_that_broke_a_moment_ago_takes_no_consent(rig: Rig) -> None:
    rig.connect_darkroom()
    rig.eyes.works = False
    rig.press_consent()
    rig.until(lambda: rig.eyes.heard, "the buzzer")
    assert rig.eyes.heard == [signals.Buzzer.REFUSED]
    assert not rig.bodies(events.Consent)
    assert not rig.eyes.lit


def test_P2_the_lamp_goes_off_only_when_the_darkroom_has_ended(rig: Rig) -> None:
    darkroom = rig.open_window()
    assert rig.eyes.lit
    rig.stop_window()
    assert darkroom.receive() is None, "the panel hangs up"
    rig.until(lambda: rig.bodies(events.Window), "the window to be entered")
    assert rig.eyes.lit, "its process is still there"
    darkroom.close()
    rig.until(lambda: not rig.eyes.lit, "the lamp to go off")


def test_P5_a_photo_is_filed_and_wiped_on_a_signed_receipt_and_not_before(rig: Rig) -> None:
    _, photo = _released(rig)
    rig.online(photo)
    rig.until(lambda: _stage(rig) is Stage.SENT, "SENT")
    assert rig.ward.spool.envelope_path(photo).exists()
    rig.letter("receipt", rig.ward.hospital.receipt(photo))
    rig.until(lambda: _stage(rig) is Stage.FILED, "FILED")
    assert not list(rig.ward.paths.outbox.iterdir())
    order = [type(body) for body in rig.ward.bodies()][-2:]
    assert order == [events.ReceiptSeen, events.Wiped]


def test_P8_a_refusal_that_nobody_signed_changes_words_and_wipes_nothing(rig: Rig) -> None:
    _, photo = _released(rig)
    entries = len(rig.ward.bodies())
    raw = shapes.pack(LinkState(True, (photo,), Reason.REVOKED))
    (rig.ward.paths.mailbox / "link").write_bytes(raw)
    doorbell.ring(rig.ward.paths.panel_bell)
    rig.until(lambda: rig.state.refused is Reason.REVOKED, "the refusal")
    assert rig.ward.spool.envelope_path(photo).exists()
    assert len(rig.ward.bodies()) == entries


@pytest.mark.parametrize("status", [Status.HELD, Status.UNDONE])
def test_P5_every_status_that_passes_custody_wipes(rig: Rig, status: Status) -> None:
    _, photo = _released(rig)
    rig.letter("receipt", rig.ward.hospital.receipt(photo, status))
    rig.until(lambda: rig.bodies(events.Wiped), "the wipe")
    assert not list(rig.ward.paths.outbox.iterdir())


def test_P5_a_rejected_photo_is_kept(rig: Rig) -> None:
    _, photo = _released(rig)
    rig.letter("receipt", rig.ward.hospital.receipt(photo, Status.REJECTED))
    rig.until(lambda: _stage(rig) is Stage.REJECTED, "REJECTED")
    assert rig.ward.spool.envelope_path(photo).exists()


def test_P8_forged_replayed_and_foreign_receipts_wipe_nothing(rig: Rig) -> None:
    _, photo = _released(rig)
    other = os.urandom(32)
    for raw in (
        Hospital.found().receipt(photo),
        rig.ward.hospital.receipt(other),
        flipped(rig.ward.hospital.receipt(photo)),
    ):
        rig.letter("receipt", raw)
    rig.until(lambda: not list(rig.ward.paths.mailbox.glob("*.msg")), "the mailbox to be emptied")
    assert rig.ward.spool.envelope_path(photo).exists()
    assert not rig.bodies(events.ReceiptSeen) and not rig.bodies(events.Wiped)


def test_a_later_receipt_moves_held_to_filed_and_an_earlier_one_does_not_move_it_back(
    rig: Rig,
) -> None:
    _, photo = _released(rig)
    hospital = rig.ward.hospital
    for status, number in ((Status.HELD, 1), (Status.FILED, 2), (Status.HELD, 1)):
        rig.letter("receipt", hospital.receipt(photo, status, number))
    rig.until(lambda: not list(rig.ward.paths.mailbox.glob("*.msg")), "the mailbox to be emptied")
    assert _stage(rig) is Stage.FILED
    assert len(rig.bodies(events.ReceiptSeen)) == 2 and len(rig.bodies(events.Wiped)) == 1


def test_P7_what_the_darkroom_sealed_under_another_header_is_lost_not_signed(rig: Rig) -> None:
    darkroom = rig.open_window()
    rig.press_capture()
    rig.until(lambda: rig.state.photos, "the photo to be taken")
    photo = rig.ward.register.get(rig.state.photos[-1].n)
    assert photo is not None
    rig.ward.spool.sealed_path(photo.seq).write_bytes(b"not an envelope")
    darkroom.send(orders.Sealed(photo.seq, "x", 15, {}))
    rig.until(lambda: _stage(rig) is Stage.LOST, "LOST")
    assert not rig.bodies(events.Sealed)
    assert not list(rig.ward.paths.sealing.iterdir())


def test_P5_a_darkroom_that_dies_loses_the_photo_and_says_so(rig: Rig) -> None:
    darkroom = rig.open_window()
    rig.press_capture()
    rig.until(lambda: rig.state.photos, "the photo to be taken")
    darkroom.close()
    rig.until(lambda: _stage(rig) is Stage.LOST, "LOST")
    (lost,) = rig.bodies(events.Lost)
    assert isinstance(lost, events.Lost)
    assert lost.why == "the darkroom ended before the photo was sealed"


@pytest.mark.parametrize("word", ["fault", "refused", "sealed again"])
def test_P5_what_is_signed_for_is_not_lost_by_what_the_darkroom_says_later(
    rig: Rig, word: str
) -> None:
    darkroom, photo = _released(rig)
    (known,) = rig.ward.register.open()
    later: dict[str, orders.Fault | orders.Refused | orders.Sealed] = {
        "fault": orders.Fault(orders.FaultCode.NO_FRAMES, "could not give it back", known.seq),
        "refused": orders.Refused("no room for the next one", known.seq),
        "sealed again": orders.Sealed(known.seq, "x", 15, {}),
    }
    darkroom.send(later[word])
    darkroom.close()
    rig.until(lambda: not rig.eyes.lit, "the darkroom to be gone")
    assert not rig.bodies(events.Lost) and _stage(rig) is Stage.RELEASED
    rig.letter("receipt", rig.ward.hospital.receipt(photo))
    rig.until(lambda: _stage(rig) is Stage.FILED, "FILED")
    assert not list(rig.ward.paths.outbox.iterdir())


def test_P5_a_photo_that_the_outbox_does_not_take_waits_and_goes_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(rig.ward.spool, "release", full)
        rig.take_photo(rig.open_window())
        rig.until(lambda: rig.bodies(events.Sealed), "the signature")
        rig.panel.turn()
        assert _stage(rig) is Stage.SEALED
    rig.until(lambda: _stage(rig) is Stage.RELEASED, "the release")
    assert list(rig.ward.paths.outbox.glob("*.cose"))


def test_P5_a_sealed_photo_that_vanishes_before_its_release_is_lost_and_said(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, release_seconds=0.5)
    rig.take_photo(rig.open_window())
    rig.until(lambda: rig.bodies(events.Sealed), "the signature")
    for path in rig.ward.paths.sealing.iterdir():
        path.unlink()
    rig.until(lambda: _stage(rig) is Stage.LOST, "LOST")
    assert rig.bodies(events.Lost)
    rig.close()


def test_P5_a_release_that_is_carried_out_twice_happens_once(rig: Rig) -> None:
    _released(rig)
    (photo,) = rig.ward.register.open()
    rig.ward.custodian.release(photo)
    assert len(list(rig.ward.paths.outbox.glob("*.cose"))) == 1


def test_P5_a_loss_that_could_not_be_entered_is_entered_when_the_ledger_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    darkroom = rig.open_window()
    rig.press_capture()
    rig.until(lambda: rig.state.photos, "the photo to be taken")

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        darkroom.close()
        rig.until(lambda: rig.state.ledger_fault and not rig.eyes.lit, "the fault")
    rig.until(lambda: not rig.state.ledger_fault, "the ledger to be back")
    assert len(rig.bodies(events.Lost)) == 1


def test_P5_a_start_that_could_not_recover_is_made_again_when_the_ledger_is_back(
    rig: Rig,
) -> None:
    rig.panel.close()
    rig.fingers.close()
    rig.ward.start()
    rig.start(Recovered((), (), ()), "the ledger cannot be written")
    rig.until(lambda: rig.panel._exit == 75, "the wish to start again")


def test_a_countersignature_that_cannot_be_kept_stops_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rig.ward.ledger, "keep_checkpoint", full)
    monkeypatch.setattr(rig.ward.trusted, "offer", full)
    head = ledger.Checkpoint(DEVICE, rig.ward.ledger.ledger, 0, bytes(32), 1_700_000_000_000)
    raw = ledger.sign_checkpoint(head, rig.ward.hospital.receipts)
    rig.letter("countersign", raw)
    rig.letter("keyset", rig.ward.hospital.keyset.raw)
    rig.until(lambda: not list(rig.ward.paths.mailbox.glob("*.msg")), "the mailbox to be emptied")
    assert [fault.code for fault in rig.bodies(events.Fault)] == ["keyset-refused"]  # type: ignore[attr-defined]


def test_P1_without_a_ledger_no_consent_and_no_camera(rig: Rig) -> None:
    darkroom = rig.connect_darkroom()
    rig.ward.ledger.close()
    rig.press_consent()
    rig.until(lambda: rig.state.ledger_fault, "the ledger's fault")
    assert not rig.eyes.lit and rig.state.window is None
    darkroom.settimeout(0.05)
    with pytest.raises(TimeoutError):
        darkroom.receive()


def test_teaching_gives_later_photos_the_later_consent(rig: Rig) -> None:
    darkroom = rig.open_window()
    rig.choose_teaching()
    rig.press_capture()
    rig.until(lambda: rig.state.photos, "the photo to be taken")
    order = darkroom.receive()
    assert isinstance(order, orders.Capture) and order.consent is not None
    granted = events.body_of(ledger.open_entry(order.consent, [rig.ward.signer.public]).entry)
    assert granted.level is events.Level.TEACHING


SHOWN, OTHER_BADGE = b"1" * 32, b"2" * 32


def _badge(rig: Rig, darkroom: orders.Line, shown: bytes = SHOWN) -> None:
    darkroom.send(orders.BadgeRead(shown))
    rig.until(lambda: rig.state.open_window.badge, "the badge to be said")


def _intent(rig: Rig, darkroom: orders.Line) -> events.Intent:
    """Press CAPTURE and return what its INTENT says."""
    known = len(rig.bodies(events.Intent))
    rig.press_capture()
    rig.until(lambda: len(rig.bodies(events.Intent)) > known, "the INTENT")
    assert isinstance(darkroom.receive(), orders.Capture)
    intent = rig.bodies(events.Intent)[-1]
    assert isinstance(intent, events.Intent)
    return intent


def test_P6_a_badge_is_on_the_ledger_before_it_is_said_and_photos_name_it(rig: Rig) -> None:
    darkroom = rig.open_window()
    assert _intent(rig, darkroom).attest is None
    _badge(rig, darkroom)
    intent = _intent(rig, darkroom)
    assert rig.bodies(events.Attest) == [events.Attest(intent.consent, SHOWN)]
    assert intent.attest == SHOWN


def test_the_first_badge_of_a_window_counts(rig: Rig) -> None:
    darkroom = rig.open_window()
    _badge(rig, darkroom)
    darkroom.send(orders.BadgeRead(OTHER_BADGE))
    darkroom.send(orders.BandRead(orders.Bands.ONE))
    rig.until(lambda: rig.state.open_window.band, "the band")
    assert _intent(rig, darkroom).attest == SHOWN
    assert len(rig.bodies(events.Attest)) == 1


def test_teaching_is_attested_anew(rig: Rig) -> None:
    darkroom = rig.open_window()
    _badge(rig, darkroom)
    rig.choose_teaching()
    intent = _intent(rig, darkroom)
    assert intent.level is events.Level.TEACHING
    assert rig.bodies(events.Attest)[-1] == events.Attest(intent.consent, SHOWN)


def test_P1_a_badge_that_cannot_be_entered_is_not_said_and_ends_the_window(rig: Rig) -> None:
    darkroom = rig.open_window()
    rig.ward.ledger.close()
    darkroom.send(orders.BadgeRead(SHOWN))
    rig.until(lambda: rig.state.ledger_fault, "the ledger's fault")
    assert rig.state.window is None
    assert (
        rig.eyes.shown is None or rig.eyes.shown.window is None or not (rig.eyes.shown.window.badge)
    )


def test_the_badge_of_one_window_says_nothing_of_the_next(rig: Rig) -> None:
    darkroom = rig.open_window()
    _badge(rig, darkroom)
    rig.stop_window()
    darkroom.close()
    rig.until(lambda: not rig.eyes.lit, "the darkroom to end")
    rig.panel.tell(signals.Tick(rig._now() + 3 * 10**9))
    darkroom = rig.open_window()
    assert _intent(rig, darkroom).attest is None


@pytest.mark.parametrize(
    ("bands", "said"),
    [(orders.Bands.ONE, (True, False)), (orders.Bands.SEVERAL, (True, True))],
)
def test_bands_are_said_and_change_nothing_else(
    rig: Rig, bands: orders.Bands, said: tuple[bool, bool]
) -> None:
    darkroom = rig.open_window()
    darkroom.send(orders.BandRead(bands))
    rig.until(lambda: rig.state.open_window.band, "the band")
    window = rig.state.open_window
    assert (window.band, window.several) == said
    assert _intent(rig, darkroom).attest is None


def test_another_band_closes_the_window(rig: Rig) -> None:
    darkroom = rig.open_window()
    darkroom.send(orders.BandRead(orders.Bands.OTHER))
    rig.until(lambda: rig.state.window is None, "the window to close")
    (closed,) = rig.bodies(events.Window)
    assert isinstance(closed, events.Window)
    assert closed.why == "other-band"


def test_a_keyset_is_taken_only_when_no_photo_is_under_way(rig: Rig) -> None:
    darkroom = rig.open_window()
    keys = rig.ward.hospital.keyset.keyset
    later = keyset.issue(
        keyset.Keyset(2, keys.not_after_ms, keys.recipients, keys.receipt_keys, ()),
        rig.ward.hospital.root,
    )
    rig.letter("keyset", later.raw)
    rig.online()
    rig.until(lambda: rig.state.online, "the mailbox to be looked at")
    assert rig.ward.trusted.current.keyset.epoch == 1
    darkroom.close()
    rig.until(lambda: rig.bodies(events.KeysetInUse), "the keyset")
    assert rig.ward.trusted.current.keyset.epoch == 2


def test_P4_no_consent_is_taken_once_the_keysets_time_is_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path, not_after_ms=1_000)
    rig.connect_darkroom()
    rig.ward.ledger.floor_ms = 2_000  # the hospital has signed a time: a clock cannot deny it
    rig.until(lambda: rig.state.keys_ended, "the end of the keys")
    rig.press_consent()
    rig.until(lambda: rig.state.notice, "the refusal")
    assert not rig.bodies(events.Consent) and not rig.eyes.lit
    rig.close()


def test_P8_an_older_keyset_is_refused_and_said(rig: Rig) -> None:
    keys = rig.ward.hospital.keyset.keyset
    forged = keyset.issue(
        keyset.Keyset(9, keys.not_after_ms, keys.recipients, keys.receipt_keys, ()),
        Hospital.found().root,
    )
    rig.letter("keyset", forged.raw)
    rig.until(lambda: rig.bodies(events.Fault), "the fault")
    assert rig.ward.trusted.current.keyset.epoch == 1
