"""A file for somebody outside, made and opened, beside the bare parts of the same work.

    python -m bench.share [--rounds N] [--keep]

Bare means for the web page PBKDF2 and AES-GCM by the same library, for the PDF pikepdf on the
finished report. The web page is opened in a real Chromium, from the address to the picture on the
screen, the PDF by poppler into a picture and by pikepdf. ``--keep`` writes docs/bench.md.
"""

import argparse
import hashlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pikepdf
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from playwright.sync_api import Browser

from bench import report
from bench.filing import photograph
from gateway.report.making import Style, describe, make_report
from gateway.sharing import html, pdf
from gateway.sharing.redacting import Plan, redact
from tests.gateway.filing.photos import record
from tests.journey.browser import chromium, opened

PHRASE: Final = "one two three four five six"
MOST_MS: Final = 2000.0
Way = Callable[[], Any]


def ways(jpeg: bytes, folder: Path, browser: Browser) -> dict[str, Way]:
    """Everything that is timed; ours first, and then what it is compared with."""
    style, picture = Style(), memoryview(bytearray(jpeg))
    facts = dict(describe(record(jpeg=picture), style)["facts"])
    page, document = folder / "p.html", folder / "p.pdf"
    finished = make_report(record(jpeg=picture), style)
    page.write_bytes(html.encrypt(jpeg, facts, PHRASE, title="A photograph for you"))
    document.write_bytes(pdf.encrypt(finished, PHRASE))

    def bare_page() -> bytes:
        key = hashlib.pbkdf2_hmac("sha256", PHRASE.encode(), os.urandom(16), html.ROUNDS)
        return AESGCM(key).encrypt(os.urandom(12), jpeg, b"")

    def in_browser() -> None:
        with opened(browser, page.as_uri()) as tab:
            tab.fill("#phrase", PHRASE)
            tab.keyboard.press("Enter")
            tab.locator("#picture").wait_for()
            tab.evaluate("document.getElementById('picture').decode()")

    def poppler(*password: str, file: Path) -> None:
        command = ["pdftoppm", "-r", "100", *password, str(file), str(folder / "page")]
        subprocess.run(command, check=True, capture_output=True)

    plain = folder / "plain.pdf"
    plain.write_bytes(finished)
    return {
        "web page made": lambda: html.encrypt(jpeg, facts, PHRASE, title="A photograph for you"),
        "bare PBKDF2 and AES-GCM": bare_page,
        "PDF made, report and all": lambda: pdf.encrypt(
            make_report(record(jpeg=picture), style), PHRASE
        ),
        "PDF made of the finished report": lambda: pdf.encrypt(finished, PHRASE),
        "bare pikepdf on the finished report": lambda: _copied(finished),
        "web page opened in Chromium": in_browser,
        "PDF opened by poppler": lambda: poppler("-upw", PHRASE, file=document),
        "bare poppler on the finished report": lambda: poppler(file=plain),
        "teaching copy made": lambda: redact(
            memoryview(bytearray(jpeg)), Plan.of("", "100,100,900,700"), pixels=16_000_000
        ),
    }


BARE: Final = {
    "web page made": "bare PBKDF2 and AES-GCM",
    "PDF made of the finished report": "bare pikepdf on the finished report",
    "PDF opened by poppler": "bare poppler on the finished report",
    "web page opened in Chromium": "bare PBKDF2 and AES-GCM",
}
MUST: Final = (
    "web page made",
    "PDF made, report and all",
    "web page opened in Chromium",
    "PDF opened by poppler",
)


def _copied(document: bytes) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened_one:
        opened_one.save(out)
    return out.getvalue()


def measure(rounds: int) -> dict[str, float]:
    """Return the median of each way in milliseconds, all ways in turn."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        for _ in range(rounds):
            for words, way in ways(photograph(), Path(name), browser).items():
                begun = time.perf_counter()
                way()
                times.setdefault(words, []).append((time.perf_counter() - begun) * 1000)
    return {words: statistics.median(took) for words, took in times.items()}


def main() -> int:
    """Print the table; exit code 1 when a figure does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.share", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    took = measure(options.rounds)
    rows = [
        (words, f"{ms:.0f}", f"{ms / took[BARE[words]]:.2f}" if words in BARE else "")
        for words, ms in took.items()
    ]
    slowest = max(took[words] for words in MUST)
    text = (
        f"## Sharing outside\n\n{report.machine()} `python -m bench.share`, {options.rounds} x,"
        f" the machine's load was {os.getloadavg()[0]:.1f}.\n\n"
        f"{report.table(('one 12 MP photo, median', 'ms', 'to bare'), rows)}\n\n"
        f"Made and opened in at most {slowest / 1000:.1f} s (at most 2)."
    )
    print(text)
    if options.keep:
        report.keep("share", text)
    return 0 if slowest <= MOST_MS else 1


if __name__ == "__main__":
    sys.exit(main())
