"""A run from beginning to end: measure the original, evolve, judge the winner, write it down."""

from __future__ import annotations

import json
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peagen_ray import __version__
from peagen_ray import errors as error_tree
from peagen_ray.config.model import Config
from peagen_ray.errors import EvolutionError, PeagenError, TargetError, UsageError, WorkloadError
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.program import Binning, Outcome, Program
from peagen_ray.evolution.replay import resume, save_checkpoint
from peagen_ray.evolution.selectors.base import ParentSelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.stopping import StopRules
from peagen_ray.plugins import load
from peagen_ray.runtime.driver import Driver
from peagen_ray.runtime.finish import Finish, final_event, write
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.offering import offering
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.progress import Observer
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.settings import RunRequest, read_target
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Result, Status
from peagen_ray.workload.fingerprint import fingerprint
from peagen_ray.workload.target import inspect_source


def evolve(request: RunRequest, observer: Observer) -> RunResult:
    """Begin a run, or go on with one, and bring it to its end.

    Raises:
        UsageError: the target, the workload or the configuration is wrong.
        EvolutionError: the run's record cannot be continued.
        KeyboardInterrupt: the person left at once; the ledger is intact.
    """
    request.check_outputs()
    paths = RunPaths.new(datetime.now(UTC)) if request.resume is None else RunPaths.find(request.resume)
    keep = (Path.cwd(), paths.root.resolve(), request.target.resolve().parent)
    with ExitStack() as stack:
        stack.callback(paths.discard_if_empty)
        offered = offering(request.config)
        fabric = stack.enter_context(LocalFabric(request.config, request.concurrency, keep, offered))
        watch = stack.enter_context(Watch(observer))
        opened = (_begin if request.resume is None else _resume)(request, paths, fabric, watch)
        with opened.ledger as ledger:
            watch.reference_ms = opened.reference_ms
            observer.phase("evolving", opened.words(request))
            clock = _clock(opened.elapsed_s)
            in_flight = request.config.evolve.max_in_flight or 2 * request.concurrency
            driver = Driver(opened.engine, ledger, fabric.queue, opened.tasks, watch, clock, in_flight)
            driver.run()
            _keep_checkpoint(request, paths, opened, observer)
            watch.look(opened.engine, clock(), 0, always=True)
            result = _finish(opened, fabric, watch, clock, paths, request)
        for problem in fabric.problems:
            observer.note(problem)
        return result


def _keep_checkpoint(request: RunRequest, paths: RunPaths, opened: Opened, observer: Observer) -> None:
    """Only after a driver that came to its end: an engine that was interrupted may be ahead of its ledger."""
    try:
        save_checkpoint(
            request.checkpoint or paths.checkpoint, opened.engine, opened.ledger.position, paths.id
        )
    except OSError as error:
        observer.note(f"the checkpoint could not be kept, and is done without: {error}")


def _finish(
    opened: Opened,
    fabric: LocalFabric,
    watch: Watch,
    clock: Callable[[], float],
    paths: RunPaths,
    request: RunRequest,
) -> RunResult:
    most_s = request.config.evaluate.winner_s
    finish = Finish(opened.engine, opened.tasks, fabric, watch, clock, most_s)
    source = opened.tasks.subject.source
    judged, changes = finish.judge(source, opened.engine.best, request.fresh_inputs)
    result = finish.result(paths, opened.reference_ms, judged, changes)
    opened.ledger.append([final_event(result, judged, clock(), opened.engine.epoch)])
    write(result, request.output)
    return result


@dataclass(frozen=True)
class Opened:
    """A run that is ready to be driven."""

    engine: Engine
    ledger: Ledger
    tasks: TaskMaker
    reference_ms: float
    elapsed_s: float

    def words(self, request: RunRequest) -> str:
        """What is about to happen."""
        stop = request.config.evolve.stop
        most, more = request.more_generations or stop.max_generations, request.more_generations is not None
        noun = f"{'more ' if more else ''}generation{'' if most == 1 else 's'}"
        limits = [f"{most} {noun} of {request.config.evolve.generation_size}"]
        limits += [f"{stop.no_improve} without gain"]
        limits += [f"{stop.run_timeout.total_seconds():.0f} s"] if stop.run_timeout else []
        workers = f"{request.concurrency} at a time, mutator {self.tasks.mutator}"
        return f"{workers}, until {', '.join(limits)}, or Ctrl-C"


