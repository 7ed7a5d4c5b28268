"""The program as a whole: help that helps, exit codes that mean something, never a traceback."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from base import __version__
from base.errors import ConfigError, EnvironmentProblem, FormatError, VerificationError
from base.memory import ALLOCATOR_ENV
from cli import pki
from cli.__main__ import guarded, main
from cli.arguments import parser
from cli.outcome import UsageError
from tests.cli.paperwork import Scribe, save
from tests.cli.program import PROGRAM, wardseal
from tests.waiting import until


def commands(owner: ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something."""
    inner = [a for a in owner._actions if isinstance(a, _SubParsersAction)]
    if not inner:
        yield words
    for name, command in (pair for action in inner for pair in action.choices.items()):
        yield from commands(command, (*words, name))


COMMANDS = sorted(commands(parser()))


def help_of(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


def test_these_are_the_commands() -> None:
    assert [" ".join(words) for words in COMMANDS] == [
        "appliance run",
        "check",
        "console account",
        "console run",
        "demo",
        "gateway backup",
        "gateway restore",
        "gateway run",
        "keys encrypt",
        "keys install",
        "keys request",
        "keys retire",
        "keys rewrap",
        "keys rotate",
        "keys sign",
        "keys status",
        "labels",
        "ledger show",
        "ledger verify",
        "open",
        "patient export",
        "pki device",
        "pki init",
        "share",
        "token list",
        "token make",
        "token revoke",
    ]


@pytest.mark.parametrize("words", [c for c in COMMANDS if c != ("demo",)], ids=" ".join)
def test_every_command_has_examples_that_it_takes_and_documents_its_exit_codes(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(words, capsys)
    assert "exit codes:\n  0    done" in text
    assert max(map(len, text.splitlines())) <= 100
    shown = text.partition("examples:\n")[2].partition("\n\n")[0].replace("\\\n", "")
    examples = re.findall(r"wardseal ([^|\n]*)", shown)
    assert examples
    for example in examples:
        assert tuple(shlex.split(example)[: len(words)]) == words
        assert parser().parse_args(shlex.split(example)).run


def test_the_first_help_shows_the_ways_in_and_the_exit_codes() -> None:
    done = wardseal("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for words in COMMANDS:
        assert re.search(rf"^    {words[0]}$|^    {words[0]} ", done.stdout, re.MULTILINE)
    assert "wardseal demo --once" in done.stdout
    assert "2    wrong use or bad input" in done.stdout


def test_without_a_command_the_help_is_shown_and_the_use_was_wrong() -> None:
    done = wardseal()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == wardseal("--help").stdout


def test_the_version_is_told() -> None:
    done = wardseal("--version")
    assert (done.returncode, done.stdout) == (0, f"wardseal {__version__}\n")


LOADED = """
import sys
from cli.__main__ import main
main({words})
rooms = {{name.partition(".")[0] for name in sys.modules}}
print(*sorted(rooms & {{"appliance", "cryptography", "gateway", "paho", "sqlalchemy", "wire"}}))
"""


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["--version"], ""),
        (["--help"], ""),
        (["ledger", "show", "none"], "cryptography wire"),
        (
            ["appliance", "run", "--role", "uplink", "--config", "none"],
            "appliance cryptography wire",
        ),
    ],
    ids=["version", "help", "ledger", "appliance"],
)
def test_a_command_loads_only_the_rooms_it_uses(words: list[str], loaded: str) -> None:
    done = subprocess.run(
        [*PROGRAM[:-2], "-c", LOADED.format(words=words)],
        env={**os.environ, **ALLOCATOR_ENV},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == loaded


def test_a_role_started_from_a_shell_gets_the_allocator_that_overwrites(tmp_path: Path) -> None:
    site = pki.init(tmp_path / "keys", site="st-mary")
    settings = save(site.gateway, "nobody.toml", b'[broker]\nhost = "127.0.0.1"\nport = 1\n')
    bare = {name: value for name, value in os.environ.items() if name not in ALLOCATOR_ENV}
    with subprocess.Popen(
        [*PROGRAM, "gateway", "run", "--config", str(settings)],
        env=bare,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # It refuses to start without them, so that it gets as far as the broker is the proof.
        assert any("no broker" in line for line in process.stderr)
        process.terminate()
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lodger"], "invalid choice: 'lodger'"),
        (["ledger"], "the following arguments are required: COMMAND"),
        (["ledger", "verify", "x.wsl"], "the following arguments are required: --key"),
        (["check", "--rol", "panel"], "unrecognized arguments: --rol panel"),
        (["appliance", "run", "--role", "cook", "--config", "x"], "invalid choice: 'cook'"),
    ],
)
def test_P10_wrong_use_is_named(words: list[str], said: str) -> None:
    done = wardseal(*words)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("give it a name"), 2),
        (ConfigError("paths.run", "give it a name"), 2),
        (FormatError("give it a name"), 2),
        (VerificationError("give it a name"), 1),
        (EnvironmentProblem("give it a name"), 3),
        (PermissionError(13, "give it a name", "/etc/x"), 3),
        (OSError("give it a name"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_P10_every_error_is_one_sentence_and_a_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> int:
        raise error

    assert guarded(fails) == code
    said = capsys.readouterr().err
    assert said.startswith("wardseal: ")
    assert "give it a name" in said or said == "wardseal: interrupted\n"
    assert said.count("\n") == 1


def test_P10_a_fault_of_our_own_says_where_and_nothing_of_what_it_held(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> int:
        raise KeyError("patient 12345678")

    assert guarded(fails) == 1
    said = capsys.readouterr().err
    line = fails.__code__.co_firstlineno + 1
    assert said == (
        f"wardseal: KeyError in test_program.py, line {line}: this is a fault of Wardseal's own;"
        " WARDSEAL_DEBUG=1 shows more\n"
    )


def test_P10_an_error_s_words_cannot_rewrite_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> int:
        raise UsageError("\x1b[2Jall is well\r\nVERIFIED")

    assert guarded(fails) == 2
    assert capsys.readouterr().err == "wardseal: \\x1b[2Jall is well\\r\\nVERIFIED\n"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["ledger", "show", "none"], "cannot read a ledger none: No such file or directory", 2),
        (["ledger", "show", "."], "cannot read a ledger .: Is a directory", 2),
        (
            ["ledger", "verify", "none", "--key", "none.pub"],
            "--key: cannot read none.pub: No such file or directory",
            2,
        ),
        (
            ["gateway", "run", "--config", "none.toml"],
            "none.toml: cannot be read: No such file or directory",
            2,
        ),
        (
            ["appliance", "run", "--role", "panel", "--config", "none.toml"],
            "none.toml: cannot be read: No such file or directory",
            2,
        ),
        (["check", "--config", "none"], "cannot read a settings file none: No such file", 2),
        (["pki", "device", "none", "ward-a-1"], "none/offline/ca.key is not there", 2),
        (["pki", "init", "no/where", "--site", "x"], "no is not a folder", 2),
    ],
)
def test_P10_what_is_not_there_is_named(
    words: list[str], said: str, code: int, tmp_path: Path
) -> None:
    done = wardseal(*words, where=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"wardseal: {said}")
    assert done.stderr.count("\n") == 1


def test_a_reader_who_has_seen_enough_ends_the_program_quietly(tmp_path: Path) -> None:
    path = save(tmp_path, "ledger.wsl", Scribe().morning().file * 200)
    with subprocess.Popen(
        [*PROGRAM, "ledger", "show", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 1


def test_ctrl_c_ends_it_with_a_word(tmp_path: Path) -> None:
    fifo = tmp_path / "ledger.wsl"
    os.mkfifo(fifo)

    def open_other_end() -> int | None:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: nobody reads it yet
            return None

    with subprocess.Popen(
        # Tests that a shell has put into the background ignore Ctrl-C, and so would this.
        ["env", "--default-signal=INT", *PROGRAM, "ledger", "show", str(fifo)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        writer = until(open_other_end, 20, "it to read the ledger")
        assert writer is not None
        process.send_signal(signal.SIGINT)
        # A signal just before the read blocks is only looked at when the read returns.
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, b"\0")
        assert process.stderr is not None
        assert process.stderr.read() == "wardseal: interrupted\n"
        assert process.wait(timeout=20) == 130
    os.close(writer)
