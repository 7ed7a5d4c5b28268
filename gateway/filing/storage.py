"""An object store or warehouse, through OpenDAL: one more place, off unless it is named.

``content = "sealed"`` keeps the photo as the device sealed it, which only the hospital's keys
open; ``"opened"`` the JPEG and what is known of it. Beside each stands a JSON that says whether
there is an objection, or whether it was entered in error. Objects are created on the condition
that there is none (S3: If-None-Match); what is there already must be the same, byte for byte.
"""

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import opendal
from opendal import exceptions, layers

from base import keyfiles
from base.errors import ConfigError
from gateway.filing.base import Filed, FilingError
from gateway.filing.folder import (
    ACTIVE,
    IN_ERROR,
    OBJECTION,
    REPLACED,
    iso,
    page_of,
    reference_of,
)
from gateway.filing.record import Record
from gateway.filing.settings import StorageSettings
from gateway.vault import REWRAP, SUFFIX

# OpenDAL's exceptions have no common ancestor of their own.
TROUBLE: Final[tuple[type[Exception], ...]] = tuple(
    found for found in vars(exceptions).values() if isinstance(found, type)
)
_SETTLED: Final = frozenset({"bucket", "container", "endpoint", "region", "root", "account_name"})


class Storage:
    """One store. ``sealed(photo)`` says where the sealed copy of a photo lies."""

    deletes = True

    def __init__(self, settings: StorageSettings, sealed: Callable[[str], Path]) -> None:
        self.name = settings.name
        self._settings = settings
        self._sealed = sealed
        self._end = SUFFIX if settings.content == "sealed" else ".jpg"
        self._store = operator(settings)
        self._conditional = self._store.capability().write_with_if_not_exists

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Nothing of it may be there before it is filed."""

    def unstage(self, photo: str) -> None:
        """Nothing was staged."""

    def probe(self) -> None:
        """Ask for an object that nobody has: with our keys, in this bucket."""
        self._read(f"{self._settings.prefix.rstrip('/')}/wardseal-check".lstrip("/"))

    def close(self) -> None:
        """There is nothing to let go of."""

    def file(self, record: Record) -> str:
        """Create both objects; the JSON comes last."""
        reference = self._reference(record)
        self._create(reference, self._content(record))
        self._create(_page(reference), _encode(self._describe(record)))
        return reference

    def _create(self, path: str, content: bytes) -> None:
        try:
            if self._conditional:
                self._store.write(path, content, if_not_exists=True)
            elif not self._store.exists(path):
                self._store.write(path, content)
        except (exceptions.ConditionNotMatch, exceptions.AlreadyExists):
            return  # read back and compared by whoever files
        except TROUBLE as e:
            raise FilingError(f"{self.name} did not take it: {kind_of(e)}") from e

    def read_back(self, record: Record, reference: str) -> None:
        """Fetch what was stored and compare every byte."""
        content, page = self._read(reference), self._read_page(reference)
        if content is None or page is None:
            raise FilingError(f"{self.name} does not give it back")
        if content != self._content(record) or page.get("photo") != record.photo:
            raise FilingError(f"{self.name} gives back something else")

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Write the objection into the JSON."""
        self._mark(filed, OBJECTION, "objection", at_ms)

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Say in the JSON that it was never this patient's, and take the photo away."""
        status, since = (REPLACED, "replaced") if filed.replaced else (IN_ERROR, "corrected")
        if self._mark(filed, status, since, at_ms):
            reference = Path(filed.reference or self._reference(filed))
            try:
                self._store.delete(str(reference))
                if self._end == SUFFIX:
                    # Whoever re-wraps meanwhile looks, when done, whether the copy is there.
                    self._store.delete(str(reference.with_suffix(REWRAP)))
            except TROUBLE as e:
                raise FilingError(f"{self.name} does not delete it: {kind_of(e)}") from e

    def _mark(self, filed: Filed, status: str, since: str, at_ms: int) -> bool:
        reference = filed.reference or self._reference(filed)
        page = self._read_page(reference)
        if page is None:
            # Half of it may be there, after a crash: then it was never in the record.
            return filed.reference is None and self._read(reference) is not None
        if page.get("status") not in (status, IN_ERROR):
            try:
                self._store.write(
                    _page(reference), _encode({**page, "status": status, since: iso(at_ms)})
                )
            except TROUBLE as e:
                raise FilingError(f"{self.name} does not note it: {kind_of(e)}") from e
        return True

    def _read(self, path: str) -> bytes | None:
        try:
            return bytes(self._store.read(path))
        except exceptions.NotFound:
            return None
        except TROUBLE as e:
            raise FilingError(f"{self.name} cannot be read: {kind_of(e)}") from e

    def _read_page(self, reference: str) -> dict[str, Any] | None:
        raw = self._read(_page(reference))
        try:
            page = None if raw is None else json.loads(raw)
        except ValueError as e:
            raise FilingError(f"{self.name} gives back something else") from e
        if page is not None and not isinstance(page, dict):
            raise FilingError(f"{self.name} gives back something else")
        return page

    def _reference(self, photo: Record | Filed) -> str:
        path = str(Path(reference_of(photo)).with_suffix(self._end))
        return f"{self._settings.prefix.rstrip('/')}/{path}".lstrip("/")

    def _content(self, record: Record) -> bytes:
        if self._settings.content == "opened":
            return bytes(record.jpeg)
        try:
            return self._sealed(record.photo).read_bytes()
        except OSError as e:
            raise FilingError(f"{self.name}: the sealed copy cannot be read: {e.strerror}") from e

    def _describe(self, record: Record) -> dict[str, object]:
        """Everything that is known, or, beside a sealed photo, nothing that it hides."""
        if self._settings.content == "opened":
            return page_of(record)
        digest = hashlib.sha256(self._content(record)).hexdigest()
        number = record.assignment.number
        return {
            "wardseal": 1,
            "photo": record.photo,
            "assignment": number,
            "status": ACTIVE,
            "sha256": digest,
        }


