"""The doctor on the machine itself: kernel, memory, libraries, clock.

Each question is a function of the machine. The table at the end says which roles it concerns,
and which cannot work when the answer is ``off``.
"""

import re
import resource
from collections.abc import Callable
from typing import Final

from cli.findings import (
    ANY,
    DARKROOM,
    DEVICE,
    GATEWAY,
    PANEL,
    Finding,
    Machine,
    broken,
    needed,
    off,
    ok,
)

MIB: Final = 1024 * 1024
_ENOUGH_LOCKED: Final = 96 * MIB
_USERS: Final = ("wardseal-panel", "wardseal-darkroom", "wardseal-uplink")

Question = Callable[[Machine], Finding]


def kernel(machine: Machine) -> Finding:
    """Since 6.4 a tmpfs can be kept out of swap."""
    release = machine.text("proc/sys/kernel/osrelease").strip()
    found = re.match(r"(\d+)\.(\d+)", release)
    if found and (int(found[1]), int(found[2])) >= (6, 4):
        return ok("kernel", f"Linux {release} can keep a tmpfs out of swap (noswap)")
    return off(
        "kernel",
        f"Linux {release or 'of unknown version'} cannot keep a tmpfs out of swap (noswap)",
        "use Linux 6.4 or newer, or switch swap off",
    )


def swap(machine: Machine) -> Finding:
    """What is swapped out stays on the disk."""
    areas = [line.split()[0] for line in machine.text("proc/swaps").splitlines()[1:] if line]
    if not areas:
        return ok("swap", "no swap")
    return off(
        "swap",
        f"swap is on ({', '.join(areas)}): what is in memory may be written there and stay",
        "swapoff -a, and take swap out of /etc/fstab (on a Pi: apt remove dphys-swapfile)",
    )


def init_on_free(machine: Machine) -> Finding:
    """The third wipe: the kernel zeroes pages when a process gives them back."""
    words = machine.text("proc/cmdline").split()
    release = machine.text("proc/sys/kernel/osrelease").strip()
    built_in = "CONFIG_INIT_ON_FREE_DEFAULT_ON=y" in machine.text(f"boot/config-{release}")
    if "init_on_free=1" in words or (built_in and "init_on_free=0" not in words):
        return ok("init_on_free", "the kernel zeroes memory as soon as it is given back")
    return off(
        "init_on_free",
        "memory that a process gave back keeps its content until it is used again",
        "add init_on_free=1 to the kernel's command line"
        " (on a Pi: /boot/firmware/cmdline.txt), then restart",
    )


def locked_memory(machine: Machine) -> Finding:
    """Keys must be locked into RAM; pictures should be."""
    limit = machine.limit(resource.RLIMIT_MEMLOCK)
    if machine.uid == 0 or limit == resource.RLIM_INFINITY or limit >= _ENOUGH_LOCKED:
        return ok("locked memory", "pictures and keys can be kept out of swap")
    mend = "LimitMEMLOCK=infinity in the unit, or memlock in /etc/security/limits.conf"
    if limit < 64 * 1024:
        says = f"only {limit} bytes can be locked: not even keys can be kept out of swap"
        return broken("locked memory", says, mend)
    return off(
        "locked memory",
        f"{limit // MIB} MiB can be locked: enough for keys, not for a picture",
        mend,
    )


def core_dumps(machine: Machine) -> Finding:
    """The roles forbid their own; this is about what else may crash here."""
    if machine.limit(resource.RLIMIT_CORE) == 0:
        return ok("core dumps", "no core dumps")
    pattern = machine.text("proc/sys/kernel/core_pattern").strip()
    return off(
        "core dumps",
        f"a program that crashes leaves its memory behind ({pattern or 'no pattern'})."
        " The roles forbid that for themselves",
        "LimitCORE=0 in the unit, or ulimit -c 0",
    )


def ptrace(machine: Machine) -> Finding:
    """Without Yama any process may read the memory of others of its user."""
    scope = machine.text("proc/sys/kernel/yama/ptrace_scope").strip()
    if scope.isdigit() and int(scope) >= 1:
        return ok("ptrace", f"a process cannot look into its neighbours (scope {scope})")
    return off(
        "ptrace",
        "a process may look into others of its user, unless they forbid it (the roles do)",
        "kernel.yama.ptrace_scope = 2 in /etc/sysctl.d/",
    )


def allocator(machine: Machine) -> Finding:
    """glibc must overwrite what is freed; asked of a process that is started as a role is."""
    problem = machine.allocator_problem()
    if not problem:
        return ok("allocator", "freed memory is overwritten in every role that is started")
    return off("allocator", problem, "use a system with glibc 2.34 or newer")


def users(machine: Machine) -> Finding:
    """The sandboxes rest on users who cannot read each other's files."""
    known = {line.partition(":")[0] for line in machine.text("etc/passwd").splitlines()}
    missing = [user for user in _USERS if user not in known]
    if missing:
        return off(
            "users",
            f"the roles share one user here: there is no {', no '.join(missing)}",
            "the image makes them (sysusers.d)",
        )
    return ok("users", "each role has a user of its own")


def root(machine: Machine) -> Finding:
    """Root may do everything that a role may not."""
    if machine.uid != 0:
        return ok("root", "this is not run as root")
    return off(
        "root",
        "this is run as root; from a role that is, nothing can be kept",
        "run each role as a user of its own, and this check as that user",
    )


