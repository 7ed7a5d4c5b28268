"""The ``wardseal`` program: reads the command line, loads the one room it needs, ends in words.

Nothing but this file and ``arguments`` is loaded before the command is known, so that a role of
the appliance never carries the gateway's code, nor the gateway a camera's.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from base.errors import WardsealError
from cli.arguments import parser
from cli.outcome import ENVIRONMENT, INTERRUPTED, USAGE, WRONG, exit_code
from cli.terminal import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see ``cli.outcome`` for what the codes mean."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(words))


def guarded(command: Callable[[], int]) -> int:
    """Run ``command``; whatever it raises becomes one sentence on standard error and a code."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Closing at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except WardsealError as e:
        _say(str(e))
        return exit_code(e)
    except OSError as e:
        _say(f"{e.filename}: {e.strerror}" if e.filename else str(e))
        return ENVIRONMENT
    except Exception as e:
        if os.environ.get("WARDSEAL_DEBUG"):
            raise
        _say(f"{_where(e)}: this is a fault of Wardseal's own; WARDSEAL_DEBUG=1 shows more")
        return WRONG
    return code


def _run(words: list[str]) -> int:
    if not words:
        parser().print_help(sys.stderr)
        return USAGE
    if words[0] == "demo":  # it has options of its own, and a --help
        run = _load("cli.demo:main")
        return run(words[1:])
    try:
        arguments = parser().parse_args(words)
    except SystemExit as e:  # argparse has said what it had to say
        return int(e.code or 0)
    return _load(arguments.run)(arguments)


def _load(name: str) -> Callable[..., int]:
    module, _, function = name.partition(":")
    found: Callable[..., int] = getattr(importlib.import_module(module), function)
    return found


def _say(text: str) -> None:
    print(f"wardseal: {plain(text)}", file=sys.stderr)


def _where(error: Exception) -> str:
    """Name kind and place of an unexpected error, and nothing of what it was working on."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


if __name__ == "__main__":
    sys.exit(main())
