"""The demo: a real broker, the real gateway, a virtual ward device, and one photo's journey.

With a terminal, keys are buttons, the OLED is drawn, and a page in the browser shows all of it
(``cli.frontpanel``; with ``--hold``, too). With ``--once`` or ``--press`` a
script presses, and the demo says what became of each photo. Everything runs on this machine,
on loopback, with throw-away keys. With ``--full`` the hospital has patients and record systems
(``cli.virtual_hospital``), and each photo is looked for in every one of them.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

from appliance.simulator.bands import BADGE, BAND
from appliance.simulator.remote import Remote
from base.errors import WardsealError
from base.keyfiles import read_public
from cli import press, story
from cli.held import Held
from cli.outcome import UsageError
from cli.press import parse
from cli.story import PhotoStory
from cli.virtual_site import Virtual, VirtualSite, wait_for
from wire import pem
from wire.ledger import Report

if TYPE_CHECKING:
    from cli.virtual_console import VirtualConsole
    from cli.virtual_hospital import Found, VirtualHospital

Say = Callable[[str], None]

ONCE: Final = "consent,capture,wait:filed"
_FILED_WITHIN: Final = 60.0
_READY_WITHIN: Final = 20.0
_STARTS_WITHIN: Final = 30.0
_SETTLED_WITHIN: Final = 5.0


def main(words: list[str]) -> int:
    """Run ``wardseal demo`` (``./demo``) with these arguments; return its exit code."""
    try:
        return run(_parser().parse_args(words))
    except SystemExit as e:  # argparse has said what it had to say
        return int(e.code or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="A whole hospital on this machine: broker, gateway and one ward device.",
        epilog="script: words with commas between them: consent, capture (press and release),"
        " consent:hold, capture:hold, both:hold, wait:filed, wait:SECONDS. Presses follow each"
        " other after 0.3 s, and the first CAPTURE of a window waits for the camera."
        " Exit codes: 0 all photos are in the record and the ledger holds, 1 something is"
        " wrong, 2 bad arguments, 3 the machine lacks something.",
    )
    parser.add_argument(
        "--once", action="store_true", help=f"press {ONCE!r}, print a summary and end"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="with the hospital's other systems: patients in beds (ADT), an archive (Orthanc), a"
        " FHIR server and an object store (S3); a wristband is in the view, and each photo is"
        " filed under its patient in all of them",
    )
    parser.add_argument("--press", metavar="SCRIPT", help="press this script instead (see below)")
    parser.add_argument(
        "--scene",
        type=Path,
        metavar="FILE",
        help="what the camera sees: an image, or a raw I420 frame of 4056 x 3040 (name ends in"
        " .yuv), which is delivered exactly as it is, without sensor noise",
    )
    parser.add_argument(
        "--band",
        action="append",
        default=[],
        metavar="CODE",
        help=f"hold a wristband with this code into the view, such as {BAND!r}; twice: two bands",
    )
    parser.add_argument(
        "--badge", metavar="CODE", help=f"and a badge of a member of staff, such as {BADGE!r}"
    )
    parser.add_argument(
        "--hold", type=float, default=0.0, metavar="SECONDS", help="keep all running afterwards"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep state here (default: a new temporary folder)",
    )
    parser.add_argument(
        "--json", action="store_true", help="last line of standard output: the result as JSON"
    )
    parser.add_argument(
        "--language", choices=("en", "de", "fr", "es"), default="en", help="of the OLED"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the demo; return 0 when every photo taken is in the record and the ledger holds."""
    script = options.press if options.press is not None else (ONCE if options.once else None)
    if script is None and not sys.stdin.isatty():
        raise UsageError("there is no terminal to press keys in; use --once or --press")
    if options.scene is not None and not options.scene.is_file():
        raise UsageError(f"--scene: {options.scene} is not a file")
    steps = parse(script) if script is not None else None
    # Without a wristband nobody knows whose photo it is; without --full nobody asks.
    bands = options.band or ([BAND] if options.full else [])
    held = Held(tuple(bands), options.badge)
    at_once = options.once or options.press is not None
    # Without anybody to look at it a page would only cost time.
    served = steps is None or options.hold > 0 or options.full
    made = Virtual(language=options.language, release_seconds=0.0 if at_once else 5.0, cable=served)
    state = options.state.resolve() if options.state else Path(mkdtemp(prefix="wardseal-demo-"))
    # A demo that is told to end takes its broker, gateway and device with it.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # With --json, standard output holds the result and nothing else.
    say = partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    with (
        _hospital(state, options.full, say) as hospital,
        VirtualSite(state, made, hospital.settings if hospital else None) as site,
        _front_panel(site, served, held) as url,
    ):
        if options.scene is not None:
            site.world.point_at(options.scene.resolve())
        site.world.hold(*held.pictures(site.state / "held"))
        say(f"Starting a hospital in {site.state}: broker, gateway, ward device ...")
        if hospital is not None:
            hospital.hang(site)
        site.start()
        console = _console(site) if served else None
        with Remote.connect(site.device.config.paths.world_socket, _STARTS_WITHIN) as remote:
            ward = Ward(site, remote, say, held.words(options.language))
            ward.wait_until_up()
            if hospital is not None:
                hospital.admit()
            if console is not None:
                console.wait_until_up()
            doors = Doors(url, console, hospital)
            if steps is None:
                from cli.demo_terminal import play

                play(site, remote, ward, doors.words)
            else:
                if options.hold:
                    say("\n".join(doors.words))
                press.perform(steps, ward, say)
                ward.settle()
            result = ward.result()
            _summary(result, site, say)
            good, found = result.good, None
            if hospital is not None:
                found = [_found(hospital, photo, site, say) for photo in result.photos]
                good = good and all(map(hospital.has_all, found))
            if options.json:
                told = {**_as_json(result, site, ward, found), **doors.as_json()}
                print(json.dumps(told), flush=True)
            if options.hold:
                say("\n".join(doors.words))
                say(f"Everything keeps running for {options.hold:g} s; Ctrl-C ends it.")
                time.sleep(options.hold)
        say(f"What this run has made stays in {site.state}")
        return 0 if good else 1


