"""How a command ends: its exit code, and who is to blame, in one place."""

from typing import Final

from base.errors import ConfigError, EnvironmentProblem, FormatError, WardsealError

OK: Final = 0
WRONG: Final = 1
USAGE: Final = 2
ENVIRONMENT: Final = 3
INTERRUPTED: Final = 130

EXIT_CODES: Final = """\
exit codes:
  0    done, and everything that was looked at is in order
  1    something is wrong: NOT VERIFIED, does not hold, a check is broken
  2    wrong use or bad input: an option, a setting, a file that is not what it should be
  3    this machine lacks something: a program, a library, a permission, room on the disk
  130  interrupted with Ctrl-C
"""


class UsageError(WardsealError):
    """What was asked for on the command line cannot be done; the text says what to change."""


def exit_code(error: WardsealError) -> int:
    """Return the exit code for an error that ended a command."""
    match error:
        case UsageError() | ConfigError() | FormatError():
            return USAGE
        case EnvironmentProblem():
            return ENVIRONMENT
    return WRONG
