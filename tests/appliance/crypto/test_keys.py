"""Which keys a device believes: signed by its root, never older, never two of one epoch."""

from pathlib import Path

import pytest

from appliance.crypto.keys import DeviceKeys, NoKeyset, TrustedKeyset
from base.errors import ConfigError, EnvironmentProblem, FormatError, VerificationError
from wire import keyset, pem
from wire.hpke import RecipientPrivate, SuiteName
from wire.ledger import ClockTrust
from wire.signing import Ed25519Signer

ROOT = Ed25519Signer(b"r" * 32)
OTHER_ROOT = Ed25519Signer(b"o" * 32)
RECEIPT = Ed25519Signer(b"e" * 32).public
GATEWAY = RecipientPrivate(SuiteName.HYBRID, b"g" * 32).public
RECOVERY = RecipientPrivate(SuiteName.HYBRID, b"c" * 32).public
ATTACKER = RecipientPrivate(SuiteName.HYBRID, b"a" * 32).public
END_MS = 1_800_000_000_000


def issue(epoch: int, *recipients: object, root: Ed25519Signer = ROOT) -> bytes:
    keys = recipients or (GATEWAY, RECOVERY)
    unsigned = keyset.Keyset(epoch, END_MS, keys, (RECEIPT,), ())  # type: ignore[arg-type]
    return keyset.issue(unsigned, root).raw


