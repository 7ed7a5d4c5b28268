"""What a person at a terminal sees, and what nobody sees when the output goes elsewhere."""

import io
from pathlib import Path

import pytest

from base.errors import FormatError
from cli.outcome import UsageError
from cli.terminal import moment, plain, progress, read_file, readable
from tests.cli.paperwork import save


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_tells_a_terminal_how_far_it_is_and_leaves_no_trace() -> None:
    seen = Terminal()
    assert list(progress("abc", 3, "letters", stream=seen, every_seconds=0)) == ["a", "b", "c"]
    assert seen.getvalue() == ("\rletters: 0 of 3 \rletters: 1 of 3 \rletters: 2 of 3 \r\033[K")


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["quick", "no terminal"])
def test_quick_work_and_a_log_file_are_spared(stream: io.StringIO) -> None:
    every = 60.0 if stream.isatty() else 0.0
    assert list(progress("abc", 3, "letters", stream=stream, every_seconds=every))
    assert stream.getvalue() == ""


def test_only_what_can_be_printed_is_printed() -> None:
    assert plain("Grüße, 傷") == "Grüße, 傷"
    assert plain("a\x1b[0m\u202eb\n\udcff") == "a\\x1b[0m\\u202eb\\n\\udcff"


def test_times_are_told_in_utc_and_impossible_ones_as_they_are() -> None:
    assert moment(0) == "1970-01-01 00:00:00Z"
    assert moment(1_800_014_400_999) == "2027-01-15 12:00:00Z"
    assert moment(2**53) == f"{2**53} ms"


def test_bytes_are_shown_as_digits_wherever_they_are() -> None:
    assert readable({"a": [b"\x01", {1: (b"\xff", None)}]}) == {"a": ["01", {"1": ["ff", None]}]}


def test_P10_a_file_that_is_too_long_or_not_there_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, "file", b"12345")
    assert read_file(path, limit=5, what="a ledger") == b"12345"
    with pytest.raises(FormatError, match=r"file is too long: a ledger has at most 4 bytes"):
        read_file(path, limit=4, what="a ledger")
    with pytest.raises(UsageError, match=r"cannot read a ledger .*/none: No such file"):
        read_file(tmp_path / "none", limit=4, what="a ledger")