def _clock(elapsed_s: float) -> Callable[[], float]:
    start = time.monotonic() - elapsed_s
    return lambda: time.monotonic() - start


def _begin(request: RunRequest, paths: RunPaths, fabric: LocalFabric, watch: Watch) -> Opened:
    started = time.monotonic()
    subject = request.subject()
    seed = request.config.evolve.seed
    seed = secrets.randbits(32) if seed is None else seed
    tasks = _tasks(request, paths)
    inputs = f"inputs from {subject.workload_path}" if subject.workload else "inputs from its type hints"
    watch.observer.phase("measuring the original", f"{subject.entry or 'module'} in {subject.path}, {inputs}")
    facts = result_data(fabric.do(tasks.prepare(seed)))
    meta = {
        "run": paths.id,
        "seed": seed,
        "secret": tasks.secret,
        "subject": {"path": subject.path, "entry": subject.entry, "source": subject.source}
        | {"workload": subject.workload, "workload_path": subject.workload_path},
        "reference": {key: facts[key] for key in ("size", "repeat", "slice_s", "reference_ms")},
        "config": request.config.model_dump(mode="json"),
        "mutator": tasks.mutator,
        "versions": {
            "peagen-ray": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }
    more = request.more_generations
    engine = build_engine(meta, stop_rules(request.config, more))
    reference_ms = float(facts["reference_ms"])
    for program in _seeds(request, fabric, tasks, reference_ms):
        engine.seed(program, time.monotonic() - started)
    ledger = Ledger.create(paths.ledger, meta)
    ledger.append(engine.take_events())
    size = f"inputs of size {facts['size']}, {facts['calls']} calls to check"
    watch.observer.note(f"original: {reference_ms:.0f} ms of CPU on the standard input set; {size}")
    watch.observer.note(f"run {paths.id} in {paths.root}")
    return Opened(engine, ledger, tasks, reference_ms, time.monotonic() - started)


def _resume(request: RunRequest, paths: RunPaths, fabric: LocalFabric, watch: Watch) -> Opened:
    ledger = Ledger.open(paths.ledger)
    try:
        return _resumed(request, paths, ledger, fabric, watch)
    except BaseException:
        ledger.close()
        raise


def _resumed(
    request: RunRequest, paths: RunPaths, ledger: Ledger, fabric: LocalFabric, watch: Watch
) -> Opened:
    meta = ledger.meta
    tasks = replace(_tasks(request, paths), secret=meta["secret"])
    _refuse_another(tasks.subject, meta["subject"], paths)
    if not paths.reference.exists():
        watch.observer.phase("running the original again", f"{paths.reference} is gone")
        result_data(fabric.do(tasks.prepare(meta["seed"], meta["reference"])))
    elapsed_s, told = 0.0, 0
    for event in read(paths.ledger):
        elapsed_s = max(elapsed_s, event.time_s)
        told += event.event is Kind.TELL and event.kind == "mutate"
    size = meta["config"]["evolve"]["generation_size"]
    more = request.more_generations
    rules = stop_rules(request.config, None if more is None else told // size + more)
    checkpoint = request.checkpoint or paths.checkpoint
    engine = resume(ledger, checkpoint, paths.id, lambda: build_engine(meta, rules))
    engine.resume(elapsed_s)
    ledger.append(engine.take_events())
    engine.take_news()
    return Opened(engine, ledger, tasks, float(meta["reference"]["reference_ms"]), elapsed_s)


def _refuse_another(subject: Subject, began: Mapping[str, Any], paths: RunPaths) -> None:
    """A run goes on with what it began with; raises UsageError."""
    if (subject.source, subject.entry) != (began["source"], began["entry"]):
        raise UsageError(
            "the run began with another program",
            subject=str(paths.root),
            hint=f"it was {began['entry'] or 'the whole module'} in {began['path']}; leave --resume out",
        )
    if subject.workload != began["workload"]:
        raise UsageError(
            "the run began with another workload, so its measurements could not be compared",
            subject=str(paths.root),
            hint=f"it was {began['workload_path'] or 'derived from type hints'}; leave --resume out",
        )


def build_engine(meta: Mapping[str, Any], rules: StopRules | None = None) -> Engine:
    """The engine that a run's meta describes, at its beginning; ``rules`` in place of the recorded ones."""
    config = Config.model_validate_json(json.dumps(meta["config"]))
    table = config.evolve
    settings = EngineSettings(
        seed=meta["seed"],
        generation_size=table.generation_size,
        binning=Binning(table.archive.speed_bin_ms, table.archive.mem_bin_kb, table.archive.size_bin_ch),
        ordered=table.ordered,
        look_ahead=table.look_ahead,
    )
    selector: ParentSelector = load("peagen.parent_selectors", table.selector)(
        **config.selector.get(table.selector, {})
    )
    return Engine(settings, selector, rules or stop_rules(config))


def stop_rules(config: Config, max_generations: int | None = None) -> StopRules:
    """The configured stopping rules."""
    stop = config.evolve.stop
    return StopRules(
        max_generations=max_generations or stop.max_generations,
        target_ms=stop.target_ms,
        no_improve=stop.no_improve,
        budget_tokens=stop.budget_tokens,
        budget_usd=stop.budget_usd,
        run_timeout=stop.run_timeout.total_seconds() if stop.run_timeout else None,
    )


def _tasks(request: RunRequest, paths: RunPaths) -> TaskMaker:
    config = request.config
    return TaskMaker(
        run_id=paths.id,
        subject=request.subject(),
        reference=paths.reference.resolve(),
        limits=request.limits(),
        sandbox=config.evolve.backend,
        profile=config.execute.profile,
        container=request.container(),
        mutator=request.mutator(),
        temperature=config.mutate.temperature,
        goal=config.evolve.goal,
        metric=config.evaluate.metric,
    )


def _seeds(request: RunRequest, fabric: LocalFabric, tasks: TaskMaker, reference_ms: float) -> list[Program]:
    """The original, and the other programs that a person wants to start from, screened."""
    found = [_seed_program(fabric, tasks, tasks.subject.source, 0, request.target)]
    original = found[0].with_(fitness=0.0, speed_ms=reference_ms, confirmed=True)
    for number, path in enumerate(request.seeds, 1):
        source = read_target(path)
        inspect_source(source, tasks.subject.entry, str(path))
        found.append(_seed_program(fabric, tasks, source, number, path))
    return [original, *found[1:]]


def _seed_program(fabric: LocalFabric, tasks: TaskMaker, source: str, number: int, path: Path) -> Program:
    executed = result_data(fabric.do(tasks.screen(("seed", number), source, rival=None)))
    evaluated = fabric.queue.wait_for_result(executed["evaluate"], None)
    assert evaluated is not None
    data = result_data(evaluated)
    score = data["score"]
    if score is None and number == 0:
        raise _unsound(tasks.subject, data)
    if score is None:
        raise TargetError(
            f"is no program to start from: {data['outcome']}: {data['reason']}", subject=str(path)
        )
    return Program(
        id=number,
        src=source,
        outcome=Outcome.OK,
        fitness=score["fitness"],
        speed_ms=score["speed_ms"],
        peak_kb=score["peak_kb"],
        metrics=score["metrics"],
        fingerprint=fingerprint(source),
    )


def _unsound(subject: Subject, data: Mapping[str, Any]) -> WorkloadError:
    """For an original that does not even pass as a candidate."""
    hint = "check(args, output) has to accept what the original returns"
    return WorkloadError(
        f"the original does not pass: {data['outcome']}: {data['reason']}",
        subject=subject.workload_path or subject.path,
        hint=hint if data["reason"].startswith("check") else "",
    )


def result_data(result: Result) -> dict[str, Any]:
    """The data of a successful result; else its error, as it was raised where it happened."""
    if result.status is Status.OK:
        return result.data
    facts = result.data.get("error")
    if facts:
        # A plugin may have errors of its own.
        kind: type[PeagenError] = getattr(error_tree, facts["type"], EvolutionError)
        raise kind(facts["what"], subject=facts["subject"], hint=facts["hint"])
    raise EvolutionError(str(result.data.get("msg")), subject=f"task {result.task_id}")
