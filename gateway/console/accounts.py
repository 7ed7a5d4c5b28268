"""Local accounts, for a demo or a site without a sign-in of its own.

One TOML file, a table for each person, written by ``wardseal console account``:

    [accounts."j.doe"]
    name = "Jo Doe"
    roles = ["ward"]
    password = "scrypt:<salt>:<hash>"      # RFC 7914, N = 2^15, r = 8, p = 1

An unknown name costs as much time as a wrong password, so that names cannot be guessed.
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.durable import write_atomic
from base.errors import ConfigError, WardsealError
from gateway.console.roles import Role

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
OIDC: Final = "oidc:"
"""How the logins of the hospital's own sign-in begin; those here cannot."""
_LEAST: Final = 10
_SALT_BYTES: Final = 16
_N, _R, _P = 2**15, 8, 1
_MEMORY: Final = 64 * 1024 * 1024


class BadAccount(WardsealError):
    """The account cannot be made as it was asked for."""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in: ``login`` is unique, ``name`` is what people read."""

    login: str
    name: str
    roles: frozenset[Role]


class Accounts:
    """The file at ``path``, as it says now. No file: nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoy = hash_password(secrets.token_hex(8))

    def check(self, login: str, password: str) -> Person | None:
        """Return the person if name and password are right."""
        account = self._read().get(login)
        known = account is not None
        stored = str(account["password"]) if account is not None else self._decoy
        if not _matches(password, stored) or not known or account is None:
            return None
        return _person(login, account)

    def find(self, login: str) -> Person | None:
        """Return who has this account, as it is now."""
        account = self._read().get(login)
        return None if account is None else _person(login, account)

    def any(self) -> bool:
        """Tell whether there is anybody at all."""
        return bool(self._read())

    def _read(self) -> dict[str, dict[str, object]]:
        return _load(self._path)


def add(path: Path, login: str, *, name: str, roles: frozenset[Role], password: str) -> None:
    """Write an account, new or changed, durably. Raises BadAccount."""
    if not _LOGIN.match(login):
        raise BadAccount(f"the name {login!r}: use a-z, 0-9, '.', '_' and '-', 64 at the most")
    if len(password) < _LEAST:
        raise BadAccount(f"the password must have at least {_LEAST} characters")
    if not name.isprintable() or not 1 <= len(name) <= 80 or '"' in name or "\\" in name:
        raise BadAccount("the person's name must be 1 to 80 printable characters, without quotes")
    accounts = _load(path)
    accounts[login] = {
        "name": name,
        "roles": sorted(roles),
        "password": hash_password(password),
    }
    write_atomic(path, _toml(accounts).encode(), mode=0o600)


def hash_password(password: str) -> str:
    """Return a salted hash, as it stands in the file."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt:{salt.hex()}:{_scrypt(password, salt).hex()}"


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)


def _matches(password: str, stored: str) -> bool:
    try:
        kind, salt, digest = stored.split(":")
        if kind != "scrypt":
            return False
        return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(digest))
    except ValueError:
        return False


def _person(login: str, account: dict[str, object]) -> Person:
    roles = account["roles"]
    assert isinstance(roles, list)
    return Person(login, str(account["name"]), frozenset(Role(role) for role in roles))


def _load(path: Path) -> dict[str, dict[str, object]]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise ConfigError("paths.accounts", f"{path} cannot be read: {e}") from e
    found: dict[str, dict[str, object]] = table.get("accounts", {})
    for login, account in found.items():
        try:
            _person(login, account)
            str(account["password"])
        except (KeyError, ValueError, AssertionError, TypeError) as e:
            raise ConfigError(
                "paths.accounts",
                f"{path}: {login!r} needs name, roles (of {', '.join(Role)}) and password",
            ) from e
    return found


def _toml(accounts: dict[str, dict[str, object]]) -> str:
    lines: list[str] = []
    for login, account in sorted(accounts.items()):
        roles = account["roles"]
        assert isinstance(roles, list)
        quoted = ", ".join(f'"{role}"' for role in roles)
        lines += [
            f'[accounts."{login}"]',
            f'name = "{account["name"]}"',
            f"roles = [{quoted}]",
            f'password = "{account["password"]}"',
            "",
        ]
    return "\n".join(lines)
