"""The doctor: every protection is missed when it is off, and he says how to mend it."""

import grp
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli import check_parts, pki
from cli.check import examine
from cli.findings import Finding, Machine, State
from tests.cli.paperwork import Scribe, save
from tests.cli.program import wardseal

BOOT = "proc/cmdline"
RELEASE = "proc/sys/kernel/osrelease"


class World:
    """A machine of files, at first one with every protection."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.machine = Machine(
            root=self.root,
            uid=1000,
            limit=lambda kind: 0 if kind == resource.RLIMIT_CORE else resource.RLIM_INFINITY,
            loads=lambda _: True,
            imports=lambda _: True,
            allocator_problem=lambda: "",
            synchronised=lambda: True,
        )
        self.put(RELEASE, "6.12.0-rpi\n")
        self.put("proc/swaps", "Filename Type Size Used Priority\n")
        self.put(BOOT, "console=tty1 init_on_free=1\n")
        self.put("proc/sys/kernel/yama/ptrace_scope", "2\n")
        self.put("proc/sys/kernel/core_pattern", "core\n")
        users = ("wardseal-panel", "wardseal-darkroom", "wardseal-uplink")
        self.put("etc/passwd", "".join(f"{user}:x:900:900::/:/bin/false\n" for user in users))
        for device in ("tpmrm0", "gpiochip0", "i2c-1", "media0"):
            self.put(f"dev/{device}", "")
        mounts = (
            f"20 1 0:1 / / rw - ext4 /dev/sda rw\n21 20 0:2 / {folder} rw - tmpfs tmpfs rw,noswap\n"
        )
        self.put("proc/self/mountinfo", mounts)

    def put(self, path: str, text: str) -> None:
        """Write a file of the machine's."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def remove(self, path: str) -> None:
        """Take a file away."""
        (self.root / path).unlink()

    def finds(self, role: str | None = None, config: Path | None = None) -> dict[str, Finding]:
        """What the doctor says, by name."""
        return {finding.name: finding for finding in examine(self.machine, role, config)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_on_a_machine_with_everything_everything_is_in_order(world: World) -> None:
    found = world.finds()
    assert {finding.state for finding in found.values()} == {State.OK}
    assert len(found) == 18
    assert all(not finding.mend for finding in found.values())


def change(**fields: object) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.machine = replace(world.machine, **fields)  # type: ignore[arg-type]

    return make


def limits(**bytes_of: int) -> Callable[[World], None]:
    kinds = {getattr(resource, f"RLIMIT_{name.upper()}"): n for name, n in bytes_of.items()}
    return change(limit=lambda kind: kinds.get(kind, 0))


OFF: list[tuple[str, Callable[[World], None], str, str]] = [
    (
        "kernel",
        lambda w: w.put(RELEASE, "6.1.0-44\n"),
        "Linux 6.1.0-44 cannot keep",
        "6.4 or newer",
    ),
    ("kernel", lambda w: w.remove(RELEASE), "of unknown version", "6.4 or newer"),
    (
        "swap",
        lambda w: w.put("proc/swaps", "Filename\n/dev/sda2 partition 9 0 -2\n"),
        "/dev/sda2",
        "swapoff",
    ),
    ("init_on_free", lambda w: w.put(BOOT, "quiet\n"), "keeps its content", "init_on_free=1"),
    ("locked memory", limits(memlock=8 << 20), "8 MiB can be locked", "LimitMEMLOCK=infinity"),
    ("core dumps", limits(core=1, memlock=-1), "leaves its memory behind (core)", "LimitCORE=0"),
    (
        "ptrace",
        lambda w: w.put("proc/sys/kernel/yama/ptrace_scope", "0\n"),
        "may look into",
        "sysctl",
    ),
    ("ptrace", lambda w: w.remove("proc/sys/kernel/yama/ptrace_scope"), "may look into", "sysctl"),
    ("allocator", change(allocator_problem=lambda: "no effect"), "no effect", "glibc 2.34"),
    (
        "users",
        lambda w: w.put("etc/passwd", "wardseal-panel:x\n"),
        "no wardseal-darkroom, no",
        "image",
    ),
    ("root", change(uid=0), "run as root", "user of its own"),
    ("TPM", lambda w: w.remove("dev/tpmrm0"), "lies in a file", "TPM module"),
    ("clock", change(synchronised=lambda: False), "not trusted", "set-ntp"),
    (
        "libturbojpeg",
        change(loads=lambda name: "jpeg" not in name),
        "not installed",
        "libturbojpeg0",
    ),
    (
        "libapriltag",
        change(loads=lambda name: "apriltag" not in name),
        "not installed",
        "libapriltag3",
    ),
    (
        "libseccomp",
        change(loads=lambda name: "seccomp" not in name),
        "not installed",
        "libseccomp2",
    ),
    (
        "cryptography",
        change(imports=lambda name: "hpke" not in name),
        "no HPKE",
        "cryptography>=49",
    ),
    ("GPIO", lambda w: w.remove("dev/gpiochip0"), "/dev/gpiochip*", "Raspberry Pi"),
    ("screen bus", lambda w: w.remove("dev/i2c-1"), "/dev/i2c-1", "raspi-config nonint do_i2c 0"),
    ("camera", lambda w: w.remove("dev/media0"), "/dev/media*", "camera_auto_detect=1"),
    (
        "camera",
        change(imports=lambda name: name != "picamera2"),
        "picamera2 is not",
        "python3-picamera2",
    ),
]


@pytest.mark.parametrize(("name", "take", "says", "mend"), OFF, ids=[case[0] for case in OFF])
def test_what_is_missing_is_off_with_a_way_to_mend_it(
    world: World, name: str, take: Callable[[World], None], says: str, mend: str
) -> None:
    take(world)
    found = world.finds()
    assert found[name].state is State.OFF
    assert says in found[name].says
    assert mend in found[name].mend
    others = {finding.state for other, finding in found.items() if other != name}
    assert others == {State.OK}


def test_a_kernel_that_wipes_by_default_counts_unless_it_is_told_not_to(world: World) -> None:
    world.put(BOOT, "quiet\n")
    world.put("boot/config-6.12.0-rpi", "CONFIG_INIT_ON_FREE_DEFAULT_ON=y\n")
    assert world.finds()["init_on_free"].state is State.OK
    world.put(BOOT, "init_on_free=0\n")
    assert world.finds()["init_on_free"].state is State.OFF


@pytest.mark.parametrize("device", ["gpiochip0", "i2c-1", "media0"])
def test_a_device_file_that_is_closed_to_the_role_names_its_group_and_the_rule(
    world: World, device: str
) -> None:
    change(may=lambda path: path.name != device)(world)
    names = {"gpiochip0": "GPIO", "i2c-1": "screen bus", "media0": "camera"}
    found = world.finds("darkroom" if device == "media0" else "panel")[names[device]]
    group = grp.getgrgid((world.root / "dev" / device).stat().st_gid).gr_name
    assert found.state is State.BROKEN
    assert f"/dev/{device} is there, but closed to this user: it belongs to the group {group}" in (
        found.says
    )
    assert found.mend.startswith("install 99-wardseal.rules (docs/howto/install.md)")


@pytest.mark.parametrize(
    ("role", "broken"),
    [
        ("panel", {"GPIO", "screen bus"}),
        (
            "darkroom",
            {"locked memory", "allocator", "libturbojpeg", "libapriltag", "cryptography", "camera"},
        ),
        ("uplink", {"locked memory"}),
        ("gateway", {"libturbojpeg", "libseccomp", "cryptography"}),
        (None, {"locked memory"}),
    ],
)
def test_what_a_role_cannot_do_without_is_broken_for_it_alone(
    world: World, role: str | None, broken: set[str]
) -> None:
    for device in ("gpiochip0", "i2c-1", "media0"):
        world.remove(f"dev/{device}")
    change(
        loads=lambda _: False,
        imports=lambda _: False,
        allocator_problem=lambda: "no effect",
        limit=lambda _: 4096 if role != "panel" else resource.RLIM_INFINITY,
    )(world)
    found = world.finds(role)
    assert {name for name, finding in found.items() if finding.state is State.BROKEN} == broken


def test_the_real_machine_answers_every_question() -> None:
    done = wardseal("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok      allocator" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" 0 BROKEN")


def test_the_findings_as_json_and_in_the_exit_code(tmp_path: Path) -> None:
    settings = save(tmp_path, "gateway.toml", b"[brokr]\nhost = 'x'\n")
    done = wardseal("check", "--role", "gateway", "--config", settings, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert (found["role"], found["ok"]) == ("gateway", False)
    (settings_line,) = [f for f in found["findings"] if f["name"] == "settings"]
    assert settings_line["state"] == "BROKEN"
    assert "brokr: unknown setting; did you mean broker?" in settings_line["says"]


# ---- what the settings name ----------------------------------------------------------------


class Site:
    """A site's keys and one device's bundle, with simulated hardware, and a broker's port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.keys = pki.init(folder / "keys", site="st-mary")
        self.bundle = pki.device(self.keys, "ward-a-1")
        self.state = folder / "state"
        self.production = folder / "production"
        broker = f'[broker]\nhost = "localhost"\nport = {port}\n'
        self.device = save(
            self.bundle,
            "here.toml",
            f'{broker}[device]\nid = "ward-a-1"\n'
            f'[paths]\nrun = "{folder}/run"\nstate = "{self.state}"\n'
            f'production = "{self.production}"\n'
            '[hardware]\nadapter = "simulated"\n[camera]\nadapter = "simulated"\n'.encode(),
        )
        self.gateway = save(self.keys.gateway, "here.toml", broker.encode())

    @contextmanager
    def broker(self, port: int, *, knows_us: bool = True) -> Iterator[None]:
        """Something that answers by TLS 1.3 and takes certificates of this site, or of none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys.broker / "tls.crt", self.keys.broker / "tls.key")
        context.verify_mode = ssl.CERT_REQUIRED
        if knows_us:
            context.load_verify_locations(self.keys.broker / "ca.crt")
        with socket.create_server(("127.0.0.1", port)) as listener:

            def answer() -> None:
                try:
                    with context.wrap_socket(listener.accept()[0], server_side=True) as tls:
                        tls.recv(1)
                except OSError:
                    return

            thread = threading.Thread(target=answer)
            thread.start()
            yield
            thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def site(tmp_path: Path, port: int) -> Site:
    return Site(tmp_path, port)


def test_a_device_with_its_bundle_and_its_broker_is_in_order(
    world: World, site: Site, port: int
) -> None:
    with site.broker(port):
        found = world.finds(None, site.device)
    assert {name: f.says for name, f in found.items() if f.state is not State.OK} == {}
    assert {"settings", "run folder", "state folder", "signing key", "keyset", "ledger"} <= set(
        found
    )
    assert found["broker"].says.endswith("answers by TLS 1.3 and takes our certificate")


def test_the_gateway_with_its_keys_and_its_broker_is_in_order(
    world: World, site: Site, port: int
) -> None:
    with site.broker(port):
        found = world.finds("gateway", site.gateway)
    at_rest = found.pop("keys at rest")
    assert {name: f.says for name, f in found.items() if f.state is not State.OK} == {}
    assert at_rest.state is State.OFF
    assert at_rest.says.startswith("opening.key, receipt.key, tls.key lie in the clear on the disk")
    assert "wardseal keys encrypt" in at_rest.mend
    assert found["devices"].says.startswith("1 registered")


def test_keys_that_systemd_hands_over_do_not_lie_on_the_disk(
    world: World, site: Site, tmp_path: Path
) -> None:
    handed = tmp_path / "handed"
    handed.mkdir(mode=0o700)
    for name in ("opening.key", "receipt.key", "tls.key"):
        (site.keys.gateway / name).rename(handed / f"wardseal_{name}")
    world.machine = replace(world.machine, environ={"CREDENTIALS_DIRECTORY": str(handed)})
    found = world.finds("gateway", site.gateway)
    for name in ("opening key", "receipt key", "TLS key", "keys at rest", "keys"):
        assert found[name].state is State.OK, found[name]
    world.machine = replace(world.machine, environ={})
    assert world.finds("gateway", site.gateway)["keys"].state is State.BROKEN


def test_whose_settings_they_are_the_file_says(world: World, site: Site) -> None:
    assert "devices" in world.finds(None, site.gateway)
    assert not {"TPM", "users", "run folder"} & set(world.finds(None, site.gateway))
    assert {"TPM", "users", "run folder"} <= set(world.finds(None, site.device))


def test_a_broker_that_refuses_our_certificate_or_is_not_there_is_named(
    world: World, site: Site, port: int
) -> None:
    with site.broker(port, knows_us=False):
        found = world.finds("uplink", site.device)["broker"]
    assert found.state is State.BROKEN
    assert found.says == f"port {port}: localhost does not know the authority of our certificate"
    found = world.finds("uplink", site.device)["broker"]
    assert found.says == f"port {port}: nothing answers at localhost on this port"


def test_each_role_is_asked_only_for_what_it_uses(world: World, site: Site) -> None:
    device = {"kernel", "swap", "init_on_free", "locked memory", "core dumps", "ptrace"}
    device |= {"allocator", "users", "root", "clock", "settings", "run folder"}
    panel = {"TPM", "buttons, screen", "state folder", "signing key", "keyset", "ledger"}
    darkroom = {"libturbojpeg", "libapriltag", "cryptography", "camera", "keyset"}
    uplink = {"TLS key", "certificate", "broker"}
    site.bundle.joinpath("device.key").chmod(0)
    for role, asked in (("panel", panel), ("darkroom", darkroom), ("uplink", uplink)):
        found = set(world.finds(role, site.device)) - {"signing key"}
        assert found == (device | asked) - {"signing key"}, role


def test_P7_an_uplink_that_could_read_the_signing_key_is_told(world: World, site: Site) -> None:
    found = world.finds("uplink", site.device)["signing key"]
    assert found.state is State.OFF
    assert "the uplink can read" in found.says


@pytest.mark.parametrize(
    ("mount", "state", "says"),
    [
        ("tmpfs tmpfs rw,size=1g", State.OFF, "may be swapped out"),
        ("ext4 /dev/sda rw", State.BROKEN, "is on a disk (ext4), or would be"),
    ],
)
def test_sealed_photos_belong_in_memory(
    world: World, site: Site, mount: str, state: State, says: str
) -> None:
    world.put("proc/self/mountinfo", f"20 1 0:1 / {site.folder} rw - {mount}\n")
    found = world.finds("panel", site.device)["run folder"]
    assert found.state is state
    assert says in found.says


def test_without_simulation_the_hardware_is_needed(world: World, site: Site) -> None:
    text = site.device.read_text().replace("simulated", "gpio", 1).replace("simulated", "picamera2")
    site.device.write_text(text)
    assert world.finds(None, site.device)["GPIO"].state is State.OK
    for device in ("gpiochip0", "i2c-1", "media0"):
        world.remove(f"dev/{device}")
    found = world.finds(None, site.device)
    for name in ("GPIO", "screen bus", "camera"):
        assert found[name].state is State.BROKEN


def test_simulation_on_a_production_image_is_broken(world: World, site: Site) -> None:
    site.production.touch()
    for name in ("buttons, screen", "camera"):
        assert world.finds(None, site.device)[name].state is State.BROKEN


def open_to_all(site: Site) -> None:
    (site.bundle / "device.key").chmod(0o644)
    (site.bundle / "tls.key").chmod(0o644)


def swapped(site: Site) -> None:
    (site.bundle / "device.pub").write_bytes((site.bundle / "root.pub").read_bytes())


def without_keyset(site: Site) -> None:
    (site.bundle / "keyset.cose").write_bytes(b"?")


def for_another(site: Site) -> None:
    other = pki.device(site.keys, "ward-b-9")
    (site.bundle / "tls.crt").write_bytes((other / "tls.crt").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (open_to_all, "signing key", ("other than its owner can open it", "chmod 600 ")),
        (open_to_all, "TLS key", ("other than its owner can open it", "chmod 600 ")),
        (swapped, "signing key", ("does not belong to", "bundle")),
        (without_keyset, "keyset", ("keyset.cose: wardseal-keyset", "keyset.cose")),
        (for_another, "certificate", ("is for ward-b-9, not for ward-a-1", "its own")),
    ],
)
def test_a_spoilt_bundle_is_broken(
    world: World, site: Site, spoil: Callable[[Site], None], name: str, words: tuple[str, str]
) -> None:
    spoil(site)
    found = world.finds(None, site.device)[name]
    assert found.state is State.BROKEN
    assert words[0] in found.says
    assert words[1] in found.mend


