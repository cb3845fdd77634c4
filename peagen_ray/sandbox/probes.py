"""Probes: small programs that each try one thing that a candidate must not be able to do.

A probe is a few lines of Python that run within ``probe(facts)``, with ``os``, ``socket``, ``ctypes`` and
``system_call(name, *arguments)`` at hand. It succeeds by getting to its end, and is stopped by an error of the system.
None does harm where it succeeds: signals are the null signal, what is mounted or written is taken away again.
What is there to be reached, such as a port that listens, is in ``facts``; see :mod:`peagen_ray.sandbox.examination`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final

_AROUND: Final = """
import ctypes, os, socket, sys

_LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(name, *arguments):
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    returned = _LIBC.syscall(ctypes.c_long(FACTS["calls"][name]), *words)
    if returned < 0:
        raise OSError(ctypes.get_errno(), f"{{name}}: {{os.strerror(ctypes.get_errno())}}")
    return returned


def attempt():
    facts = FACTS
{body}


def probe(facts):
    global FACTS
    FACTS = facts
    try:
        attempt()
    except (OSError, MemoryError, RuntimeError) as error:
        return f"{{type(error).__name__}}: {{error}}"
    return None
"""


@dataclass(frozen=True)
class Probe:
    """One thing that is tried.

    Attributes:
        name: short and unique.
        tries: what it tries, as the end of "it …".
        body: the lines of the attempt.
    """

    name: str
    tries: str
    body: str

    @property
    def source(self) -> str:
        """A module whose ``probe(facts)`` returns None if the attempt succeeded, else what stopped it."""
        return _AROUND.format(body=textwrap.indent(textwrap.dedent(self.body).strip(), "    "))


def _table(text: str) -> tuple[Probe, ...]:
    """Probes from ``name: what it tries`` at the margin, each followed by its lines."""
    found: list[Probe] = []
    for line in text.strip().splitlines():
        if line[:1].strip():
            name, _, tries = line.partition(": ")
            found.append(Probe(name, tries, ""))
        else:
            found[-1] = Probe(found[-1].name, found[-1].tries, f"{found[-1].body}{line}\n")
    return tuple(found)


CONTROL: Final = Probe("control", "computes", "assert sum(range(10)) == 45")
"""What every sandbox must allow; where it fails, the other probes say nothing."""

PROBES: Final = _table(r"""
read-workspace: reads a file of the workspace
    assert open(facts["file"]).read() == facts["secret"]
write-workspace: writes beside a file of the workspace
    open(facts["file"] + ".written", "x").close()
    os.unlink(facts["file"] + ".written")
link-workspace: makes a hard link to a file of the workspace
    os.link(facts["file"], "linked")
read-system: reads the list of users
    open("/etc/passwd").read()
write-root: writes to the root directory
    open("/peagen-probe", "x").close()
    os.unlink("/peagen-probe")
write-python: opens a file of Python's own library for writing
    open(os.__file__, "r+b").close()
devices: opens a device beyond null, zero and random
    for name in ("mem", "kmsg", "kvm", "fuse", "vda", "sda", "nvme0n1", "tty", "ptmx", "loop-control"):
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
            return
        except OSError as error:
            last = error
    raise last
kernel-settings: opens a setting of the kernel for writing
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
control-groups: opens the list of a control group for writing
    for place in ("", "unified/", "memory/", "pids/", "systemd/"):
        try:
            os.close(os.open(f"/sys/fs/cgroup/{place}cgroup.procs", os.O_WRONLY))
            return
        except OSError as error:
            last = error
    raise last
descriptors: finds open descriptors beyond its own four
    known = {0, 1, 2, 3}
    for fd in set(range(256)) - known:
        try:
            os.fstat(fd)
            return
        except OSError as error:
            last = error
    raise last
