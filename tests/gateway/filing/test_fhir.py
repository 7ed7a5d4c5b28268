"""The FHIR sink against a real, strict server: one transaction, found again, read back."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import fhirpathpy
import httpx2
import pytest
from fhir.resources.R4B import get_fhir_model_class
from joserfc.jwk import ECKey, RSAKey

from base.errors import ConfigError
from gateway.filing.base import FilingError, Sink
from gateway.filing.fhir import Fhir, codes
from gateway.filing.fhir.resources import transaction
from gateway.filing.record import Assignment, Record
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain
from gateway.report.making import Style
from neighbours.fhir import FhirServer
from tests.gateway.filing.faulty import FAULTS, FaultyLine
from tests.gateway.filing.photos import (
    AT_MS,
    HOSTILE,
    OTHER,
    PATIENT,
    PHOTO,
    WHOSE,
    filed_of,
    hostile,
    picture,
    record,
)

KINDS = ("Binary", "Consent", "DocumentReference", "Media", "Device", "Provenance", "AuditEvent")


@pytest.fixture(scope="module")
def started() -> Iterator[FhirServer]:
    server = FhirServer().wait()
    yield server
    server.close()


@pytest.fixture
def server(started: FhirServer) -> FhirServer:
    """A server that has nothing."""
    started.clear()
    return started


@pytest.fixture
def opened() -> Iterator[Callable[..., Fhir]]:
    made: list[Fhir] = []

    def make(url: str, **settings: Any) -> Fhir:
        settings = {"report": False, "timeout_seconds": 10} | settings
        made.append(Fhir(FhirSettings(url=url, **settings), Style(), lambda: AT_MS))
        return made[-1]

    yield make
    for one in made:
        one.close()


def file(sink: Sink, one: Record) -> str:
    """As the cabinet does."""
    reference = sink.file(one)
    sink.read_back(one, reference)
    return reference


def test_a_photo_becomes_one_set_of_resources_and_reads_back(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink: Sink = opened(server.url, report=True, organization="St Example")
    reference = file(sink, record())
    page = server.one("DocumentReference")
    assert reference == f"DocumentReference/{page['id']}"
    assert page["status"] == "current"
    assert page["type"]["coding"][0]["code"] == "72170-4"
    assert page["subject"]["identifier"] == {"system": "urn:oid:1.2.3", "value": "4711"}
    assert page["context"]["encounter"][0]["identifier"]["value"] == "V-99"
    staff, device = page["author"]
    assert staff["identifier"] == {"system": "urn:wardseal:badge", "value": "N-20931"}
    assert device["reference"] == f"Device/{server.one('Device')['id']}"
    jpeg, pdf = (content["attachment"] for content in page["content"])
    assert server.content(jpeg) == picture()
    assert picture() in server.content(pdf)
    consent = server.one("Consent")
    assert page["context"]["related"] == [{"reference": f"Consent/{consent['id']}"}]
    assert consent["provision"] == {"type": "permit", "purpose": [codes.PURPOSES["care"]]}
    assert consent["performer"] == [consent["patient"]]
    assert not {"policyRule", "verification"} & set(consent)
    assert not {"code", "class", "action"} & set(consent["provision"])
    assert consent["policy"][0]["uri"].startswith("urn:wardseal:wording:W1:en:")
    assert consent["sourceReference"]["identifier"]["value"] == "c0" * 32
    provenance = server.one("Provenance")
    whole = "ni:///sha-256;" + base64.urlsafe_b64encode(
        hashlib.sha256(picture()).digest()
    ).decode().rstrip("=")
    entries = [one["what"]["identifier"]["value"] for one in provenance["entity"]]
    assert entries == ["c0" * 32, "c1" * 32, "c2" * 32, whole]
    assert server.one("AuditEvent")["meta"]["profile"] == [codes.BALP_PATIENT_CREATE]


@pytest.mark.parametrize("photo_as", ["DocumentReference", "Media"])
def test_P5_filing_twice_is_filing_once(
    server: FhirServer, opened: Callable[..., Fhir], photo_as: str
) -> None:
    sink = opened(server.url, photo_as=photo_as, report=True)
    one = file(sink, record())
    before = {kind: server.all(kind) for kind in KINDS}
    assert file(sink, record()) == one
    assert file(opened(server.url, photo_as=photo_as, report=True), record()) == one
    assert {kind: server.all(kind) for kind in KINDS} == before


def test_the_server_has_each_device_once(server: FhirServer, opened: Callable[..., Fhir]) -> None:
    sink = opened(server.url)
    for number in range(3):
        file(sink, record(photo=f"{number:064x}"))
    file(opened(server.url), record(photo="ee" * 32))
    assert server.one("Device")["serialNumber"] == "ward3-bed12"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_P5_a_server_that_fails_in_the_middle_has_it_once_in_the_end(
    server: FhirServer, opened: Callable[..., Fhir], method: str, fault: str
) -> None:
    line = FaultyLine("127.0.0.1", server.port)
    try:
        sink = opened(f"http://127.0.0.1:{line.port}/fhir", timeout_seconds=3)
        line.fail(method, fault)
        if fault != "twice":
            with pytest.raises(FilingError, match=r"answered|in time|cannot be reached|no JSON"):
                file(sink, record())
        file(opened(server.url), record())
        assert server.one("DocumentReference")["status"] == "current"
        assert len(server.all("Consent")) == 1
    finally:
        line.close()


def test_a_connection_that_ends_just_as_it_is_used_again_costs_no_photo_its_way(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    line = FaultyLine("127.0.0.1", server.port)
    try:
        sink = opened(f"http://127.0.0.1:{line.port}/fhir")
        line.fail("GET", "hang up")
        file(sink, record())
        # What changes something is asked for once: whoever called knows whether to ask again.
        line.fail("POST", "hang up")
        with pytest.raises(FilingError, match="cannot be reached"):
            file(sink, record(photo="cd" * 32))
        assert line.seen.count(("POST", "/fhir")) == 2
    finally:
        line.close()


def test_P5_what_a_server_made_twice_is_current_once(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink = opened(server.url)
    reference = file(sink, record())
    twin = dict(server.one("DocumentReference"))
    twin.pop("id"), twin.pop("meta")
    httpx2.post(
        f"{server.url}/DocumentReference",
        content=json.dumps(twin).encode(),
        headers={"content-type": "application/fhir+json"},
    ).raise_for_status()
    assert file(sink, record()) == reference
    stands = {one["id"]: one["status"] for one in server.all("DocumentReference")}
    assert sorted(stands.values()) == ["current", "entered-in-error"]
    assert stands[reference.split("/")[1]] == "current"


def test_P5_a_slow_server_is_waited_for(server: FhirServer, opened: Callable[..., Fhir]) -> None:
    line = FaultyLine("127.0.0.1", server.port)
    line.seconds = 0.2
    try:
        file(opened(f"http://127.0.0.1:{line.port}/fhir"), record())
    finally:
        line.close()
    assert server.one("DocumentReference")


def another_picture(server: FhirServer) -> None:
    found = server.all("Binary")[0]
    server.put({**found, "data": base64.b64encode(picture(32, 32)).decode()})


def another_patient(server: FhirServer) -> None:
    found = server.one("DocumentReference")
    server.put({**found, "subject": {"reference": "Patient/another"}})


def taken_back(server: FhirServer) -> None:
    server.put({**server.one("DocumentReference"), "status": "entered-in-error"})


def elsewhere(server: FhirServer) -> None:
    found = server.one("DocumentReference")
    found["content"][0]["attachment"]["url"] = "http://127.0.0.1:9/Binary/x"
    server.put(found)


def upwards(server: FhirServer) -> None:
    found = server.one("DocumentReference")
    found["content"][0]["attachment"]["url"] = "Binary/../../requests"
    server.put(found)


@pytest.mark.parametrize("lie", [another_picture, another_patient, taken_back, elsewhere, upwards])
def test_P5_a_record_system_that_lies_is_found_out(
    server: FhirServer, opened: Callable[..., Fhir], lie: Callable[[FhirServer], None]
) -> None:
    sink = opened(server.url)
    reference = file(sink, record())
    lie(server)
    with pytest.raises(FilingError, match=r"gives back|not in a Binary of this server"):
        sink.read_back(record(), reference)


# -- consent, objection, another patient ----------------------------------------------------------


def labels_of(found: dict[str, Any]) -> list[str]:
    """The codes of a photo's security labels: on a Media they are in ``meta``."""
    if found["resourceType"] == "Media":
        labels = found["meta"]["security"]
    else:
        labels = [coding for one in found["securityLabel"] for coding in one["coding"]]
    assert {label["system"] for label in labels} == {codes.RESTRICTED["system"]}
    return [label["code"] for label in labels]


