"""Reading key files: a private key that others can read is refused, never just warned about.

Every fault is one sentence that names the setting and says how to mend it. What the bytes mean
is not decided here (see wire/pem.py and wire/hpke.py).

A service manager hands a key over as a file of root's that an access list opens to one user
(systemd's LoadCredential=). Such a file looks as if its group could read it, because the mode
then shows the list's upper bound (acl(5)); so where there is a list, the list is asked.
"""

import os
import stat
import struct
from pathlib import Path
from typing import Final

from base.errors import ConfigError, EnvironmentProblem

LIMIT: Final = 16 * 1024
"""No key file of ours is longer; a wrong name must not read gigabytes into memory."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

# The form in which the kernel gives a list: a version, then tag, permissions and id of each entry
# (linux/posix_acl_xattr.h).
_ACL: Final = "system.posix_acl_access"
_ACL_VERSION: Final = 2
_ACL_HEAD: Final = struct.Struct("<I")
_ACL_ENTRY: Final = struct.Struct("<HHI")
_OWNER, _USER, _MASK = 0x01, 0x02, 0x10


def read_public(path: Path, setting: str, *, limit: int = LIMIT) -> bytes:
    """Return the file's bytes; ConfigError names ``setting`` when it cannot be read."""
    return _read(path, setting, limit, secret=False)


def read_secret(path: Path, setting: str, *, limit: int = LIMIT) -> bytes:
    """Like ``read_public``, but EnvironmentProblem unless only its owner can open the file."""
    return _read(path, setting, limit, secret=True)


def exposed(path: Path, status: os.stat_result, acl: bytes = b"") -> str:
    """Say why a private key with this status is not safe, and how to mend it; "" if it is.

    ``acl``: the file's access list as the kernel gives it, empty when there is none.
    """
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS and not _for_us_alone(acl):
        return (
            f"{path} is a private key and users other than its owner can open it"
            f" (mode {mode:04o}). Mend it with: chmod 600 {path}"
        )
    if status.st_uid not in {0, os.geteuid()}:
        return (
            f"{path} is a private key that belongs to another user (uid {status.st_uid})."
            f" Mend it with: chown {os.geteuid()} {path}"
        )
    return ""


def _access_list(descriptor: int) -> bytes:
    try:
        return os.getxattr(descriptor, _ACL)
    except OSError:
        return b""  # there is none, or this file system knows none


def _for_us_alone(acl: bytes) -> bool:
    """Tell whether a list gives nothing to anybody but the owner and this process's user."""
    if len(acl) < _ACL_HEAD.size or _ACL_HEAD.unpack_from(acl)[0] != _ACL_VERSION:
        return False
    if (len(acl) - _ACL_HEAD.size) % _ACL_ENTRY.size:
        return False
    ours = {(_USER, os.geteuid())}
    return all(
        not permissions or tag in {_OWNER, _MASK} or (tag, who) in ours
        for tag, permissions, who in _ACL_ENTRY.iter_unpack(acl[_ACL_HEAD.size :])
    )


def _read(path: Path, setting: str, limit: int, *, secret: bool) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe that somebody left there would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as e:
        raise ConfigError(setting, f"cannot read {path}: {e.strerror}") from e
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(setting, f"{path} is not a file")
        if secret and (problem := exposed(path, status, _access_list(descriptor))):
            raise EnvironmentProblem(problem)
        if status.st_size > limit:
            raise ConfigError(
                setting, f"{path} has {status.st_size} bytes; a key has at most {limit}"
            )
        return os.read(descriptor, limit)
    except OSError as e:
        raise ConfigError(setting, f"cannot read {path}: {e.strerror}") from e
    finally:
        os.close(descriptor)
