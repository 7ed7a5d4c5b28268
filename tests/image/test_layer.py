"""The layer's files: complete, in their places, and agreeing with the units and the program."""

import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from appliance import config
from appliance.config import ApplianceConfig
from appliance.simulator import refuse_production
from base.errors import EnvironmentProblem
from cli import check_machine, pki
from cli.findings import Machine
from tests.systemd.unit_file import UNITS, value

CHECKOUT = Path(__file__).parents[2]
BUILD = CHECKOUT / "image-build"
TARGETS = ("raspberry-pi-os", "debian")

pytestmark = pytest.mark.skipif(
    shutil.which("systemctl") is None, reason="image-build/install enables units with systemctl"
)


def install(root: Path, target: str) -> Path:
    subprocess.run([BUILD / "install", "--target", target, "--files-only", root], check=True)
    return root


def words(path: Path) -> list[str]:
    """A list of ours: without comments and blank lines."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


@pytest.fixture(scope="module", params=TARGETS)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("root"), request.param)


def everything(root: Path) -> dict[str, str]:
    """Every file and link with its content and mode."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {path.readlink()}"
        elif path.is_file():
            mode = stat.S_IMODE(path.stat().st_mode)
            found[str(path.relative_to(root))] = f"{mode:o} {path.read_bytes()!r}"
    return found


def test_doing_it_again_changes_nothing(root: Path) -> None:
    before = everything(root)
    target = "raspberry-pi-os" if (root / "boot/firmware").exists() else "debian"
    assert everything(install(root, target)) == before


def test_every_file_of_the_layer_is_for_all_to_read_and_for_root_to_write(root: Path) -> None:
    for name, content in everything(root).items():
        mode = content.partition(" ")[0]
        assert mode in {"644", "->"} or (name, mode) == ("usr/bin/wardseal", "755"), name


def test_what_starts_is_enabled_and_what_must_not_is_masked(root: Path) -> None:
    units = root / "etc/systemd/system"
    assert (units / "multi-user.target.wants/wardseal.target").is_symlink()
    for mount in ("run-wardseal.mount", "run-wardseal-mailbox.mount"):
        assert (units / "local-fs.target.wants" / mount).is_symlink()
    masked = words(BUILD / "masked-units")
    assert {"swap.target", "ssh.service", "getty@.service", "serial-getty@.service"} <= set(masked)
    for unit in masked:
        assert (units / unit).readlink() == Path("/dev/null")


@pytest.mark.parametrize("unit", ["run-wardseal.mount", "run-wardseal-mailbox.mount"])
def test_in_the_image_a_room_is_as_in_its_unit_and_never_swapped_out(root: Path, unit: str) -> None:
    added = root / "etc/systemd/system" / f"{unit}.d" / "90-noswap.conf"
    assert value(added, "Options") == f"{value(UNITS / unit, 'Options')},noswap"


def test_no_simulated_part_runs_on_an_image(root: Path) -> None:
    marker = root / str(config.PathSettings().production).lstrip("/")
    with pytest.raises(EnvironmentProblem, match="this is a production image"):
        refuse_production(marker, "the camera")


def test_the_doctor_finds_the_kernel_s_settings_as_they_should_be(root: Path) -> None:
    """`wardseal check` and the layer speak of the same things."""
    proc = root / "proc"
    sysctl = dict(
        re.findall(r"(?m)^([\w.]+) = (.*)$", (root / "etc/sysctl.d/90-wardseal.conf").read_text())
    )
    for name in ("kernel.yama.ptrace_scope", "kernel.core_pattern"):
        path = proc / "sys" / name.replace(".", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sysctl[name] + "\n")
    (proc / "cmdline").write_text((root / "usr/share/wardseal/cmdline").read_text())
    machine = Machine(root=root)
    for question in (check_machine.ptrace, check_machine.init_on_free):
        assert question(machine).state.name == "OK", question.__name__
    assert sysctl["kernel.core_pattern"] == "|/bin/false"
    assert sysctl["kernel.sysrq"] == "0"
    shutil.rmtree(proc)


def test_the_kernel_s_command_line_has_what_the_target_needs(root: Path) -> None:
    line = (root / "usr/share/wardseal/cmdline").read_text().split()
    assert {"init_on_free=1", "systemd.swap=0", "noresume"} <= set(line)
    assert ("cgroup_enable=memory" in line) == (root / "boot/firmware").exists()


def test_the_root_of_debian_s_image_is_read_only_and_the_ledger_is_on_a_disk_of_its_own(
    tmp_path: Path,
) -> None:
    root = install(tmp_path, "debian")
    places = {line.split()[1]: line.split() for line in words(root / "etc/fstab")}
    assert set(places) == {"/", "/var", "/var/lib/wardseal"}
    assert "ro" in places["/"][3].split(",")
    assert places["/var"][2] == "tmpfs" and "noswap" in places["/var"][3].split(",")
    kept = places["/var/lib/wardseal"]
    assert kept[2] == "ext4" and {"data=journal", "noexec"} <= set(kept[3].split(","))
    assert kept[5] == "2", "looked through after a power cut"
    assert "ro" in (root / "usr/share/wardseal/cmdline").read_text().split()


FIRMWARE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=1234-02 rootfstype=ext4 rootwait quiet\n"
)


