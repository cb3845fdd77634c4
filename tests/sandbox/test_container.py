"""Sandbox container: the engine's command line, and that no container outlives whoever made it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from programs import EVALUATE, LIMITS, load, observed, value

from peagen_ray.errors import SandboxError
from peagen_ray.handler import Confinement
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox import keeper
from peagen_ray.sandbox.base import GuestFailed, GuestLimits, Profile
from peagen_ray.sandbox.container import Container, ContainerSandbox
from peagen_ray.sandbox.engine import Engine, new_name
from peagen_ray.sandbox.interpreter import PACKAGE

PATIENCE = 30.0


def names(engine: Engine, part: str) -> list[str]:
    """Containers, running or not, whose name has that in it."""
    return [name for name in engine._names() if part in name]


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether it holds before our patience ends; asking takes a while, so no time is spent between."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
    return True


# The command line


@pytest.fixture
def argv(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The words of ``run`` that a container would be started with, no engine being there."""

    def make(
        container: Container,
        engine: str = "docker",
        *,
        limits: GuestLimits | None = None,
        profile: Profile = Profile.PURE,
        uid: int = 0,
    ) -> list[str]:
        monkeypatch.setattr(Engine, "find", classmethod(lambda cls, _="": cls((engine,))))
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(os, "getegid", lambda: uid)
        sandbox = ContainerSandbox(container=container)
        seen = [container.venv] if container.venv else []
        return list(sandbox._run("peagen-x", limits or GuestLimits(), profile, seen))

    return make


def test_a_container_has_no_network_no_privileges_and_nothing_of_the_host(
    argv: Callable[..., list[str]],
) -> None:
    words = argv(Container("python:3"))
    line = " ".join(words)
    for option in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--pids-limit 128",
        "--memory 1024m",
        "--security-opt no-new-privileges",
        "--user 65534:65534",
        "--name peagen-x",
        "--rm",
        "--pull never",
        "--ipc none",
    ):
        assert f" {option} " in line
    mounts = [words[at + 1] for at, word in enumerate(words) if word == "--volume"]
    assert mounts == [f"{PACKAGE}:/peagen/peagen_ray:ro"]
    assert re.search(r"--tmpfs /tmp:\S*size=64m ", line)
    assert words[words.index("python:3") - 1] == "python3"


def test_bounds_follow_the_limits(argv: Callable[..., list[str]]) -> None:
    limits = GuestLimits(memory_mb=64, scratch_mb=8, processes=10)
    line = " ".join(argv(Container("i"), limits=limits, profile=Profile.TREE))
    for option in ("--memory 64m", "--memory-swap 64m", "--pids-limit 16", "size=8m", "--shm-size 8m"):
        assert f"{option} " in line
    many = replace(limits, processes=4000)
    assert "--pids-limit 128 " in " ".join(argv(Container("i"), limits=many, profile=Profile.TREE))


@pytest.mark.parametrize(
    ("engine", "options"), [("docker", "--gpus all"), ("podman", "--device nvidia.com/gpu=all")]
)
def test_gpus_are_asked_for_in_the_engines_own_words(
    argv: Callable[..., list[str]], engine: str, options: str
) -> None:
    assert f" {options} " in " ".join(argv(Container("i", gpus="all"), engine, profile=Profile.GPU))
    assert options.split()[1] not in argv(Container("i"), engine)


def test_an_ordinary_users_guest_is_that_user_so_that_it_can_be_measured(
    argv: Callable[..., list[str]],
) -> None:
    assert "--user 1234:1234 --stop-signal" in " ".join(argv(Container("i"), uid=1234))
    assert "--user 1234:1234 --userns keep-id " in " ".join(argv(Container("i"), "podman", uid=1234))


def test_what_a_person_adds_comes_last_before_the_image(argv: Callable[..., list[str]], venv: Path) -> None:
    words = argv(Container("i", venv=venv, engine_options=("--runtime", "runc")))
    at = words.index("--runtime")
    assert words[at : at + 5] == ["--runtime", "runc", "--entrypoint", "python3", "i"]
    assert f"{venv}:{venv}:ro" in words


def test_without_gpus_there_is_no_gpu_profile(argv: Callable[..., list[str]]) -> None:
    argv(Container("i"))
    with pytest.raises(SandboxError, match="has no GPUs"):
        ContainerSandbox(container=Container("i")).start(LIMITS, Profile.GPU)


# Engines


