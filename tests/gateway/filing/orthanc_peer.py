"""Orthanc with its DICOMweb plugin, in a network namespace of its own.

It listens on every address whatever it is told, so it gets a network with nothing on it but its
own loopback, and is reached through a Unix socket by a port on ours.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import httpx2

from tests.waiting import until

PORT = 8042
PLUGINS = "/usr/share/orthanc/plugins"


class Orthanc:
    """A fresh, empty archive in ``folder``; ``port`` is where it is reached."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        config = folder / "orthanc.json"
        config.write_text(
            json.dumps(
                {
                    "StorageDirectory": str(folder / "db"),
                    "IndexDirectory": str(folder / "db"),
                    "HttpPort": PORT,
                    "DicomServerEnabled": False,
                    "AuthenticationEnabled": False,
                    "RemoteAccessAllowed": False,
                    "Plugins": [PLUGINS],
                    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                }
            )
        )
        # A Unix socket's path holds 107 bytes; a test's folder is too deep.
        self._short = tempfile.TemporaryDirectory(prefix="ws-")
        bell = Path(self._short.name) / "orthanc"
        inside = (
            "ip link set lo up;"
            f" socat UNIX-LISTEN:{bell},fork TCP:127.0.0.1:{PORT} & exec Orthanc {config}"
        )
        self._log = (folder / "log").open("wb")
        run: dict[str, Any] = {
            "stdout": self._log,
            "stderr": self._log,
            "start_new_session": True,
        }
        self._processes = [
            subprocess.Popen(["unshare", "--map-root-user", "--net", "sh", "-c", inside], **run),
            subprocess.Popen(
                [
                    "socat",
                    f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr",
                    f"UNIX-CONNECT:{bell}",
                ],
                **run,
            ),
        ]
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/dicom-web"
        until(self._answers, 60, "Orthanc")

    def _answers(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return self._get("/system").is_success
        return False

    def close(self) -> None:
        for process in self._processes:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        self._log.close()
        self._short.cleanup()

    def clear(self) -> None:
        """Forget everything stored."""
        for patient in self._get("/patients").json():
            httpx2.delete(f"{self.root}/patients/{patient}", trust_env=False)

    def delete(self, uid: str) -> None:
        """Forget one instance."""
        for found in self._get("/instances?expand").json():
            if found["MainDicomTags"]["SOPInstanceUID"] == uid:
                httpx2.delete(f"{self.root}/instances/{found['ID']}", trust_env=False)

    def instances(self, modality: str) -> list[dict[str, Any]]:
        """QIDO-RS, as a viewer asks: the instances of one modality, as DICOM JSON."""
        answer = self._get(f"/dicom-web/instances?Modality={modality}&includefield=all")
        found: list[dict[str, Any]] = answer.json()
        return found

    def frame(self, path: str) -> bytes:
        """WADO-RS, as a viewer asks: the picture itself."""
        wanted = 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50'
        answer = self._get(f"/dicom-web/{path}/frames/1", wanted)
        return answer.content

    def file(self, uid: str) -> bytes:
        """The whole DICOM file of an instance."""
        for found in self._get("/instances?expand").json():
            if found["MainDicomTags"]["SOPInstanceUID"] == uid:
                return self._get(f"/instances/{found['ID']}/file").content
        raise AssertionError(f"it has no {uid}")

    def _get(self, path: str, accept: str = "application/json") -> httpx2.Response:
        return httpx2.get(f"{self.root}{path}", headers={"accept": accept}, trust_env=False)