@pytest.mark.parametrize(
    ("data", "state", "says"),
    [
        (Scribe().morning().file, State.OK, "holds, 8 entries"),
        (Scribe().morning().file + b"\0\0", State.OFF, "ends in a torn entry"),
        (Scribe().morning().file[1:], State.BROKEN, "does not hold"),
        (Scribe(b"x" * 32).morning().file, State.BROKEN, "does not hold"),
    ],
    ids=["whole", "torn", "damaged", "another's"],
)
def test_P6_the_ledgers_are_verified(
    world: World, site: Site, data: bytes, state: State, says: str
) -> None:
    (site.bundle / "device.pub").write_text(Scribe().signer.public.encode().hex())
    (site.state / "ledger").mkdir(parents=True)
    save(site.state / "ledger", "5d0ce1aa.wsl", data)
    found = world.finds("panel", site.device)["ledger 5d0ce1aa"]
    assert found.state is state
    assert says in found.says


def test_gateway_keys_of_another_site_are_noticed(world: World, site: Site, tmp_path: Path) -> None:
    other = pki.init(tmp_path / "other", site="other")
    for name, says in (
        ("receipt.key", "keys.receipt: is none of the keys whose receipts devices believe"),
        ("opening.key", "keys.opening: is none of the keys that photos are sealed to"),
    ):
        (site.keys.gateway / name).write_bytes((other.gateway / name).read_bytes())
        found = world.finds("gateway", site.gateway)["keys"]
        assert found.state is State.BROKEN
        assert found.says.startswith(says)


def test_a_registry_that_cannot_be_read_is_broken(world: World, site: Site) -> None:
    (site.keys.registry / "ward-a-1.toml").write_text("id = 7\n")
    assert world.finds("gateway", site.gateway)["devices"].state is State.BROKEN


def test_too_little_room_or_no_folder_is_broken(tmp_path: Path) -> None:
    assert check_parts.folder("x", tmp_path / "a/b", needs_mib=1).state is State.OK
    found = check_parts.folder("x", tmp_path, needs_mib=1 << 40)
    assert (found.state, found.mend) == (State.BROKEN, "make room")
    file = save(tmp_path, "file", b"")
    assert check_parts.folder("x", file / "a", needs_mib=1).says == f"{file} is not a folder"


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [(400, State.OK, "holds until"), (20, State.OFF, "ends in"), (-3, State.BROKEN, "ended")],
)
def test_certificates_and_keysets_are_told_before_they_end(
    days: int, state: State, says: str
) -> None:

    found = check_parts._until("x", "it", time.time() + days * 86_400)
    assert found.state is state
    assert says in found.says
