"""``mutate``: one proposal, made like any other task's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peagen_ray.config.model import Config
from peagen_ray.errors import BudgetExceeded, LLMUnavailable, MutationRejected
from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.patch import PatchRequest
from peagen_ray.runtime.consulting import NO_ANSWER
from peagen_ray.runtime.elsewhere import Elsewhere, requirements, through_queue
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.models import LLM_MUTATORS, Asking, Broke, Models, patch_settings, worst_words
from peagen_ray.runtime.run import result_data
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.runtime.tasks import LLM_TAGS, Stage, TaskMaker
from peagen_ray.task import Task, TaskKind


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


def mutate_once(config: Config, target: Path, say: Callable[[str], None] = lambda _: None) -> Mutated:
    """Have the configured mutator propose a change to a file.

    Args:
        config: the effective configuration.
        target: the file.
        say: told when a worker elsewhere lets wait.

    Raises:
        MutationRejected: it has nothing to propose.
        TargetError: the file cannot be read, or has no such entry.
    """
    request = RunRequest(config=config, target=target)
    subject = request.subject()
    seed = secrets.randbits(32) if config.evolve.seed is None else config.evolve.seed
    away, mutator = through_queue(config), request.mutator()
    tasks = TaskMaker(
        run_id=f"mutate-{secrets.token_hex(8)}",
        subject=subject,
        reference=None,
        requires=requirements({TaskKind.MUTATE: {"mutator": mutator}}) if away else {},
        limits=request.limits(),
        sandbox=config.evolve.backend,
        profile=config.execute.profile,
        container=request.container(),
        mutator=mutator,
        temperature=config.mutate.temperature,
        goal=config.evolve.goal,
    )
    offered = config.worker.defaults.caps
    if mutator in LLM_MUTATORS:
        task = _consult(config, tasks, seed, here=not away)
        offered |= LLM_TAGS
    else:
        task = tasks.mutate((0,), subject.source, seed=seed, inspirations=(), weights={}, exclude=())
    with Elsewhere(config, say) if away else LocalFabric(config, 1, (Path.cwd(),), offered) as fabric:
        data = result_data(fabric.do(task))
    if data.get("reason") == NO_ANSWER:
        raise LLMUnavailable(f"no language model answered: {data['detail']}", subject="mutate")
    if "rejected" in data:
        raise MutationRejected(data["rejected"], data.get("detail", ""))
    diff = unified(subject.source, data["source"], target.name)
    return Mutated(data["source"], data["operator"], diff)


def worst_of_one(config: Config, target: Path) -> str | None:
    """What one proposal may cost at most, for a person; None if no model would be asked."""
    request = RunRequest(config=config, target=target)
    return worst_words(config, 1) if request.mutator() in LLM_MUTATORS else None


def _consult(config: Config, tasks: TaskMaker, seed: int, *, here: bool) -> Task:
    """The task that asks a model for one change.

    Raises:
        BudgetExceeded: the budget pays for no call.
    """
    models = Models(config, seed)
    models.check(here=here)
    moves = {"rewrite": Move.REWRITE}
    request = PatchRequest(
        tasks.subject.source,
        tasks.subject.entry,
        moves.get(tasks.mutator, Move.DIFF),
        seed,
        goal=tasks.goal,
        in_run=False,
        settings=patch_settings(config),
    )
    name = tasks.id_of(0, Stage.MUTATE)
    asked = models.ask(name, models.prompt(request), request, ())
    if isinstance(asked, Broke):
        raise BudgetExceeded(asked.why)
    assert isinstance(asked, Asking)  # nobody was asked before, so that there is nothing to wait for
    return tasks.consult(name, asked.payload)
