"""``wardseal ledger``: what it tells, and that nothing wrong gets past it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.ledger_file import read_ledger
from cli.ledger_verify import Fault, find_faults
from tests.cli.paperwork import DEVICE, LEDGER, NOON_MS, Scribe, ledger_file, save
from tests.cli.program import wardseal
from wire import events, pem
from wire.ledger import GENESIS, ClockTrust, verify_chain
from wire.signing import Ed25519Signer

RECEIPT = Ed25519Signer(b"r" * 32)
HEX = Scribe().signer.public.encode().hex()
MORNING = Scribe().morning()


def faults_of(folder: Path, data: bytes) -> list[Fault]:
    file = read_ledger(save(folder, "ledger.wsl", data))
    return find_faults(file, verify_chain(file.raws, [MORNING.signer.public]))


def verify(folder: Path, data: bytes, *words: str) -> tuple[int, list[str]]:
    path = save(folder, "ledger.wsl", data)
    done = wardseal("ledger", "verify", path, "--key", HEX, *words)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_ledger_that_holds_says_so_and_names_its_head(tmp_path: Path) -> None:
    code, lines = verify(tmp_path, MORNING.file)
    assert code == 0
    assert lines == [
        f"ledger {LEDGER.hex()} of device {DEVICE}: 8 entries,",
        "2027-01-15 12:00:00Z to 2027-01-15 12:00:07Z by the device's clock",
        f"HOLDS up to entry 7, {MORNING.entries[-1].digest.hex()}",
    ]


@pytest.mark.parametrize("spelling", ["pem", "cose", "hex in a file"])
def test_the_key_may_be_given_in_any_spelling(tmp_path: Path, spelling: str) -> None:
    public = MORNING.signer.public
    data = {
        "pem": pem.encode_public(public),
        "cose": public.encode(),
        "hex in a file": public.encode().hex().encode() + b"\n",
    }[spelling]
    key = save(tmp_path, "device.pub", data)
    ledger = save(tmp_path, "ledger.wsl", MORNING.file)
    assert wardseal("ledger", "verify", ledger, "--public-key", key).returncode == 0


def test_P6_a_changed_entry_is_named_with_its_place(tmp_path: Path) -> None:
    data = bytearray(MORNING.file)
    at = data.index(b"finished")
    data[at] ^= 1
    offsets = read_ledger(save(tmp_path, "good.wsl", MORNING.file)).offsets
    code, lines = verify(tmp_path, bytes(data))
    assert code == 1
    assert lines[2:] == [
        f"  entry 5 (byte {offsets[5]}): the signature does not hold",
        "DOES NOT HOLD: 1 fault",
    ]


def test_P6_an_entry_taken_out_is_found(tmp_path: Path) -> None:
    raws = [signed.raw for signed in MORNING.entries]
    del raws[5]
    faults = faults_of(tmp_path, ledger_file(raws))
    assert [(f.entry, f.what) for f in faults] == [
        (5, "its number is 6 where 5 is due"),
        (5, "it does not continue entry 4: something was changed or taken out"),
    ]


def test_P6_a_missing_beginning_is_found(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, ledger_file([signed.raw for signed in MORNING.entries[1:]]))
    assert faults[0] == Fault(0, 0, "the ledger's beginning is missing")


def test_P6_entries_by_another_device_are_found_and_told_together(tmp_path: Path) -> None:
    stranger = Scribe(b"x" * 32).morning()
    code, lines = verify(tmp_path, stranger.file)
    assert code == 1
    assert lines == [
        (
            "  entries 0 to 7 (from byte 0): wardseal-ledger-entry: signed by a key that is not"
            " trusted for this"
        ),
        "  not one entry could be checked; is the key that of this device?",
        "DOES NOT HOLD: 8 faults",
    ]


def test_P6_a_photo_without_a_consent_before_it_is_found(tmp_path: Path) -> None:
    scribe = Scribe()
    scribe.write(events.Boot("0.1.0", "first start"))
    scribe.write(events.Intent(b"c" * 32, events.Level.CARE, events.Basis.AGREED))
    scribe.sealed(scribe.entries[0], b"p" * 32, 5)
    faults = faults_of(tmp_path, scribe.file)
    assert [(f.entry, f.what) for f in faults] == [
        (1, "INTENT without the CONSENT entry that it names before it"),
        (2, "SEALED without the INTENT entry that it names before it"),
    ]


def test_a_signed_entry_whose_body_is_none_is_found(tmp_path: Path) -> None:
    scribe = Scribe()
    scribe.write(events.Boot("0.1.0", "first start"), body={"version": 7})
    (fault,) = faults_of(tmp_path, scribe.file)
    assert (fault.entry, fault.byte) == (0, 0)
    assert "BOOT entry" in fault.what


@pytest.mark.parametrize("cut", [1, 3, 4, 50])
def test_a_torn_tail_is_named_as_one_and_does_not_hold(tmp_path: Path, cut: int) -> None:
    whole = ledger_file([signed.raw for signed in MORNING.entries[:-1]])
    code, lines = verify(tmp_path, whole + MORNING.file[len(whole) : len(whole) + cut])
    assert code == 1
    assert lines[2:] == [
        (
            f"  byte {len(whole)}: a torn tail: {cut} bytes of an entry whose rest is missing, as a"
            " power cut leaves it (the device cuts it off at its next start and says so)"
        ),
        "DOES NOT HOLD: 1 fault",
    ]


def test_what_is_no_ledger_at_all_is_named(tmp_path: Path) -> None:
    assert verify(tmp_path, b"\x89PNG\r\n\x1a\n" * 9) == (
        1,
        [
            "  byte 0: 72 bytes that are no entry: damaged, or not a ledger",
            "DOES NOT HOLD: 1 fault",
        ],
    )
    assert verify(tmp_path, b"") == (
        1,
        [
            "  byte 0: the file is empty; a ledger begins with a BOOT entry",
            "DOES NOT HOLD: 1 fault",
        ],
    )


@given(at=st.integers(0, len(MORNING.file) - 1), bit=st.integers(0, 7))
def test_P6_whichever_bit_is_flipped_the_ledger_no_longer_holds(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    data = bytearray(MORNING.file)
    data[at] ^= 1 << bit
    assert faults_of(tmp_path_factory.mktemp("flipped"), bytes(data))


@given(length=st.integers(0, len(MORNING.file) - 1))
def test_P6_wherever_the_file_is_cut_inside_an_entry_it_no_longer_holds(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    ends = [0, *read_ledger(save(folder, "good.wsl", MORNING.file)).offsets]
    found = faults_of(folder, MORNING.file[:length])
    assert bool(found) == (length not in ends or length == 0)


def countersigned(folder: Path, data: bytes, checkpoint: bytes) -> tuple[int, list[str]]:
    save(folder, "receipt.pub", pem.encode_public(RECEIPT.public))
    save(folder, "checkpoint.cose", checkpoint)
    words = ("--checkpoint", folder / "checkpoint.cose", "--receipt-key", folder / "receipt.pub")
    return verify(folder, data, *map(str, words))


def test_the_countersignature_says_up_to_where_the_hospital_has_it(tmp_path: Path) -> None:
    code, lines = countersigned(tmp_path, MORNING.file, MORNING.checkpoint(5, RECEIPT))
    assert code == 0
    assert "the hospital countersigned up to entry 5 on 2027-01-15 12:00:00Z" in lines


def test_P6_entries_cut_off_after_the_hospital_saw_them_are_missed(tmp_path: Path) -> None:
    short = ledger_file([signed.raw for signed in MORNING.entries[:6]])
    assert verify(tmp_path, short)[0] == 0
    code, lines = countersigned(tmp_path, short, MORNING.checkpoint(7, RECEIPT))
    assert code == 1
    assert lines[2] == (
        f"  byte {len(short)}: entries are missing: the hospital has this ledger up to entry 7,"
        " the file ends with 5"
    )


def test_P6_a_ledger_rewritten_by_its_own_device_is_found(tmp_path: Path) -> None:
    scribe = Scribe()
    scribe.write(events.Boot("0.1.0", "another story"))
    checkpoint = MORNING.checkpoint(0, RECEIPT)
    assert verify(tmp_path, scribe.file)[0] == 0
    code, lines = countersigned(tmp_path, scribe.file, checkpoint)
    assert code == 1
    assert lines[2] == "  entry 0 (byte 0): the hospital has countersigned another entry 0"


@pytest.mark.parametrize(
    ("other", "signer", "words"),
    [
        ({"device": "ward-b-9"}, RECEIPT, "the checkpoint is of another device or ledger"),
        ({"ledger": bytes(16)}, RECEIPT, "the checkpoint is of another device or ledger"),
        ({}, Ed25519Signer(b"x" * 32), "the checkpoint: wardseal-checkpoint: signed by a key"),
    ],
    ids=["device", "ledger", "key"],
)
def test_P8_a_countersignature_that_is_not_for_this_ledger_is_refused(
    tmp_path: Path, other: dict[str, Any], signer: Ed25519Signer, words: str
) -> None:
    code, lines = countersigned(tmp_path, MORNING.file, MORNING.checkpoint(5, signer, **other))
    assert code == 1
    assert lines[2].startswith(f"  byte 0: {words}")


def test_P10_a_checkpoint_without_its_key_is_wrong_use(tmp_path: Path) -> None:
    path = save(tmp_path, "ledger.wsl", MORNING.file)
    done = wardseal("ledger", "verify", path, "--key", HEX, "--checkpoint", path)
    assert done.returncode == 2
    assert "--checkpoint and --receipt-key are given together" in done.stderr


def test_P10_a_private_key_in_the_public_one_s_place_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, "ledger.wsl", MORNING.file)
    key = save(tmp_path, "device.key", pem.generate_ed25519(), 0o600)
    done = wardseal("ledger", "verify", path, "--key", key)
    assert done.returncode == 2
    assert done.stderr.startswith(f"wardseal: --key {key}: this is a private key; the public one")


def test_the_verdict_as_json(tmp_path: Path) -> None:
    code, lines = verify(tmp_path, MORNING.file + b"\0\0", "--json")
    assert code == 1
    (found,) = map(json.loads, lines)
    assert found["holds"] is False
    assert found["device"] == DEVICE
    assert found["entries"] == 8
    assert found["head"] == {"seq": 7, "digest": MORNING.entries[-1].digest.hex()}
    assert found["torn_bytes"] == 2
    assert found["countersigned"] is None
    assert [(f["entry"], f["byte"]) for f in found["faults"]] == [(None, len(MORNING.file))]


def show(folder: Path, data: bytes, *words: str) -> tuple[int, list[str]]:
    done = wardseal("ledger", "show", save(folder, "ledger.wsl", data), *words)
    return done.returncode, done.stdout.splitlines()


def test_a_ledger_is_told_in_words(tmp_path: Path) -> None:
    code, lines = show(tmp_path, MORNING.file)
    assert code == 0
    assert [line[8:28] for line in lines[:2]] == ["2027-01-15 12:00:00Z", "2027-01-15 12:00:01Z"]
    assert [line[37:] for line in lines] == [
        "BOOT     the panel started, version 0.1.0: first start",
        "KEYSET   from here on photos are sealed to the keys of epoch 1 (6b6b6b6b6b6b)",
        (
            "CONSENT  staff attest that they asked and the patient agreed; for care only;"
            " wording W1 (en)"
        ),
        "INTENT   CAPTURE pressed, for care only, under the consent of entry 2",
        "SEALED   photo abababababab of entry 3 is sealed, 3,912,004 bytes",
        "WINDOW   the window of entry 2 closed (finished), photos taken: 1",
        "RECEIPT  the hospital signed FILED for photo abababababab (receipt 1)",
        "WIPED    the photo of entry 3 is wiped (FILED), photo abababababab",
    ]


def test_every_kind_of_entry_has_words(tmp_path: Path) -> None:
    scribe = Scribe()
    previous = events.Previous(bytes(16), 41, bytes(32))
    scribe.write(events.Boot("0.1.0", "damaged", previous))
    consent = scribe.write(
        events.Consent(events.Level.TEACHING, events.Basis.NO_CAPACITY, scribe_wording())
    )
    scribe.write(events.Attest(consent.digest, bytes(32)))
    intent = scribe.intent(consent)
    scribe.write(events.Undo(intent.digest))
    scribe.write(events.Lost(intent.digest, "the power failed", b"\xcd" * 32))
    scribe.write(events.Fault("no-camera", "no camera was found"))
    lines = [line[46:] for line in show(tmp_path, scribe.file)[1]]
    assert lines == [
        "the panel started, version 0.1.0: damaged; goes on from entry 41 of ledger " + "00" * 16,
        "no consent asked: no capacity, best interests; for care and teaching; wording W2 (de)",
        "a badge was shown under the consent of entry 1",
        "CAPTURE pressed, for care only, under the consent of entry 1",
        "consent withdrawn for the photo of entry 3",
        "the photo of entry 3 is LOST: the power failed, photo cdcdcdcdcdcd",
        "no-camera: no camera was found",
    ]


def scribe_wording() -> events.Wording:
    return events.Wording("W2", "de", bytes(32))


def test_P10_what_a_device_wrote_cannot_rewrite_the_terminal(tmp_path: Path) -> None:
    scribe = Scribe()
    scribe.write(events.Fault("x", "\x1b[2J\x1b[1;1Hall is well\n"), wall_ms=2**53)
    (line,) = show(tmp_path, scribe.file)[1]
    assert line.endswith("x: \\x1b[2J\\x1b[1;1Hall is well\\n")
    assert f"{2**53} ms" in line


def test_a_damaged_ledger_is_told_as_far_as_it_can_be(tmp_path: Path) -> None:
    raws = [signed.raw for signed in MORNING.entries]
    raws[1] = b"\xff" * 20
    code, lines = show(tmp_path, ledger_file(raws) + b"\0")
    assert code == 1
    assert lines[1].startswith(f"     ?  entry 1, byte {4 + len(raws[0])}: wardseal-ledger-entry ")
    assert len(lines) == 9
    assert lines[8].startswith("     ?  byte ")
    assert "a torn tail: 1 bytes" in lines[8]


def test_entries_as_json_lines(tmp_path: Path) -> None:
    code, lines = show(tmp_path, MORNING.file, "--json")
    assert code == 0
    found = [json.loads(line) for line in lines]
    assert [entry["seq"] for entry in found] == list(range(8))
    assert found[2]["type"] == "CONSENT"
    assert found[2]["time"] == "2027-01-15 12:00:02Z"
    assert found[2]["wall_ms"] == NOON_MS + 2000
    assert found[2]["trust"] == ClockTrust.SYNCED
    assert found[0]["prev"] == GENESIS.hex()
    assert found[3]["body"]["consent"] == found[2]["digest"] == MORNING.entries[2].digest.hex()


@given(data=st.binary(max_size=300))
def test_P10_no_bytes_lead_to_anything_but_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    framed = len(data).to_bytes(4, "big") + data
    assert faults_of(tmp_path_factory.mktemp("any"), MORNING.file + framed)
    assert faults_of(tmp_path_factory.mktemp("any"), data)