def test_a_pi_s_command_line_and_config_keep_what_they_had(tmp_path: Path) -> None:
    firmware = tmp_path / "boot/firmware"
    firmware.mkdir(parents=True)
    (firmware / "cmdline.txt").write_text(FIRMWARE)
    (firmware / "config.txt").write_text("arm_64bit=1\n")
    for _ in range(2):
        install(tmp_path, "raspberry-pi-os")
    assert (firmware / "cmdline.txt").read_text() == (
        "console=tty1 root=PARTUUID=1234-02 rootfstype=ext4 rootwait quiet init_on_free=1"
        " init_on_alloc=1 systemd.swap=0 noresume cgroup_enable=memory\n"
    ), "one line, without the serial console, each word once"
    assert (firmware / "config.txt").read_text() == ("arm_64bit=1\n\n[all]\ninclude wardseal.txt\n")
    assert "camera_auto_detect=1" in (firmware / "wardseal.txt").read_text().split()


def test_the_template_of_the_settings_says_what_holds_when_nothing_is_said(
    root: Path, tmp_path: Path
) -> None:
    template = (root / "usr/share/wardseal/appliance.toml").read_text()
    said = tmp_path / "said.toml"
    said.write_text(re.sub(r"(?m)^#(?=\w+ = )", "", template))
    unsaid = tmp_path / "unsaid.toml"
    unsaid.write_text(template)
    assert config.load(said) == config.load(unsaid)
    named = {
        f"{table}.{name}"
        for table, settings in tomllib.loads(said.read_text()).items()
        for name in settings
    }
    assert named == {
        f"{table}.{name}"
        for table, settings in ApplianceConfig.__dataclass_fields__.items()
        for name in settings.type.__dataclass_fields__  # type: ignore[union-attr]
    }, "every setting there is, and no other"


def test_what_a_device_does_without_is_named_as_in_the_lock_file() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (CHECKOUT / "requirements.lock").read_text()))
    without = set(words(BUILD / "packages" / "not-on-the-device"))
    assert without < locked
    assert not without & {"cryptography", "pillow", "paho-mqtt", "gpiozero", "luma-oled"}


@pytest.mark.parametrize("name", ["common", *TARGETS])
def test_a_list_of_packages_holds_names_and_reasons(name: str) -> None:
    for package in words(BUILD / "packages" / name):
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package)


@pytest.mark.parametrize(
    ("arguments", "words_said"),
    [
        ([], "--target is raspberry-pi-os or debian"),
        (["--target", "windows", "/tmp"], "--target is raspberry-pi-os or debian"),
        (["--target"], "--target wants a word after it"),
        (["--target", "debian"], "one root directory is needed"),
        (["--target", "debian", "a", "b"], "one root directory is needed"),
        (["--target", "debian", "--fast", "/tmp"], "unknown option --fast"),
    ],
)
def test_wrong_use_of_install_is_said_and_ends_with_2(
    arguments: list[str], words_said: str
) -> None:
    asked = subprocess.run([BUILD / "install", *arguments], capture_output=True, text=True)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr == (f"image-build/install: {words_said}; see image-build/install --help\n")


def test_the_running_system_is_not_a_root_to_install_into() -> None:
    asked = subprocess.run(
        [BUILD / "install", "--target", "debian", "--files-only", "/"],
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 1
    assert "this is the running system" in asked.stderr


# Giving a card its keys


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return pki.device(pki.init(tmp_path / "site", site="north"), "ward-a-1", bed="A1")


def enrol(root: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUILD / "enrol", root, bundle], capture_output=True, text=True)


def test_a_card_gets_its_keys_where_the_units_look_for_them(tmp_path: Path, bundle: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    done = enrol(install(card, "raspberry-pi-os"), bundle)
    assert done.returncode == 0, done.stderr
    assert "The card is ward-a-1 now." in done.stderr
    etc = card / "etc/wardseal"
    modes = {path.name: f"{stat.S_IMODE(path.stat().st_mode):o}" for path in etc.iterdir()}
    assert {name for name, mode in modes.items() if mode == "600"} == {"device.key", "tls.key"}
    loaded = config.load(etc / "appliance.toml")
    assert (loaded.device.id, loaded.device.bed) == ("ward-a-1", "A1")
    paths = (*vars(loaded.keys).values(), loaded.broker.ca, loaded.broker.certificate)
    assert all(path.parent == etc and path.exists() for path in paths)


def test_a_card_that_has_keys_keeps_them(tmp_path: Path, bundle: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    install(card, "debian")
    assert enrol(card, bundle).returncode == 0
    before = everything(card)
    again = enrol(card, bundle)
    assert again.returncode == 1
    assert "is there already. A device keeps its keys for life" in again.stderr
    assert everything(card) == before


def test_what_is_no_card_or_no_bundle_is_left_alone(tmp_path: Path, bundle: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = enrol(empty, bundle)
    assert refused.returncode == 1
    assert "does not hold Wardseal" in refused.stderr
    card = tmp_path / "card"
    card.mkdir()
    refused = enrol(install(card, "debian"), empty)
    assert refused.returncode == 1
    assert "device.key is missing: is that a bundle of wardseal pki device?" in refused.stderr
    assert not (card / "etc/wardseal/appliance.toml").exists()