class Disk:
    """A device's enrolment bundle and state folder, which survive a restart."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.enrolled = folder / "keyset.cose"
        self.enrolled.write_bytes(issue(1))

    @property
    def kept(self) -> Path:
        return self.state / "keyset.cose"

    @property
    def floor(self) -> Path:
        return self.state / "keyset.epoch"

    def start(self) -> TrustedKeyset:
        return TrustedKeyset.load(state=self.state, enrolled=self.enrolled, root=ROOT.public)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_the_first_start_takes_the_keyset_of_the_enrolment(disk: Disk) -> None:
    assert disk.start().current.keyset.epoch == 1
    assert disk.kept.read_bytes() == disk.enrolled.read_bytes()
    assert disk.floor.read_text() == "1\n"


def test_a_later_keyset_is_taken_and_survives_a_restart(disk: Disk) -> None:
    trusted = disk.start()
    assert trusted.offer(issue(2)) is True
    assert trusted.offer(issue(2)) is False
    assert trusted.current.keyset.epoch == 2
    assert disk.start().current.raw == issue(2)


def test_P8_an_older_keyset_is_refused_and_nothing_changes(disk: Disk) -> None:
    trusted = disk.start()
    trusted.offer(issue(7))
    with pytest.raises(VerificationError, match="epoch 6 was offered; epoch 7 is in force"):
        trusted.offer(issue(6))
    assert trusted.current.raw == disk.start().current.raw == issue(7)


def test_P8_a_second_keyset_of_the_same_epoch_is_refused(disk: Disk) -> None:
    trusted = disk.start()
    with pytest.raises(VerificationError, match="a second, different keyset of epoch 1"):
        trusted.offer(issue(1, GATEWAY))
    assert trusted.current.raw == issue(1)


def test_P4_a_keyset_that_the_pinned_root_did_not_sign_is_refused(disk: Disk) -> None:
    trusted = disk.start()
    with pytest.raises(VerificationError, match="signed by a key that is not trusted"):
        trusted.offer(issue(2, ATTACKER, root=OTHER_ROOT))
    forged = bytearray(issue(2))
    forged[-1] ^= 1
    with pytest.raises(VerificationError, match="the signature does not hold"):
        trusted.offer(bytes(forged))
    with pytest.raises(FormatError):
        trusted.offer(b"nonsense")
    assert trusted.current.raw == disk.start().current.raw == issue(1)


def test_P4_losing_the_kept_keyset_does_not_bring_the_old_one_back(disk: Disk) -> None:
    disk.start().offer(issue(3))
    disk.kept.unlink()
    with pytest.raises(NoKeyset, match="epoch 1, but 3 was in force here before"):
        disk.start()
    disk.enrolled.write_bytes(issue(3))
    assert disk.start().current.keyset.epoch == 3


def test_a_crash_between_keyset_and_floor_loses_nothing(disk: Disk) -> None:
    disk.start().offer(issue(2))
    disk.floor.write_text("1\n")
    assert disk.start().current.keyset.epoch == 2
    assert disk.floor.read_text() == "2\n"


def test_a_damaged_kept_keyset_is_replaced_by_an_equally_late_one(disk: Disk) -> None:
    disk.start()
    disk.kept.write_bytes(b"damaged")
    assert disk.start().current.keyset.epoch == 1
    assert disk.kept.read_bytes() == issue(1)


def test_a_renewed_enrolment_replaces_an_older_kept_keyset(disk: Disk) -> None:
    disk.start()
    disk.enrolled.write_bytes(issue(4))
    assert disk.start().current.keyset.epoch == 4


def test_P10_without_any_keyset_each_file_is_named_with_its_reason(disk: Disk) -> None:
    disk.enrolled.write_bytes(issue(1, root=OTHER_ROOT))
    with pytest.raises(NoKeyset) as caught:
        disk.start()
    assert str(caught.value) == (
        f"no keyset can be used ({disk.kept}: cannot read {disk.kept}: No such file or directory;"
        f" {disk.enrolled}: wardseal-keyset: signed by a key that is not trusted for this)"
    )
    disk.enrolled.write_bytes(issue(1))
    disk.state.mkdir()
    disk.floor.write_text("many")
    with pytest.raises(NoKeyset, match="does not hold the number of an epoch"):
        disk.start()


def test_a_restart_writes_nothing_when_nothing_changed(disk: Disk) -> None:
    disk.start()
    before = [path.stat().st_ino for path in (disk.kept, disk.floor)]
    disk.start()
    assert [path.stat().st_ino for path in (disk.kept, disk.floor)] == before


@pytest.mark.parametrize("trust", [ClockTrust.SYNCED, ClockTrust.RTC, ClockTrust.FLOOR])
def test_a_keyset_ends_on_its_day_by_any_clock_that_is_worth_something(
    disk: Disk, trust: ClockTrust
) -> None:
    trusted = disk.start()
    trusted.check_usable(END_MS, trust)
    with pytest.raises(NoKeyset, match="ended 3 days ago; the hospital must send a new one"):
        trusted.check_usable(END_MS + 3 * 24 * 3_600_000, trust)


def test_a_worthless_clock_does_not_end_a_keyset(disk: Disk) -> None:
    disk.start().check_usable(END_MS * 2, ClockTrust.NONE)


def files(folder: Path) -> dict[str, Path]:
    private = pem.generate_ed25519()
    content = {
        "signing": private,
        "public": pem.encode_public(pem.signer(private).public),
        "root": pem.encode_public(ROOT.public),
    }
    paths = {name: folder / name for name in content}
    for name, path in paths.items():
        path.write_bytes(content[name])
        path.chmod(0o600)
    return paths


def test_device_keys_are_loaded(tmp_path: Path) -> None:
    keys = DeviceKeys.load(**files(tmp_path))
    assert keys.root == ROOT.public
    keys.signer.public.verify(keys.signer.sign(b"x"), b"x")


def test_P10_device_keys_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths["public"].write_bytes(paths["root"].read_bytes())
    with pytest.raises(ConfigError) as caught:
        DeviceKeys.load(**paths)
    assert str(caught.value) == (
        f"keys.public: {paths['public']} does not belong to {paths['signing']}"
    )
    paths["signing"].write_bytes(b"?")
    with pytest.raises(ConfigError, match=r"keys.signing: .*: this is not a private key in PEM"):
        DeviceKeys.load(**paths)
    paths["signing"].chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        DeviceKeys.load(**paths)
    paths["signing"].unlink()
    with pytest.raises(ConfigError, match=r"keys.signing: cannot read .*: No such file"):
        DeviceKeys.load(**paths)