@dataclass(frozen=True)
class Doors:
    """Where a person can look: the pages that are there."""

    front_panel: str | None
    console: "VirtualConsole | None"
    hospital: "VirtualHospital | None"

    @property
    def words(self) -> list[str]:
        """For a terminal, a line for each."""
        lines = [f"The device, and what is before it: {self.front_panel}"] * bool(self.front_panel)
        lines += [self.console.words] if self.console else []
        if self.hospital is not None:
            urls = self.hospital.urls
            lines += [
                f"The archive (Orthanc): {urls['orthanc']}",
                f"The FHIR server: {urls['fhir']}/DocumentReference",
                f"The object store (S3): {urls['s3']}",
            ]
        return lines

    def as_json(self) -> dict[str, Any]:
        """``urls``, and ``sign_in`` where there is a console."""
        urls = {"front_panel": self.front_panel, "console": self.console and self.console.url}
        told: dict[str, Any] = {"urls": {**urls, **(self.hospital.urls if self.hospital else {})}}
        if self.console is not None:
            told["sign_in"] = {"login": self.console.login, "password": self.console.password}
        return told


@contextmanager
def _hospital(state: Path, full: bool, say: Say) -> Iterator["VirtualHospital | None"]:
    """Start the rest of the hospital, if it is asked for."""
    if not full:
        yield None
        return
    from cli.virtual_hospital import VirtualHospital

    say("Starting the hospital's other systems: archive, FHIR server, object store ...")
    with VirtualHospital(state / "hospital") as hospital:
        yield hospital


def _console(site: VirtualSite) -> "VirtualConsole":
    """Start the hospital's console beside the gateway."""
    from cli import virtual_console

    return virtual_console.start(site)


def _found(
    hospital: "VirtualHospital", photo: PhotoStory, site: VirtualSite, say: Say
) -> "list[Found]":
    """Look for a photo in every record system, and say where it is."""
    file = _filed(photo, site)
    if file is None or photo.id is None:
        return []
    found = hospital.find(photo.id.hex(), file)
    for one in found:
        kept = "the same bytes" if one.same else "NOT THE SAME BYTES"
        say(f"  {one.system}: {kept}: {one.url}")
    for system in sorted({"folder", *hospital.urls} - {one.system for one in found}):
        say(f"  {system}: NOT FOUND")
    return found


@contextmanager
def _front_panel(site: VirtualSite, served: bool, held: Held) -> Iterator[str | None]:
    """Serve the page, if it is to be served, and yield its address."""
    if not served:
        yield None
        return
    from cli.frontpanel import props
    from cli.frontpanel.server import FrontPanel

    with FrontPanel(site, props.of([*held.bands, held.badge or ""])) as panel:
        yield panel.url


@dataclass(frozen=True)
class Result:
    """What the device's ledger says at the end."""

    photos: list[PhotoStory]
    report: Report
    ledger: Path

    @property
    def verified(self) -> bool:
        return bool(self.report.entries) and not self.report.problems

    @property
    def good(self) -> bool:
        """Every photo is in the record (or was undone on purpose), and the ledger holds."""
        return self.verified and all(p.status in ("FILED", "UNDONE") for p in self.photos)


