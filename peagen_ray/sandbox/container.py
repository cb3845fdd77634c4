"""Sandbox ``container``: guests in containers of any Docker-compatible engine, for programs that need an image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

from peagen_ray.errors import SandboxError, SandboxUnavailable
from peagen_ray.handler import Confinement
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.launcher.jail.identity import NOBODY
from peagen_ray.launcher.jail.policy import Layer
from peagen_ray.sandbox import gpus, keeper
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.boot import SCRATCH, Order, whereabouts
from peagen_ray.sandbox.confinement import confinement_of
from peagen_ray.sandbox.engine import Engine, new_name
from peagen_ray.sandbox.executed import Booting, ExecutedGuest, Hello, open_files, order_for
from peagen_ray.sandbox.interpreter import PACKAGE, command, site_packages
from peagen_ray.sandbox.layers import ENCLOSED, demand, observe

_ROOT: Final = "/peagen"
_HIDDEN: Final = ("/dev", "/etc", "/sys")
"""What of an image no guest has to see; ``/proc`` is for those that have processes."""

_PROCESSES: Final = 128
_OWN_PROCESSES: Final = 6
"""The keeper's threads."""

_PATIENCE: Final = 60.0
"""Seconds for a guest to say hello: engines on busy machines take some."""

_HINT: Final = "let the engine limit memory and processes: cgroup v2 with the controllers delegated, or root"


@dataclass(frozen=True)
class Container:
    """What containers are made of.

    Attributes:
        image: an image that is there already and holds ``python3``, 3.11 or later; nothing is pulled.
        engine: the engine's command line; "" is docker or podman, whichever answers.
        venv: a virtual environment whose packages guests may import, mounted read-only.
        engine_options: further options of ``run``.
        gpus: GPUs that guests may use, as the engine names them, such as ``all``; "" is none. Of a task that
            may not use all GPUs, guests get no others than the task's.
    """

    image: str
    engine: str = ""
    venv: Path | None = None
    engine_options: tuple[str, ...] = ()
    gpus: str = ""

    @classmethod
    def of(cls, kept: Confinement, image: str = "", gpus: str = "") -> Self:
        """What a worker has; the image and the GPUs may be a task's own.

        Raises:
            SandboxUnavailable: neither names an image.
        """
        if not (image or kept.image):
            raise SandboxUnavailable(
                "no image is named", subject="sandbox container", hint="say [execute.container] image"
            )
        venv = Path(kept.venv) if kept.venv else None
        return cls(image or kept.image, kept.engine, venv, kept.engine_options, gpus)


class ContainerGuest(ExecutedGuest):
    """A guest whose keeper passes on what it prints."""

    def _output(self) -> tuple[str, str]:
        _, both = super()._output()
        return keeper.apart(both)


