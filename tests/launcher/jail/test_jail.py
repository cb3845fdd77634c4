"""Prisoners on this machine, and on machines that lack something."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.client import Child, Launcher, SpawnSpec
from peagen_ray.launcher.jail import calls, seccomp
from peagen_ray.launcher.jail.cgroup import Groups
from peagen_ray.launcher.jail.policy import Jail, Layer, Profile

ROOT = os.geteuid() == 0
EVERYWHERE = {"rlimits", "no-new-privileges", "seccomp", "landlock", "namespaces", "private-root"}


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher.start(["launcher_entries"]) as launcher:
        yield launcher


class Prison:
    def __init__(self, launcher: Launcher, scratch: Path) -> None:
        self.launcher, self.scratch = launcher, scratch

    def spawn(self, **jail: object) -> Child:
        spec = SpawnSpec("launcher_entries:evaluate", self.scratch, jail=Jail(**jail))  # type: ignore[arg-type]
        return self.launcher.spawn(spec)

    def ask(self, expression: str, **jail: object) -> str:
        with self.spawn(**jail) as child:
            child.send(expression.encode(), time.monotonic() + 20)
            return child.receive(1 << 20, time.monotonic() + 20).decode()


@pytest.fixture
def prison(launcher: Launcher, tmp_path: Path) -> Prison:
    return Prison(launcher, tmp_path)


@pytest.mark.parametrize("profile", [Profile.PURE, Profile.THREADS, Profile.TREE])
def test_the_layers_that_are_active_are_said(prison: Prison, profile: Profile) -> None:
    with prison.spawn(profile=profile) as child:
        wanted = EVERYWHERE | ({"uid"} if ROOT else set())
        wanted |= {"pid-namespace"} if profile.forks else set()
        wanted |= {"cgroup"} if profile.forks and Groups().there else set()
        assert child.layers == wanted


def test_a_prisoner_is_nobody_with_no_privileges_and_no_groups(prison: Prison) -> None:
    uid, gid, groups, caps = eval(
        prison.ask(
            "os.getuid(), os.getgid(), os.getgroups(), "
            "[__import__('ctypes').CDLL(None).prctl(23, n, 0, 0, 0) for n in (99,)]"
        )
    )
    assert uid == gid != 0
    assert groups == []
    assert caps == [-1]


@pytest.mark.skipif(not ROOT, reason="an ordinary user has one identity to give")
def test_no_two_prisoners_of_root_are_the_same_user(prison: Prison) -> None:
    with prison.spawn() as first, prison.spawn() as second:
        assert Path(f"/proc/{first.pid}").stat().st_uid != Path(f"/proc/{second.pid}").stat().st_uid


def test_only_libraries_are_seen_and_nothing_but_scratch_can_be_written(prison: Prison) -> None:
    (prison.scratch / "secret").write_text("s")
    seen = eval(prison.ask("sorted(os.listdir('/')), os.listdir('/proc'), os.listdir('.'), os.getcwd()"))
    top = {part.parts[1] for part in (Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve())}
    assert set(seen[0]) - top <= {"bin", "dev", "etc", "lib", "lib64", "proc", "scratch", "tmp", "usr", "var"}
    assert seen[1:] == ([], [], "/scratch")
    assert prison.ask(f"os.path.exists({str(Path(__file__).resolve())!r})") == "False"
    assert prison.ask(f"os.path.exists({str(prison.scratch / 'secret')!r})") == "False"
    for path in ("/new", "/usr/lib/new", "/dev/new", f"{os.__file__}"):
        with prison.spawn() as child:
            child.send(f"open({path!r}, 'a')".encode(), time.monotonic() + 20)
            assert child.wait(20).code == 1
            assert "Error" in child.output()[1]
    assert prison.ask("open('mine', 'w').write('x'), os.listdir('/scratch'), os.listdir('/dev/shm')") == (
        "(1, ['mine'], ['mine'])"
    )


def test_the_workspace_is_not_even_named(prison: Prison) -> None:
    named = prison.ask("(sys.path, sys.argv, sys.orig_argv, dict(os.environ))")
    assert str(Path.cwd()) not in named.replace(sys.prefix, "")
    environment = eval(prison.ask("dict(os.environ)"))
    numeric = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"}
    allowed = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "LANGUAGE",
        "TZ",
        "LD_LIBRARY_PATH",
        "PYTHONHASHSEED",
    } | numeric
    assert {name for name in environment if not name.startswith(("LC_", "COV", "COVERAGE"))} <= allowed


def test_what_is_written_is_bounded_in_all(prison: Prison) -> None:
    fill = "[(lambda f: [f.write(bytes(1 << 20)) for _ in range(3)])(open(f'file{n}', 'wb', 0)) for n in range(9)]"
    with prison.spawn(scratch_bytes=8 << 20) as child:
        child.send(fill.encode(), time.monotonic() + 20)
        assert child.wait(20).code == 1
        assert "No space left" in child.output()[1]


def test_a_path_can_be_let_in_to_be_read(prison: Prison, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    tmp_path.chmod(0o755)
    (shown / "file").write_text("contents")
    assert prison.ask(f"open({str(shown / 'file')!r}).read()", readable=(str(shown),)) == "contents"


def test_a_tree_sees_its_own_processes_alone_and_ends_as_its_second_process_ends(prison: Prison) -> None:
    tree = Profile.TREE
    assert prison.ask("sorted(p for p in os.listdir('/proc') if p.isdigit()), os.getpid()", profile=tree) == (
        "(['1', '2'], 2)"
    )
    assert prison.ask("os.popen('echo $((6 * 7))').read()", profile=tree) == "42\n"
    for expression, reason in (("os._exit(7)", "exit 7"), ("os.kill(2, 11)", "killed by SIGSEGV")):
        with prison.spawn(profile=tree) as child:
            child.send(expression.encode(), time.monotonic() + 20)
            assert child.wait(20).reason == reason


def test_the_process_id_of_a_tree_is_the_one_outside(prison: Prison) -> None:
    with prison.spawn(profile=Profile.TREE) as child:
        assert child.cpu_ns() > 0
        assert b"NSpid:\t%d\t2\n" % child.pid in Path(f"/proc/{child.pid}/status").read_bytes()


def test_nothing_of_a_tree_outlives_it(prison: Prison) -> None:
    daemon = (
        "(lambda pid: pid or (os.setsid(), os.fork() and os._exit(0), time.sleep(60)))(os.fork())"
        " and [time.sleep(0.001) for _ in range(9)] and len([p for p in os.listdir('/proc') if p.isdigit()])"
    )
    with prison.spawn(profile=Profile.TREE) as child:
        namespace = Path(f"/proc/{child.pid}/ns/pid").readlink()
        child.send(daemon.encode(), time.monotonic() + 20)
        assert int(child.receive(100, time.monotonic() + 20)) >= 3
        child.kill()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert (process / "ns/pid").readlink() != namespace
        except OSError:
            continue


HOG = (
    "[os.fork() or (globals().update(x=bytearray(b'x') * (60 << 20)), time.sleep(60)) for _ in range(4)]"
    " and time.sleep(60)"
)
COVERED = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'


@pytest.mark.parametrize("control_groups", [True, False])
def test_the_memory_of_all_processes_of_a_tree_counts_together(tmp_path: Path, control_groups: bool) -> None:
    if not control_groups and not ROOT:
        pytest.skip("there are no control groups for an ordinary user anyway")
    cover = [] if control_groups else ["unshare", "-m", "sh", "-c", COVERED, "-"]
    answer = told([], tmp_path, HOG, cover, profile=Profile.TREE, memory_bytes=200 << 20)
    assert "MemoryError" in answer or "out_of_memory=True" in answer
    assert ("'cgroup'" in answer) is (control_groups and Groups().there)


# Machines that lack something


def environment(denied: list[str]) -> dict[str, str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "DENIED": ",".join(denied)}


def told(
    denied: list[str], tmp_path: Path, expression: str = "1 + 1", within: Sequence[str] = (), **jail: object
) -> str:
    """What comes of a prisoner where the kernel has not some calls."""
    wire = json.dumps(Jail(**jail).to_wire())  # type: ignore[arg-type]
    scratch = tmp_path / uuid.uuid4().hex
    scratch.mkdir()
    command = [*within, sys.executable, __file__, wire, str(scratch), expression]
    ended = subprocess.run(command, env=environment(denied), capture_output=True, text=True, timeout=60)
    return ended.stdout + ended.stderr


def readable_by_all() -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in Path(os.__file__).resolve().parents)


def test_without_namespaces_landlock_and_seccomp_hold(tmp_path: Path) -> None:
    if ROOT and not readable_by_all():
        assert "cannot read Python's own libraries" in told(["unshare"], tmp_path)
        return
    tmp_path.chmod(0o755)
    assert "'landlock', 'no-new-privileges', 'rlimits', 'seccomp'" in told(["unshare"], tmp_path)
    assert "Permission denied" in told(["unshare"], tmp_path, "os.listdir('/')")
    assert "Permission denied" in told(["unshare"], tmp_path, "open('/proc/self/environ')")


@pytest.mark.parametrize(
    ("denied", "jail", "missing"),
    [
        (["unshare", "landlock_create_ruleset"], {}, "without landlock or private-root"),
        (["seccomp"], {}, "without seccomp"),
        (["unshare"], {"require": frozenset({Layer.PRIVATE_ROOT})}, "without private-root"),
        (["unshare"], {"profile": Profile.TREE}, "without pid-namespace"),
    ],
)
def test_a_machine_that_lacks_what_is_demanded_refuses_and_says_what_to_do(
    denied: list[str], jail: dict[str, object], missing: str, tmp_path: Path
) -> None:
    answer = told(denied, tmp_path, **jail)
    assert missing in answer
    assert "--unsafe" in answer


def test_at_ones_own_risk_it_goes_without(tmp_path: Path) -> None:
    demanding = {"require": frozenset({Layer.LANDLOCK})}
    assert "without landlock" in told(["landlock_create_ruleset"], tmp_path, **demanding)
    assert "answer 2" in told(["landlock_create_ruleset"], tmp_path, lax=True, **demanding)


def main(wire: str, scratch: str, expression: str) -> None:
    """Start one prisoner on a machine without the calls that ``DENIED`` names, and say what came of it."""
    deny(list(filter(None, os.environ["DENIED"].split(","))))
    sys.path.insert(0, str(Path(__file__).parents[1]))
    try:
        with Launcher.start(["launcher_entries"]) as launcher:
            spec = SpawnSpec(
                "launcher_entries:evaluate", Path(scratch), jail=Jail.from_wire(json.loads(wire))
            )
            with launcher.spawn(spec) as child:
                report(sorted(child.layers))
                child.send(expression.encode(), time.monotonic() + 20)
                try:
                    report("answer", child.receive(1 << 20, time.monotonic() + 20).decode())
                except LaunchError:
                    report(child.wait(20), child.output()[1])
    except LaunchError as error:
        report(error)


def report(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def deny(names: list[str]) -> None:
    code = [(0x20, 0, 0, 0)]
    for name in names:
        code += [(0x15, 0, 1, calls.here()[name]), (0x06, 0, 0, 0x50000 | errno.EPERM)]
    code.append((0x06, 0, 0, 0x7FFF0000))
    from peagen_ray.launcher import linux

    linux.prctl(38, 1)
    seccomp.install(b"".join(struct.pack("<HBBI", *each) for each in code))


if __name__ == "__main__":
    main(*sys.argv[1:])
