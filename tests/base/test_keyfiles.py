"""Key files: refused when others can read them, with a sentence that says how to mend it."""

import os
import struct
from pathlib import Path

import pytest

from base.errors import ConfigError, EnvironmentProblem
from base.keyfiles import LIMIT, exposed, read_public, read_secret


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "device.key"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    return path


def test_a_key_that_only_its_owner_can_read_is_read(key: Path) -> None:
    assert read_secret(key, "keys.signing") == b"secret"
    key.chmod(0o400)
    assert read_secret(key, "keys.signing") == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610])
def test_a_private_key_that_others_can_open_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(EnvironmentProblem) as caught:
        read_secret(key, "keys.signing")
    assert str(caught.value) == (
        f"{key} is a private key and users other than its owner can open it (mode 0{mode:o})."
        f" Mend it with: chmod 600 {key}"
    )
    assert read_public(key, "keys.public") == b"secret"


def test_a_private_key_of_another_user_is_refused(key: Path) -> None:
    found = list(os.stat(key))
    found[4] = os.geteuid() + 1
    assert "belongs to another user" in exposed(key, os.stat_result(found))
    found[4] = 0
    assert not exposed(key, os.stat_result(found))


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """A list as setxattr(2) takes it: tag, permissions and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
OWNER, GROUP, OTHERS = (0x01, 4, NOBODY), (0x04, 0, NOBODY), (0x20, 0, NOBODY)
MASK = (0x10, 4, NOBODY)


def user(number: int) -> tuple[int, int, int]:
    return (0x02, 4, number)


def test_a_key_that_root_opens_to_this_user_alone_is_read(key: Path) -> None:
    acl = access_list(OWNER, user(os.geteuid()), GROUP, MASK, OTHERS)
    os.setxattr(key, "system.posix_acl_access", acl)
    assert key.stat().st_mode & 0o777 == 0o440, "the list's bound shows as the group's right"
    assert read_secret(key, "keys.signing") == b"secret"


@pytest.mark.parametrize(
    "acl",
    [
        access_list(OWNER, user(os.geteuid()), user(os.geteuid() + 1), GROUP, MASK, OTHERS),
        access_list(OWNER, user(os.geteuid()), (0x04, 4, NOBODY), MASK, OTHERS),
        access_list(OWNER, GROUP, (0x08, 4, 4711), MASK, OTHERS),
        access_list(OWNER, user(os.geteuid()), GROUP, MASK, (0x20, 4, NOBODY)),
    ],
    ids=["another user", "the group", "another group", "everybody"],
)
def test_a_key_that_an_access_list_opens_to_others_is_refused(key: Path, acl: bytes) -> None:
    os.setxattr(key, "system.posix_acl_access", acl)
    with pytest.raises(EnvironmentProblem, match="users other than its owner can open it"):
        read_secret(key, "keys.signing")


@pytest.mark.parametrize("acl", [b"", b"\0", struct.pack("<I", 1), struct.pack("<I", 2) + b"\0"])
def test_an_access_list_that_cannot_be_understood_excuses_nothing(key: Path, acl: bytes) -> None:
    key.chmod(0o640)
    assert "users other than its owner" in exposed(key, key.stat(), acl)


def test_what_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_public(tmp_path / "none", "keys.root")
    assert str(caught.value) == f"keys.root: cannot read {tmp_path}/none: No such file or directory"
    with pytest.raises(ConfigError, match=r"keys.root: .* is not a file"):
        read_public(tmp_path, "keys.root")


def test_a_pipe_in_a_key_s_place_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="is not a file"):
        read_secret(tmp_path / "pipe", "keys.signing")


def test_a_file_far_too_long_for_a_key_is_not_read(key: Path) -> None:
    key.write_bytes(bytes(LIMIT + 1))
    with pytest.raises(ConfigError, match=f"a key has at most {LIMIT}"):
        read_secret(key, "keys.signing")