def operator(settings: StorageSettings) -> opendal.Operator:
    """Return OpenDAL's way to a store. Raises ConfigError."""
    try:
        made = opendal.Operator(settings.service, **_options(settings))
    except TROUBLE as e:
        raise ConfigError(f"{settings.name}.service", f"{_first_line(e)}") from e
    seconds = settings.timeout_seconds
    return made.layer(layers.TimeoutLayer(timeout=seconds, io_timeout=seconds))


def _options(settings: StorageSettings) -> dict[str, str]:
    """OpenDAL's options: what the settings say, and what is secret from a file of its own."""
    options = {"region": settings.region} if settings.service == "s3" else {}
    if settings.service == "s3":
        # Nothing is picked up from the machine's surroundings: only what the settings say.
        options |= {"disable_config_load": "true", "disable_ec2_metadata": "true"}
    bucket = {"azblob": "container", "fs": "root"}.get(settings.service, "bucket")
    if settings.bucket:
        options[bucket] = settings.bucket
    if settings.endpoint:
        options["endpoint"] = settings.endpoint
    if settings.secrets is None:
        return options
    setting = f"{settings.name}.secrets"
    try:
        secrets = tomllib.loads(keyfiles.read_secret(settings.secrets, setting).decode())
    except ValueError as e:
        raise ConfigError(setting, f"{settings.secrets} is not valid TOML") from e
    for key, value in secrets.items():
        if key in _SETTLED or not isinstance(value, str):
            raise ConfigError(setting, f"{key!r} may not stand in {settings.secrets}")
    return options | secrets


def _page(reference: str) -> str:
    return str(Path(reference).with_suffix(".json"))


def _encode(page: dict[str, object]) -> bytes:
    def other(value: object) -> str:
        return value.hex() if isinstance(value, bytes) else str(value)

    return json.dumps(page, indent=1, ensure_ascii=False, default=other).encode() + b"\n"


def kind_of(error: Exception) -> str:
    """What kind of trouble; a store's own words may hold keys and addresses."""
    return type(error).__name__


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]
