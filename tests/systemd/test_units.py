"""The units fit the program: its paths, users, keys, deadlines and sizes."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance import __main__ as appliance
from appliance import credentials, panel
from appliance.config import (
    ApplianceConfig,
    BrokerSettings,
    CameraSettings,
    DeviceSettings,
    PathSettings,
    SpoolSettings,
)
from base.memory import ALLOCATOR_ENV
from base.notify import Notifier, Pulse
from cli.check_machine import _USERS
from tests.systemd.unit_file import ROLES, SYSTEMD, UNITS, WALLS, mebibytes, settings, value, values

PATHS = PathSettings()
SPOOL_MOUNT = UNITS / "run-wardseal.mount"
MAILBOX_MOUNT = UNITS / "run-wardseal-mailbox.mount"
TMPFILES = SYSTEMD / "tmpfiles.d" / "wardseal.conf"
SYSUSERS = SYSTEMD / "sysusers.d" / "wardseal.conf"
RULES = SYSTEMD / "udev" / "rules.d" / "99-wardseal.rules"

MANY = {
    "Environment",
    "SystemCallFilter",
    "InaccessiblePaths",
    "ReadWritePaths",
    "DeviceAllow",
    "IPAddressAllow",
    "LoadCredential",
}
"""Settings of which a later one adds to those before it."""


def mount_options(path: Path) -> dict[str, str]:
    pairs = (option.partition("=") for option in value(path, "Options").split(","))
    return {name: text for name, _, text in pairs}


def made_by_tmpfiles() -> dict[str, list[list[str]]]:
    """The lines of tmpfiles.d by path, each split into its words."""
    found: dict[str, list[list[str]]] = {}
    for line in TMPFILES.read_text().splitlines():
        if line and not line.startswith("#"):
            words = line.split()
            found.setdefault(words[1], []).append(words)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_started_as_the_program_wants_it(role: str) -> None:
    words = shlex.split(value(ROLES[role], "ExecStart"))
    assert role in appliance.ROLES
    assert words == [
        "/usr/lib/wardseal/venv/bin/python",
        *("-P", "-m", "appliance", "--role", role, "--config", "/etc/wardseal/appliance.toml"),
    ]
    assert "home=usr/lib/wardseal" in (UNITS.parents[1] / "image-build/install").read_text()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_a_user_of_its_own(role: str) -> None:
    user = f"wardseal-{role}"
    assert (value(ROLES[role], "User"), value(ROLES[role], "Group")) == (user, user)
    assert f"u {user} " in SYSUSERS.read_text()
    assert user in _USERS
    assert not values(ROLES[role], "SupplementaryGroups")


def test_the_users_numbers_are_fixed_and_different() -> None:
    numbers = re.findall(r"(?m)^u \S+\s+(\d+) ", SYSUSERS.read_text())
    assert len(set(numbers)) == len(_USERS)


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not here")
def test_systemd_can_make_the_users() -> None:
    asked = subprocess.run(
        ["systemd-sysusers", "--dry-run", SYSUSERS], capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr


def test_the_allocator_that_overwrites_what_is_freed_is_set_for_every_role() -> None:
    given = dict(text.split("=", 1) for text in values(WALLS, "Environment"))
    assert given == dict(ALLOCATOR_ENV)
    for path in ROLES.values():
        names = {text.partition("=")[0] for text in values(path, "Environment")}
        assert not names & set(ALLOCATOR_ENV)


def test_the_rooms_lie_where_the_settings_say() -> None:
    assert value(SPOOL_MOUNT, "Where") == str(PATHS.run)
    assert value(MAILBOX_MOUNT, "Where") == str(PATHS.mailbox)
    socket = UNITS / "wardseal-darkroom.socket"
    assert value(socket, "ListenSequentialPacket") == str(PATHS.darkroom_socket)
    rooms = (PATHS.run, PATHS.sealing, PATHS.outbox, PATHS.mailbox, PATHS.state, PATHS.ledger)
    made = made_by_tmpfiles()
    for room in rooms:
        assert [words[0] for words in made[str(room)]][:1] == ["d"], room
    assert PATHS.uplink_bell.parent == PATHS.mailbox, "the uplink can make it nowhere else"


def test_a_release_is_a_rename_within_one_mount() -> None:
    mounts = {Path(value(path, "Where")) for path in UNITS.glob("*.mount")}
    assert mounts == {PATHS.run, PATHS.mailbox}
    # A path that a unit names is bound over itself, and would be a mount of its own in there.
    writable = " ".join(values(ROLES["panel"], "ReadWritePaths")).split()
    assert writable == [str(PATHS.run), str(PATHS.state)]


def test_each_role_writes_into_its_rooms_and_into_nothing_else() -> None:
    assert values(ROLES["darkroom"], "ReadWritePaths") == [str(PATHS.sealing)]
    assert values(ROLES["uplink"], "ReadWritePaths") == [str(PATHS.mailbox)]
    for room, writers in {
        PATHS.run: {"panel"},
        PATHS.sealing: {"panel", "darkroom"},
        PATHS.outbox: {"panel"},
        PATHS.mailbox: {"panel", "uplink"},
        PATHS.state: {"panel"},
        PATHS.ledger: {"panel"},
    }.items():
        made, listed = made_by_tmpfiles()[str(room)]
        assert made[3:5] == ["root", "root"], f"{room}: a role that owns it could change the rules"
        granted = re.findall(r"(?<!default:)user:wardseal-(\w+):(\S{3})", listed[-1])
        assert {who for who, how in granted if "w" in how} == writers, room


def test_who_is_named_in_an_access_list_is_a_user_we_make() -> None:
    for lines in made_by_tmpfiles().values():
        for words in lines:
            assert set(re.findall(r"user:(wardseal-\w+)", words[-1])) <= set(_USERS)


def test_keys_go_to_the_role_that_needs_them_and_to_no_other() -> None:
    config = ApplianceConfig(device=DeviceSettings("ward-a-1"), broker=BrokerSettings("broker"))
    etc = Path("/etc/wardseal")
    handed = {role: values(path, "LoadCredential") for role, path in ROLES.items()}
    assert handed == {
        "panel": [f"{credentials.SIGNING}:{etc / config.keys.signing}"],
        "darkroom": [],
        "uplink": [f"{credentials.TLS}:{etc / config.broker.key}"],
    }
    for path in ROLES.values():
        hidden = " ".join(values(path, "InaccessiblePaths")).split()
        assert f"-{etc / config.keys.signing}" in hidden
        assert f"-{etc / config.broker.key}" in hidden


@pytest.mark.parametrize("role", ROLES)
def test_the_shared_walls_and_a_unit_never_say_different_things(role: str) -> None:
    """The shared part is read last, so what a unit says to the contrary would not count."""
    walls = {setting.name for setting in settings(WALLS)} - MANY
    unit = {setting.name for setting in settings(ROLES[role]) if setting.section == "Service"}
    assert not walls & unit
    assert not values(ROLES[role], "SystemCallFilter"), "read first, it would turn the list around"


def test_every_relaxed_wall_has_its_reason_beside_it() -> None:
    opening = {"PrivateDevices", "PrivateNetwork", "RestrictAddressFamilies", "IPAddressAllow"}
    found = []
    for role, path in ROLES.items():
        for setting in settings(path):
            shut = (setting.name, setting.value) in {
                ("PrivateDevices", "yes"),
                ("PrivateNetwork", "yes"),
            }
            if setting.name in opening and not shut:
                found.append((role, setting.name))
                assert "Relaxed: " in setting.reason or "name server" in setting.reason, setting
    assert len(found) == 8


@pytest.mark.parametrize("role", ROLES)
def test_no_memory_of_a_role_reaches_a_disk(role: str) -> None:
    assert value(WALLS, "LimitCORE") == "0"
    assert value(WALLS, "MemorySwapMax") == "0"
    assert mebibytes(value(ROLES[role], "MemoryMax"))
    # cli.check asks for this much, so that frames and a JPEG stay out of swap as well as keys.
    assert mebibytes(value(WALLS, "LimitMEMLOCK")) >= 96


def test_a_full_spool_is_said_before_the_kernel_says_it() -> None:
    size = mebibytes(mount_options(SPOOL_MOUNT)["size"])
    spool = SpoolSettings()
    assert size >= spool.capacity_mib + spool.photo_mib
    # What is in the spool is charged to the darkroom that wrote it; frames and Python come to that.
    assert mebibytes(value(ROLES["darkroom"], "MemoryMax")) >= size + 256
    assert mebibytes(mount_options(MAILBOX_MOUNT)["size"]) <= 2


@pytest.mark.parametrize("path", [SPOOL_MOUNT, MAILBOX_MOUNT], ids=lambda path: path.stem)
def test_nothing_in_the_rooms_can_be_run_or_be_a_device(path: Path) -> None:
    assert {"nosuid", "nodev", "noexec", "size", "nr_inodes"} <= mount_options(path).keys()
    assert not values(path, "PartOf") and not values(path, "BindsTo"), "it outlives the services"


@pytest.mark.parametrize("role", ROLES)
def test_a_watchdog_is_fed_by_the_role_itself(role: str) -> None:
    assert value(ROLES[role], "Type") == "notify"
    assert int(value(ROLES[role], "WatchdogSec")) > 0


def test_an_honest_role_at_its_slowest_is_not_taken_for_a_hung_one() -> None:
    """Waits are cut to a quarter of the watchdog's time where the loop can; the panel's are three
    seconds at most by themselves. A turn of the darkroom takes as long as the camera may."""
    panels = int(value(ROLES["panel"], "WatchdogSec"))
    assert panels / 4 >= panel._LOOK_AROUND_NS / 1e9
    darkrooms = int(value(ROLES["darkroom"], "WatchdogSec"))
    assert 2 * (CameraSettings().deadline_seconds + 0.5) <= darkrooms
    watched = Pulse(Notifier({"WATCHDOG_USEC": f"{darkrooms * 1_000_000}"}), longest_turn=4.5)
    assert watched.patience(None) == darkrooms / 4


def test_one_connection_is_one_darkroom_and_its_standard_input() -> None:
    socket = UNITS / "wardseal-darkroom.socket"
    assert value(socket, "Accept") == "yes"
    assert (value(socket, "SocketUser"), value(socket, "SocketMode")) == ("wardseal-panel", "0600")
    assert value(ROLES["darkroom"], "StandardInput") == "socket"
    assert value(ROLES["darkroom"], "StandardOutput") == "journal", "not into the connection"
    assert value(ROLES["darkroom"], "Restart") == "no"


def test_the_target_starts_everything() -> None:
    wanted = value(UNITS / "wardseal.target", "Wants").split()
    assert wanted == [
        "wardseal-darkroom.socket",
        "wardseal-panel.service",
        "wardseal-uplink.service",
    ]


def test_devices_belong_to_the_role_that_its_unit_lets_near_them() -> None:
    owners = dict(
        re.findall(r'(?m)^SUBSYSTEM=="(\S+)",.* GROUP="wardseal-(\w+)"', RULES.read_text())
    )
    kinds = {"gpiochip": "gpio", "i2c": "i2c-dev", "spi": "spidev"}
    allowed = {
        kinds.get(kind, kind): role
        for role, path in ROLES.items()
        for text in values(path, "DeviceAllow")
        for kind in re.findall(r"^char-(\S+) rw$", text)
    }
    assert owners == allowed
    assert set(allowed.values()) == {"panel", "darkroom"}
