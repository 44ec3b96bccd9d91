"""Locking a Linux process down from inside: no privilege needed, and fewer after than before.

Layers, each reported by `available_layers`:

- resource limits: CPU time, address space, no written bytes, no core, few open files, no processes;
- no_new_privs, and root loses all capabilities and, where the libraries stay readable, its user id;
- Landlock: read below the library folders, nothing else of the file system, no TCP;
- seccomp: a list of harmless system calls; network, processes, signals, tracing end the process;
- namespaces: an empty network where the kernel lets us have one (a bonus, not required).

Numbers are those of the Linux kernel interface on x86-64; elsewhere the lockdown is unavailable and
whoever needs it fails closed.
"""

import ctypes
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # Windows has none, and `supported` says no there
    import resource

REQUIRED = ("limits", "no_new_privs", "landlock", "seccomp")
"""Layers without which untrusted Python is not run."""
NOBODY = 65534

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CAPSET = 126
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000

_ALLOWED = (
    0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 23, 24, 25, 28, 35, 39, 60, 63,
    72, 79, 89, 96, 98, 99, 100, 102, 104, 107, 108, 131, 186, 201, 202, 204, 217, 228, 229, 230, 231, 262,
    267, 273, 318, 332, 334,
)  # fmt: skip
"""read write close stat fstat lstat poll lseek mmap mprotect munmap brk, signals of its own, ioctl pread
readv writev access select yield mremap madvise sleep getpid exit uname fcntl getcwd readlink, clocks,
user ids, altstack gettid time futex affinity getdents exit_group newfstatat readlinkat getrandom statx."""
_FATAL = (
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 53, 56, 57, 58, 59, 62, 101, 135, 165, 200, 234, 250, 272, 288,
    308, 310, 311, 321, 322, 425, 426, 427, 435,
)  # fmt: skip
"""Sockets, clone, fork, vfork, execve, kill, ptrace, personality, mount, keyctl, unshare, setns,
process_vm_*, bpf, execveat, io_uring, clone3: the process ends at once."""
_OPENAT, _OPEN_FOR_WRITING = 257, 0o3 | 0o100 | 0o1000
"""The second: O_ACCMODE, O_CREAT and O_TRUNC of Linux on x86-64."""


def supported() -> bool:
    """True where the numbers above are right."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 2**32


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """ABI version of Landlock, 0 where it is off."""
    if not supported():
        return 0
    return max(int(_libc().syscall(_LANDLOCK_CREATE, None, 0, 1)), 0)


def library_folders() -> list[Path]:
    """Where Python and its libraries lie; all that a locked process may read."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [Path(sysconfig.get_paths()[name]) for name in names]
    found += [Path(name) for name in ("/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/usr/lib64")]
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def set_limits(cpu_seconds: int, memory_mb: int) -> None:
    """Hard limits of this process and its children."""
    wanted = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_mb << 20,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 32,
    }
    for name, value in wanted.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def set_cpu_limit(seconds: int) -> None:
    """CPU time from the start of this process; the kernel ends it there."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def forbid_processes() -> None:
    """No new process or thread for this user id; root is exempt, so root must be dropped before."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def forbid_new_privileges() -> bool:
    """Set-user-id programs give nothing any more; needed before the two filters below."""
    return _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def drop_root(readable: Iterable[Path]) -> bool:
    """Root becomes `nobody`, or where `nobody` could not read the libraries, root without capabilities.

    Other users only lose what capabilities they have. True when nothing of root's power is left.
    """
    if os.geteuid() == 0 and all(_others_may_enter(path) for path in readable):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)
    return _libc().syscall(_CAPSET, header, nothing) == 0


def _others_may_enter(path: Path) -> bool:
    """Every folder on the way lets everybody in."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.resolve().parents))


def leave_network() -> bool:
    """An empty network namespace, by privilege or through a user namespace; False where refused."""
    libc = _libc()
    flags = _CLONE_NEWNET | _CLONE_NEWIPC
    return libc.unshare(flags) == 0 or libc.unshare(flags | _CLONE_NEWUSER) == 0


def restrict_files(readable: Iterable[Path]) -> bool:
    """Landlock: read below `readable`, nothing else; no TCP and no signals to others where it can."""
    version = landlock_version()
    if version < 1:
        return False
    libc = _libc()
    rights = (1 << (13 + min(version - 1, 2) + (version >= 5))) - 1
    attributes = struct.pack("QQQ", rights, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    for path in readable:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, folder)
        failed = libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0) != 0
        os.close(folder)
        if failed:
            return False
    done = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return done


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict_calls() -> bool:
    """seccomp: `_ALLOWED` pass, `_FATAL` end the process, the rest fail with EPERM."""
    if not supported():
        return False
    program = _call_filter()
    block = _Filter(len(program) // 8, program)
    return _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(block), 0, 0) == 0


def _call_filter() -> bytes:
    """Classic BPF over `struct seccomp_data`: number at 0, architecture at 4, third argument at 32."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, refuse = 0x80000000, 0x7FFF0000, 0x00050000 | 1
    code = [(load, 0, 0, 4), (equal, 1, 0, 0xC000003E), (give, 0, 0, kill)]
    code += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, kill)]
    for number in _FATAL:
        code += [(equal, 0, 1, number), (give, 0, 0, kill)]
    for number in _ALLOWED:
        code += [(equal, 0, 1, number), (give, 0, 0, allow)]
    code += [(equal, 0, 4, _OPENAT), (load, 0, 0, 32), (any_bit, 0, 1, _OPEN_FOR_WRITING)]
    code += [(give, 0, 0, refuse), (give, 0, 0, allow), (give, 0, 0, refuse)]
    return b"".join(struct.pack("HBBI", *line) for line in code)


def available_layers() -> dict[str, str]:
    """Layer -> state, found in a child that locks itself down and reports; empty detail means off."""
    if not supported():
        return dict.fromkeys((*REQUIRED, "namespaces"), "")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, _try_layers())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        words = stream.read().decode().split()
    os.waitpid(child, 0)
    return {name: "on" if name in words else "" for name in (*REQUIRED, "namespaces")}


def _try_layers() -> bytes:
    done = ["namespaces"] if leave_network() else []
    set_limits(5, 4096)
    done.append("limits")
    readable = library_folders()
    done += ["no_new_privs"] if forbid_new_privileges() and drop_root(readable) else []
    done += ["landlock"] if restrict_files(readable) else []
    done += ["seccomp"] if restrict_calls() else []
    return " ".join(done).encode()
