"""P5: what ledger and spool say together is brought together after any crash; nothing is silent."""

import errno
import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from appliance import spool
from appliance.custody import Recovered
from appliance.photos import Stage
from base.errors import FormatError, VerificationError
from tests.appliance.ward import Hospital, Ward
from wire import cbor, envelope, events, proof
from wire.ledger import read_frames
from wire.messages import Status
from wire.reasons import Reason

_CUT_AND_GROW = """
import os, sys
while True:
    os.truncate(sys.argv[1], 1 << 20)
    os.truncate(sys.argv[1], 16 << 20)
    print(flush=True)
"""


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def _restart(ward: Ward, *, rebooted: bool = False) -> Recovered:
    ward.ledger.close()
    ward.start(rebooted=rebooted)
    return ward.custodian.recover(ward.boot)


def _types(ward: Ward) -> list[str]:
    return [type(body).__name__ for body in ward.bodies()]


def test_the_three_entries_prove_the_photo_and_open_with_the_hospitals_key(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    data = ward.seal(photo)
    photo = ward.custodian.sign(photo)
    assert photo.sealed is not None
    shown = proof.open_proof(
        photo.consent.raw, photo.intent.raw, photo.sealed.raw, [ward.signer.public]
    )
    found = envelope.parse(data)
    proof.check_envelope(data, found, shown)
    opened = envelope.open_into(
        found, ward.hospital.opening, memoryview(bytearray(found.header.length))
    )
    assert len(opened.jpeg) == 1000


def test_P5_an_intent_without_a_file_is_lost_and_said(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    recovered = _restart(ward)
    assert recovered.lost == (photo.n,) and recovered.photos == ()
    last = ward.bodies()[-1]
    assert isinstance(last, events.Lost) and last.why == "the device restarted"


def test_P5_a_power_cut_loses_the_spool_and_says_so(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    ward.custodian.sign(photo)
    recovered = _restart(ward, rebooted=True)
    assert recovered.lost == (photo.n,)
    last = ward.bodies()[-1]
    assert isinstance(last, events.Lost) and last.why == "the power was cut"


def test_P5_a_sealed_file_that_was_not_signed_is_signed_after_the_crash(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    recovered = _restart(ward)
    assert recovered.photos == ((photo.n, Stage.SEALED),)
    assert isinstance(ward.bodies()[-1], events.Sealed)


def test_P5_a_damaged_sealed_file_is_wiped_and_lost(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    data = ward.seal(photo)
    ward.spool.sealed_path(photo.seq).write_bytes(data[:-7])
    assert _restart(ward).lost == (photo.n,)
    assert not ward.spool.sealed_path(photo.seq).exists()


def test_P5_a_released_photo_goes_on_after_a_restart(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    assert _restart(ward).photos == ((photo.n, Stage.RELEASED),)
    assert photo.id is not None and ward.spool.envelope_path(photo.id).exists()


def test_P5_a_crash_between_receipt_and_wipe_wipes_at_the_next_start(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    assert photo.id is not None
    ward.ledger.append(events.ReceiptSeen(photo.id, str(Status.FILED), 1, bytes(32)))
    assert _restart(ward) == Recovered((), (), ())
    assert not list(ward.paths.outbox.iterdir())
    last = ward.bodies()[-1]
    assert isinstance(last, events.Wiped) and last.why == "FILED"


def test_P5_a_rejected_photo_stays_until_somebody_decides(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    assert photo.id is not None
    seen = events.ReceiptSeen(photo.id, str(Status.REJECTED), 1, bytes(32), Reason.WRONG_KEY)
    ward.ledger.append(seen)
    found = _restart(ward)
    assert (found.photos, found.reason) == (((photo.n, Stage.REJECTED),), Reason.WRONG_KEY)
    assert ward.spool.envelope_path(photo.id).exists()


def test_an_undone_photo_is_wiped_never_sent_even_after_a_crash(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.ledger.append(events.Undo(photo.intent.digest, photo.id))
    assert _restart(ward) == Recovered((), (), ())
    assert not list(ward.paths.sealing.iterdir())
    assert _types(ward)[-1] == "Wiped"


def test_an_undo_of_a_released_photo_waits_for_the_hospital(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    ward.ledger.append(events.Undo(photo.intent.digest, photo.id))
    recovered = _restart(ward)
    assert recovered.photos == ((photo.n, Stage.RELEASED),) and recovered.undone == (photo.n,)


def _damage_from(ward: Ward, entry: int) -> None:
    """Spoil the ledger from this entry on, as an old SD card may."""
    file = ward.paths.ledger / f"{ward.ledger.ledger.hex()}.wsl"
    raws, _ = read_frames(file.read_bytes())
    at = sum(4 + len(raw) for raw in raws[:entry])
    data = bytearray(file.read_bytes())
    data[at + 40] ^= 1
    file.write_bytes(bytes(data))


def test_P5_a_released_photo_whose_entries_are_damaged_still_gets_its_receipt(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    _damage_from(ward, photo.intent.entry.seq)
    recovered = _restart(ward)
    assert [stage for _, stage in recovered.photos] == [Stage.RELEASED]
    assert photo.id is not None
    known = ward.register.by_id(photo.id)
    assert known is not None
    ward.custodian.wipe(known, "FILED")
    assert not list(ward.paths.outbox.iterdir())


def test_P5_an_unproven_file_in_the_outbox_is_nobodys_photo(ward: Ward) -> None:
    (ward.paths.outbox / f"{bytes(32).hex()}.cose").write_bytes(b"x")
    (ward.paths.outbox / f"{bytes(32).hex()}.init").write_bytes(cbor.encode([b"a", b"b", b"c"]))
    assert _restart(ward) == Recovered((), (), ())


def test_P5_a_photo_is_not_signed_for_on_another_ledger_than_its_intent(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    ward.ledger.append(events.Fault("screen", "the screen does not answer"))
    _damage_from(ward, photo.seq + 1)
    recovered = _restart(ward)
    assert recovered == Recovered((), (photo.n,), ())
    assert _types(ward) == ["Boot", "Fault", "Lost"]


def test_strays_of_a_crash_are_wiped(ward: Ward) -> None:
    stray = ward.paths.sealing / "99.part"
    stray.write_bytes(b"half a photo")
    (ward.paths.outbox / "abc.init").write_bytes(b"x")
    _restart(ward)
    assert not list(ward.paths.sealing.iterdir()) and not list(ward.paths.outbox.iterdir())


def test_what_an_orphaned_darkroom_leaves_is_swept_and_open_photos_stay(ward: Ward) -> None:
    lost, held_back = ward.intend(ward.consent()), ward.intend(ward.consent())
    ward.custodian.lose(lost, "the device restarted")
    ward.seal(lost)
    ward.seal(held_back)
    ward.custodian.sign(held_back)
    (ward.paths.sealing / "4711-7f00.part").write_bytes(b"room")
    ward.custodian.sweep()
    assert [path.name for path in ward.paths.sealing.iterdir()] == [f"{held_back.seq}.cose"]


def test_P5_a_loss_is_said_again_until_somebody_has_pressed_consent(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    assert _restart(ward).lost == (photo.n,)
    # The panel died again before it was on the screen.
    assert _restart(ward).lost == () and ward.history.lost == (photo.n,)
    ward.consent()
    _restart(ward)
    assert ward.history.lost == ()


def test_P7_links_and_folders_from_a_darkroom_stop_nothing(ward: Ward, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"not ours to wipe")
    photo = ward.intend(ward.consent())
    ward.spool.sealed_path(photo.seq).symlink_to(precious)
    (ward.paths.sealing / "folder").mkdir()
    (ward.paths.sealing / "dangling").symlink_to("/nowhere")
    assert ward.spool.has_room()
    assert _restart(ward).lost == (photo.n,)
    assert not list(ward.paths.sealing.iterdir())
    assert precious.read_bytes() == b"not ours to wipe"


def test_P7_a_pipe_from_a_darkroom_keeps_nobody_waiting(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    os.mkfifo(ward.spool.sealed_path(photo.seq))
    assert _restart(ward).lost == (photo.n,)
    assert not list(ward.paths.sealing.iterdir())


def test_P7_a_darkroom_that_cuts_the_file_while_the_panel_looks_does_not_end_the_panel(
    ward: Ward,
) -> None:
    """A mapped page of a file that was cut ends the process that touches it (SIGBUS)."""
    path = ward.spool.sealed_path(7)
    path.write_bytes(bytes(16 * 1024 * 1024))
    cutting = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _CUT_AND_GROW,
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert cutting.stdout is not None
        for _ in range(100):
            cutting.stdout.readline()
            with suppress(FormatError):
                hashlib.sha256(spool._read_whole(path)).digest()
    finally:
        cutting.kill()
        cutting.communicate()


def test_P7_what_a_darkroom_closed_to_the_panel_goes_all_the_same(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (ward.paths.sealing / "closed").write_bytes(b"x")
    monkeypatch.setattr(spool, "wipe_file", refuse)
    ward.custodian.sweep()
    assert not list(ward.paths.sealing.iterdir())


def test_P7_a_file_larger_than_any_photo_is_not_filled_with_zeros(ward: Ward) -> None:
    huge = ward.paths.sealing / "huge"
    huge.touch()
    os.truncate(huge, 8 * 1024 * envelope.MAX_ENVELOPE)
    with huge.open("rb") as reader:
        ward.custodian.sweep()
        assert os.fstat(reader.fileno()).st_blocks == 0
    assert not list(ward.paths.sealing.iterdir())


def test_a_file_that_goes_while_room_is_looked_for_takes_none(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ward.paths.sealing / "4711-7f00.part"
    monkeypatch.setattr(ward.spool, "_files", lambda: iter([gone]))
    assert ward.spool.has_room()


def test_P7_an_envelope_under_another_header_is_not_signed(ward: Ward) -> None:
    consent = ward.consent()
    one, two = ward.intend(consent), ward.intend(consent)
    ward.seal(one, seq=two.seq)
    with pytest.raises(VerificationError, match="another header"):
        ward.custodian.sign(two)


def test_P4_an_envelope_to_other_keys_is_not_signed(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo, recipients=Hospital.found().keyset.keyset.recipients)
    with pytest.raises(VerificationError, match="other keys than was ordered"):
        ward.custodian.sign(photo)


def test_a_wiped_envelope_cannot_be_read_by_who_had_it_open(ward: Ward) -> None:
    photo = ward.intend(ward.consent())
    ward.seal(photo)
    photo = ward.custodian.sign(photo)
    ward.custodian.release(photo)
    assert photo.id is not None
    with ward.spool.envelope_path(photo.id).open("rb") as reader:
        ward.custodian.wipe(photo, "FILED")
        assert reader.read() == b""
