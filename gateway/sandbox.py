"""The walls around the decoder: after ``confine`` a process can compute, read, write and die.

Three layers, each enough against most attacks and none trusted alone: resource limits bound
time, memory and descriptors; ``PR_SET_NO_NEW_PRIVS`` makes set-uid programs harmless; and a
seccomp filter kills the whole process at the first system call that is not on a short list.
libseccomp resolves the calls by name, so the same list holds on a Pi and on a server.

Anonymous memory may be had, but no mapping of files and nothing executable.
"""

import ctypes
import resource
from typing import Final

from base.errors import EnvironmentProblem

LIBRARY = "libseccomp.so.2"
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
KILL_PROCESS: Final = 0x80000000
ALLOW: Final = 0x7FFF0000
MASKED_EQ: Final = 7
ALL_THREADS: Final = 4
"""SCMP_FLTATR_CTL_TSYNC: the filter binds every thread that is there already."""

NO_SUCH_CALL: Final = -1
PROT_EXEC: Final = 4
MAP_ANONYMOUS: Final = 0x20

CALLS: Final = (
    "read",
    "write",
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "futex",
    "rt_sigreturn",
    "exit",
    "exit_group",
)
MAPPING_CALLS: Final = ("mmap", "mmap2")


class _Compare(ctypes.Structure):
    """``struct scmp_arg_cmp``: argument ``arg`` masked with ``a`` must equal ``b``."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def confine(*, memory: int, seconds: int) -> None:
    """Shut this process in for good: ``memory`` bytes of address space, ``seconds`` of CPU.

    Raises EnvironmentProblem where a wall cannot be built; the caller must then not go on.
    """
    library = _library()
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
    ):
        resource.setrlimit(kind, (limit, limit))
    for option, value in ((PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise EnvironmentProblem(f"the kernel refuses prctl {option} for the decoder")
    _filter(library)


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as e:
        raise EnvironmentProblem(
            f"{LIBRARY} is missing, and photos are not decoded without it; "
            "install the package libseccomp2"
        ) from e
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Compare),
    )
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    return library


def _filter(library: ctypes.CDLL) -> None:
    """Load the filter; the last thing that this process does with full rights."""
    context = library.seccomp_init(KILL_PROCESS)
    if not context or library.seccomp_attr_set(context, ALL_THREADS, 1) != 0:
        raise EnvironmentProblem("libseccomp cannot make a filter for every thread")
    for name in CALLS:
        _allow(library, context, name, ())
    harmless = (
        _Compare(2, MASKED_EQ, PROT_EXEC, 0),
        _Compare(3, MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS),
    )
    for name in MAPPING_CALLS:
        _allow(library, context, name, harmless)
    problem = library.seccomp_load(context)
    if problem != 0:
        raise EnvironmentProblem(f"the kernel refuses the decoder's seccomp filter ({-problem})")


def _allow(
    library: ctypes.CDLL, context: int, name: str, comparisons: tuple[_Compare, ...]
) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number == NO_SUCH_CALL:
        raise EnvironmentProblem(f"libseccomp does not know the system call {name}")
    array = (_Compare * max(1, len(comparisons)))(*comparisons)
    problem = library.seccomp_rule_add_array(context, ALLOW, number, len(comparisons), array)
    if problem != 0:
        raise EnvironmentProblem(f"libseccomp refuses the rule for {name} ({-problem})")
