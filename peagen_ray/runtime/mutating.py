"""``mutate``: one proposal, made like any other task's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from peagen_ray.config.model import Config
from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.diff import unified
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.run import result_data
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.runtime.tasks import TaskMaker


@dataclass(frozen=True)
class Mutated:
    """A proposal.

    Attributes:
        source: the whole new source text.
        operator: what made it.
        diff: unified diff from the target.
    """

    source: str
    operator: str
    diff: str


def mutate_once(config: Config, target: Path) -> Mutated:
    """Have the configured mutator propose a change to a file.

    Raises:
        MutationRejected: it has nothing to propose.
        TargetError: the file cannot be read, or has no such entry.
    """
    request = RunRequest(config=config, target=target)
    subject = request.subject()
    seed = secrets.randbits(32) if config.evolve.seed is None else config.evolve.seed
    tasks = TaskMaker(
        run_id=f"mutate-{secrets.token_hex(8)}",
        subject=subject,
        reference=Path("none"),
        limits=request.limits(),
        sandbox=config.evolve.backend,
        profile=config.execute.profile,
        container=request.container(),
        mutator=request.mutator(),
        temperature=config.mutate.temperature,
        goal=config.evolve.goal,
    )
    task = tasks.mutate((0,), subject.source, seed=seed, inspirations=(), weights={}, exclude=())
    with LocalFabric(config, 1, (Path.cwd(),)) as fabric:
        data = result_data(fabric.do(task))
    if "rejected" in data:
        raise MutationRejected(data["rejected"], data.get("detail", ""))
    diff = unified(subject.source, data["source"], target.name)
    return Mutated(data["source"], data["operator"], diff)
