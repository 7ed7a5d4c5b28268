"""The rest of a virtual hospital: its patients, and the record systems that photos are filed into.

What ``./demo --full`` starts besides: an archive, a FHIR server and an object store (the real
ones of ``neighbours``, on loopback), and the ADT that tells the gateway who lies where. The
gateway waits for all three before it signs FILED.
"""

import hashlib
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import httpx2

from appliance.simulator.bands import BAND, OTHER_BAND
from base.durable import write_atomic
from base.errors import EnvironmentProblem, WardsealError
from cli.virtual_site import Tables, VirtualSite, wait_for

if TYPE_CHECKING:
    from neighbours.adt import Admission

_AUTHORITY: Final = "DEMO-HOSPITAL"
_GSRN: Final = "GSRN"
_BUCKET: Final = "photos"
_UIDS: Final = ("0020000D", "0020000E", "00080018")
_STARTS_WITHIN: Final = 30.0
_IN_BED_FOR: Final = timedelta(days=1)


@dataclass(frozen=True)
class Lies:
    """Somebody who does not exist, and the bed he lies in. ``band``: the code of his wristband."""

    number: str
    family: str
    given: str
    born: str
    sex: str
    ward: str
    bed: str
    band: str = ""

    def admission(self, since: datetime) -> "Admission":
        """The ADT's words for it."""
        from neighbours.adt import Admission

        gsrn = self.band.removeprefix("(8018)")
        return Admission(
            identifiers=((self.number, _AUTHORITY), *(((gsrn, _GSRN),) if gsrn else ())),
            family=self.family,
            given=self.given,
            born=self.born,
            sex=self.sex,
            encounter=f"E-{self.number}",
            ward=self.ward,
            bed=self.bed,
            since=since,
        )


PATIENTS: Final = (
    Lies("4711", "Osei", "Ama", "19610402", "F", "W3", "12", BAND),
    Lies("4712", "Lindqvist", "Per", "19480913", "M", "W3", "11", OTHER_BAND),
    Lies("4713", "Moreau", "Claire", "19790127", "F", "W3", "14"),
    Lies("4714", "Ibarra", "Luis", "19951130", "M", "W4", "2"),
)
DEVICE_PLACE: Final = ("W3", "12", "Bed 12")
"""Ward and bed as ADT has them, and what the device itself shows."""


@dataclass(frozen=True)
class Found:
    """A photo in one system: ``url`` to look at it, ``page`` what the system says of it."""

    system: str
    url: str
    page: str
    same: bool
    """Whether it is, byte for byte, the JPEG in the folder."""