def shim(directory: Path, name: str, script: str) -> str:
    """A program of that name on its own ``PATH``."""
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_the_engine_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim(tmp_path, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    podman = shim(tmp_path, "podman", "true")
    assert Engine.find() == Engine(("podman",))
    Path(podman).write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(SandboxError, match=r"Cannot connect to the Docker daemon; podman ps: exit 3") as none:
        Engine.find()
    assert "apt-get install podman" in none.value.hint


def test_an_engine_may_be_any_command_with_options(tmp_path: Path) -> None:
    program = shim(tmp_path, "nerdctl", '[ "$1 $2 $3" = "--namespace mine ps" ]')
    engine = Engine.find(f"{program} --namespace mine")
    assert engine.argv == (program, "--namespace", "mine")
    assert not engine.is_podman
    for absent in ("no-such-engine", " "):
        with pytest.raises(SandboxError, match="is not installed"):
            Engine.find(absent)


def test_an_engine_that_cannot_tell_whether_there_is_an_image_says_why() -> None:
    engine = Engine(("sh", "-c", "echo 'database is locked' >&2; exit 125"))
    with pytest.raises(SandboxError, match="database is locked"):
        engine.demand_image("python:3")


def test_an_image_that_is_not_there_is_told_with_the_way_to_get_it(
    launcher: Launcher, container: Container
) -> None:
    sandbox = ContainerSandbox(launcher, container=replace(container, image="localhost/peagen-none:1"))
    with pytest.raises(SandboxError, match="no such image here") as refused:
        sandbox.start(LIMITS)
    assert refused.value.subject == "image localhost/peagen-none:1"
    assert "pull localhost/peagen-none:1" in refused.value.hint


def test_an_option_that_the_engine_refuses_is_told_in_its_words(
    launcher: Launcher, container: Container
) -> None:
    sandbox = ContainerSandbox(launcher, container=replace(container, engine_options=("--no-such-option",)))
    with pytest.raises(SandboxError, match=r"no guest was started: .*no-such-option"):
        sandbox.start(LIMITS)


def test_an_engine_on_another_kernel_cannot_be_measured(
    containers: ContainerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in (0, os.getpid()):
        monkeypatch.setattr(Engine, "main_pid", lambda *_, pid=pid: pid)
        with pytest.raises(SandboxError, match="cannot be seen from here"):
            containers.start(LIMITS)
    assert names(containers._engine, f"-{os.getpid()}-") == []


# What is inside


def test_memory_that_no_process_holds_counts_too(launcher: Launcher, container: Container) -> None:
    source = """
def f(x):
    for number in range(100):
        with open(f'part-{number}', 'wb') as file:
            file.write(bytes(4 << 20))
"""
    limits = replace(LIMITS, memory_mb=128, scratch_mb=400)
    sandbox = ContainerSandbox(launcher, container=container)
    with load(sandbox, source, limits) as guest, pytest.raises(GuestFailed) as failure:
        observed(guest)
    assert failure.value.outcome == "memory"


def test_the_first_process_of_a_container_is_out_of_a_guests_reach(containers: ContainerSandbox) -> None:
    source = """
import contextlib, os, signal

def f(x):
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(PermissionError):
            os.kill(1, number)
    try:
        os.open('/proc/1/mem', os.O_RDWR)
    except PermissionError:
        return 'out of reach'
"""
    with load(containers, source, profile=Profile.TREE) as guest:
        assert observed(guest).value == "out of reach"
        assert observed(guest).value == "out of reach"


def test_packages_of_a_virtual_environment_can_be_imported_and_not_changed(
    launcher: Launcher, container: Container, venv: Path
) -> None:
    sandbox = ContainerSandbox(launcher, container=replace(container, venv=venv))
    with load(sandbox, EVALUATE) as guest:
        assert value(guest, "__import__('grown').WEIGHT") == 7
        assert value(guest, f"os.access({str(venv)!r}, os.W_OK)") is False


def test_what_the_worker_lets_be_read_can_be_read(
    launcher: Launcher, container: Container, tmp_path: Path
) -> None:
    (tmp_path / "table.txt").write_text("6 * 7")
    (tmp_path / "table.txt").chmod(0o644)
    tmp_path.chmod(0o755)
    kept = Confinement(readable=(str(tmp_path),), ceiling={"processes": 8.0, "scratch_mb": 2.0})
    sandbox = ContainerSandbox(launcher, container=container, confinement=kept)
    with load(sandbox, EVALUATE) as guest:
        assert value(guest, f"open({str(tmp_path / 'table.txt')!r}).read()") == "6 * 7"
        assert value(guest, f"os.access({str(tmp_path)!r}, os.W_OK)") is False
        assert value(guest, "os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize") == 2 << 20


def test_a_keeper_that_is_not_the_first_process_ends_before_it_can_do_harm() -> None:
    with pytest.raises(SystemExit, match="first process"):
        keeper.keep(3)


def test_what_a_keeper_passes_on_is_told_apart_by_its_marks() -> None:
    assert keeper.apart("warning\x0eone\x0ftwo\x0e\nthree") == ("one\nthree", "warningtwo")
    assert keeper.apart("") == ("", "")


def test_a_guest_cannot_print_to_one_stream_as_if_to_the_other(containers: ContainerSandbox) -> None:
    source = """
import sys

def f(x):
    sys.stdout.write("out\\x0f!\\n")
    sys.stderr.write("err\\x0e!\\n")
"""
    with load(containers, source) as guest:
        for _ in range(5):  # what is printed last may end with the container
            observed(guest)
    assert [set(stream.splitlines()) for stream in guest.printed] == [{"out!"}, {"err!"}]


@pytest.mark.parametrize(
    ("text", "wanted"), [("oom 1\noom_kill 1\n", True), ("oom_kill 0\n", False), ("under_oom 0\n", False)]
)
def test_the_kernels_count_of_processes_killed_for_memory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, wanted: bool
) -> None:
    (tmp_path / "events").write_text(text)
    monkeypatch.setattr(keeper, "_OOM_COUNTS", (str(tmp_path / "none"), str(tmp_path / "events")))
    assert keeper._out_of_memory() is wanted
    monkeypatch.setattr(keeper, "_OOM_COUNTS", ())
    assert keeper._out_of_memory() is False


# The end


@contextmanager
def owner(container: Container) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process of its own that has a container running; its guest, and its launcher's guard."""
    script = Path(__file__).with_name("container_owner.py")
    process = subprocess.Popen(
        [sys.executable, str(script), container.image, *container.engine_options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield process, told["guest"], told["launcher"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_container_is_gone_when_its_guest_is_closed(containers: ContainerSandbox) -> None:
    mine = f"-{os.getpid()}-"
    with load(containers, EVALUATE):
        assert len(names(containers._engine, mine)) == 1
    assert names(containers._engine, mine) == []


def test_a_container_is_gone_when_its_owner_is_killed(
    containers: ContainerSandbox, container: Container
) -> None:
    with owner(container) as (process, guest, _):
        mine = f"-{process.pid}-"
        assert len(names(containers._engine, mine)) == 1
        pidfd = os.pidfd_open(guest)
        process.send_signal(signal.SIGKILL)
        assert _ends(pidfd)
        assert wait_until(lambda: names(containers._engine, mine) == [])


def test_a_container_is_gone_when_its_owner_and_the_launcher_are_killed(
    containers: ContainerSandbox, container: Container
) -> None:
    with owner(container) as (process, guest, guard):
        pidfd = os.pidfd_open(guest)
        for pid in (guard, *linux.children(guard), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        assert _ends(pidfd)
    Engine.find(container.engine)
    assert names(containers._engine, f"-{process.pid}-") == []


def test_a_container_is_gone_when_the_launcher_ends_first(
    container: Container, containers: ContainerSandbox
) -> None:
    with Launcher.start() as launcher:
        guest = load(ContainerSandbox(launcher, container=container), EVALUATE)
    assert names(containers._engine, f"-{os.getpid()}-") == []
    guest.close()


def _ends(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(PATIENCE * 1000))
    finally:
        os.close(pidfd)


def test_what_a_dead_owner_left_is_removed_by_the_next_and_nothing_else(
    containers: ContainerSandbox, container: Container
) -> None:
    engine, here = containers._engine, new_name()
    _, place, pid, started, _ = here.split("-")
    left = {
        "dead": f"peagen-{place}-{1 << 30}-5-aa",
        "reused": f"peagen-{place}-{pid}-{int(started) - 1}-bb",
        "elsewhere": f"peagen-{'0' * 16}-{1 << 30}-5-cc",
        "foreign": "peagen-of-somebody",
        "living": here,
    }
    try:
        for name in left.values():
            engine.ask("create", "--name", name, *container.engine_options, container.image, "python3")
        Engine.find(container.engine)
        there = set(engine._names())
        assert {why for why, name in left.items() if name in there} == {"elsewhere", "foreign", "living"}
    finally:
        for name in left.values():
            engine.remove(name)


def test_removing_a_container_that_is_not_there_is_no_error(containers: ContainerSandbox) -> None:
    containers._engine.remove("peagen-none")


def test_a_container_that_cannot_be_removed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Engine, *words: str) -> str:
        if words[0] == "rm":
            raise SandboxError("docker rm: device or resource busy")
        return "peagen-x\n"

    monkeypatch.setattr(Engine, "ask", refuse)
    with pytest.raises(SandboxError, match="busy"):
        Engine(("docker",)).remove("peagen-x")
    Engine(("docker",)).remove("peagen-y")


def test_a_guest_that_cannot_be_removed_still_leaves_no_directory(
    containers: ContainerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    removed = Engine.remove

    def refuse(engine: Engine, name: str) -> None:
        removed(engine, name)
        raise SandboxError("the engine is gone")

    monkeypatch.setattr(Engine, "remove", refuse)
    guest = load(containers, EVALUATE)
    with pytest.raises(SandboxError, match="the engine is gone"):
        guest.close()
    assert list(tmp_path.iterdir()) == []


def test_a_user_that_the_system_does_not_know_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_123)
    assert "HOME=/" in Engine(("podman",)).command("ps")