def tpm(machine: Machine) -> Finding:
    """A TPM keeps the signing key out of a stolen SD card."""
    if machine.has("dev/tpmrm*"):
        return ok("TPM", "there is a TPM to keep the signing key in")
    return off(
        "TPM",
        "the signing key lies in a file: who steals the card has it until the device is revoked",
        "a TPM module (Infineon SLB 9670/9672) on the GPIO header",
    )


def clock(machine: Machine) -> Finding:
    """Which patient a photo is of may hang on its time, so a doubtful one is marked."""
    if machine.synchronised():
        return ok("clock", "the clock is kept right over the network")
    return off(
        "clock",
        "nothing keeps the clock right: times are marked as not trusted",
        "timedatectl set-ntp true, with a time server that this machine can reach",
    )


def turbojpeg(machine: Machine) -> Finding:
    """Photos are made (darkroom) and looked at (gateway's decoder) by it."""
    if machine.loads("libturbojpeg.so.0"):
        return ok("libturbojpeg", "installed")
    return off("libturbojpeg", "not installed", "apt install libturbojpeg0")


def apriltag(machine: Machine) -> Finding:
    """The darkroom finds the label in a picture by it."""
    if machine.loads("libapriltag.so.3"):
        return ok("libapriltag", "installed")
    return off("libapriltag", "not installed", "apt install libapriltag3")


def seccomp(machine: Machine) -> Finding:
    """The gateway's decoder refuses to run outside its sandbox."""
    if machine.loads("libseccomp.so.2"):
        return ok("libseccomp", "installed")
    return off("libseccomp", "not installed", "apt install libseccomp2")


def hpke(machine: Machine) -> Finding:
    """Sealing and opening need HPKE with the hybrid key, as in cryptography 49."""
    if machine.imports("cryptography.hazmat.primitives.hpke"):
        return ok("cryptography", "has HPKE")
    return off("cryptography", "is too old: it has no HPKE", "pip install 'cryptography>=49'")


def gpio(machine: Machine) -> Finding:
    """The buttons, the lamp and the buzzer hang on it."""
    if found := machine.trouble("dev/gpiochip*", "use a Raspberry Pi"):
        return off("GPIO", f"no real buttons: {found.says}", found.mend)
    return ok("GPIO", f"there for buttons and lamp (/{machine.has('dev/gpiochip*')[0]})")


def bus(machine: Machine, kind: str = "i2c", port: int = 1) -> Finding:
    """The OLED hangs on it."""
    device = f"dev/i2c-{port}" if kind == "i2c" else f"dev/spidev{port}.*"
    if found := machine.trouble(device, f"on a Pi: raspi-config nonint do_{kind} 0"):
        return off("screen bus", f"no real OLED: {found.says}", found.mend)
    return ok("screen bus", f"there for the OLED (/{device})")


def camera(machine: Machine) -> Finding:
    """libcamera finds cameras as media devices; picamera2 is how we speak to it."""
    mend = "check its cable; on a Pi, camera_auto_detect=1 in /boot/firmware/config.txt"
    if found := machine.trouble("dev/media*", mend):
        return off("camera", found.says, found.mend)
    if not machine.imports("picamera2"):
        return off("camera", "picamera2 is not installed", "apt install python3-picamera2")
    return ok("camera", "a camera and picamera2 are there")


_NONE: Final = frozenset[str]()
_PICTURES: Final = frozenset({DARKROOM, GATEWAY})

QUESTIONS: Final[tuple[tuple[Question, frozenset[str], frozenset[str]], ...]] = (
    # the question, whom it concerns, who cannot do without
    (kernel, DEVICE, _NONE),
    (swap, ANY, _NONE),
    (init_on_free, ANY, _NONE),
    (locked_memory, DEVICE, _NONE),
    (core_dumps, ANY, _NONE),
    (ptrace, ANY, _NONE),
    (allocator, ANY, frozenset({DARKROOM})),
    (users, DEVICE, _NONE),
    (root, ANY, _NONE),
    (tpm, frozenset({PANEL}), _NONE),
    (clock, ANY, _NONE),
    (turbojpeg, _PICTURES, _PICTURES),
    (apriltag, frozenset({DARKROOM}), frozenset({DARKROOM})),
    (seccomp, frozenset({GATEWAY}), frozenset({GATEWAY})),
    (hpke, _PICTURES, _PICTURES),
)

HARDWARE: Final[tuple[tuple[Question, frozenset[str], frozenset[str]], ...]] = (
    # Asked only when no settings say what there is, or that it is simulated.
    (gpio, frozenset({PANEL}), frozenset({PANEL})),
    (bus, frozenset({PANEL}), frozenset({PANEL})),
    (camera, frozenset({DARKROOM}), frozenset({DARKROOM})),
)


def look(machine: Machine, role: str | None, *, hardware: bool) -> list[Finding]:
    """Ask everything that concerns ``role``, or everything; ``hardware`` too, if wanted."""
    found = []
    for question, concerns, needs in (*QUESTIONS, *(HARDWARE if hardware else ())):
        if role is None or role in concerns:
            finding = question(machine)
            found.append(needed(finding) if role in needs else finding)
    return found
