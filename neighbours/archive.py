"""An archive for pictures: Orthanc with its DICOMweb plugin, in a network namespace of its own.

It listens on every address whatever it is told, so it gets a network with nothing on it but its
own loopback, and is reached through a Unix socket by a port on ours.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from base.errors import EnvironmentProblem
from base.lifeline import ASKED, tied
from neighbours.starting import fetch, last_words, wait_until

PORT = 8042
PLUGINS = "/usr/share/orthanc/plugins"
_PROGRAMS = ("Orthanc", "socat", "unshare", "ip")


class Orthanc:
    """A fresh, empty archive in ``folder``, started; ``wait`` before use.

    ``port`` is where it is reached.
    """

    def __init__(self, folder: Path, port: int) -> None:
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if missing or not (Path(PLUGINS) / "libOrthancDicomWeb.so").exists():
            raise EnvironmentProblem(
                f"the archive needs Orthanc ({', '.join(missing) or 'its DICOMweb plugin'} not"
                " found): run ./demo --full or ./test --setup, which install it, or"
                " apt-get install orthanc orthanc-dicomweb socat iproute2"
            )
        folder.mkdir(parents=True)
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
        within = ["socat", f"UNIX-LISTEN:{bell},fork", f"TCP:127.0.0.1:{PORT}"]
        inside = (
            "ip link set lo up;"
            f" {shlex.join([*ASKED, *within])} & exec Orthanc {shlex.quote(str(config))}"
        )
        # Tied within its namespace: entering one makes the kernel forget what was asked before.
        isolated = ["unshare", "--map-root-user", "--net", *tied(["sh", "-c", inside])]
        outside = ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"]
        self._log_file = folder / "log"
        self._log = self._log_file.open("wb")
        self._processes = [
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
            for argv in (isolated, tied([*outside, f"UNIX-CONNECT:{bell}"]))
        ]
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/dicom-web"

    def wait(self) -> Self:
        """Return when it answers."""
        wait_until(self._answers, "the archive (Orthanc)", self._log_file)
        return self

    def _answers(self) -> bool:
        if self._processes[0].poll() is not None:
            raise EnvironmentProblem(
                f"the archive (Orthanc) did not start; {last_words(self._log_file)}. It runs in a"
                " network namespace of its own, which this machine has to allow (unshare --net)"
            )
        with contextlib.suppress(httpx2.HTTPError):
            return self._get("/system").is_success
        return False

    def close(self) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        self._log.close()
        self._short.cleanup()

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
        for patient in self._get("/patients").json():
            httpx2.delete(f"{self.root}/patients/{patient}", trust_env=False)

    def delete(self, uid: str) -> None:
        """Forget one instance."""
        httpx2.delete(f"{self.root}/instances/{self._own_id(uid)}", trust_env=False)

    def instances(self, modality: str) -> list[dict[str, Any]]:
        """QIDO-RS, as a viewer asks: the instances of one modality, as DICOM JSON."""
        answer = self._get(f"/dicom-web/instances?Modality={modality}&includefield=all")
        found: list[dict[str, Any]] = answer.json()
        return found

    def frame(self, path: str) -> bytes:
        """WADO-RS, as a viewer asks: the picture itself."""
        wanted = 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50'
        return self._get(f"/dicom-web/{path}/frames/1", wanted).content

    def file(self, uid: str) -> bytes:
        """The whole DICOM file of an instance."""
        return self._get(f"/instances/{self._own_id(uid)}/file").content

    def picture_url(self, uid: str) -> str:
        """Where a browser sees the picture of an instance."""
        return f"{self.root}/instances/{self._own_id(uid)}/preview"

    def _own_id(self, uid: str) -> str:
        for found in self._get("/instances?expand").json():
            if found["MainDicomTags"]["SOPInstanceUID"] == uid:
                return str(found["ID"])
        raise LookupError(f"it has no {uid}")

    def _get(self, path: str, accept: str = "application/json") -> httpx2.Response:
        return fetch(f"{self.root}{path}", accept)
