"""Sandbox ``process``: a fresh process of the launcher's, jailed with nothing but what the kernel offers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

from peagen_ray.errors import LackingLayer, LaunchError, SandboxError, SandboxUnavailable
from peagen_ray.handler import Confinement, current
from peagen_ray.launcher.client import Launcher, SpawnSpec
from peagen_ray.launcher.jail.policy import Jail
from peagen_ray.sandbox import gpus
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.confinement import confinement_of, layers
from peagen_ray.sandbox.conversation import ConversationGuest

GUEST: Final = "peagen_ray.sandbox.guest"
"""The module that a guest runs, and that a launcher for guests should preload."""


class ProcessSandbox(Sandbox):
    """Guests are processes forked by the launcher, with their own session, ``/tmp`` and limits.

    Args:
        launcher: what starts them; by default the one of the task that is being handled.
        confinement: how they are kept; by default as the worker of that task keeps them.
        profile: what they may do.
    """

    NAME = "process"

    def __init__(
        self,
        launcher: Launcher | None = None,
        *,
        confinement: Confinement | None = None,
        profile: Profile = Profile.PURE,
    ) -> None:
        self._launcher = launcher
        self._confinement = confinement
        self.profile = profile

    def start(self, limits: GuestLimits, profile: Profile | None = None) -> Guest:
        """See :meth:`Sandbox.start`."""
        launcher = self._launcher or current().launcher
        if launcher is None:
            raise SandboxError("there is no launcher to start a guest with", hint="run it in a one-shot task")
        kept = confinement_of(self._confinement)
        limits, profile = limits.within(kept.ceiling), profile or self.profile
        scratch = Path(tempfile.mkdtemp(prefix="peagen-guest-"))
        bury = partial(shutil.rmtree, scratch, ignore_errors=True)
        spec = SpawnSpec(
            entry=f"{GUEST}:main",
            scratch=scratch,
            environment=gpus.variables() if profile is Profile.GPU else {},
            # No RLIMIT_CPU: with one, the kernel counts the process's CPU clock in ticks of milliseconds.
            jail=Jail(
                profile=profile,
                memory_bytes=int(limits.memory_mb) << 20,
                scratch_bytes=int(limits.scratch_mb) << 20,
                processes=int(limits.processes),
                readable=kept.readable,
                require=layers(kept.require),
                lax=kept.unsafe,
                ports=kept.ports if self.connects else (),
                gpus=gpus.granted(),
            ),
        )
        try:
            child = launcher.spawn(spec)
        except LackingLayer as error:
            bury()
            raise SandboxUnavailable(error.what, subject=f"sandbox {self.NAME}", hint=error.hint) from error
        except LaunchError as error:
            bury()
            raise SandboxError(str(error)) from error
        return ConversationGuest(child, child.pid, limits, child.layers, bury)

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Self]:
        """Guests forked from an interpreter that is executed for this block, so that they share its layout."""
        try:
            with Launcher.start([GUEST], hash_seed=hash_seed) as launcher:
                yield type(self)(launcher, confinement=self._confinement, profile=self.profile)
        except LaunchError as error:
            raise SandboxError(str(error)) from error
