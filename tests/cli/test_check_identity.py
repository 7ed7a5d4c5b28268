"""The doctor at identity and database: what would hold every photo is said before one comes."""

from pathlib import Path

import pytest

from cli import check_gateway
from cli.findings import State
from gateway import config as configuration
from tests.gateway.hospital import Hospital

BEDS = "device,ward,room,bed,shown,since\n"
LIST = "patient,family,given,born,sex,codes,encounter,ward,room,bed,from,to\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    return Hospital(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize(
    ("identity", "beds", "expected"),
    [
        (None, "", ("identity", State.OK, "filed without a patient")),
        ({}, f"{BEDS}dev-1,W3,,12,B,\n", ("identity", State.BROKEN, "no source of patients")),
        ({"csv": "list.csv"}, BEDS, ("beds", State.BROKEN, "every photo would be HELD")),
        ({"csv": "list.csv"}, "x", ("beds", State.BROKEN, "the first line must be")),
        ({"csv": "none.csv"}, BEDS, ("patients", State.BROKEN, "identity.csv")),
        ({"csv": "list.csv"}, BEDS, ("patients", State.OK, "0 stays")),
        (
            {"csv": "list.csv", "bed_alone": "file", "risk_owner": "Dr. Osei"},
            BEDS,
            ("bed alone", State.OFF, "Dr. Osei answers"),
        ),
    ],
)
def test_what_would_hold_every_photo_is_said(
    site: Hospital,
    identity: dict[str, str] | None,
    beds: str,
    expected: tuple[str, State, str],
) -> None:
    name, state, says = expected
    folder = site.site.gateway
    (folder / "beds.csv").unlink(missing_ok=True)
    if beds:
        (folder / "beds.csv").write_text(beds)
    (folder / "list.csv").write_text(LIST)
    tables = {} if identity is None else {"identity": {"authority": "MRN", **identity}}
    site.write_config({"broker": {"host": "127.0.0.1", "port": 1}, **tables})
    found = check_gateway.look(configuration.load(site.config_file), {})
    (finding,) = (each for each in found if each.name == name)
    assert (finding.state, says in finding.says) == (state, True), finding


def test_a_database_that_does_not_answer_is_said_without_a_password(
    site: Hospital, tmp_path: Path
) -> None:
    site.write_config({"store": {"url": f"postgresql://u@/db?host={tmp_path}"}})
    found = check_gateway.look(configuration.load(site.config_file), {})
    (finding,) = (each for each in found if each.name == "database")
    assert finding.state is State.BROKEN
    assert finding.says.startswith("store.url: ")
