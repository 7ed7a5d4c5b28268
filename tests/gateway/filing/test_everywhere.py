"""A photo filed to A and moved to B, in every record system at once: entered in error everywhere
at A, exactly once at B; with one of them down during the move, and the gateway killed within it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from base.lifeline import tied
from base.memory import ALLOCATOR_ENV
from gateway.audit.tables import Viewing
from gateway.cases import Cases
from gateway.database import engine_for
from gateway.reviews import Reviews
from gateway.sharing.shares import ShareRow
from gateway.store import Store
from neighbours.archive import Orthanc
from neighbours.fhir import FhirServer
from neighbours.object_store import ACCESS_KEY, REGION, SECRET_KEY, ObjectStore
from tests.gateway.bedside import Photo
from tests.gateway.filing.faulty import FaultyLine
from tests.gateway.filing.hl7_peer import Receiver
from tests.gateway.hospital import Hospital
from tests.gateway.ward import SHOWN, furnish
from tests.waiting import until
from wire.envelope import Private
from wire.messages import Status

ROOT = Path(__file__).parents[3]
BUCKET = "photos"
A, B = "4711", "815"


@dataclass
class Everything:
    """A ward with every kind of record system, all of them real."""

    ward: Hospital
    fhir: FhirServer
    archive: Orthanc
    store: ObjectStore
    receiver: Receiver
    line: FaultyLine

    def take_the_archive_away(self) -> None:
        self.line.close()

    def bring_it_back(self) -> None:
        self.line = FaultyLine("127.0.0.1", self.archive.port, here=self.line.port)

    # -- what each of them says, patient by patient -----------------------------------------------

    def in_the_folder(self, photo: Photo) -> list[tuple[str, str]]:
        pages = [json.loads(p.read_bytes()) for p in self.ward.record.glob(f"*/{photo.hex}*.json")]
        return sorted((page["patient"]["number"], page["status"]) for page in pages)

    def at_fhir(self) -> list[tuple[str, str]]:
        return sorted(
            (page["subject"]["identifier"]["value"], page["status"])
            for page in self.fhir.all("DocumentReference")
        )

    def requests(self) -> list[tuple[str, str, str]]:
        """By patient: how each request for review stands, and of which photo it is."""
        return sorted(
            (
                one["subject"]["identifier"]["value"],
                one["status"],
                one["supportingInfo"][0]["identifier"]["value"],
            )
            for one in self.fhir.all("ServiceRequest")
        )

    def in_the_archive(self) -> list[tuple[str, str]]:
        """Images, and rejection notes, by patient."""
        found = [
            (one["00100020"]["Value"][0], kind)
            for kind in ("XC", "KO")
            for one in self.archive.instances(kind)
        ]
        return sorted(found)

    def in_the_store(self) -> list[tuple[str, str]]:
        client = boto3.client(
            "s3",
            endpoint_url=self.store.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        names = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
        pages = [
            json.loads(client.get_object(Bucket=BUCKET, Key=name)["Body"].read())
            for name in names
            if name.endswith(".json")
        ]
        client.close()
        return sorted((page["patient"]["number"], page["status"]) for page in pages)

    def told_by_hl7(self) -> dict[tuple[str, str], set[str]]:
        """By event and patient: the control ids; the same message sent again has the same one."""
        found: dict[tuple[str, str], set[str]] = {}
        for message in self.receiver.messages:
            event = str(message["MSH.F9.R1.C2"])
            patient = str(message["PID.F3.R1.C1"])
            found.setdefault((event, patient), set()).add(str(message["MSH.F10"]))
        return found


@pytest.fixture
def everything(tmp_path: Path, _keys: Path, free_port: Callable[[], int]) -> Iterator[Everything]:
    with ExitStack() as stack:
        fhir = stack.enter_context(FhirServer()).wait()
        archive = stack.enter_context(Orthanc(tmp_path / "archive", free_port())).wait()
        store = stack.enter_context(ObjectStore(tmp_path / "moto.log", free_port())).wait()
        store.make_bucket(BUCKET)
        receiver = Receiver()
        stack.callback(receiver.close)
        line = FaultyLine("127.0.0.1", archive.port)
        secrets = tmp_path / "secrets.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET_KEY}"\n')
        shutil.copytree(_keys, tmp_path / "ward" / "site")
        ward = Hospital(tmp_path / "ward")
        systems: dict[str, dict[str, Any]] = {
            "[fhir]": {"url": fhir.url},
            "[dicom]": {"url": f"http://127.0.0.1:{line.port}/dicom-web"},
            "[hl7]": {"host": "127.0.0.1", "port": receiver.port},
            "[storage]": {
                "service": "s3",
                "content": "opened",
                "bucket": BUCKET,
                "endpoint": store.endpoint,
                "region": REGION,
                "regions": [REGION],
                "secrets": str(secrets),
            },
        }
        furnish(ward, **systems)
        ward.open()
        made = Everything(ward, fhir, archive, store, receiver, line)
        yield made
        ward.close()
        made.line.close()


def stands(ward: Hospital, photo: Photo) -> Counter[tuple[int, str, str]]:
    """How far each record system is, by assignment: wanted and so."""
    rows = ward.rows("select assignment, wanted, stand from filings where photo = :p", p=photo.hex)
    return Counter((row.assignment, row.wanted, row.stand) for row in rows)


def settled(ward: Hospital, photo: Photo) -> bool:
    ward.change("update filings set due_ms = 1 where due_ms > 0")
    return all(wanted == stand for _, wanted, stand in stands(ward, photo))


def killed_within(everything: Everything, point: str) -> None:
    """Run the gateway as a process that dies there, as by kill -9."""
    file = str(everything.ward.config_file)
    command = [sys.executable, "-m", "tests.gateway.crashing", point, "--config", file]
    log = everything.ward.folder / "killed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            tied(command),
            cwd=ROOT,
            env={**os.environ, **ALLOCATOR_ENV},
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: process.poll() is not None, 60, "the gateway's death")
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, log.read_text()


def test_P5_a_moved_photo_is_in_error_everywhere_at_a_and_exactly_once_at_b(
    everything: Everything,
) -> None:
    ward = everything.ward
    device = ward.enrol()
    photo = device.photo(private=Private(bed=SHOWN, quality={}, band=A))
    assert ward.receive(device, photo).status == Status.FILED
    ward.until(lambda: settled(ward, photo), 40, "A's photo everywhere")
    store = Store(engine_for("", ward.state / "gateway.db"))
    now = time.time_ns() // 1_000_000
    with store.begin() as session:
        session.add(Viewing(at_ms=now, login="a.osei", name="Ama", what="photo", subject=photo.hex))
        session.add(
            ShareRow(
                photo=photo.hex,
                recipient="Dr. Meyer",
                reason="second opinion",
                by="B. Ruiz",
                form="pdf",
                digest="00" * 32,
                at_ms=now,
                patient=A,
            )
        )
    reviews = Reviews(store=store, clock=lambda: time.time_ns() // 1_000_000)
    reviews.ask(photo.hex, owner="Vera (v.lind)", question="is it infected?", by="Jo (jo)")
    ward.until(lambda: everything.requests() == [(A, "active", photo.hex)], 40, "the request")
    ward.close()

    # Two people decide while no gateway runs; the archive is away; the gateway then dies just
    # after the FHIR server has put A's photo in error, before it could write that down.
    everything.take_the_archive_away()
    cases = Cases(store=store, clock=lambda: time.time_ns() // 1_000_000)
    move = cases.ask_to_move(
        photo.hex, patient=B, encounter="E-2", by="Ama (a.osei)", reason="the other bed"
    )
    cases.decide(move.id, confirm=True, second="Ben (b.ruiz)")
    killed_within(everything, "gateway.filing.fhir.sink:Fhir.correct:after:1")
    assert ("4711", "entered-in-error") in everything.at_fhir()
    assert everything.in_the_archive() == [(A, "XC")]

    everything.bring_it_back()
    ward.open()
    ward.until(lambda: settled(ward, photo), 60, "the move everywhere")
    assert stands(ward, photo) == {
        (1, "entered in error", "entered in error"): 5,
        (2, "filed", "filed"): 5,
    }
    assert everything.in_the_folder(photo) == [(A, "entered in error"), (B, "filed")]
    assert everything.at_fhir() == [(A, "entered-in-error"), (B, "current")]
    assert everything.in_the_archive() == [(A, "KO"), (A, "XC"), (B, "XC")]
    assert everything.in_the_store() == [(A, "entered in error"), (B, "filed")]
    requested = [(A, "entered-in-error", photo.hex), (B, "active", f"{photo.hex}-2")]
    ward.until(lambda: everything.requests() == requested, 40, "the request at B")
    told = everything.told_by_hl7()
    assert set(told) == {("T02", A), ("T11", A), ("T02", B)}
    assert all(len(ids) == 1 for ids in told.values())

    # Nothing that A's consent allowed is left, what left the house is to be destroyed, and whoever
    # looked before the move has looked at A.
    consents = everything.fhir.all("Consent")
    assert sorted((c["patient"]["identifier"]["value"], c["status"]) for c in consents) == [
        (A, "entered-in-error"),
        (B, "active"),
    ]
    nullified = [
        one
        for one in everything.fhir.all("Provenance")
        if one["activity"]["coding"][0]["code"] == "NULLIFY"
    ]
    assert len(nullified) == 1
    ((ended, why),) = ward.rows("select revoked_ms, revoked_why from shares")
    assert ended is not None
    assert why
    ward.until(lambda: looked_at(everything.fhir), 20, "the audit")
    assert looked_at(everything.fhir) == [A]
    store.close()


def looked_at(server: FhirServer) -> list[str]:
    """The patients whose photos somebody looked at, says the FHIR server."""
    return [
        event["entity"][0]["what"]["identifier"]["value"]
        for event in server.all("AuditEvent")
        if event["action"] == "R" and event["type"]["code"] == "rest"
    ]
