"""What the tests of sandboxes share: programs to run in a guest, and asking it."""

from __future__ import annotations

import pickle
from typing import Any

from peagen_ray.sandbox.base import Guest, GuestFailed, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.target import Call

LIMITS = GuestLimits(wall_s=10.0, cpu_s=30.0, memory_mb=512, output_kb=256, scratch_mb=4, processes=16)

EVALUATE = "import os, sys\n\ndef f(text):\n    return eval(text)\n"
"""Evaluates what it is given."""


def load(
    sandbox: Sandbox, source: str, limits: GuestLimits = LIMITS, profile: Profile = Profile.PURE
) -> Guest:
    """A guest that has loaded a program with an entry ``f``."""
    guest = sandbox.start(limits, profile)
    try:
        Subject(source, "f").load(guest, "a", source)
    except GuestFailed:
        guest.close()
        raise
    return guest


def observed(guest: Guest, argument: object = None, wall_s: float | None = None) -> Observation:
    """What the program does with an argument."""
    return Observation.read(run(guest, "a", pickle.dumps(Call((argument,))), wall_s=wall_s).body)


def value(guest: Guest, expression: str) -> Any:
    """What an expression is worth in a guest that has loaded ``EVALUATE``."""
    seen = observed(guest, expression)
    assert seen.outcome == "returned", seen.summary()
    return seen.value
