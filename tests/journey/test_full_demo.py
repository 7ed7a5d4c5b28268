"""./demo --full: one photo, under its patient, in every record system, as anybody would look."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from appliance.simulator.bands import BAND
from cli.virtual_hospital import PATIENTS
from tests.waiting import until

DEMO = [sys.executable, "-P", "-m", "cli", "demo"]
SYSTEMS = ("orthanc", "fhir", "s3")


def got(url: str) -> bytes:
    with urlopen(Request(url, headers={"accept": "*/*"})) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def gone(url: str) -> bool:
    place = urlsplit(url)
    try:
        socket.create_connection((str(place.hostname), place.port or 0), timeout=1).close()
    except OSError:
        return True
    return False


def test_P5_P9_a_photo_is_in_every_system_under_its_patient_and_all_ends_with_a_killed_demo(
    tmp_path: Path,
) -> None:
    words = ("--full", "--once", "--json", "--hold", "600", "--state", str(tmp_path))
    with subprocess.Popen([*DEMO, *words], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        told = json.loads(demo.stdout.readline())
        try:
            (photo,) = told["photos"]
            assert photo["status"] == "FILED"
            jpeg = Path(photo["file"]).read_bytes()
            found = {one["system"]: one for one in photo["found"]}
            assert sorted(found) == sorted(("folder", *SYSTEMS))
            assert all(one["same"] for one in found.values())
            page = json.loads(Path(photo["file"]).with_suffix(".json").read_bytes())
            patient = PATIENTS[0]
            assert (page["bands"], page["patient"]["number"]) == ([BAND], patient.number)

            assert got(found["fhir"]["url"]) == got(found["s3"]["url"]) == jpeg
            document = json.loads(got(found["fhir"]["page"]))
            assert document["subject"]["identifier"]["value"] == patient.number
            (attributes,) = json.loads(got(found["orthanc"]["page"]))
            assert attributes["00100020"]["Value"] == [patient.number]
            assert got(found["orthanc"]["url"]).startswith(b"\x89PNG")
            assert json.loads(got(found["s3"]["page"]))["photo"] == photo["id"]
            assert {*SYSTEMS, "console", "front_panel"} == {*told["urls"]}
            assert b"Sign in" in got(told["urls"]["console"])

            logs = b"".join(log.read_bytes() for log in (tmp_path / "logs").iterdir())
            identity = (patient.number, patient.family, BAND.removeprefix("(8018)"))
            assert [word for word in identity if word.encode() in logs] == []
        finally:
            os.kill(demo.pid, signal.SIGKILL)
            shutil.rmtree(Path(told["tmpfs"][0]).parent)
    for url in told["urls"].values():
        until(lambda url=url: gone(url), 10, f"the end of {url}")  # type: ignore[misc]
    for pid in told["pids"].values():
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 10, "its end")  # type: ignore[misc]


def test_P10_what_is_missing_for_it_is_named_with_what_to_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--full", "--once", "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert done.returncode == 3
    assert done.stderr == (
        "wardseal: the archive needs Orthanc (Orthanc, socat, unshare, ip not found):"
        " run ./demo --full or ./test --setup, which install it, or"
        " apt-get install orthanc orthanc-dicomweb socat iproute2\n"
    )
