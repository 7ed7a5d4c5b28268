"""The doctor names each record system by its name, and what is wrong by its setting."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import check_gateway
from cli.findings import State
from gateway import config as configuration
from neighbours.fhir import FhirServer
from tests.gateway.filing.hl7_peer import Receiver


@pytest.fixture
def server() -> Iterator[FhirServer]:
    started = FhirServer().wait()
    yield started
    started.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def found(folder: Path, text: str) -> dict[str, tuple[State, str]]:
    file = folder / "gateway.toml"
    file.write_text(f'[broker]\nhost = "127.0.0.1"\n{text}')
    config = configuration.load(file)
    return {one.name: (one.state, one.says) for one in check_gateway.look(config, {})}


def test_what_answers_is_said(tmp_path: Path, server: FhirServer, receiver: Receiver) -> None:
    said = found(
        tmp_path,
        f'[[fhir]]\nurl = "{server.url}"\n[[hl7]]\nhost = "127.0.0.1"\nport = {receiver.port}\n',
    )
    assert (said["fhir"], said["hl7"]) == ((State.OK, "answers"), (State.OK, "answers"))
    assert receiver.messages == []


def test_P10_what_is_wrong_is_said_by_name_and_setting(
    tmp_path: Path, free_port: Callable[[], int], server: FhirServer
) -> None:
    nobody = free_port()
    said = found(
        tmp_path,
        f"""
[[fhir]]
url = "http://127.0.0.1:{nobody}"

[[fhir]]
name = "not-fhir"
url = "{server.root}/elsewhere"

[[fhir]]
name = "smart"
url = "{server.url}"
client_id = "wardseal"
client_key = "client.pem"
token_url = "http://127.0.0.1:{nobody}/token"

[[dicom]]
url = "https://pacs.example"
ca = "ca.crt"

[[hl7]]
host = "127.0.0.1"
port = {nobody}
""",
    )
    assert {said[name][0] for name in ("fhir", "not-fhir", "smart", "dicom", "hl7")} == {
        State.BROKEN
    }
    assert "fhir cannot be reached" in said["fhir"][1]
    assert "not-fhir" in said["not-fhir"][1]
    assert said["smart"][1].startswith("smart.client_key: cannot read")
    assert said["dicom"][1].startswith("dicom.ca: ")
    assert "holds no usable certificate" in said["dicom"][1]
    assert "hl7 cannot be reached: Connection refused" in said["hl7"][1]
