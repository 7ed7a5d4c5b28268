"""Which record systems FILED waits for, and what is loaded for them."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway import config as configuration
from gateway.filing.sinks import Sinks
from tests.gateway.hospital import Hospital

URL = "http://127.0.0.1:1/dicom-web"


@pytest.mark.parametrize(
    ("settings", "waited_for", "later"),
    [
        ({}, ["folder"], ["folder-report"]),
        ({"[dicom]": {"url": URL}}, ["folder"], ["dicom", "folder-report"]),
        # It gets the report before FILED, and so does the folder: it is not set a second time.
        ({"[dicom]": {"url": URL, "required": True}}, ["folder", "dicom", "folder-report"], []),
        (
            {"[dicom]": {"url": URL, "required": True, "report": False}},
            ["folder", "dicom"],
            ["folder-report"],
        ),
    ],
    ids=["folder", "dicom later", "dicom waited for", "dicom without the report"],
)
def test_the_report_comes_later_unless_filed_waits_for_it_anyway(
    tmp_path: Path, settings: dict[str, dict[str, Any]], waited_for: list[str], later: list[str]
) -> None:
    hospital = Hospital(tmp_path, settings={"filing": {"report": "later"}, **settings})
    config = configuration.load(hospital.config_file)
    with ExitStack() as stack:
        sinks = Sinks.open(config, stack, clock=lambda: 0, sealed=lambda _: tmp_path)
        assert [sink.name for sink in sinks.required] == waited_for
        assert [sink.name for sink in sinks.later] == later


def test_a_gateway_loads_what_its_site_has() -> None:
    """Memory: DICOM's library, object stores' and PostgreSQL's are most of what there is."""
    heavy = ("pydicom", "numpy", "opendal", "psycopg", "typst")
    look = f"import sys, gateway.__main__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
