"""The folder sink keeps the contract of gateway.filing.base."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from base.errors import ConfigError
from gateway.filing.base import FilingError, Sink
from gateway.filing.folder import Folder
from gateway.filing.record import Assignment, Encounter, Patient, Record, Site
from tests.gateway.filing import photos
from tests.gateway.filing.photos import AT_MS, PHOTO, filed_of


def record(**changes: Any) -> Record:
    """One of nobody, whose picture is some hundred kilobytes long."""
    jpeg = b"\xff\xd8 a picture \xff\xd9" * 5000
    return photos.record(**{"jpeg": jpeg, "assignment": Assignment(), **changes})


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "record")
    yield made
    made.close()


def test_filing_twice_is_filing_once(folder: Folder, tmp_path: Path) -> None:
    sink: Sink = folder
    one = sink.file(record())
    before = everything(tmp_path)
    assert sink.file(record()) == one == f"2023-11-14/{PHOTO}.jpg"
    assert everything(tmp_path) == before
    assert set(before) == {f"record/2023-11-14/{PHOTO}{end}" for end in (".jpg", ".json")}


def test_what_was_staged_is_filed_and_what_was_not_wanted_leaves_nothing(
    folder: Folder, tmp_path: Path
) -> None:
    wanted, unwanted = record(), record(photo="cd" * 32)
    for one in (wanted, unwanted):
        folder.stage(one.photo, one.jpeg)
    assert not list((tmp_path / "record").glob("*/*.jpg"))
    folder.file(wanted)
    for one in (wanted, unwanted):
        folder.unstage(one.photo)
    assert len(everything(tmp_path)) == 2
    folder.read_back(wanted, f"2023-11-14/{PHOTO}.jpg")


def test_what_a_crash_left_staged_goes_with_the_photos_next_turn(
    folder: Folder, tmp_path: Path
) -> None:
    filed, undone = record(), record(photo="cd" * 32)
    folder.file(filed)
    for one in (filed, undone):
        folder.stage(one.photo, one.jpeg)
    folder.close()
    assert len(everything(tmp_path)) == 4
    after = Folder(tmp_path / "record")
    after.file(filed)
    after.undo(filed_of(undone), AT_MS)
    after.close()
    assert len(everything(tmp_path)) == 2


def test_P5_an_undo_after_half_a_record_leaves_none(folder: Folder, tmp_path: Path) -> None:
    page = (tmp_path / "record" / folder.file(record())).with_suffix(".json")
    page.unlink()
    folder.undo(filed_of(record()), AT_MS)
    assert everything(tmp_path) == {}


def test_a_half_written_record_of_a_crash_is_made_whole(folder: Folder, tmp_path: Path) -> None:
    path = tmp_path / "record" / "2023-11-14" / f"{PHOTO}.jpg"
    path.parent.mkdir()
    path.write_bytes(b"half")
    reference = folder.file(record())
    folder.read_back(record(), reference)
    assert path.read_bytes() == bytes(record().jpeg)


def cut_short(path: Path) -> None:
    os.truncate(path, 100)


def one_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def removed(path: Path) -> None:
    path.unlink()


def no_page(path: Path) -> None:
    path.with_suffix(".json").unlink()


def anothers_page(path: Path) -> None:
    path.with_suffix(".json").write_text('{"photo": "00"}')


@pytest.mark.parametrize("damage", [cut_short, one_bit, removed, no_page, anothers_page])
def test_P5_reading_back_finds_a_record_that_is_not_what_was_filed(
    folder: Folder, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    reference = folder.file(record())
    folder.read_back(record(), reference)
    damage(tmp_path / "record" / reference)
    with pytest.raises(FilingError, match=r"gives back something else|does not give it back"):
        folder.read_back(record(), reference)


def test_an_objection_is_written_once_and_never_taken_back(folder: Folder, tmp_path: Path) -> None:
    reference = folder.file(record())
    page = (tmp_path / "record" / reference).with_suffix(".json")
    folder.undo(filed_of(record(), reference), AT_MS)
    folder.undo(filed_of(record()), AT_MS + 5000)
    folder.file(record())
    found = json.loads(page.read_bytes())
    assert (found["status"], found["objection"]) == (
        "objection recorded",
        "2023-11-14T22:13:20.000+00:00",
    )


def test_an_objection_to_what_was_never_filed_does_nothing(folder: Folder, tmp_path: Path) -> None:
    folder.undo(filed_of(record()), AT_MS)
    assert everything(tmp_path) == {}


def test_an_objection_that_cannot_be_noted_is_an_error(folder: Folder, tmp_path: Path) -> None:
    reference = folder.file(record())
    (tmp_path / "record").rename(tmp_path / "elsewhere")
    for known in (reference, None):
        with pytest.raises(FilingError, match="cannot note the objection"):
            folder.undo(filed_of(record(), known), AT_MS)


def test_a_folder_that_is_gone_or_full_is_an_error_in_words(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "record").rename(tmp_path / "elsewhere")
    with pytest.raises(FilingError, match="did not take it: No such file or directory"):
        folder.file(record())


def test_injection_what_a_device_writes_into_its_fields_stays_text(
    folder: Folder, tmp_path: Path
) -> None:
    evil = '"}</script><script>alert(1)</script>\n../../etc/passwd\0'
    one = record(bed=evil, quality={evil: b"\xff", "n": 1}, label={evil: [evil, {"x": b"\0"}]})
    page = (tmp_path / "record" / folder.file(one)).with_suffix(".json")
    found = json.loads(page.read_bytes())
    assert found["bed"] == evil
    assert found["quality"] == {evil: "ff", "n": 1}
    assert found["label"] == {evil: [evil, {"x": "00"}]}
    assert len(everything(tmp_path)) == 2


@pytest.mark.parametrize(
    ("captured_ms", "clock", "day"),
    [
        (0, "synced", "1970-01-01"),
        (AT_MS, "none", "undated"),
        (2**53, "synced", "undated"),
        (253402300799000, "floor", "9999-12-31"),
    ],
)
def test_the_day_is_the_day_of_capture_or_none(
    folder: Folder, captured_ms: int, clock: str, day: str
) -> None:
    assert folder.file(record(captured_ms=captured_ms, clock=clock)) == f"{day}/{PHOTO}.jpg"


def test_a_patient_is_named_by_number_and_only_inside_the_page(
    folder: Folder, tmp_path: Path
) -> None:
    whose = Assignment(
        patient=Patient("4711", "urn:oid:1.2.3", family="Muster", given="Erika", born="1950-01-02"),
        encounter=Encounter("V-99"),
        site=Site("76853006", "Heel", "left"),
        how="wristband; the bed agrees",
    )
    reference = folder.file(record(assignment=whose))
    page = (tmp_path / "record" / reference).with_suffix(".json").read_text()
    found = json.loads(page)
    assert found["patient"] == {"number": "4711", "authority": "urn:oid:1.2.3"}
    assert found["encounter"] == {"number": "V-99", "authority": ""}
    assert found["site"] == {"code": "76853006", "display": "Heel", "side": "left"}
    assert found["identity"] == "wristband; the bed agrees"
    assert "Muster" not in page and "4711" not in reference


def test_a_moved_photo_is_in_error_where_it_was_and_once_where_it_belongs(
    folder: Folder, tmp_path: Path
) -> None:
    wrong = record(assignment=Assignment(1, Patient("A")))
    right = record(assignment=Assignment(2, Patient("B")))
    first, second = folder.file(wrong), folder.file(right)
    assert (first, second) == (f"2023-11-14/{PHOTO}.jpg", f"2023-11-14/{PHOTO}-2.jpg")
    for known in (first, None):
        folder.correct(filed_of(wrong, known), AT_MS)
    folder.undo(filed_of(wrong, first), AT_MS + 1)
    assert folder.file(wrong) == first
    day = tmp_path / "record" / "2023-11-14"
    old, new = (json.loads((day / f"{PHOTO}{n}.json").read_bytes()) for n in ("", "-2"))
    assert (old["status"], new["status"]) == ("entered in error", "filed")
    assert [path.name for path in day.glob("*.jpg")] == [f"{PHOTO}-2.jpg"]
    folder.read_back(right, second)
    with pytest.raises(FilingError, match="gives back something else"):
        folder.read_back(wrong, first)


def test_what_a_crash_left_staged_is_removed_when_it_is_old(tmp_path: Path) -> None:
    staging = tmp_path / "record" / ".arriving"
    staging.mkdir(parents=True)
    old, young = staging / PHOTO, staging / ("cd" * 32)
    for path in (old, young):
        path.write_bytes(b"half a picture")
    os.utime(old, (0, 0))
    Folder(tmp_path / "record").close()
    assert list(staging.iterdir()) == [young]


def test_a_folder_that_cannot_be_one_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("a file")
    with pytest.raises(ConfigError, match=r"filing\.folder.*cannot be a folder"):
        Folder(tmp_path / "record")
