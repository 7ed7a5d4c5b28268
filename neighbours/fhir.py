"""A FHIR R4 server: Medplum's router and repository in a process of its own, strict."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from base.errors import EnvironmentProblem
from base.lifeline import tied
from neighbours.starting import fetch

FOLDER = Path(__file__).parent / "fhir_server"
_JSON = "application/fhir+json"


class FhirServer:
    """A fresh, empty server, started; ``wait`` before use. ``options`` are those of server.mjs."""

    def __init__(self, **options: Any) -> None:
        if shutil.which("node") is None or not (FOLDER / "node_modules" / "made-from").exists():
            raise EnvironmentProblem(
                "the FHIR server needs node and its packages from npm: run ./demo --full or"
                " ./test --setup, which install them (Debian's nodejs and npm, then npm ci)"
            )
        self._scheme = "https" if "tls" in options else "http"
        self.port = 0
        self._process = subprocess.Popen(
            tied(["node", "server.mjs", json.dumps(options)]),
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> Self:
        """Return when it answers."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        if said[:1] != ["listening"]:
            raise EnvironmentProblem("the FHIR server did not start; its own words are above")
        self.port = int(said[1])
        return self

    @property
    def root(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base of FHIR."""
        return f"{self.root}/fhir"

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def clear(self) -> None:
        """Forget everything stored."""
        fetch(f"{self.root}/clear").raise_for_status()

    # -- what a clinician's software would see ----------------------------------------------------

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every resource of a type."""
        return self.search(f"{kind}?_count=1000")

    def search(self, query: str) -> list[dict[str, Any]]:
        """What a search such as ``Patient?identifier=1`` finds."""
        bundle = fetch(f"{self.url}/{query}", _JSON).raise_for_status().json()
        return [entry["resource"] for entry in bundle.get("entry", [])]

    def one(self, kind: str) -> dict[str, Any]:
        (only,) = self.all(kind)
        return only

    def put(self, resource: dict[str, Any]) -> None:
        path = f"{resource['resourceType']}/{resource['id']}"
        httpx2.put(
            f"{self.url}/{path}",
            content=json.dumps(resource).encode(),
            headers={"content-type": _JSON},
            trust_env=False,
        ).raise_for_status()

    def content(self, attachment: dict[str, Any]) -> bytes:
        """What an attachment points to."""
        found = fetch(f"{self.url}/{attachment['url']}", _JSON).raise_for_status()
        return base64.b64decode(found.json()["data"])