environment: finds variables beyond an allow-list
    allowed = {"PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "TZ", "PYTHONHASHSEED", "LD_LIBRARY_PATH"}
    own = ("LC_", "COV_CORE_", "COVERAGE_"), "_NUM_THREADS"
    named = [name for name in os.environ if name not in allowed]
    if all(name.startswith(own[0]) or name.endswith(own[1]) for name in named):
        raise RuntimeError("there are none")
process-environment: reads the environment of the process that started it
    open(f"/proc/{facts['pid']}/environ", "rb").read()
process-list: finds other processes in /proc
    own = {os.getpid(), os.getppid(), 1}
    if not [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]:
        raise RuntimeError("there are none")
signal-starter: may send a signal to the process that started it
    os.kill(facts["pid"], 0)
signal-all: may send a signal to every process
    os.kill(-1, 0)
signal-parent: may send a signal to its parent
    os.kill(os.getppid() or facts["pid"], 0)
trace: attaches to the process that started it as a debugger does
    system_call("ptrace", 0x4206, facts["pid"], 0, 0)
read-memory: reads the memory of the process that started it
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    there = (ctypes.c_size_t * 2)(facts["address"], 8)
    system_call("process_vm_readv", facts["pid"], here, 1, there, 1, 0)
take-descriptor: takes a descriptor out of the process that started it
    os.close(system_call("pidfd_getfd", system_call("pidfd_open", facts["pid"], 0), 0, 0))
thread: starts a thread
    import _thread
    _thread.start_new_thread(int, ())
fork: starts a process
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
execute: executes a program
    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", ":"], {}), 0)
    os.stat("/bin/sh")
tcp: connects to a port of this machine
    socket.create_connection(("127.0.0.1", facts["port"]), 2).close()
tcp6: makes a socket of IPv6
    socket.socket(socket.AF_INET6).close()
udp: sends a datagram
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", facts["port"]))
unix-path: connects to a socket in the file system
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(facts["socket"])
unix-abstract: connects to an abstract socket
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + facts["abstract"])
netlink: asks the kernel about network interfaces
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
vsock: makes a socket to the machine's host
    socket.socket(40, socket.SOCK_STREAM).close()
packet: makes a socket for raw packets
    socket.socket(17, socket.SOCK_RAW).close()
crypto-socket: makes a socket to the kernel's cryptography
    socket.socket(38, socket.SOCK_SEQPACKET).close()
io-uring: makes a queue through which the kernel is asked without system calls
    os.close(system_call("io_uring_setup", 1, ctypes.create_string_buffer(120)))
shared-memory: makes System V shared memory
    system_call("shmctl", system_call("shmget", 0, 4096, 0o1600), 0, 0)
message-queue: makes a POSIX message queue
    os.close(system_call("mq_open", b"peagen-probe", 0o102, 0o600, 0))
    system_call("mq_unlink", b"peagen-probe")
memory-file: makes a file in memory that no limit of the file system counts
    os.close(system_call("memfd_create", b"probe", 0))
namespaces: enters a namespace of its own
    system_call("unshare", 0x10000000)
join: enters a namespace of another process
    fd = os.open(f"/proc/{facts['pid']}/ns/net", os.O_RDONLY)
    system_call("setns", fd, 0)
mount: mounts a file system
    try:
        system_call("unshare", 0x00020000)
    except OSError:
        system_call("unshare", 0x10020000)
    system_call("mount", b"none", os.getcwd().encode(), b"tmpfs", 0, 0)
change-root: changes its root directory
    system_call("chroot", b".")
make-device: makes a device node
    os.mknod("device", 0o60600, os.makedev(254, 0))
    os.unlink("device")
become-root: becomes another user
    os.setresuid(*[0 if os.getuid() else 1] * 3)
raise-limit: raises a limit of its own
    import resource
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError as error:
        raise OSError(str(error))
bpf: makes a map for programs within the kernel
    fields = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    os.close(system_call("bpf", 0, fields, ctypes.sizeof(fields)))
performance-counters: opens a performance counter
    fields = (ctypes.c_uint32 * 32)(1, 128)
    os.close(system_call("perf_event_open", fields, 0, -1, -1, 0))
page-faults: takes over the handling of page faults
    os.close(system_call("userfaultfd", 1))
keyring: adds a key to the kernel's keyring
    system_call("keyctl", 9, system_call("add_key", b"user", b"peagen-probe", b"x", 1, -2), -2)
file-handles: opens files by their numbers
    handle = (ctypes.c_int32 * 34)(128)
    mount_id = (ctypes.c_int32 * 1)()
    system_call("name_to_handle_at", -100, b"/usr", handle, mount_id, 0)
    os.close(system_call("open_by_handle_at", os.open("/usr", os.O_RDONLY), handle, 0))
memory: takes twice the memory that it may have
    block = bytearray(2 * facts["memory"])
    for place in range(0, len(block), 4096):
        block[place] = 1
disk: writes four times what it may write
    import shutil
    try:
        for number in range(4):
            with open(f"part{number}", "wb") as file:
                for _ in range(facts["disk"] >> 20):
                    file.write(bytes(1 << 20))
    finally:
        for name in os.listdir("."):
            if name.startswith("part"):
                os.unlink(name)
files: makes twenty thousand files
    for number in range(20_000):
        open(f"file{number}", "x").close()
""")
"""Every probe, in the order in which they are shown."""
