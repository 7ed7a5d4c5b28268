"""``wardseal share``: what goes out is allowed, logged, and opens with its six words."""

import hashlib
import io
import json
from pathlib import Path

import pikepdf
import pytest

from tests.cli.program import wardseal
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from tests.gateway.lesson import teach


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path).open()


@pytest.fixture
def device(hospital: Hospital) -> Device:
    return hospital.enrol()


@pytest.fixture
def photo(hospital: Hospital, device: Device) -> Photo:
    """A photo in the record."""
    taken = device.photo()
    assert hospital.receive(device, taken).status == "FILED"
    return taken


def words(hospital: Hospital, photo: Photo, out: Path, *more: str) -> list[str]:
    return [
        *("share", photo.hex, "--to", "Dr Osei, Hill Clinic", "--reason", "second opinion"),
        *("--by", "J. Doe", "--config", str(hospital.config_file), "-o", str(out), *more),
    ]


def shares(hospital: Hospital) -> list[tuple[str, ...]]:
    rows = hospital.rows("select photo, recipient, reason, by, form, digest from shares")
    return [tuple(row) for row in rows]


def test_a_pdf_for_a_named_person_opens_with_its_words(
    hospital: Hospital, photo: Photo, tmp_path: Path
) -> None:
    hospital.close()
    out = tmp_path / "shared.pdf"
    done = wardseal(*words(hospital, photo, out))
    assert done.returncode == 0, done.stderr
    phrase = done.stdout.splitlines()[2].strip()
    assert len(phrase.split()) == 6 and "shown once" in done.stdout
    with pikepdf.open(io.BytesIO(out.read_bytes()), password=phrase) as document:
        assert len(document.pages) >= 1
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(out.read_bytes()))
    assert out.stat().st_mode & 0o077 == 0
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    logged = (photo.hex, "Dr Osei, Hill Clinic", "second opinion", "J. Doe", "pdf", digest)
    assert shares(hospital) == [logged]
    assert phrase not in (hospital.state / "gateway.db").read_bytes().decode("latin-1")


def test_a_web_page_is_made_as_well(hospital: Hospital, photo: Photo, tmp_path: Path) -> None:
    hospital.close()
    out = tmp_path / "shared.html"
    assert wardseal(*words(hospital, photo, out, "--form", "html")).returncode == 0
    page = out.read_text()
    sealed = json.loads(page.partition('id="sealed">')[2].partition("</script>")[0])
    assert sealed["rounds"] >= 600_000
    assert "ward3-bed12" not in page, "what stands beside the picture is sealed, too"


def test_after_an_objection_nothing_goes_out(
    hospital: Hospital, device: Device, photo: Photo, tmp_path: Path
) -> None:
    device.undo(photo)
    hospital.sync(device, device.batch())
    undone = "select 1 from photos where state = 'undone'"
    hospital.until(lambda: hospital.rows(undone), 10, "the undo")
    hospital.close()
    out = tmp_path / "shared.pdf"
    refused = wardseal(*words(hospital, photo, out))
    assert refused.returncode != 0
    assert "this photo must not be shared: the patient objected" in refused.stderr
    assert not out.exists() and shares(hospital) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--to": " "}, "a recipient must be named"),
        ({"--reason": " "}, "a reason is needed"),
        ({"--by": " "}, "a person must be named"),
    ],
)
def test_who_to_whom_and_why_are_needed(
    hospital: Hospital, photo: Photo, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    hospital.close()
    out = tmp_path / "shared.pdf"
    given = words(hospital, photo, out)
    for option, value in change.items():
        given[given.index(option) + 1] = value
    refused = wardseal(*given)
    assert refused.returncode != 0 and said in refused.stderr
    assert not out.exists() and shares(hospital) == []


def test_a_photo_that_is_not_there_and_a_file_that_is(
    hospital: Hospital, photo: Photo, tmp_path: Path
) -> None:
    hospital.close()
    out = tmp_path / "shared.pdf"
    given = words(hospital, photo, out)
    given[1] = "0" * 64
    assert "there is no such photo" in wardseal(*given).stderr
    out.write_text("mine")
    assert "exists already" in wardseal(*words(hospital, photo, out)).stderr
    assert out.read_text() == "mine"


def test_a_teaching_copy_needs_its_level_a_look_and_four_answers(
    hospital: Hospital, device: Device, photo: Photo, tmp_path: Path
) -> None:
    taught = teach(hospital, device)
    hospital.close()
    out, look = tmp_path / "lesson.jpg", tmp_path / "look.jpg"
    usual = ("--teaching", "--form", "jpg", "--black", "8,8,16,16")
    assert (
        "consent was given for care"
        in wardseal(*words(hospital, photo, look, *usual, "--look")).stderr
    )
    assert "looked at first" in wardseal(*words(hospital, taught, out, *usual)).stderr
    seen = wardseal(*words(hospital, taught, look, *usual, "--look"))
    digest = seen.stdout.strip()
    assert digest == hashlib.sha256(look.read_bytes()).hexdigest(), seen.stderr
    give = words(hospital, taught, out, *usual, "--looked-at", digest)
    refused = wardseal(*give, stdin="none\nnone\na tattoo\n")
    assert "tattoo was not confirmed" in refused.stderr and shares(hospital) == []
    done = wardseal(*give, stdin="none\n" * 4)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == look.read_bytes() and len(shares(hospital)) == 1
