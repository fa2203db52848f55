"""Namespaces: a trial on a machine of its own, with a read-only view of code and libraries and one writable folder.

https://man7.org/linux/man-pages/man7/namespaces.7.html; the numbers are those of <linux/sched.h> and <linux/mount.h>.
"""

import contextlib
import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

_NEW_MOUNTS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
ALL = _NEW_MOUNTS | _NEW_UTS | _NEW_IPC | NEW_PIDS | NEW_NETWORK
ALLOWED = (ALL | NEW_USER, ALL, NEW_USER | NEW_NETWORK)
"""What is asked for, in this order, until the kernel grants it."""

WRITABLE = "/tmp"
"""The only writable folder of a view."""
_SMALL = "size=1m,nr_inodes=4096,mode=755"
_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_AT_RECURSIVE, _AT_FDCWD, _READ_ONLY, _NO_SETUID = 0x8000, -100, 0x1, 0x2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR, _MNT_DETACH = 442, 2
_PID_MAX = "/proc/sys/kernel/pid_max"
_OWN_PID_MAX_SINCE = (6, 14)
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> int:
    """Move to new namespaces, as many as the kernel grants; gives their flags, 0 for none.

    The process itself keeps its number: what it starts next is the first process of the new ones. To be called before
    there are threads.
    """
    user, group = os.geteuid(), os.getegid()
    for flags in ALLOWED:
        if _libc.unshare(flags) == 0:
            if flags & NEW_USER:
                for file, text in (("setgroups", "deny"), ("uid_map", user), ("gid_map", group)):
                    with contextlib.suppress(OSError):
                        line = text if file == "setgroups" else f"{text} {text} 1"
                        Path(f"/proc/self/{file}").write_text(line)
            return flags
    return 0


def limit_numbers(most: int) -> None:
    """Limit how many processes and threads this namespace can number, where namespaces have such a limit (Linux 6.14).

    Older kernels have one limit for the whole machine, which is left alone.
    """
    if tuple(int(part) for part in platform.release().split(".")[:2]) >= _OWN_PID_MAX_SINCE:
        with contextlib.suppress(OSError):
            Path(_PID_MAX).write_text(str(most))


def show_only(readable: Iterable[str], elsewhere: Mapping[str, str], size: int, writable_proc: bool = False) -> bool:
    """Replace the root of the file system: `readable` files and folders, read-only, and `WRITABLE` of `size` bytes.

    What is readable may lie below `WRITABLE`, where it stays read-only, but `can_show` must be true of it. `elsewhere`
    has more that is shown, read-only too, by the places where it is shown. With `writable_proc`, /proc is
    as writable as ever: something else must guard it.

    Says whether /proc shows the processes of this namespace alone. Raises `OSError` where a step is not allowed;
    nothing has changed then that a process would see. To be called by the first process of the namespaces.
    """
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    found = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted(_resolved(readable), key=len)}
    found_elsewhere = {place: os.open(path, os.O_PATH | os.O_CLOEXEC) for place, path in elsewhere.items()}
    links = dict(_links(readable))
    _mount("tmpfs", WRITABLE, "tmpfs", _NOSUID | _NODEV, _SMALL)
    try:
        os.makedirs(f"{WRITABLE}{WRITABLE}", exist_ok=True)
        _mount("tmpfs", f"{WRITABLE}{WRITABLE}", "tmpfs", _NOSUID | _NODEV, f"size={size},nr_inodes=65536,mode=700")
        shown: list[str] = []
        for path, file in found.items():
            if not any(path.startswith(f"{folder}/") for folder in shown):
                _bind(f"/proc/self/fd/{file}", f"{WRITABLE}{path}", os.path.isdir(f"/proc/self/fd/{file}"))
                shown.append(path)
        for place, file in found_elsewhere.items():
            _bind(f"/proc/self/fd/{file}", f"{WRITABLE}{place}", os.path.isdir(f"/proc/self/fd/{file}"))
        for path, target in links.items():
            if not any(path.startswith(f"{folder}/") for folder in shown):
                os.makedirs(os.path.dirname(f"{WRITABLE}{path}"), exist_ok=True)
                os.symlink(target, f"{WRITABLE}{path}")
        own_proc = _show_processes(f"{WRITABLE}/proc")
        _set_attributes(WRITABLE, _AT_RECURSIVE, _READ_ONLY | _NO_SETUID)
        for place in (WRITABLE, *(["/proc"] if writable_proc else [])):
            _set_attributes(f"{WRITABLE}{place}", 0, cleared=_READ_ONLY)
        os.chdir(WRITABLE)
        _checked(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."))
    except (OSError, KeyError) as error:
        os.chdir("/")
        _libc.umount2(WRITABLE.encode(), _MNT_DETACH)
        raise OSError(str(error)) from None
    finally:
        for file in (*found.values(), *found_elsewhere.values()):
            os.close(file)
    _checked(_libc.umount2(b".", _MNT_DETACH))
    os.chdir(WRITABLE)
    return own_proc


def can_show(path: str) -> bool:
    """Say whether a view can show `path` read-only: it is not `WRITABLE`, and no folder that this is in."""
    return not Path(WRITABLE).resolve().is_relative_to(os.path.realpath(path))


def _resolved(paths: Iterable[str]) -> set[str]:
    return {os.path.realpath(path) for path in paths if os.path.exists(path)}


def _links(paths: Iterable[str]) -> Iterable[tuple[str, str]]:
    """List the symbolic links on the way to `paths`, with what they say."""
    for path in paths:
        pending = path if os.path.exists(path) else ""
        for end in range(1, len(pending.split("/"))):
            prefix = "/".join(pending.split("/")[: end + 1])
            if os.path.islink(prefix):
                yield prefix, os.readlink(prefix)
                rest = pending[len(prefix) :]
                yield from _links([os.path.normpath(os.path.join(os.path.dirname(prefix), os.readlink(prefix))) + rest])
                break


def _show_processes(place: str) -> bool:
    """Mount a /proc of this namespace, or else, in some containers, the one that is there."""
    os.makedirs(place, exist_ok=True)
    try:
        _mount("proc", place, "proc", _NOSUID | _NODEV | _NOEXEC)
        return True
    except OSError:
        _bind("/proc", place, is_folder=True)
        return False


def _bind(source: str, target: str, is_folder: bool) -> None:
    if is_folder:
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    _mount(source, target, None, _BIND | _RECURSIVE)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, options)]
    _checked(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def _set_attributes(place: str, flags: int, added: int = 0, cleared: int = 0) -> None:
    attributes = struct.pack("=4Q", added, cleared, 0, 0)
    _checked(_libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, place.encode(), flags, attributes, len(attributes)))


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
