"""The scanner itself: what it must find, and when it must not claim to have looked."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.residue.known_secrets import of_envelope
from tests.residue.scanner import BLOCK, LEAST_DIFFERENT, ScanError, Scanner
from wire import envelope, hpke
from wire.ledger import ClockTrust

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")

HOLDER = """
import sys
held = sys.stdin.buffer.read(int(sys.argv[1]))
print("holding", flush=True)
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize("shift", range(BLOCK))
def test_31_bytes_of_a_large_secret_are_found_wherever_they_lie(shift: int) -> None:
    secret = os.urandom(100_000)
    data = bytearray(10_000)
    data[4000 + shift : 4031 + shift] = secret[777:808]
    assert Scanner({"raw": secret}).data(bytes(data)).windows["raw"] >= 1


def test_8_bytes_of_a_key_are_found_wherever_they_lie() -> None:
    key = os.urandom(32)
    data = os.urandom(5001) + key[16:24] + os.urandom(99)
    assert Scanner({"key": key}).data(data).windows["key"] == 1


def test_random_bytes_and_even_surfaces_are_not_taken_for_a_secret() -> None:
    secret = os.urandom(1_000_000) + bytes([200]) * 1_000_000
    scanner = Scanner({"raw": secret, "key": os.urandom(32)})
    assert 0.45 < scanner.share("raw") < 0.55
    assert not scanner.data(os.urandom(4_000_000) + bytes([200]) * 1_000_000).windows


def test_a_window_counts_from_8_different_bytes_on() -> None:
    few = bytes(range(LEAST_DIFFERENT - 1)) * 100
    enough = bytes(range(LEAST_DIFFERENT + 1)) * 100
    assert Scanner({"few": few}).share("few") == 0
    assert Scanner({"enough": enough}).share("enough") == 1


def test_a_secret_in_a_file_is_found_at_any_start(tmp_path: Path) -> None:
    secret = os.urandom(10_000)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * 77 + secret[5:105])
    findings = Scanner({"raw": secret}).files(tmp_path)
    assert findings.windows["raw"] >= 5
    assert "deep/file" in str(findings)


@root_only
def test_a_secret_in_another_process_is_found_and_one_that_is_not_there_is_not() -> None:
    secret, other = os.urandom(50_000), os.urandom(50_000)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(len(secret))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(secret)
        holder.stdin.flush()
        holder.stdout.readline()
        findings = Scanner({"here": secret, "away": other}).process(holder.pid)
        holder.stdin.close()
    assert findings.windows["here"] > len(secret) // BLOCK * 0.9
    assert not findings.windows["away"]


@root_only
def test_a_secret_in_an_unlinked_file_that_a_process_has_open_is_found(tmp_path: Path) -> None:
    secret = os.urandom(50_000)
    path = tmp_path / "gone"
    path.write_bytes(secret)
    with (
        path.open("rb") as file,
        subprocess.Popen(
            [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[file.fileno()],
        ) as keeper,
    ):
        path.unlink()
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdout.readline()
        findings = Scanner({"raw": secret}).process(keeper.pid)
        keeper.stdin.close()
    assert findings.windows["raw"] > 0


def test_a_process_that_is_gone_is_an_error_and_no_clean_result() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as short:
        short.wait()
    with pytest.raises((ScanError, OSError)):
        Scanner({"key": os.urandom(32)}).process(short.pid)


def test_the_keys_worked_out_from_an_envelope_are_the_ones_it_was_sealed_with() -> None:
    keys = [hpke.RecipientPrivate.generate(suite) for suite in hpke.SuiteName]
    content_key = os.urandom(32)
    prefix = envelope.content_prefix(envelope.Private("bed", {}), 100)
    plaintext = memoryview(bytearray(prefix + bytes(100)))
    header = envelope.Header(
        device="d",
        boot=bytes(16),
        seq=1,
        consent=bytes(32),
        intent=bytes(32),
        epoch=1,
        keyset=bytes(32),
        time_ms=1,
        trust=ClockTrust.NONE,
        length=len(plaintext),
    )
    with mmap.mmap(-1, envelope.room(len(plaintext))) as out, memoryview(out) as view:
        size = envelope.seal_into(
            view,
            header=header,
            plaintext=plaintext,
            key=content_key,
            recipients=[key.public for key in keys],
        )
        sealed = bytes(view[:size])
    secrets, opened = of_envelope(envelope.parse(sealed), keys)
    assert bytes(opened) == bytes(plaintext)
    assert [v for k, v in secrets.items() if k.endswith("content key")] == [content_key] * 2
    assert len(secrets) == 14
