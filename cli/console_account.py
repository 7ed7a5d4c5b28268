"""``wardseal console account``: the one way to make a local account, for nobody types hashes."""

import getpass
import sys
from argparse import Namespace

from cli.outcome import UsageError
from gateway.console import accounts, config
from gateway.console.roles import Role


def account(arguments: Namespace) -> int:
    """Ask for the password and write the account. Raises UsageError and WardsealError."""
    path = config.load(arguments.config).paths.accounts
    accounts.add(
        path,
        arguments.login,
        name=arguments.name,
        roles=frozenset(Role(role) for role in arguments.role),
        password=_password(),
    )
    print(f"{arguments.login} may sign in now. Their account stands in {path}")
    return 0


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise UsageError("the two passwords differ; nothing was changed")
    return password
