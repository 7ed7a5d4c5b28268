"""Puts identity together as the settings say."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.beds import Beds
from gateway.filing.cabinet import Assigned
from gateway.identity import census
from gateway.identity.adt import Adt
from gateway.identity.csv_feed import CsvFile
from gateway.identity.decision import Rules
from gateway.identity.feed import Feed
from gateway.identity.fhir_feed import FhirSource
from gateway.identity.identify import ByBand, Identity, Nobody, Source, assigned
from gateway.identity.mllp import AdtLine, LineFiles
from gateway.identity.settings import AdtSettings, IdentitySettings
from gateway.store import Store
from gateway.worklist_desk import Occupied, unknown


@dataclass(frozen=True)
class Opened:
    """What the gateway's parts need of identity; ``line`` is the ADT line, if there is one."""

    identity: Identity
    assigned: Assigned
    occupied: Occupied
    line: AdtLine | None = None


def open_identity(
    settings: IdentitySettings | str,
    stack: ExitStack,
    *,
    beds: Beds,
    store: Store,
    clock: Callable[[], int],
) -> Opened:
    """Make what the settings name; ``stack`` closes it. Raises ConfigError."""
    if not isinstance(settings, IdentitySettings):
        return Opened(Nobody(beds), assigned, unknown)
    sources: list[Source] = []
    if settings.csv is not None:
        source = CsvFile(settings.csv, authority=settings.authority, store=store, clock=clock)
        source.check()
        sources.append(source)
    if settings.fhir is not None:
        asked = FhirSource(
            settings.fhir,
            authorities=(settings.authority, *settings.band_authorities),
            store=store,
            clock=clock,
        )
        stack.callback(asked.close)
        sources.append(asked)
    line = None
    if settings.adt is not None:
        line = _line(settings, settings.adt, Feed(store=store, clock=clock))
        stack.callback(line.stop)
        line.start()
    identity = ByBand(
        beds=beds,
        pattern=re.compile(settings.band_pattern),
        rules=Rules(bed_alone=settings.risk_owner),
        clock=clock,
        sources=tuple(sources),
    )
    return Opened(identity, assigned, census.occupant, line)


def _line(settings: IdentitySettings, adt: AdtSettings, feed: Feed) -> AdtLine:
    reader = Adt(settings.authority, ZoneInfo(settings.zone), settings.band_authorities)
    files = None
    if adt.certificate is not None and adt.key is not None and adt.ca is not None:
        files = LineFiles(adt.certificate, adt.key, adt.ca)
    return AdtLine(
        host=adt.host, port=adt.port, reader=reader, feed=feed, tls=files, encoding=adt.encoding
    )
