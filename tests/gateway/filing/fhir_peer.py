"""The FHIR server of the tests: Medplum's router and repository in a process of its own."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).parent / "fhir_server"


class FhirServer:
    """A fresh, empty server. ``options`` are those of server.mjs."""

    def __init__(self, **options: Any) -> None:
        assert (FOLDER / "node_modules").is_dir(), "its npm packages are missing: ./test --setup"
        self._process = subprocess.Popen(
            ["node", "server.mjs", json.dumps(options)],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        assert said[:1] == ["listening"], said
        self.port = int(said[1])
        scheme = "https" if "tls" in options else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/fhir"
        self.root = f"{scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def clear(self) -> None:
        """Forget everything stored."""
        httpx2.get(f"{self.root}/clear", trust_env=False).raise_for_status()

    # -- what a clinician's software would see ----------------------------------------------------

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every resource of a type."""
        answer = httpx2.get(f"{self.url}/{kind}", params={"_count": "1000"}, trust_env=False)
        bundle = answer.raise_for_status().json()
        return [entry["resource"] for entry in bundle.get("entry", [])]

    def one(self, kind: str) -> dict[str, Any]:
        (only,) = self.all(kind)
        return only

    def put(self, resource: dict[str, Any]) -> None:
        path = f"{resource['resourceType']}/{resource['id']}"
        httpx2.put(
            f"{self.url}/{path}",
            content=json.dumps(resource).encode(),
            headers={"content-type": "application/fhir+json"},
            trust_env=False,
        ).raise_for_status()

    def content(self, attachment: dict[str, Any]) -> bytes:
        found = httpx2.get(
            f"{self.url}/{attachment['url']}",
            headers={"accept": "application/fhir+json"},
            trust_env=False,
        ).raise_for_status()
        return base64.b64decode(found.json()["data"])