def consents_for(one: Record) -> list[str]:
    bundle = transaction(one, None, "Device/1", FhirSettings(url="https://h.example"), AT_MS)
    made = [entry["resource"] for entry in bundle["entry"]]
    return [
        found["provision"]["purpose"][0]["code"]
        for found in made
        if found["resourceType"] == "Consent"
    ]


@pytest.mark.parametrize(
    ("level", "basis", "purposes"),
    [
        ("care", "agreed", ["TREAT"]),
        ("teaching", "agreed", ["TREAT", "TRAIN"]),
        ("care", "proxy", ["TREAT"]),
        ("care", "emergency", []),
        ("care", "no-capacity", []),
    ],
)
def test_best_interests_are_no_granted_consent(level: str, basis: str, purposes: list[str]) -> None:
    assert consents_for(record(level=level, basis=basis)) == purposes
    assert consents_for(record(level=level, basis=basis, assignment=Assignment())) == []


@pytest.mark.parametrize("photo_as", ["DocumentReference", "Media"])
def test_an_objection_denies_every_consent_and_stays_readable(
    server: FhirServer, opened: Callable[..., Fhir], photo_as: str
) -> None:
    sink, one = opened(server.url, photo_as=photo_as), record(level="teaching")
    reference = file(sink, one)
    assert labels_of(server.one(photo_as)) == ["R"]
    for known in (reference, None):
        sink.undo(filed_of(one, known), AT_MS)
    said = [(c["status"], c["provision"]["type"]) for c in server.all("Consent")]
    assert sorted(said) == [("active", "deny")] * 2 + [("inactive", "permit")] * 2
    found = server.one(photo_as)
    check_resource(found)
    assert labels_of(found) == ["R", "V"]
    if photo_as == "Media":
        assert found["status"] == "completed"
        assert [note["text"] for note in found["note"]] == [
            "objection recorded 2023-11-14T22:13:20.000+00:00"
        ]
    else:
        assert found["status"] == "current"
        assert found["description"].endswith("objection recorded 2023-11-14T22:13:20.000+00:00")
    sink.read_back(one, reference)


