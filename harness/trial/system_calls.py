"""The system calls that training never needs are kept from a trainee by a filter in the kernel, made by libseccomp.

https://man7.org/linux/man-pages/man2/seccomp.2.html. A list of what is left out, not of what is let in: a compiler or a
driver of a GPU calls what no list of ours could know.
"""

import errno
import functools
import signal
import socket
from typing import Any

LEFT_OUT = {
    "System V IPC": "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl",
    "POSIX IPC": "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr memfd_create memfd_secret",
    "keyrings": "add_key request_key keyctl",
    "extended attributes": "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
    "other processes": "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease",
    "scheduling": "sched_setaffinity sched_setscheduler sched_setparam sched_setattr setpriority ioprio_set",
    "memory of others": "move_pages migrate_pages userfaultfd mincore",
    "namespaces": "unshare setns chroot pivot_root mount umount umount2 move_mount open_tree mount_setattr",
    "file systems": "fsopen fsconfig fsmount fspick statmount listmount quotactl quotactl_fd swapon swapoff acct",
    "sockets with a name": "socket bind listen accept accept4 connect",
    "ways round a filter": "io_uring_setup io_uring_enter io_uring_register name_to_handle_at open_by_handle_at",
    "the kernel": "bpf perf_event_open fanotify_init init_module finit_module delete_module kexec_load kexec_file_load",
    "the machine": "reboot syslog lookup_dcookie sethostname setdomainname iopl ioperm vhangup nfsservctl",
    "the time": "settimeofday clock_settime clock_settime64 adjtimex clock_adjtime clock_adjtime64",
}
"""They fail with EPERM."""
OF_A_GPU_DRIVER = ("memfd_create", "socket", "bind", "listen")
"""What libcuda does as it starts, or it fails with error 304: it makes a file in memory, and waits at a socket of the
namespace, to share its memory with others. Nobody can come, as there is no `accept`."""
PRETENDED = "chmod fchmod fchmodat chown fchown lchown fchownat utime utimes futimesat utimensat fadvise64"
"""They succeed and change nothing: compilers call them, and a file that outlives a trial could be marked by them: its
mode, its times, or which of its pages are in memory."""
YOUNG = (451, 452, *range(463, 512))
"""Calls that the libseccomp of this system may be too old to know; programs know that old kernels lack them."""
_NEW_NAMESPACES = 0x7E020080
"""The flags of clone that make namespaces: CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_MADV_COLD, _MADV_PAGEOUT = 20, 21
_KIND = 0xF
"""The bits of a socket's type that are not flags."""


@functools.cache
def prepared(gpu: bool = False) -> Any:
    """Build the filter, with `gpu` for a trial on one; None where libseccomp is missing, or cannot build it here."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError):
        return None
    try:
        calls = seccomp.SyscallFilter(seccomp.ALLOW)
        calls.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)  # a search tree: a call passes a few comparisons, not all
        calls.set_attr(seccomp.Attr.CTL_SSB, 1)  # a filter must not slow the processor down, as it does on old kernels
        denied = seccomp.ERRNO(errno.EPERM)
        for name in " ".join(LEFT_OUT.values()).split():
            if not (gpu and name in (*OF_A_GPU_DRIVER, "connect")):
                _add(calls, denied, name)
        if gpu:
            _add(calls, seccomp.ERRNO(errno.ENOENT), "connect")  # a driver asks whether it shares the GPU: it does not
            calls.add_rule(denied, "socket", seccomp.Arg(0, seccomp.NE, socket.AF_UNIX))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):  # what is left needs `connect`
                calls.add_rule(denied, "socket", seccomp.Arg(1, seccomp.MASKED_EQ, _KIND, kind))
        for name in PRETENDED.split():
            _add(calls, seccomp.ERRNO(0), name)
        for number in YOUNG:
            _add(calls, seccomp.ERRNO(errno.ENOSYS), number)
        _add(calls, seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory; C libraries fall back to clone
        for flag in _bits(_NEW_NAMESPACES):
            calls.add_rule(denied, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
        calls.add_rule(denied, "prlimit64", seccomp.Arg(0, seccomp.NE, 0))  # of another process
        # A parent that ignores the end of its children would throw their processor time away.
        calls.add_rule(denied, "rt_sigaction", _is(seccomp, 0, signal.SIGCHLD), seccomp.Arg(1, seccomp.NE, 0))
        for advice in (_MADV_COLD, _MADV_PAGEOUT):  # which pages of a library are in memory could be a message
            calls.add_rule(denied, "madvise", _is(seccomp, 2, advice))
        calls.add_rule(denied, "preadv2", seccomp.Arg(5, seccomp.NE, 0))  # "only if the page is in memory"
        return calls
    except (OSError, ValueError, RuntimeError):
        return None


def _add(calls: Any, action: Any, call: str | int) -> None:
    try:
        calls.add_rule(action, call)
    except (OSError, ValueError, RuntimeError):
        return  # this architecture or this libseccomp knows no such call


def _is(seccomp: Any, place: int, value: int) -> Any:
    """Compare the 32 bits of an `int` argument that the kernel reads: a caller may put anything into the other half."""
    return seccomp.Arg(place, seccomp.MASKED_EQ, 0xFFFFFFFF, value)


def _bits(mask: int) -> list[int]:
    return [1 << n for n in range(64) if mask >> n & 1]


def leave_out(gpu: bool = False) -> bool:
    """Give up the calls, here and in all that this process starts, for good; says whether the kernel lets us."""
    calls = prepared(gpu)
    if calls is None:
        return False
    try:
        calls.load()
    except OSError:
        return False
    return True