class ContainerSandbox(Sandbox):
    """Guests in containers: no network, nothing writable but a ``/tmp`` of their own, no privileges.

    Nothing of the host is mounted but our package, the virtual environment and what is readable by
    configuration, all read-only. A container is removed by name when its guest is closed, by the launcher when
    we die before that, and at the latest by whoever starts the next one here.

    Args:
        launcher: what starts the engine's client; by default the one of the task that is being handled.
        container: what containers are made of; by default as the worker says.
        confinement: how they are kept; by default as the worker of that task keeps them.
        hash_seed: of the guests' strings; None is a random one for each.
    """

    NAME = "container"

    def __init__(
        self,
        launcher: Launcher | None = None,
        *,
        container: Container | None = None,
        confinement: Confinement | None = None,
        hash_seed: int | None = None,
    ) -> None:
        self._launcher = launcher
        self._confinement = confinement
        self._container = container or Container.of(confinement_of(confinement))
        self._hash_seed = hash_seed
        self._engine = Engine.find(self._container.engine)

    def start(self, limits: GuestLimits, profile: Profile | None = None) -> Guest:
        """See :meth:`Sandbox.start`."""
        kept = confinement_of(self._confinement)
        limits, profile = limits.within(kept.ceiling), profile or self.profile
        if self._container.gpus:
            profile = Profile.GPU  # a driver takes threads, and address space without end
        elif profile is Profile.GPU:
            raise SandboxUnavailable("has no GPUs", subject="sandbox container", hint="use the sandbox gpu")
        name, venv = new_name(), self._container.venv
        paths = site_packages(venv) if venv else ()
        seen = (*map(Path, kept.readable), *([venv] if venv else ()))
        booting = Booting(
            self._launcher,
            self._engine.command(*self._run(name, limits, profile, seen)),
            stdio=True,
            keep=(PACKAGE, *seen),
            will=self._engine.removal(name),
            remove=partial(self._engine.remove, name),
        )
        try:
            hidden = _HIDDEN if profile.forks else (*_HIDDEN, "/proc")
            hello = self._greet(booting, order_for(limits, profile, path=paths, hidden=hidden))
            pid = self._pid(name, hello.place)
            demanded = ENCLOSED | {Layer.CGROUP} | set(kept.require)
            layers = demand(observe(pid) | hello.layers, demanded, self.NAME, _HINT, lax=kept.unsafe)
            return ContainerGuest(booting.child, pid, limits, layers, booting.bury)
        except BaseException:
            booting.abandon()
            raise

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Self]:
        """The same, with that hash seed: every guest is an interpreter of its own anyway."""
        same = type(self)(
            self._launcher,
            container=self._container,
            confinement=self._confinement,
            hash_seed=hash_seed,
        )
        same.profile = self.profile
        yield same

    def _greet(self, booting: Booting, order: Order) -> Hello:
        try:
            return booting.greet(order, _PATIENCE)
        except SandboxError:
            self._engine.demand_image(self._container.image)
            raise

    def _pid(self, name: str, told: Mapping[str, str]) -> int:
        """The guest's process id, as seen from here.

        Raises:
            SandboxError: it cannot be seen: the engine runs its containers on another kernel.
        """
        first = self._engine.main_pid(name)
        for child in linux.children(first):
            if told and whereabouts(str(child)) == told:
                return child
        raise SandboxUnavailable(
            "its processes cannot be seen from here, so their time and memory cannot be measured",
            subject=f"engine {self._engine.argv[0]}",
            hint="use an engine on this machine that runs containers without a virtual machine",
        )

    def _run(self, name: str, limits: GuestLimits, profile: Profile, seen: Sequence[Path]) -> tuple[str, ...]:
        """The words of ``run``: what the sandbox is made of, then what the person adds, then the guest."""
        wanted = self._container
        seed = () if self._hash_seed is None else ("--env", f"PYTHONHASHSEED={self._hash_seed}")
        python, *arguments = command("python3", _ROOT, stdio=True)
        return (
            *("run", "--rm", "--interactive", "--name", name, "--pull", "never", "--log-driver", "none"),
            *("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *(("--read-only-tmpfs=false",) if self._engine.is_podman else ()),
            *(*_bounds(limits, profile), *self._user(), "--stop-signal", "KILL", "--hostname", "guest"),
            *(*_scratch(limits, profile), "--workdir", SCRATCH, *_mounts(seen), *seed),
            *(*self._gpus(), *wanted.engine_options, "--entrypoint", python, wanted.image, *arguments),
        )

    def _user(self) -> tuple[str, ...]:
        """Nobody; run by an ordinary user, that one, who may signal the guest and read its memory's size."""
        if os.geteuid() == 0:
            return ("--user", f"{NOBODY}:{NOBODY}")
        own = ("--user", f"{os.geteuid()}:{os.getegid()}")
        return (*own, "--userns", "keep-id") if self._engine.is_podman else own

    def _gpus(self) -> tuple[str, ...]:
        wish = self._container.gpus
        return gpus.options(wish, gpus.granted(), podman=self._engine.is_podman) if wish else ()


def _bounds(limits: GuestLimits, profile: Profile) -> tuple[str, ...]:
    processes = (
        _PROCESSES if profile is Profile.PURE else min(_PROCESSES, int(limits.processes) + _OWN_PROCESSES)
    )
    memory, files = f"{int(limits.memory_mb)}m", open_files(profile)
    return (
        *("--pids-limit", str(processes), "--memory", memory, "--memory-swap", memory),
        *("--ulimit", f"nofile={files}:{files}", "--ulimit", "core=0:0"),
    )


def _scratch(limits: GuestLimits, profile: Profile) -> tuple[str, ...]:
    """The only places that can be written: ``/tmp``, and shared memory for what may have processes."""
    tmpfs = ("--tmpfs", f"{SCRATCH}:rw,nosuid,nodev,mode=1777,size={int(limits.scratch_mb)}m")
    if profile.forks:
        return (*tmpfs, "--ipc", "private", "--shm-size", f"{int(limits.scratch_mb)}m")
    return (*tmpfs, "--ipc", "none")


def _mounts(seen: Sequence[Path]) -> tuple[str, ...]:
    mounts = {PACKAGE: f"{_ROOT}/{PACKAGE.name}", **{path: str(path) for path in seen}}
    return tuple(word for path, place in mounts.items() for word in ("--volume", f"{path}:{place}:ro"))