def test_an_objection_to_what_was_never_filed_does_nothing(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink = opened(server.url)
    sink.undo(filed_of(record()), AT_MS)
    sink.correct(filed_of(record()), AT_MS)
    assert all(server.all(kind) == [] for kind in KINDS)


def test_a_moved_photo_is_entered_in_error_at_a_and_exactly_once_at_b(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink = opened(server.url, report=True)
    at_a, at_b = record(), record(assignment=OTHER)
    first, second = file(sink, at_a), file(sink, at_b)
    assert first != second
    for known in (first, None):
        sink.correct(filed_of(at_a, known), AT_MS)
    stands = {
        found["subject"]["identifier"]["value"]: found["status"]
        for found in server.all("DocumentReference")
    }
    assert stands == {"4711": "entered-in-error", "9001": "current"}
    assert [
        (found["patient"]["identifier"]["value"], found["status"])
        for found in server.all("Consent")
    ] == [("4711", "entered-in-error"), ("9001", "active")]
    assert file(sink, at_b) == second
    with pytest.raises(FilingError, match="something else"):
        sink.read_back(at_a, first)


# -- validity -------------------------------------------------------------------------------------

VARIANTS = {
    "with everything": record(level="teaching"),
    "nobody": record(assignment=Assignment(), badge=None),
    "a patient the server knows": record(
        assignment=replace(WHOSE, patient=replace(PATIENT, fhir="Patient/p1"))
    ),
    "no clock": record(clock="none"),
    "a representative": record(basis="proxy"),
    "an emergency": record(basis="emergency"),
    "a year no calendar knows": record(captured_ms=2**53),
    **{f"hostile {n}": hostile(evil) for n, evil in enumerate(HOSTILE)},
}
# A constraint of R4 each, as FHIRPath: what must hold of every resource of the type.
CONSTRAINTS = {
    "Consent": [
        "policy.exists() or policyRule.exists()",  # ppc-1
        "patient.exists()",  # ppc-2
        "provision.type.exists()",
    ],
    "DocumentReference": ["content.exists()", "content.attachment.url.exists()"],
    "Media": ["content.exists()", "meta.security.where(code = 'R').exists()"],
    "Provenance": ["target.exists()", "agent.who.exists()", "recorded.exists()"],
    "AuditEvent": ["agent.where(requestor = true).count() = 1", "entity.exists()"],
}


@pytest.mark.parametrize("photo_as", ["DocumentReference", "Media"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_resource_is_valid_and_its_codes_are_of_our_table(
    variant: str, photo_as: Literal["DocumentReference", "Media"]
) -> None:
    settings = FhirSettings(url="https://h.example/r4", photo_as=photo_as, organization="St Ex")
    bundle = transaction(VARIANTS[variant], b"%PDF-", None, settings, AT_MS)
    get_fhir_model_class("Bundle").model_validate(bundle)
    for entry in bundle["entry"]:
        check_resource(entry["resource"])


def check_resource(resource: dict[str, Any]) -> None:
    """R4's structure, its constraints, and the codes of our own table."""
    known = {
        (value["system"], value["code"]): value["display"]
        for value in [*vars(codes).values(), *codes.PURPOSES.values(), *codes.SIDES.values()]
        if isinstance(value, dict) and "code" in value
    }
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    for path in CONSTRAINTS.get(resource["resourceType"], []):
        assert fhirpathpy.evaluate(resource, path, {}) == [True], path
    for coding in codings(resource):
        if coding["system"] == codes.SNOMED and coding["code"] == "76853006":
            continue  # a body site comes from outside
        assert known[coding["system"], coding["code"]] == coding["display"]


def codings(value: Any) -> Iterator[dict[str, str]]:
    """Everything in a resource that is a Coding."""
    if isinstance(value, dict):
        if {"system", "code"} <= set(value) and "value" not in value:
            yield value
        for inner in value.values():
            yield from codings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from codings(inner)


@pytest.mark.parametrize("evil", HOSTILE)
def test_injection_what_others_wrote_stays_text_in_the_record(
    server: FhirServer, opened: Callable[..., Fhir], evil: str
) -> None:
    sink = opened(server.url)
    file(sink, hostile(evil))
    page = server.one("DocumentReference")
    assert page["description"].startswith(f"Clinical photograph, bed {plain(evil)}")
    assert page["identifier"] == [{"system": "urn:wardseal:photo", "value": PHOTO}]
    urls = [one["attachment"]["url"] for one in page["content"]]
    assert all(url.startswith("Binary/") for url in urls)
    sink.undo(filed_of(hostile(evil)), AT_MS)
    assert "objection recorded" in server.one("DocumentReference")["description"]
    sink.correct(filed_of(hostile(evil)), AT_MS)
    assert server.one("DocumentReference")["status"] == "entered-in-error"


def test_a_device_cannot_write_an_objection_that_keeps_the_real_one_out(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink, one = opened(server.url), record(bed="objection recorded")
    file(sink, one)
    sink.undo(filed_of(one), AT_MS)
    page = server.one("DocumentReference")
    assert codes.concept(codes.VERY_RESTRICTED) in page["securityLabel"]


# -- who we are -----------------------------------------------------------------------------------


def keys_of(tmp_path: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    key = ECKey.generate_key("P-384") if kind == "ES384" else RSAKey.generate_key(2048)
    path = tmp_path / "client.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.as_pem(private=True))
    public = key.as_dict(private=False)
    return path, {**public, "kid": "k1", "alg": kind}


@pytest.mark.parametrize("kind", ["ES384", "RS384"])
def test_smart_backend_services(
    tmp_path: Path, opened: Callable[..., Fhir], free_port: Callable[[], int], kind: str
) -> None:
    path, public = keys_of(tmp_path, kind)
    port = free_port()
    token_url = f"http://127.0.0.1:{port}/token"
    server = FhirServer(
        port=port, audience=token_url, client={"id": "wardseal", "jwk": public}
    ).wait()
    smart = {"client_id": "wardseal", "token_url": token_url, "key_id": "k1"}
    try:
        sink = opened(server.url, client_key=path, **smart)
        reference = file(sink, record())
        httpx2.get(f"{server.root}/expire", trust_env=False)
        # The server forgot the token: it is fetched anew, once, and nothing is lost.
        sink.read_back(record(), reference)
        (tmp_path / "other").mkdir()
        stranger, _ = keys_of(tmp_path / "other", kind)
        with pytest.raises(FilingError, match=r"fhir\.token_url gives no token"):
            opened(server.url, client_key=stranger, **smart).file(record(photo="cd" * 32))
    finally:
        server.close()


def test_a_static_token_is_read_anew_and_a_wrong_one_is_said(
    tmp_path: Path, opened: Callable[..., Fhir]
) -> None:
    server = FhirServer(token="open-sesame").wait()
    token = tmp_path / "token"
    token.write_text("wrong\n")
    try:
        sink = opened(server.url, token=token)
        with pytest.raises(FilingError, match="fhir answered GET with 401"):
            file(sink, record())
        token.write_text("open-sesame\n")
        file(sink, record())
        token.write_text("two\nlines")
        with pytest.raises(FilingError, match=r"fhir\.token: .* holds no token"):
            file(sink, record())
    finally:
        server.close()


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"url": "http://fhir.example"}, "url"),
        ({"url": "ftp://127.0.0.1"}, "url"),
        ({"url": "https://u:p@fhir.example"}, "url"),
        ({"url": "https://fhir.example?x=1"}, "url"),
        ({"url": "https://["}, "url"),
        ({"url": "https://h", "client_id": "x"}, "client_id"),
        ({"url": "https://h", "key": Path("k")}, "certificate"),
        ({"url": "https://h", "timeout_seconds": 0}, "timeout_seconds"),
        ({"url": "https://h", "namespace": "urn:a|b"}, "namespace"),
        ({"url": "https://h", "name": "../x"}, "name"),
    ],
)
def test_P10_a_wrong_setting_is_named(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FhirSettings(**settings)
    assert caught.value.setting == setting


@pytest.mark.parametrize("photo_as", ["DocumentReference", "Media"])
def test_a_photo_whose_site_was_said_later_supersedes_itself(
    server: FhirServer, opened: Callable[..., Fhir], photo_as: str
) -> None:
    sink = opened(server.url, photo_as=photo_as)
    before = record(assignment=replace(WHOSE, site=None))
    after = record(assignment=replace(WHOSE, number=2, note="grade 2"))
    reference = file(sink, before)
    file(sink, after)
    for _ in range(2):
        sink.correct(replace(filed_of(before, reference), replaced=True), AT_MS)
    said = {
        one["identifier"][0]["value"]: one["status"]
        for kind in (photo_as, "Consent")
        for one in server.all(kind)
    }
    past, now = {"Media": ("entered-in-error", "completed")}.get(
        photo_as, ("superseded", "current")
    )
    assert said == {
        PHOTO: past,
        f"{PHOTO}.care": "inactive",
        f"{PHOTO}-2": now,
        f"{PHOTO}-2.care": "active",
    }
    (fresh,) = (one for one in server.all(photo_as) if one["status"] == now)
    if photo_as == "Media":
        assert fresh["bodySite"]["text"] == "left Heel structure"
        assert fresh["note"] == [{"text": "grade 2"}]
    else:
        assert "left Heel structure" in fresh["description"]
        assert fresh["description"].endswith("grade 2")
    # Should it turn out that it was another patient's, all of it is in error.
    sink.correct(filed_of(before, reference), AT_MS)
    assert {one["status"] for one in server.all("Consent")} == {"entered-in-error", "active"}


# -- provenance of what was changed ---------------------------------------------------------------


def test_a_move_says_who_moved_it_and_why_on_both_sides(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink = opened(server.url)
    moved = replace(
        OTHER, by="Ama Osei (a.osei)", second="Ben Ruiz (b.ruiz)", reason="the other bed"
    )
    at_a, at_b = record(), record(assignment=moved)
    first, second = file(sink, at_a), file(sink, at_b)
    for _ in range(2):
        sink.correct(replace(filed_of(at_a, first), next=moved), AT_MS)
    found = {
        (one["target"][0]["reference"], one["activity"]["coding"][0]["code"]): one
        for one in server.all("Provenance")
    }
    assert set(found) == {(first, "CREATE"), (second, "CREATE"), (first, "NULLIFY")}
    nullified, anew = found[first, "NULLIFY"], found[second, "CREATE"]
    for one in (nullified, anew):
        who = {
            agent["type"]["coding"][0]["code"]: agent["who"]
            for agent in one["agent"]
            if agent["who"].get("display", "").partition(" ")[0] in ("Ama", "Ben")
        }
        assert who["performer"]["identifier"]["value"] == "a.osei"
        assert who["verifier"]["identifier"]["value"] == "b.ruiz"
        assert one["reason"] == [{"text": "the other bed"}]
    (now,) = nullified["entity"]
    assert now["what"]["identifier"]["value"] == f"{PHOTO}-2"
    assert anew["entity"][-1]["what"]["identifier"]["value"] == PHOTO
    consent = server.all("Consent")[0]
    assert {"reference": f"Consent/{consent['id']}"} in nullified["target"]


def test_an_objection_leaves_a_provenance_once(
    server: FhirServer, opened: Callable[..., Fhir]
) -> None:
    sink = opened(server.url)
    reference = file(sink, record())
    for _ in range(2):
        sink.undo(filed_of(record(), reference), AT_MS)
    (said,) = (
        one for one in server.all("Provenance") if one["activity"]["coding"][0]["code"] == "UPDATE"
    )
    assert said["target"][0] == {"reference": reference}
    assert said["reason"] == [{"text": "objection recorded"}]
