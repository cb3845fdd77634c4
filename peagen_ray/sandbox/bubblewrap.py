"""Sandbox ``bubblewrap``: guests in namespaces of their own, which see nothing but Python's own libraries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from peagen_ray.errors import SandboxUnavailable
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.launcher.jail import identity
from peagen_ray.launcher.jail.world import DEVICES, bounds
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.boot import SCRATCH, SHARED_MEMORY
from peagen_ray.sandbox.confinement import confinement_of
from peagen_ray.sandbox.executed import Booting, ExecutedGuest, order_for
from peagen_ray.sandbox.interpreter import PACKAGE, Interpreter, command, site_packages
from peagen_ray.sandbox.layers import ENCLOSED, demand, observe

_ROOT: Final = "/peagen"
"""Where a guest finds our package."""

_PROGRAMS: Final = (Path("/usr/bin"), Path("/bin"))
"""What those may execute that may have processes."""

_TREE: Final = ("--proc", "/proc", "--as-pid-1")
"""For a first process of ours, which minds the memory of all."""

_PATIENCE: Final = 30.0
"""Seconds for a guest to say hello; far beyond what it takes."""

_INSTALL: Final = "apt-get install bubblewrap, or use the sandbox process"


class BubblewrapSandbox(Sandbox):
    """Guests in a root file system of their own, started by ``bwrap``.

    An ordinary user is nobody in a user namespace. As root there is none, since root outside would stay root;
    the guest becomes a user that does not exist before it meets any foreign code.

    Args:
        launcher: what starts them; by default the one of the task that is being handled.
        confinement: how they are kept; by default as the worker of that task keeps them.
        hash_seed: of their strings; None is a random one for each.
    """

    NAME = "bubblewrap"

    def __init__(
        self,
        launcher: Launcher | None = None,
        *,
        confinement: Confinement | None = None,
        hash_seed: int | None = None,
    ) -> None:
        self._launcher = launcher
        self._confinement = confinement
        self._hash_seed = hash_seed
        self._program = shutil.which("bwrap")
        if self._program is None:
            raise SandboxUnavailable("bwrap is not installed", subject="sandbox bubblewrap", hint=_INSTALL)

    def start(self, limits: GuestLimits, profile: Profile | None = None) -> Guest:
        """See :meth:`Sandbox.start`."""
        profile = profile or self.profile
        if profile is Profile.GPU:
            raise SandboxUnavailable(
                "has no way to a GPU", subject="sandbox bubblewrap", hint="use the sandbox gpu, a container"
            )
        kept = confinement_of(self._confinement)
        limits = limits.within(kept.ceiling)
        venv = Path(kept.venv) if kept.venv else None
        seen = (*map(Path, kept.readable), *([venv] if venv else ()))
        paths = site_packages(venv) if venv else ()
        booting = Booting(
            self._launcher, self._command(limits, profile, seen), stdio=False, keep=(PACKAGE, *seen)
        )
        try:
            uid = identity.apart(booting.child.pid) if _is_root() else None
            size = bounds(int(limits.scratch_mb) << 20)
            wanted = order_for(
                limits,
                profile,
                uid=uid,
                bounds=size,
                processes=int(limits.processes),
                memory_bytes=int(limits.memory_mb) << 20 if profile.forks else None,
                path=paths,
            )
            hello = booting.greet(wanted, _PATIENCE)
            demanded = ENCLOSED | set(kept.require)
            layers = demand(observe(hello.pid) | hello.layers, demanded, self.NAME, lax=kept.unsafe)
            return ExecutedGuest(booting.child, hello.pid, limits, layers, booting.bury)
        except BaseException:
            booting.abandon()
            raise

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Self]:
        """The same, with that hash seed: every guest is an interpreter of its own anyway."""
        same = type(self)(self._launcher, confinement=self._confinement, hash_seed=hash_seed)
        same.profile = self.profile
        yield same

    def _command(self, limits: GuestLimits, profile: Profile, seen: Sequence[Path]) -> tuple[str, ...]:
        interpreter = Interpreter.running()
        environment = {"LANG": "C.UTF-8", "PATH": ":".join(map(str, _PROGRAMS))}
        if self._hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(self._hash_seed)
        return (
            str(self._program),
            *_namespaces(),
            *("--die-with-parent", "--new-session", "--hostname", "guest", "--clearenv"),
            *(word for name, value in environment.items() for word in ("--setenv", name, value)),
            *_scratch(SCRATCH, limits),
            *_root(interpreter, (*seen, *(path for path in _PROGRAMS if profile.forks and path.exists()))),
            *((*_scratch(SHARED_MEMORY, limits), *_TREE) if profile.forks else ()),
            *("--remount-ro", "/", "--chdir", SCRATCH, "--"),
            *command(str(interpreter.executable), _ROOT, stdio=False),
        )


def _is_root() -> bool:
    return os.geteuid() == 0


def _namespaces() -> tuple[str, ...]:
    apart = "--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try --cap-drop ALL"
    words = [*apart.split(), "--cap-add", "CAP_SYS_ADMIN"]  # to bound its scratch directory
    if _is_root():
        return (*words, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    return (*words, "--unshare-user", "--uid", str(identity.NOBODY), "--gid", str(identity.NOBODY))


def _root(interpreter: Interpreter, more: Sequence[Path]) -> list[str]:
    """The file system: what Python needs, our package and what is let in, read-only, and a few devices."""
    seen = {path: str(path) for path in (*interpreter.needed, *more)}
    seen[PACKAGE] = f"{_ROOT}/{PACKAGE.name}"
    words = [word for parent in _parents(seen.values()) for word in ("--perms", "0755", "--dir", parent)]
    words += [word for path, place in seen.items() for word in ("--ro-bind", str(path), place)]
    for path in map(str, interpreter.hidden):
        words += ["--tmpfs", path, "--remount-ro", path]
    return words + [word for device in DEVICES for word in ("--dev-bind", device, device)]


def _parents(paths: Iterable[str]) -> list[str]:
    """The directories above them, outermost first: made by ``bwrap`` itself they could not be entered by all."""
    above = {parent for path in (*paths, *DEVICES) for parent in Path(path).parents}
    return sorted(map(str, above - {Path("/"), Path(SCRATCH)}))


def _scratch(path: str, limits: GuestLimits) -> tuple[str, ...]:
    return ("--perms", "1777", "--size", str(int(limits.scratch_mb) << 20), "--tmpfs", path)
