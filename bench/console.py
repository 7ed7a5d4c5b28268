"""How long the console takes over a page with a hundred thousand photos in the store.

    python -m bench.console [--photos N] [--rounds N] [--keep]

The store is filled with the rows that so many photos leave behind: signed ledger entries of
twenty devices, patients, assignments, filings, a worklist. Then the real console, a process of
its own, is asked for its pages over HTTP on loopback, by somebody who is signed in; a page's time
is from the request to the last byte, with the audit entry written on the way. Once on SQLite and
once on Debian's PostgreSQL. ``--keep`` writes the table to docs/bench.md.
"""

import argparse
import hashlib
import os
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, text

from bench import report
from gateway.database import engine_for
from gateway.identity.tables import AssignmentRow, PatientRow
from gateway.tables import Base, Filing, LedgerEntry, LedgerHead, Photo, WorkItem
from tests.console.reception import Console
from tests.gateway.bedside import Device
from tests.gateway.databases import Server
from wire import events

WARDS: Final = 20
BEDS: Final = 25
A_DAY: Final = 200
PHOTOS_OF_ONE: Final = 5
AT_ONCE: Final = 5000
DAY_MS: Final = 86_400_000
LIMIT_MS: Final = 100
STATES: Final = ("filed",) * 95 + ("held",) * 2 + ("undone",) * 2 + ("rejected",)
ITEMS: Final = ("held", "unattested", "reason", "site", "lost", "alarm")

Rows = dict[type[Base], list[dict[str, Any]]]


