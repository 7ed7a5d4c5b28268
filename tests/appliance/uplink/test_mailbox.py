"""What the uplink leaves for the panel, and how little room it may take."""

from pathlib import Path

import pytest

from appliance.uplink.mailbox import LARGEST, MOST_BYTES, MOST_FILES, MOST_SENT, Mailbox
from wire import cbor


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def mailbox(tmp_path: Path, bell: Bell) -> Mailbox:
    return Mailbox(tmp_path, bell)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_messages_are_whole_numbered_and_rung_for(
    mailbox: Mailbox, tmp_path: Path, bell: Bell
) -> None:
    assert mailbox.drop("receipt", b"one", awaited=True)
    assert mailbox.drop("countersign", b"two", awaited=False)
    assert names(tmp_path) == ["countersign.00000002.msg", "receipt.00000001.msg"]
    assert (tmp_path / "receipt.00000001.msg").read_bytes() == b"one"
    assert bell.rung == 2


def test_a_new_life_counts_on_from_what_lies_there(tmp_path: Path, bell: Bell) -> None:
    for name in ("receipt.00000041.msg", "keyset.x.msg", "odd.msg", "link"):
        (tmp_path / name).write_bytes(b"")
    Mailbox(tmp_path, bell).drop("keyset", b"new", awaited=False)
    assert "keyset.00000042.msg" in names(tmp_path)


def test_P8_what_nobody_asked_for_may_use_half_and_never_more(
    mailbox: Mailbox, tmp_path: Path
) -> None:
    dropped = [mailbox.drop("receipt", b"x", awaited=False) for _ in range(MOST_FILES)]
    assert sum(dropped) == MOST_FILES // 2
    dropped = [mailbox.drop("receipt", b"x", awaited=True) for _ in range(MOST_FILES)]
    assert sum(dropped) == MOST_FILES // 2
    assert len(names(tmp_path)) == MOST_FILES
    next(tmp_path.iterdir()).unlink()
    assert mailbox.drop("receipt", b"x", awaited=True)


def test_P8_bytes_are_capped_too(mailbox: Mailbox, tmp_path: Path) -> None:
    assert not mailbox.drop("receipt", bytes(LARGEST + 1), awaited=True)
    while mailbox.drop("receipt", bytes(LARGEST), awaited=True):
        pass
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= MOST_BYTES


def test_the_link_state_is_one_file_written_and_rung_for_only_when_it_changes(
    mailbox: Mailbox, tmp_path: Path, bell: Bell
) -> None:
    for _ in range(3):
        mailbox.tell(online=True, sent=[b"b" * 32, b"a" * 32])
    assert bell.rung == 1
    told = cbor.decode((tmp_path / "link").read_bytes(), limit=9999, what="link")
    assert told == {"online": True, "sent": [b"a" * 32, b"b" * 32]}
    mailbox.tell(online=False, sent=[])
    assert bell.rung == 2
    mailbox.tell(online=True, sent=[n.to_bytes(32, "big") for n in range(2000)])
    raw = (tmp_path / "link").read_bytes()
    told = cbor.decode(raw, limit=65536, what="link")
    assert isinstance(told, dict)
    assert len(told["sent"]) == MOST_SENT


def test_a_mailbox_that_cannot_be_written_loses_messages_and_nothing_else(
    tmp_path: Path, bell: Bell
) -> None:
    gone = Mailbox(tmp_path / "gone", bell)
    assert not gone.drop("receipt", b"x", awaited=True)
    gone.tell(online=True, sent=[])
    (tmp_path / "gone").mkdir()
    gone.tell(online=True, sent=[])  # not written before, so written now
    assert names(tmp_path / "gone") == ["link"]
    assert bell.rung == 1


def test_a_full_tmpfs_is_survived(bell: Bell) -> None:
    """/dev/full cannot be a folder; a name too long fails at the same place in the same way."""
    mailbox = Mailbox(Path("/dev/full"), bell)
    assert not mailbox.drop("receipt", b"x", awaited=True)
    mailbox.tell(online=True, sent=[])
    assert bell.rung == 0