class VirtualHospital:
    """All of it; a context manager, which ends what it has started. ``admit`` needs a gateway."""

    def __init__(self, folder: Path) -> None:
        """``folder``: for logs and what the archive keeps."""
        try:
            from neighbours.archive import Orthanc
            from neighbours.fhir import FhirServer
            from neighbours.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore
        except ImportError as e:
            raise EnvironmentProblem(
                "--full needs a checkout of Wardseal: run its ./demo --full, which also installs"
                " the archive, the FHIR server and the object store"
            ) from e
        self._stack = ExitStack()
        with ExitStack() as starting:
            folder.mkdir(parents=True, exist_ok=True)
            archive = folder / "archive"
            # It remembers nothing, as the other two: what they had of an earlier run is gone.
            shutil.rmtree(archive, ignore_errors=True)
            starting.callback(shutil.rmtree, archive, ignore_errors=True)
            # All three at once: each takes a second or two.
            self._archive = starting.enter_context(Orthanc(archive, _free_port()))
            self._fhir = starting.enter_context(FhirServer())
            store = ObjectStore(folder / "object-store.log", _free_port())
            self._store = starting.enter_context(store)
            for started in (self._archive, self._fhir, self._store):
                started.wait()
            self._store.make_bucket(_BUCKET)
            self._stack = starting.pop_all()
        self._secrets = folder / "object-store.toml"
        keys = f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET_KEY}"\n'
        write_atomic(self._secrets, keys.encode())
        self._adt_port = _free_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def urls(self) -> dict[str, str]:
        """Where a person looks at each of them with a browser."""
        return {
            "orthanc": f"{self._archive.root}/app/explorer.html",
            "fhir": self._fhir.url,
            "s3": f"{self._store.endpoint}/{_BUCKET}",
        }

    @property
    def settings(self) -> Tables:
        """What the gateway's file says of them."""
        from neighbours.object_store import REGION

        return {
            "identity": {"authority": _AUTHORITY, "band_authorities": [_GSRN]},
            "identity.adt": {"port": self._adt_port},
            "[fhir]": {"url": self._fhir.url, "required": True},
            "[dicom]": {"url": self._archive.url, "required": True, "institution": "Demo hospital"},
            "[storage]": {
                "name": "s3",
                "service": "s3",
                "content": "opened",
                "required": True,
                "regions": [REGION],
                "region": REGION,
                "bucket": _BUCKET,
                "endpoint": self._store.endpoint,
                "secrets": str(self._secrets),
            },
        }

    def hang(self, site: VirtualSite) -> None:
        """Write down where the site's device hangs; before the gateway starts."""
        ward, bed, shown = DEVICE_PLACE
        row = f"device,ward,room,bed,shown,since\n{site.settings.id},{ward},,{bed},{shown},\n"
        write_atomic(site.pki.gateway / "beds.csv", row.encode())

    def admit(self) -> None:
        """Tell the gateway of every patient, over its own ADT line; return when it knows."""
        from neighbours.adt import send

        wait_for(self._listens, _STARTS_WITHIN, "the gateway to listen for ADT")
        since = datetime.now(UTC) - _IN_BED_FOR
        told = [one.admission(since).message(f"A{n}") for n, one in enumerate(PATIENTS)]
        answers = [str(answer.segment("MSA")[1]) for answer in send(self._adt_port, *told)]
        if answers != ["AA"] * len(PATIENTS):
            raise WardsealError(f"the gateway answered the ADT with {', '.join(answers)}, not AA")

    def find(self, photo: str, file: Path) -> list[Found]:
        """Look for a photo in every system, as its users would. ``file``: it, in the folder.

        Found where its content is; a system that does not have it is left out.
        """
        jpeg = file.read_bytes()
        page = file.with_suffix(".json").as_uri()
        digest = json.loads(file.with_suffix(".json").read_bytes())["picture"]["sha256"]
        here: bool = digest == hashlib.sha256(jpeg).hexdigest()
        found = [Found("folder", file.as_uri(), page, here)]
        looks: tuple[Callable[[], Iterator[Found]], ...] = (
            lambda: self._in_archive(jpeg),
            lambda: self._in_fhir(photo, jpeg),
            lambda: self._in_store(file, jpeg),
        )
        for look in looks:
            try:
                found += look()
            except (httpx2.HTTPError, LookupError) as e:
                raise WardsealError(f"a record system cannot be asked: {e}") from e
        return found

    def has_all(self, found: list[Found]) -> bool:
        """Whether the folder and every record system has the photo, unchanged and once."""
        systems = sorted(one.system for one in found)
        return systems == sorted(("folder", *self.urls)) and all(one.same for one in found)

    def _in_archive(self, jpeg: bytes) -> Iterator[Found]:
        """QIDO-RS for the photographs, WADO-RS for the pixels of each."""
        for one in self._archive.instances("XC"):
            study, series, uid = (one[tag]["Value"][0] for tag in _UIDS)
            path = f"studies/{study}/series/{series}/instances/{uid}"
            if jpeg in self._archive.frame(path):
                page = f"{self._archive.url}/{path}/metadata"
                yield Found("orthanc", self._archive.picture_url(uid), page, same=True)

    def _in_fhir(self, photo: str, jpeg: bytes) -> Iterator[Found]:
        """A search by identifier, then the Binary that the photo's attachment points to."""
        system = "urn:wardseal:photo"
        for one in self._fhir.search(f"DocumentReference?identifier={system}|{photo}"):
            attachment = one["content"][0]["attachment"]
            page = f"{self._fhir.url}/DocumentReference/{one['id']}"
            url = f"{self._fhir.url}/{attachment['url']}"
            yield Found("fhir", url, page, same=self._fhir.content(attachment) == jpeg)

    def _in_store(self, file: Path, jpeg: bytes) -> Iterator[Found]:
        key = f"{file.parent.name}/{file.name}"
        page = self._store.url(_BUCKET, f"{file.parent.name}/{file.stem}.json")
        same = self._store.get(_BUCKET, key) == jpeg
        yield Found("s3", self._store.url(_BUCKET, key), page, same)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._adt_port), timeout=1).close()
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