def rows_of(devices: list[Device], photos: int) -> Iterator[Rows]:
    """Yield the rows of so many photos, some thousands at a time, the newest of today."""
    dice = random.Random(1)  # noqa: S311
    now = int(time.time() * 1000)
    rows: Rows = {}
    for number in range(photos):
        ward = number % WARDS
        device = devices[ward]
        at = now - (photos - number) * DAY_MS // A_DAY
        consent = device.consent()
        intent = device.write(
            events.Intent(consent.digest, events.Level.CARE, events.Basis.AGREED, None),
            wall_ms=at,
        )
        photo = hashlib.sha256(number.to_bytes(8, "big"))
        sealed = device.write(events.Sealed(intent.digest, photo.digest(), 4_000_000))
        name, state = photo.hexdigest(), dice.choice(STATES)
        place = {"ward": f"Ward {ward}", "bed": f"Bed {dice.randrange(BEDS)}"}
        patient = None if state == "held" else f"P{dice.randrange(photos // PHOTOS_OF_ONE)}"
        new: dict[type[Base], list[dict[str, Any]]] = {
            Photo: [
                dict(
                    photo=name,
                    device=device.name,
                    ledger=device.ledger.hex(),
                    seq=intent.entry.seq,
                    intent=intent.digest.hex(),
                    state=state,
                    reason="no wristband was read" if state == "held" else "",
                    captured_ms=at,
                    clock="synced",
                    changed_ms=at + 2000,
                    level="care",
                    basis="agreed",
                    attested=number % 3 > 0,
                    filed_ms=at + 2000,
                    asked=True,
                    width=4056,
                    height=3040,
                    label="W2 HEEL L" if number % 2 else "",
                    **place,
                )
            ],
            AssignmentRow: [
                {
                    "photo": name,
                    "number": 1,
                    "patient": patient,
                    "how": "wristband",
                    "at_ms": at + 2000,
                }
            ],
            Filing: [
                {
                    "photo": name,
                    "sink": sink,
                    "assignment": 1,
                    "wanted": "filed",
                    "stand": "filed",
                    "reference": name,
                    "filed_ms": at + 2000,
                    "keeper": "gateway",
                }
                for sink in ("folder", "fhir")
            ],
            LedgerEntry: [
                {
                    "device": device.name,
                    "ledger": device.ledger.hex(),
                    "seq": one.entry.seq,
                    "digest": one.digest.hex(),
                    "type": one.entry.type.value,
                    "raw": one.raw,
                    "chained": True,
                    "stored_ms": at + 2000,
                }
                for one in (consent, intent, sealed)
            ],
        }
        if number % 8 == 0:
            closed = None if number % 64 == 0 else at + 3_600_000
            new[WorkItem] = [
                dict(
                    kind=ITEMS[number // 8 % len(ITEMS)],
                    device=device.name,
                    subject=name,
                    why="a person must look at it",
                    opened_ms=at,
                    about_ms=at,
                    patient=patient,
                    owner="clinical photography",
                    closed_ms=closed,
                    closed_by=closed and "Officer (officer)",
                    **place,
                )
            ]
        for table, more in new.items():
            rows.setdefault(table, []).extend(more)
        if number % AT_ONCE == AT_ONCE - 1:
            yield rows
            rows = {}
    rows[LedgerHead] = [
        {
            "device": device.name,
            "ledger": device.ledger.hex(),
            "next": len(device.entries),
            "digest": device.entries[-1].digest.hex(),
            "begun_ms": now - photos * DAY_MS // A_DAY,
        }
        for device in devices
    ]
    rows[PatientRow] = [
        {"number": f"P{n}", "family": f"Family{n}", "given": "Given", "changed_ms": now}
        for n in range(photos // PHOTOS_OF_ONE)
    ]
    yield rows


def fill(console: Console, url: str, photos: int) -> None:
    """Put so many photos into the console's store."""
    devices = [console.hospital.enrol(f"device-{n}") for n in range(WARDS)]
    engine = engine_for(url, console.hospital.state / "gateway.db")
    for rows in rows_of(devices, photos):
        with engine.begin() as connection:
            for table, values in rows.items():
                connection.execute(insert(table), values)
    with engine.begin() as connection:
        # PostgreSQL does so by itself after a while.
        connection.execute(text("ANALYZE"))
    engine.dispose()


def pages(photos: int) -> dict[str, str]:
    """What is asked for, by what it is."""
    newest = hashlib.sha256((photos - 1).to_bytes(8, "big")).hexdigest()
    oldest = datetime.now(UTC).date() - timedelta(days=photos // A_DAY - 10)
    at = int(time.time() * 1000) - photos * DAY_MS // A_DAY // 2
    week = datetime.now(UTC).date() - timedelta(days=7)
    return {
        "first page: today's photos": "/",
        "all photos, newest page": "/?day=",
        "all photos, a page in the middle": f"/?day=&older={at}-{newest}",
        "one day long ago": f"/?day={oldest}",
        "a ward in a week": f"/?from={week}&to=&ward=Ward+3",
        "a bed, all days": "/?day=&ward=Ward+3&bed=Bed+7",
        "held photos, all days": "/?day=&state=held",
        "one patient's photos": "/?day=&patient=P17",
        "one photo's story": f"/photos/{newest}",
        "one patient's series": "/patients/P17",
        "worklist": "/worklist",
        "question: held, the oldest first": "/questions?ask=held",
        "question: within a second of consent": "/questions?ask=too-fast",
    }


def measure(url: str, photos: int, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds by page."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="wardseal-bench-") as folder:
        console = Console(
            Path(folder),
            free_port(),
            settings=f'[store]\nurl = "{url}"\n',
            gateway={"store": {"url": url}},
        )
        fill(console, url, photos)
        with console:
            client = console.sign_in("officer")
            for turn in range(rounds + 1):
                for what, path in pages(photos).items():
                    begun = time.perf_counter()
                    answer = client.get(path)
                    took = (time.perf_counter() - begun) * 1000
                    assert answer.status_code == 200, (path, answer.status_code)
                    if turn:
                        taken.setdefault(what, []).append(took)
                    time.sleep(0.1)  # nobody clicks faster for long: requests are limited
            console.send_home()
    return taken


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", action="store_true", help="write docs/bench.md")
    options = parser.parse_args()
    found = [measure("", options.photos, options.rounds)]
    server = Server().start()
    try:
        found.append(measure(server.database(), options.photos, options.rounds))
    finally:
        server.close()
    rows = []
    for what in found[0]:
        cells = []
        for taken in found:
            late = statistics.quantiles(taken[what], n=20)[-1]
            cells += [f"{statistics.median(taken[what]):.0f}", f"{late:.0f}"]
        rows.append((what, *cells))
    head = ("page, ms over HTTP", "SQLite median", "p95", "PostgreSQL median", "p95")
    text = (
        f"## Console\n\n{report.machine()} `python -m bench.console`: {options.photos:,} photos in"
        f" the store, {options.rounds} rounds; load {os.getloadavg()[0]:.1f} on"
        f" {os.cpu_count()} cores.\n\n{report.table(head, rows)}\n\n"
        f"The first page may take {LIMIT_MS} ms."
    )
    print(text)
    if options.keep:
        report.keep("console", text)


if __name__ == "__main__":
    main()
