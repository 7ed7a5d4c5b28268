"""What the console writes to its log when something is wrong: no person and no photo (P9)."""

from collections.abc import Callable
from pathlib import Path

from tests.console.programs import program, token_for
from tests.console.reception import Console


def test_P9_a_fault_of_the_database_puts_no_patient_into_the_log(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with Console(tmp_path, free_port()) as console:
        api = program(console, token_for(console, "his", "nurse"))
        pages = console.sign_in("nurse")
        console.hospital.change("alter table viewings rename to gone")
        assert pages.get("/patients/4711").status_code == 503
        assert "GET /patients/{number}: " in _said(console)
        assert api.get("/patients/4711").status_code == 503
        assert "GET /patients/{number}: " in _said(console)
        console.hospital.change("alter table api_tokens rename to no_tokens")
        assert api.get("/patients/4711%0AERROR forged").status_code == 503
        assert "looking a token up: " in _said(console)
        console.send_home()


def test_P9_what_nobody_foresaw_is_said_on_a_page_and_names_no_patient_in_the_log(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with Console(tmp_path, free_port()) as console:
        pages = console.sign_in("nurse")
        console.hospital.change(
            "insert into worklist (kind, device, subject, why, opened_ms, ward, bed, note)"
            " values ('of 4711', 'd', 's', '', 0, '', '', '')"
        )
        answer = pages.get("/worklist")
        assert answer.status_code == 500
        assert "The console cannot do this now" in answer.text and "Areas" in answer.text
        assert "content-security-policy" in answer.headers
        said = _said(console, "ValueError")
        assert "GET /worklist: ValueError" in said
        assert "worklist_desk.py" in _said(console, "enum.py")
        console.send_home()


def _said(console: Console, about: str = "database") -> str:
    """The log's next line about the database, or something else, and what came before it."""
    assert console.process.stderr is not None
    lines = ""
    for line in console.process.stderr:
        lines += line.decode()
        if about in lines:
            break
    assert "4711" not in lines and "forged" not in lines
    return lines
