"""The gateway as a process: how it starts, ends, dies at every step, and what it leaves behind."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from base.lifeline import tied
from base.memory import ALLOCATOR_ENV
from tests.gateway.bedside import jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.running import ROOT, Running
from tests.residue.scanner import Scanner
from tests.waiting import until
from wire.messages import Status

pytestmark = pytest.mark.journey


def start(config: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", "--config", str(config)],
        cwd=ROOT,
        env={**os.environ, **ALLOCATOR_ENV, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_P3_without_the_allocator_settings_it_does_not_start(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    ended = start(hospital.config_file, PYTHONMALLOC="pymalloc")
    assert ended.returncode == 1
    assert ended.stderr.startswith("wardseal gateway: PYTHONMALLOC is 'pymalloc'.")
    assert "Traceback" not in ended.stderr


def test_P10_a_wrong_file_ends_it_with_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    for text, sentence in (
        (None, "cannot be read: No such file or directory"),
        ("[broker]", "broker.host: is missing"),
        ("[broker]\nhost = 'b'", "keys.opening: cannot read"),
    ):
        if text is not None:
            config.write_text(text)
        ended = start(config)
        assert ended.returncode == 1
        assert ended.stderr.startswith("wardseal gateway: ")
        assert sentence in ended.stderr
        assert ended.stderr.count("\n") == 1, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told_to_with_and_without_a_broker(
    tmp_path: Path, number: signal.Signals
) -> None:
    hospital = Hospital(tmp_path)
    process = subprocess.Popen(
        tied([sys.executable, "-m", "gateway", "--config", str(hospital.config_file)]),
        cwd=ROOT,
        env={**os.environ, **ALLOCATOR_ENV},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    while "no broker" not in (lines[-1] if lines else ""):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    assert "nothing answers at 127.0.0.1" in lines[-1]
    process.send_signal(number)
    assert "Traceback" not in process.communicate(timeout=10)[1]
    assert process.returncode == 0


def decoders_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def test_no_decoder_outlives_a_gateway_that_was_killed(running: Running) -> None:
    with running.gateway() as process:
        children = until(lambda: decoders_of(process.pid), 5, "decoders")
        process.kill()
        process.wait()
        for child in children:
            gone = partial(lambda path: not path.exists(), Path(f"/proc/{child}"))
            until(gone, 5, "its end")


# -- what is left in memory -----------------------------------------------------------------------


def test_P3_after_filing_nothing_of_the_photo_is_in_the_gateways_memory(running: Running) -> None:
    photo = running.device.photo(jpeg(1600, 1200, 7))
    # The tables before the scan are the same in every JPEG, and in libturbojpeg itself.
    scanner = Scanner({"jpeg": photo.jpeg[photo.jpeg.index(b"\xff\xda") + 14 :]})
    with running.gateway() as process:
        receipt = running.send(photo)
        assert receipt is not None
        assert receipt.status == Status.FILED

        def followed() -> bool:
            stands = "select stand from filings where photo = :photo"
            rows = running.hospital.rows(stands, photo=photo.hex)
            return [stand for (stand,) in rows] == ["filed", "filed"]

        until(followed, 10, "the folder to have the photo and its report")
        # The decoder that saw it is buried right after the receipt has left.
        until(lambda: len(decoders_of(process.pid)) == 2, 5, "two fresh decoders")
        findings = scanner.process(process.pid)
        for pid in decoders_of(process.pid):
            found = scanner.process(pid)
            assert found.windows["jpeg"] == 0, found
    assert findings.windows["jpeg"] == 0, findings
    in_record = scanner.files(running.hospital.record)
    assert in_record.windows["jpeg"] > 1000  # the scanner would have seen it
