"""``runs verify``: the winner of a recorded run measured again against its original, on inputs that nobody has seen."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peagen_ray.config.model import Config
from peagen_ray.errors import UsageError
from peagen_ray.runtime.evaluation import SPEED
from peagen_ray.runtime.finish import FAMILIES, PRECISION
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.offering import offering
from peagen_ray.runtime.records import Gain, RunRecord, State
from peagen_ray.runtime.run import result_data
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.runtime.tasks import SEED_BITS, TaskMaker
from peagen_ray.sandbox.reference import Subject


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        gain: None if the winner was found wrong, or could not be measured.
        inputs: fresh inputs on which outputs were compared.
        why: what speaks against the winner, "" if nothing does.
    """

    gain: Gain | None
    inputs: int = 0
    why: str = ""

    @property
    def half_width(self) -> float | None:
        """Half the interval's width, relative to the ratio."""
        if self.gain is None or self.gain.low is None or self.gain.high is None:
            return None
        return (self.gain.high - self.gain.low) / (2 * self.gain.ratio)


def overlapping(gains: Sequence[Gain]) -> bool:
    """Whether all the intervals have a value in common; those that were not measured are left out."""
    ends = [(gain.low, gain.high) for gain in gains if gain.low is not None and gain.high is not None]
    return max(low for low, _ in ends) <= min(high for _, high in ends)


def verify(
    record: RunRecord, here: Config, times: int, most_s: float | None = None, fresh: int = 1000
) -> Iterator[Measured]:
    """Measure the winner as it was measured at the end of its run, that many times.

    The original, the workload, the limits and the sandbox are the recorded ones; what this machine grants at most is
    not. Nothing is written into the run.

    Args:
        record: of a run that ended with a winner.
        here: the configuration that holds here.
        times: how often; each time with other inputs.
        most_s: CPU seconds to spend at most on each measurement; by default what the run spent.
        fresh: inputs on which outputs are compared.

    Raises:
        UsageError: there is no winner to measure.
        WorkloadError: the recorded inputs cannot be made here.
        SandboxUnavailable: the recorded sandbox is not to be had here.
    """
    check(record)
    config = config_of(record, here)
    tasks = tasks_of(record, config)
    keep = (Path.cwd(), record.paths.root.resolve())
    with LocalFabric(config, 1, keep, offering(config)) as fabric:
        for number in range(times):
            task = tasks.confirm(
                (number,),
                record.winner,
                seed=secrets.randbits(SEED_BITS),
                fresh=fresh,
                precision=PRECISION,
                most_s=most_s or config.evaluate.winner_s,
                families=FAMILIES,
            )
            executed = result_data(fabric.do(task))
            yield _measured(result_data(fabric.wait(executed["evaluate"])))


def tasks_of(record: RunRecord, config: Config) -> TaskMaker:
    """Makes a verification's tasks about the recorded program, under ids of its own."""
    request = RunRequest(config, Path(record.meta["subject"]["path"]))
    return TaskMaker(
        run_id=f"{record.paths.id}/verify/{secrets.token_hex(8)}",
        subject=Subject(**record.meta["subject"]),
        reference=None,
        limits=request.limits(),
        sandbox=config.evolve.backend,
        profile=config.execute.profile,
        container=request.container(),
        mutator=record.meta["mutator"],
        temperature=config.mutate.temperature,
        goal=config.evolve.goal,
        metric=config.evaluate.metric,
        prepared={"seed": record.meta["seed"], "known": record.meta["reference"]},
    )


def check(record: RunRecord) -> None:
    """Raises UsageError where there is no winner."""
    if record.state is State.RUNNING:
        raise UsageError("is running", subject=record.paths.id, hint="verify it when it has ended")
    if record.state is State.INTERRUPTED:
        raise UsageError(
            "has not ended, so no winner was measured",
            subject=record.paths.id,
            hint=f"bring it to its end: peagen-ray evolve run --resume --run {record.paths.id}",
        )
    if not record.winner or record.gain is None:
        better = "faster" if record.evaluator == SPEED else "better"
        raise UsageError(f"found no {better} program: there is nothing to verify", subject=record.paths.id)


def config_of(record: RunRecord, here: Config) -> Config:
    """The recorded configuration, with what a machine decides for itself from the one that holds here."""
    recorded = Config.model_validate_json(json.dumps(record.meta["config"]))
    table, own = recorded.execute, here.execute
    engine = {name: getattr(own.container, name) for name in ("engine", "engine_options", "venv")}
    container = table.container.model_copy(update=engine)
    mine = {name: getattr(own, name) for name in ("unsafe", "require", "readable", "ports")}
    mine |= {"container": container}
    update = {
        "task_queue": Config().task_queue,
        "result_backend": here.result_backend,
        "worker": here.worker,
        "execute": table.model_copy(update=mine),
    }
    return recorded.model_copy(update=update)


def _measured(data: Mapping[str, Any]) -> Measured:
    if data["score"] is None:
        return Measured(None, why=f"{data['outcome']}: {data['reason']}")
    metrics = data["score"]["metrics"]
    gain = Gain(metrics["ratio"], metrics["ratio_low"], metrics["ratio_high"])
    return Measured(gain, int(metrics["inputs"]), "" if metrics["claimed"] else str(metrics["objection"]))