class Ward:
    """A pair of hands on the virtual device, and a pair of eyes on its ledger."""

    def __init__(
        self, site: VirtualSite, remote: Remote, say: Say, reads: frozenset[str] = frozenset()
    ) -> None:
        """``reads``: what the screen has to say before the first CAPTURE, besides being ready."""
        self._reads = reads
        self._say = say
        self._site = site
        self._remote = remote
        self._key = pem.public_key(read_public(site.device_key, "device key"))
        self._captures: list[int] = []

    def wait_until_up(self) -> None:
        """Return when the device is connected, could take consent, and the gateway knows of it."""
        wait_for(lambda: self._remote.view.online, _STARTS_WITHIN, "the device to be online")
        wait_for(self._site.hospital_hears, _STARTS_WITHIN, "the gateway to hear of the device")

    def press(self, lines: tuple[str, ...], seconds: float) -> None:
        if "capture" in lines:
            self._captures.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        for line in lines:
            self._remote.press(line)
        time.sleep(seconds)
        for line in lines:
            self._remote.release(line)

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            view = self._remote.view
            return (view.ready and self._reads <= set(view.words)) or not view.open

        wait_for(ready, _READY_WITHIN, "the camera to be ready")

    def wait_until_filed(self) -> None:
        try:
            wait_for(self._all_settled, _FILED_WITHIN, "the hospital to sign for every photo")
        except WardsealError as e:
            self._say(str(e))

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def settle(self) -> None:
        """Give wipes and countersignatures that are under way a moment to reach the ledger."""
        deadline = time.monotonic() + _SETTLED_WITHIN
        while self._all_settled() and self._owes_a_wipe() and time.monotonic() < deadline:
            time.sleep(0.02)

    def result(self) -> Result:
        """Read and verify the ledger as it stands."""
        file = story.current(self._site.device.config.paths.ledger)
        if file is None:
            raise WardsealError("the device has not begun its ledger; see the logs folder")
        report = story.read(file, self._key)
        return Result(story.tell(report.entries), report, file)

    def filed(self, photo: PhotoStory) -> Path | None:
        """Where in the record a photo is."""
        return _filed(photo, self._site)

    def pressed_before(self, at_ns: int) -> int:
        """The CAPTURE press that led to an INTENT at ``at_ns``."""
        return max((at for at in self._captures if at <= at_ns), default=at_ns)

    def _owes_a_wipe(self) -> bool:
        """Whether an envelope is still there, or is gone and the ledger does not say so yet."""
        told = self.result().photos
        kept = any(photo.status in ("FILED", "HELD") and not photo.wiped for photo in told)
        return kept or self._site.device.busy()

    def _all_settled(self) -> bool:
        return all(photo.settled for photo in self.result().photos)


def _summary(result: Result, site: VirtualSite, say: Say) -> None:
    for number, photo in enumerate(result.photos, 1):
        say(f"Photo {number}: {photo.status}")
        if file := _filed(photo, site):
            say(f"  in the record: {file}")
    if not result.photos:
        say("No photo was taken.")
    for problem in result.report.problems:
        say(f"LEDGER entry {problem.index}: {problem.what}")
    if result.verified:
        say(f"Ledger: {len(result.report.entries)} entries, verified: {result.ledger}")


def _filed(photo: PhotoStory, site: VirtualSite) -> Path | None:
    if photo.id is None or photo.status not in ("FILED", "UNDONE"):
        return None
    return next(iter(site.record.glob(f"*/{photo.id.hex()}.jpg")), None)


def _as_json(
    result: Result, site: VirtualSite, ward: Ward, found: "list[list[Found]] | None"
) -> dict[str, Any]:
    photos = [_photo_json(photo, site, ward) for photo in result.photos]
    for photo, places in zip(photos, found or (), strict=False):
        photo["found"] = [asdict(place) for place in places]
    return {
        "photos": photos,
        "ledger": {
            "file": str(result.ledger),
            "public_key": str(site.device_key),
            "entries": len(result.report.entries),
            "verified": result.verified,
        },
        "pids": {name: site.keeper.pid(name) for name in ("panel", "uplink", "gateway", "broker")},
        "tmpfs": [str(path) for path in site.tmpfs],
        "state": str(site.state),
    }


def _photo_json(photo: PhotoStory, site: VirtualSite, ward: Ward) -> dict[str, Any]:
    pressed = ward.pressed_before(photo.intent_ns)
    file = _filed(photo, site)
    return {
        "id": photo.id.hex() if photo.id else None,
        "status": photo.status,
        "file": str(file) if file else None,
        "envelope_bytes": photo.envelope_bytes,
        "sealed_ms": photo.after_ms(pressed, photo.sealed_ns),
        "filed_ms": photo.after_ms(pressed, photo.receipt_ns),
    }
