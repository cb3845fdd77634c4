"""The filter, run by a machine of our own: what each profile may call, on machines that are not at hand too."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.jail import calls, seccomp
from peagen_ray.launcher.jail.policy import Profile

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4711
ALLOWED, KILLED = "allowed", "killed"

machines = pytest.mark.parametrize("machine", calls.ARCHITECTURES)
profiles = pytest.mark.parametrize("profile", list(Profile))


def run(program: bytes, number: int, arch: int, *arguments: int) -> str | int:
    """What the kernel would do with a call: the classic BPF machine, as far as filters use it."""
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(k, k & 0xFFFF)
        else:
            holds = {
                0x15: accumulator == k,
                0x25: accumulator > k,
                0x35: accumulator >= k,
                0x45: accumulator & k != 0,
            }[operation]
            at += yes if holds else no


class Prisoner:
    def __init__(self, profile: Profile, machine: str) -> None:
        self.program = seccomp.program(profile, machine, PID)
        self.numbers = calls.numbers(machine)
        self.machine = machine

    def call(self, name: str, *arguments: int) -> str | int:
        return run(self.program, self.numbers[name], AUDIT[self.machine], *arguments)


@machines
@profiles
def test_ordinary_work_is_allowed_and_attacks_are_fatal_in_every_profile(
    profile: Profile, machine: str
) -> None:
    prisoner = Prisoner(profile, machine)
    for name in calls.COMMON & set(prisoner.numbers):
        assert prisoner.call(name) == ALLOWED, name
    for name in calls.ATTACKS & set(prisoner.numbers):
        assert prisoner.call(name) == KILLED, name


@machines
@profiles
@given(number=st.integers(0, 2**32 - 1))
def test_a_call_that_nobody_listed_does_not_exist(profile: Profile, machine: str, number: int) -> None:
    prisoner = Prisoner(profile, machine)
    if number not in prisoner.numbers.values():
        expected = KILLED if machine == "x86_64" and number >= 0x40000000 else errno.ENOSYS
        assert run(prisoner.program, number, AUDIT[machine]) == expected


@machines
@profiles
def test_calls_of_another_architecture_are_fatal(profile: Profile, machine: str) -> None:
    prisoner = Prisoner(profile, machine)
    for arch in (0x40000003, 0x40000028, *(other for name, other in AUDIT.items() if name != machine)):
        assert run(prisoner.program, prisoner.numbers["getpid"], arch) == KILLED


@machines
def test_only_a_tree_may_fork_and_execute(machine: str) -> None:
    fork, namespace = 17, 0x10000000 | 17
    for profile in Profile:
        prisoner = Prisoner(profile, machine)
        assert prisoner.call("clone", fork) == (ALLOWED if profile.forks else errno.EPERM)
        assert prisoner.call("execve") == (ALLOWED if profile.forks else errno.EPERM)
        assert prisoner.call("clone", namespace) == errno.EPERM
        assert prisoner.call("clone3") == errno.ENOSYS, (
            "libc then falls back to clone, whose flags can be seen"
        )


@machines
def test_threads_are_for_those_who_may_have_them(machine: str) -> None:
    thread = 0x3D0F00
    wanted = {Profile.PURE: errno.EAGAIN}
    for profile in Profile:
        assert Prisoner(profile, machine).call("clone", thread) == wanted.get(profile, ALLOWED)
        assert Prisoner(profile, machine).call("clone", thread | 0x40000000) == errno.EPERM


@machines
@profiles
def test_no_family_of_sockets_leads_out(profile: Profile, machine: str) -> None:
    prisoner = Prisoner(profile, machine)
    for family in (*range(46), 1 << 20):
        inside = profile.forks and family == 1
        assert (prisoner.call("socket", family) == ALLOWED) is inside
        assert (prisoner.call("socketpair", family) == ALLOWED) is (family == 1)


@machines
@profiles
@pytest.mark.parametrize("local", [True, False])
def test_a_tree_with_a_network_has_the_internets_families_and_no_other(
    profile: Profile, machine: str, local: bool
) -> None:
    prisoner = Prisoner(profile, machine)
    prisoner.program = seccomp.program(profile, machine, PID, network=True, local=local)
    for family in (*range(46), 1 << 20):
        wanted = profile.forks and (family in (2, 10) or (local and family == 1))
        assert (prisoner.call("socket", family) == ALLOWED) is wanted
        assert (prisoner.call("socketpair", family) == ALLOWED) is (family == 1)


@machines
def test_signals_go_to_oneself_alone_where_no_namespace_confines_them(machine: str) -> None:
    for profile in (Profile.PURE, Profile.THREADS):
        prisoner = Prisoner(profile, machine)
        for name in ("kill", "tgkill", "tkill", "rt_sigqueueinfo"):
            assert prisoner.call(name, PID) == ALLOWED
            for other in (0, 1, PID + 1, 2**32 - 1, 2**32 - PID):
                assert prisoner.call(name, other) == errno.EPERM


@machines
@profiles
def test_what_is_examined_by_its_argument(profile: Profile, machine: str) -> None:
    prisoner = Prisoner(profile, machine)
    assert prisoner.call("prctl", 15) == ALLOWED
    for option in (1, 4, 22, 35, 36, 38, 47):
        assert prisoner.call("prctl", option) == errno.EPERM
    assert prisoner.call("ioctl", 1, 0x5401) == ALLOWED
    assert prisoner.call("ioctl", 1, 0x5412) == errno.EPERM
    for owner in (0x8901, 0x8902):
        assert prisoner.call("ioctl", 1, owner) == errno.EPERM
    assert prisoner.call("fcntl", 1, 4) == ALLOWED
    for owner in (8, 10, 15):
        assert prisoner.call("fcntl", 1, owner) == errno.EPERM
    assert prisoner.call("prlimit64", 0) == ALLOWED
    assert prisoner.call("prlimit64", PID) == errno.EPERM
    assert prisoner.call("sched_setaffinity", 0) == errno.EPERM, "it stays on the core that it was put on"


def test_no_call_is_in_two_groups_and_each_has_a_number() -> None:
    groups = [calls.COMMON, calls.SOCKETS, calls.PROCESSES, calls.DEVICES, calls.REFUSED, calls.ATTACKS]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    known = set().union(*(calls.numbers(machine) for machine in calls.ARCHITECTURES))
    assert frozenset().union(*groups) <= known


def test_a_machine_that_is_not_known_is_said_to_be() -> None:
    with pytest.raises(LaunchError, match=r"riscv64.*container"):
        calls.numbers("riscv64")
