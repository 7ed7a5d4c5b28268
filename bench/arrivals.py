"""A thousand photos arriving at once: the memory of the gateway, and whether each is filed once.

    python -m bench.arrivals [--photos N] [--devices N] [--keep]

Real uplinks, each a process with a full outbox, send through a real mosquitto with mutual TLS to
a real gateway that files into its folder and makes the PDF reports, all of it started at once.
The bench is each device's panel: it takes the signed receipt, verifies it and wipes the photo
from the outbox. Memory is the PSS of the gateway, its decoders and the typesetter of its reports,
looked at ten times a second. ``--keep`` writes the table to docs/bench.md.
"""

import argparse
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from base.lifeline import tied
from base.memory import ALLOCATOR_ENV
from base.tls import TlsFiles
from bench import report
from bench.filing import photograph
from bench.journey import pss
from cli import pki
from cli.broker import Broker, BrokerSettings
from tests.gateway.hospital import Hospital
from tests.waiting import until
from wire import cbor, messages
from wire.hpke import SuiteName

ROOT: Final = Path(__file__).parents[1]
LIMIT_MIB: Final = 300
LOOKS_EVERY: Final = 0.1
PATIENCE_SECONDS: Final = 3600


class Bedside:
    """One device: an outbox full of sealed photos, and a panel that believes signed receipts."""

    def __init__(self, hospital: Hospital, folder: Path, name: str, port: int) -> None:
        self._hospital = hospital
        self._run = folder / "run"
        self.receipts: Counter[tuple[bytes, str]] = Counter()
        pki.device(hospital.site, name)
        self._device = hospital.enrol(name)
        files = hospital.site.device(name)
        for part in (self._run / "outbox", self._run / "mailbox", folder / "state" / "ledger"):
            part.mkdir(parents=True)
        (folder / "boot_id").write_text("ab" * 16)
        self._config = folder / "device.toml"
        self._config.write_text(
            f'[device]\nid = "{name}"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {port}\n'
            f'ca = "{files / "ca.crt"}"\ncertificate = "{files / "tls.crt"}"\n'
            f'key = "{files / "tls.key"}"\n'
            '[paths]\nrun = "run"\nstate = "state"\nboot_id = "boot_id"\n'
        )

    def take(self, jpeg: bytes, photos: int) -> int:
        """Seal so many photos of these pixels into the outbox; return their bytes."""
        size = 0
        for _ in range(photos):
            photo = self._device.photo(jpeg)
            outbox = self._run / "outbox"
            entries = cbor.encode([photo.consent.raw, photo.intent.raw, photo.sealed.raw])
            (outbox / f"{photo.hex}.init").write_bytes(entries)
            (outbox / f"{photo.hex}.cose").write_bytes(photo.envelope)
            size += len(photo.envelope)
        return size

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the uplink."""
        argv = [sys.executable, "-P", "-m", "appliance", "--role", "uplink"]
        with self._config.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                tied([*argv, "--config", str(self._config)]),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def read_mail(self) -> None:
        """Take what is signed; wipe the photo that it is about."""
        for path in sorted((self._run / "mailbox").glob("receipt.*.msg")):
            keys = self._hospital.keyset.keyset.receipt_keys
            receipt = messages.open_receipt(path.read_bytes(), keys)
            self.receipts[receipt.photo, receipt.status] += 1
            for end in ("cose", "init"):
                (self._run / "outbox" / f"{receipt.photo.hex()}.{end}").unlink(missing_ok=True)
            path.unlink()


class Watch:
    """The highest memory of a gateway, of its children by what they do, and of all, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.begun = self.now()
        self.peaks = Counter(self.begun)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now(self) -> dict[str, float]:
        """Return it as it is at this moment."""
        found = {"gateway": pss(self._pid), "decoders": 0.0, "typesetter": 0.0}
        children = Path(f"/proc/{self._pid}/task").glob("*/children")
        for pid in (pid for file in children for pid in file.read_text().split()):
            # What has no such name is not itself yet and still shares the gateway's memory, or is
            # gone: neither is counted.
            with suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                for role, mark in (("decoders", b"decoder.life"), ("typesetter", b"typesetter")):
                    found[role] += pss(int(pid)) if mark in line else 0
        return {**found, "together": sum(found.values())}

    def _look(self) -> None:
        while not self._over.wait(LOOKS_EVERY):
            self.peaks |= Counter(self.now())

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def measure(photos: int, devices: int) -> dict[str, float]:
    """Return what came of it, by name; AssertionError when a photo is missing or twice there."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ws-arr-")))
        hospital = Hospital(folder, suite=SuiteName.HYBRID)
        port = _free_port()
        hospital.write_config(
            {"broker": {"host": "127.0.0.1", "port": port}, "filing": {"report": "later"}}
        )
        jpeg = photograph()
        each = photos // devices
        wards = [Bedside(hospital, folder / f"d{n}", f"bed-{n}", port) for n in range(devices)]
        size = sum(ward.take(jpeg, each) for ward in wards)
        site = hospital.site.broker
        stack.enter_context(
            Broker(
                BrokerSettings(
                    directory=folder / "broker",
                    files=TlsFiles(
                        ca=site / "ca.crt", certificate=site / "tls.crt", key=site / "tls.key"
                    ),
                    hospital_users=[pki.GATEWAY_USER],
                    port=port,
                )
            )
        )
        log = stack.enter_context((folder / "gateway.log").open("w+b"))
        argv = [sys.executable, "-P", "-m", "gateway", "--config", str(hospital.config_file)]
        gateway = subprocess.Popen(
            tied(argv), cwd=ROOT, env={**os.environ, **ALLOCATOR_ENV}, stdout=log, stderr=log
        )
        stack.callback(_end, gateway)
        until(lambda: b"connected to the broker" in (folder / "gateway.log").read_bytes(), 30, "it")
        watch = Watch(gateway.pid)
        begun, used = time.monotonic(), _cpu_seconds(gateway.pid)
        for ward in wards:
            stack.callback(_end, ward.start())
        wanted = each * devices

        def filed() -> bool:
            for ward in wards:
                ward.read_mail()
            assert gateway.poll() is None, (folder / "gateway.log").read_text()[-2000:]
            return sum(len(ward.receipts) for ward in wards) >= wanted

        until(filed, PATIENCE_SECONDS, "every photo's receipt")
        took = time.monotonic() - begun
        until(lambda: _count(hospital, "pdf") >= wanted, PATIENCE_SECONDS, "every photo's report")
        watch.end()
        _check(hospital, wards, wanted, hashlib.sha256(jpeg).digest())
        return {
            "photos": wanted,
            "devices": devices,
            "MB": size / 1e6,
            "seconds": took,
            "cpu": _cpu_seconds(gateway.pid) - used,
            "reports": time.monotonic() - begun,
            "before": watch.begun["together"],
            **watch.peaks,
        }


def _check(hospital: Hospital, wards: list[Bedside], wanted: int, jpeg: bytes) -> None:
    """Nothing is lost, nothing is there twice, and each is what was sealed."""
    states = dict(hospital.rows("select state, count(*) from photos group by state"))
    assert states == {"filed": wanted}, states
    statuses = {status for ward in wards for _, status in ward.receipts}
    assert statuses == {"FILED"}, statuses
    files = list(hospital.record.glob("*/*.jpg"))
    assert len(files) == len({file.stem for file in files}) == wanted
    assert all(hashlib.sha256(file.read_bytes()).digest() == jpeg for file in files)


def _count(hospital: Hospital, end: str) -> int:
    return sum(1 for _ in hospital.record.glob(f"*/*.{end}"))


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.arrivals", description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="write docs/bench.md")
    options = parser.parse_args()
    found = measure(options.photos, options.devices)
    rows = [
        ("photos filed, each once", f"{found['photos']:.0f}"),
        ("uplinks that sent them at once", f"{found['devices']:.0f}"),
        ("sealed bytes, MB", f"{found['MB']:.0f}"),
        ("until the last receipt, s", f"{found['seconds']:.0f}"),
        ("photos a second", f"{found['photos'] / found['seconds']:.1f}"),
        ("until the last report as well, s", f"{found['reports']:.0f}"),
        ("processor time of gateway and its children, s", f"{found['cpu']:.0f}"),
        ("memory before, PSS in MiB", f"{found['before']:.0f}"),
        ("of the gateway at its peak", f"{found['gateway']:.0f}"),
        ("of its decoders at their peak", f"{found['decoders']:.0f}"),
        ("of the reports' typesetter at its peak", f"{found['typesetter']:.0f}"),
        ("**of all together at their peak**", f"**{found['together']:.0f}**"),
    ]
    text = (
        f"## Arrivals\n\n{report.machine()} `python -m bench.arrivals`: uplinks, broker, gateway"
        f" and its followers on the same cores; load {os.getloadavg()[0]:.1f} on"
        f" {os.cpu_count()}.\n\n{report.table(('many photos at once', ''), rows)}\n\n"
        f"The gateway and all its children may take {LIMIT_MIB} MiB."
    )
    print(text)
    if options.keep:
        report.keep("arrivals", text)


if __name__ == "__main__":
    main()
