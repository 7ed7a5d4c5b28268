"""The record systems that the settings name, and which of them FILED waits for.

Each is loaded only where a site has one: what DICOM alone brings with it takes 30 MiB.
"""

import zoneinfo
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config import GatewayConfig
from gateway.filing.base import Sink
from gateway.filing.folder import Folder
from gateway.filing.folder_report import FolderReport
from gateway.filing.settings import ReportSettings
from gateway.report.making import Style

if TYPE_CHECKING:
    from gateway.filing.fhir import Fhir as Auditor


@dataclass(frozen=True)
class Sinks:
    """``required``: a photo is FILED when all of these have it; ``later``: the others.

    ``auditors``: those of them that keep an audit as well.
    """

    required: tuple[Sink, ...]
    later: tuple[Sink, ...]
    auditors: tuple["Auditor", ...]

    @classmethod
    def open(
        cls,
        config: GatewayConfig,
        stack: ExitStack,
        *,
        clock: Callable[[], int],
        sealed: Callable[[str], Path],
    ) -> "Sinks":
        """Make every sink; ``stack`` closes them. Raises ConfigError.

        ``sealed(photo)`` says where the sealed copy of a photo lies.
        """
        required: list[Sink] = []
        later: list[Sink] = []
        auditors: list[Auditor] = []

        def add(sink: Sink, *, waited_for: bool) -> None:
            stack.callback(sink.close)
            (required if waited_for else later).append(sink)

        style, folder = style_of(config.report), config.filing
        add(Folder(folder.folder), waited_for=True)
        if config.fhir:
            from gateway.filing.fhir import Fhir

            for server in config.fhir:
                auditors.append(Fhir(server, style, clock))
                add(auditors[-1], waited_for=server.required)
        if config.dicom:
            from gateway.filing.dicom import Dicom

            for dicom in config.dicom:
                add(Dicom(dicom, style), waited_for=dicom.required)
        if config.hl7:
            from gateway.filing.hl7 import Hl7

            for receiver in config.hl7:
                add(Hl7(receiver, style, clock), waited_for=receiver.required)
        if config.storage:
            from gateway.filing.storage import Storage

            for store in config.storage:
                add(Storage(store, sealed), waited_for=store.required)
        if folder.report != "none":
            report = FolderReport(folder.folder, style)
            add(report, waited_for=folder.report == "required" or _is_made_anyway(config))
        return cls(tuple(required), tuple(later), tuple(auditors))


def _is_made_anyway(config: GatewayConfig) -> bool:
    """Whether FILED waits for a report: then the folder gets the same one, and at once.

    To follow later, the photo would be opened and its report set a second time.
    """
    waited_for = (
        *(one.required and one.report for one in config.fhir),
        *(one.required and one.report for one in config.dicom),
        *(one.required for one in config.hl7),
    )
    return any(waited_for)


def style_of(settings: ReportSettings) -> Style:
    """Return how the settings want reports to look."""
    zone = zoneinfo.ZoneInfo(settings.zone)
    return Style(settings.language, zone, settings.organization)
