"""A run from beginning to end: measure the original, evolve, judge the winner, write it down."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from peagen_ray import errors as error_tree
from peagen_ray.config.load import mask
from peagen_ray.config.model import ArchiveTable, Config
from peagen_ray.errors import EvolutionError, PeagenError, TargetError, UsageError, WorkloadError
from peagen_ray.evolution.centroids import centroids
from peagen_ray.evolution.centroids import check as check_centroids
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.program import Binning, Outcome, Program
from peagen_ray.evolution.questions import CHARGE, Observation
from peagen_ray.evolution.replay import resume, save_checkpoint
from peagen_ray.evolution.selectors.choice import Choice
from peagen_ray.evolution.settings import EngineSettings, Islands
from peagen_ray.evolution.stopping import StopRules
from peagen_ray.llm.budget import Amount, prices_of
from peagen_ray.llm.recording import Recording
from peagen_ray.llm.recording import read as recorded
from peagen_ray.metrics import Meter
from peagen_ray.plugins import Group
from peagen_ray.plugins import reference as installed
from peagen_ray.runtime.consulting import Consultant
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.driver import Driver
from peagen_ray.runtime.elsewhere import Elsewhere, place_of, requirements, through_queue
from peagen_ray.runtime.evaluation import Evaluation
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.finish import Finish, final_event, write
from peagen_ray.runtime.keepsakes import Keepsakes, told_metrics
from peagen_ray.runtime.late import LateAnswers, Left, left_open
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.metering import metered
from peagen_ray.runtime.models import (
    LLM_MUTATORS,
    Models,
    heard_of,
    moves_of,
    patch_settings,
    unsettled,
    worst_words,
)
from peagen_ray.runtime.offering import offering
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.progress import Observer
from peagen_ray.runtime.provenance import changes, made_with
from peagen_ray.runtime.recounting import Recounted
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.scoring import finish_scored
from peagen_ray.runtime.settings import RunRequest, is_python, read_target
from peagen_ray.runtime.tasks import SCORE, TaskMaker, mutation_id
from peagen_ray.runtime.watch import Watch
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Result, Status, TaskKind
from peagen_ray.tracing import tracer_of
from peagen_ray.workload.fingerprint import fingerprint_of_any
from peagen_ray.workload.target import inspect_source

_UNTIMED: Final = {"size": 0, "repeat": 0, "slice_s": 0.0, "reference_ms": 0.0}
"""What is known of an original that is not timed."""

_SCORED: Final[Mapping[str, Any]] = {"metric": SCORE, "confirm_margin": 1e-12}
"""Where an evaluator scores, any higher score is a gain: it is final as it comes."""


def evolve(request: RunRequest, observer: Observer, control: Control | None = None) -> RunResult:
    """Begin a run, or go on with one, and bring it to its end.

    Args:
        request: what to do.
        observer: told how it goes.
        control: lets the person pause and stop it, and says where it is kept.

    Raises:
        UsageError: the target, the workload or the configuration is wrong.
        EvolutionError: the run's record cannot be continued.
        KeyboardInterrupt: the person left at once; the ledger is intact.
    """
    request.check_outputs()
    paths = RunPaths.new(datetime.now(UTC)) if request.resume is None else RunPaths.find(request.resume)
    with ExitStack() as stack:
        stack.callback(paths.discard_if_empty)
        tracer = tracer_of(request.config.traces)
        if tracer is not None:
            stack.callback(tracer.close)
        observer = Recounted(observer, paths.id, tracer)
        away = (
            Elsewhere(request.config, observer.note, request.ray_options)
            if through_queue(request.config)
            else None
        )
        _check_selectors(request.config)
        _check_models(request, observer)
        if request.resume is None and request.config.evolve.archive.cells:
            check_centroids()
        meter = metered(request.config, lambda: fabric.queue, stack, observer.note)
        fabric: Fabric = (
            stack.enter_context(away) if away else stack.enter_context(_local(request, paths, meter))
        )
        watch = stack.enter_context(Watch(observer, meter=meter, control=control))
        if away is not None:
            if away.room is not None and not request.concurrency_chosen:
                request = replace(request, concurrency=away.room or request.concurrency)
            observer.note(f"tasks go to the workers of the queue {place_of(request.config)}")
            away.leaving = lambda: watch.stopping is not None
        opened = (_begin if request.resume is None else _resume)(request, paths, fabric, watch)
        if tracer is not None:
            own, trace_of = tracer.run(paths.id), partial(tracer.question, paths.id)
            opened = replace(opened, tasks=replace(opened.tasks, trace=own, trace_of=trace_of))
        if away is not None:
            away.leaving = lambda: False  # from here on there is something to keep
        watch.control.paths = paths
        watch.control.begun.set()
        with opened.ledger as ledger:
            watch.reference_ms = opened.reference_ms
            watch.scored = opened.tasks.evaluation is not None
            observer.phase("evolving", opened.words(request))
            clock = _clock(opened.elapsed_s)
            in_flight = request.in_flight()
            lull = away.lull if away else None
            consultant = _consultant(request, opened, stack, paths, watch)
            late = LateAnswers(opened.engine, opened.tasks, clock, opened.left)
            driver = Driver(
                opened.engine,
                ledger,
                fabric.queue,
                opened.tasks,
                watch,
                clock,
                in_flight,
                lull,
                late,
                consultant,
                Keepsakes(paths.artifacts),
            )
            driver.run()
            if late.counted:
                observer.note(f"late answers of earlier lives, dropped: {late.counted}")
            _keep_checkpoint(request, paths, opened, observer)
            watch.look(opened.engine, clock(), 0, always=True)
            result = _finish(opened, fabric, watch, clock, paths, request)
        for problem in fabric.problems:
            observer.note(problem)
        return result


def _local(request: RunRequest, paths: RunPaths, meter: Meter | None) -> LocalFabric:
    """What does the tasks in this process."""
    keep = (Path.cwd(), paths.root.resolve(), request.target.resolve().parent)
    asks = request.mutator() in LLM_MUTATORS
    waiting = max(request.config.worker.defaults.waiting, request.in_flight())
    offered = offering(request.config, llm=asks)
    return LocalFabric(request.config, request.concurrency, keep, offered, waiting=waiting, meter=meter)


def _check_selectors(config: Config) -> None:
    """Raise PluginNotFound if there are options of a parent selector that is not installed: a slip of the pen."""
    for name in config.selector:
        installed(Group.PARENT_SELECTORS, name)


def _check_models(request: RunRequest, observer: Observer) -> None:
    """Find out before the run what its models could not be asked without, and say what they may cost.

    Raises:
        UsageError, PluginError, LLMError: see :class:`~peagen_ray.runtime.models.Models`.
    """
    if request.mutator() not in LLM_MUTATORS:
        return
    config = request.config
    Models(config, 0).check(here=not through_queue(config))
    observer.note(f"worst case: {worst_words(config, request.most_candidates())}")


def _consultant(
    request: RunRequest, opened: Opened, stack: ExitStack, paths: RunPaths, watch: Watch
) -> Consultant | None:
    """Who sends questions to models; what earlier lives of the run have spent counts. None in a run that asks none."""
    if opened.tasks.mutator not in LLM_MUTATORS:
        return None
    progress = opened.engine.progress(0.0)
    spent = Amount.of(progress.tokens, progress.usd)
    models = Models(request.config, opened.engine.settings.seed, spent, on_cost=watch.paid)
    recording = stack.enter_context(Recording(paths.exchanges))
    consultant = Consultant(
        models, recording, opened.tasks, patch_settings(request.config), watch.observer.note
    )
    if request.config.llm.bandit:
        consultant.remember(read(paths.ledger), recorded(paths.exchanges))
    return consultant


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
    fabric: Fabric,
    watch: Watch,
    clock: Callable[[], float],
    paths: RunPaths,
    request: RunRequest,
) -> RunResult:
    if opened.tasks.evaluation is not None:
        return finish_scored(request, opened.engine, opened.tasks, opened.ledger, fabric, watch, clock, paths)
    most_s = request.config.evaluate.winner_s
    finish = Finish(opened.engine, opened.tasks, fabric, watch, clock, most_s)
    source = opened.tasks.subject.source
    judged, changes = finish.judge(source, opened.engine.finalist, request.fresh_inputs)
    result = finish.result(paths, opened.reference_ms, judged, changes)
    opened.ledger.append([final_event(result, judged, clock(), opened.engine.epoch)])
    write(result, request.output)
    return result


@dataclass(frozen=True)
class Opened:
    """A run that is ready to be driven.

    Attributes:
        engine: decides.
        ledger: the run's.
        tasks: makes its tasks.
        reference_ms: CPU time of the original on the standard input set.
        elapsed_s: seconds of all its lives so far.
        left: questions of earlier lives that may be answered late.
    """

    engine: Engine
    ledger: Ledger
    tasks: TaskMaker
    reference_ms: float
    elapsed_s: float
    left: frozenset[Left] = frozenset()

    def words(self, request: RunRequest) -> str:
        """What is about to happen."""
        stop = request.config.evolve.stop
        most, more = request.more_generations or stop.max_generations, request.more_generations is not None
        noun = f"{'more ' if more else ''}generation{'' if most == 1 else 's'}"
        limits = [f"{most} {noun} of {request.config.evolve.generation_size}"]
        limits += [f"{stop.max_candidates} candidates"] if stop.max_candidates else []
        limits += [f"{stop.no_improve} without gain"]
        limits += [f"{stop.run_timeout.total_seconds():.0f} s"] if stop.run_timeout else []
        workers = f"{request.concurrency} at a time, mutator {self.tasks.mutator}"
        return f"{workers}, until {', '.join(limits)}, or Ctrl-C"


def _clock(elapsed_s: float) -> Callable[[], float]:
    start = time.monotonic() - elapsed_s
    return lambda: time.monotonic() - start


def _begin(request: RunRequest, paths: RunPaths, fabric: Fabric, watch: Watch) -> Opened:
    started = time.monotonic()
    subject = request.subject()
    seed = request.config.evolve.seed
    seed = secrets.randbits(32) if seed is None else seed
    tasks = _tasks(request, paths)
    if tasks.evaluation is not None:
        tasks.evaluation.keep(paths.bundle)
        watch.observer.phase(
            "evaluating the original", f"{subject.path}, evaluator {tasks.evaluation.evaluator}"
        )
        return _opened(request, paths, fabric, watch, tasks, seed, _UNTIMED, started)
    inputs = f"inputs from {subject.workload_path}" if subject.workload else "inputs from its type hints"
    watch.observer.phase("measuring the original", f"{subject.entry or 'module'} in {subject.path}, {inputs}")
    facts = result_data(fabric.do(tasks.prepare(seed)))
    reference = {key: facts[key] for key in ("size", "repeat", "slice_s", "reference_ms")}
    tasks = _prepared(tasks, seed, reference)
    opened = _opened(request, paths, fabric, watch, tasks, seed, reference, started)
    size = f"inputs of size {facts['size']}, {facts['calls']} calls to check"
    note = f"original: {opened.reference_ms:.0f} ms of CPU on the standard input set; {size}"
    watch.observer.note(note)
    return opened


def _opened(
    request: RunRequest,
    paths: RunPaths,
    fabric: Fabric,
    watch: Watch,
    tasks: TaskMaker,
    seed: int,
    reference: Mapping[str, Any],
    started: float,
) -> Opened:
    """A new run: the programs it starts from are judged, and its record is begun."""
    subject = tasks.subject
    meta = {
        "run": paths.id,
        "seed": seed,
        "secret": tasks.secret,
        "subject": {"path": subject.path, "entry": subject.entry, "source": subject.source}
        | {"workload": subject.workload, "workload_path": subject.workload_path},
        "reference": dict(reference),
        "config": _recorded(request.config),
        **_centroids(request.config.evolve.archive, seed),
        "mutator": tasks.mutator,
        "evaluation": None if tasks.evaluation is None else tasks.evaluation.facts(),
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        **made_with(request.config, tasks.mutator),
    }
    engine = build_engine(meta, stop_rules(request.config, request.more_generations))
    reference_ms = float(reference["reference_ms"])
    for program in _seeds(request, fabric, tasks, reference_ms):
        engine.seed(program, time.monotonic() - started)
    ledger = Ledger.create(paths.ledger, meta)
    ledger.append(engine.take_events())
    watch.observer.note(f"run {paths.id} in {paths.root}")
    return Opened(engine, ledger, tasks, reference_ms, time.monotonic() - started)


def _resume(request: RunRequest, paths: RunPaths, fabric: Fabric, watch: Watch) -> Opened:
    ledger = Ledger.open(paths.ledger)
    try:
        return _resumed(request, paths, ledger, fabric, watch)
    except BaseException:
        ledger.close()
        raise


def _resumed(request: RunRequest, paths: RunPaths, ledger: Ledger, fabric: Fabric, watch: Watch) -> Opened:
    meta = ledger.meta
    tasks = replace(_tasks(request, paths), secret=meta["secret"])
    tasks = _prepared(tasks, meta["seed"], meta["reference"])
    _refuse_another(tasks.subject, meta["subject"], paths)
    if tasks.evaluation is not None:
        kept = _evaluation_of(tasks.evaluation, meta.get("evaluation"), paths, watch)
        tasks = replace(tasks, evaluation=kept)
        kept.keep(paths.bundle)
    if tasks.reference and not tasks.reference.exists():
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
    choice = _new_choice(request.config, engine.choice or choice_of(_config_of(meta)))
    if choice is not None:
        watch.observer.note(f"from here on parents are chosen by the selector {choice.selector}")
    engine.resume(elapsed_s, choice)
    for (n, epoch), amount in _unsettled(request, paths, tasks).items():
        charge = Observation(Outcome.LOST, CHARGE, tokens=amount.tokens, usd=amount.usd)
        engine.tell(n, charge, elapsed_s, epoch=epoch)
    now = made_with(request.config, tasks.mutator)
    for change in changes({name: meta[name] for name in now if name in meta}, now):
        watch.observer.note(f"not as it was when the run began: {change}")
    events = engine.take_events()
    ledger.append([replace(each, metrics=now) if each.event is Kind.RESUME else each for each in events])
    engine.take_news()
    reference_ms = float(meta["reference"]["reference_ms"])
    return Opened(engine, ledger, tasks, reference_ms, elapsed_s, left_open(read(paths.ledger)))


def _unsettled(request: RunRequest, paths: RunPaths, tasks: TaskMaker) -> dict[tuple[int, int], Amount]:
    """What questions to models are to be charged of which an earlier life was not told."""
    heard: dict[str, Amount] = {}
    if request.config.llm.backends and paths.exchanges.exists():
        heard = heard_of(recorded(paths.exchanges), prices_of(request.config.llm.backends))
    return unsettled(read(paths.ledger), heard, partial(mutation_id, tasks))


def _prepared(tasks: TaskMaker, seed: int, reference: Mapping[str, Any]) -> TaskMaker:
    """Tasks that say what the run measured of its original, where no file does."""
    return tasks if tasks.reference else replace(tasks, prepared={"seed": seed, "known": dict(reference)})


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


def _evaluation_of(
    evaluation: Evaluation, began: Mapping[str, Any] | None, paths: RunPaths, watch: Watch
) -> Evaluation:
    """The evaluation that a run goes on with: scores of another one could not be compared.

    Raises:
        UsageError: the run began with another evaluator, and what it began with is not at hand.
    """
    if began is None or began["evaluator"] != evaluation.evaluator:
        what = "speed" if began is None else began["evaluator"]
        raise UsageError(
            "the run began with another evaluator", subject=str(paths.root), hint=f"it was {what}"
        )
    if began["options"] != json.loads(json.dumps(dict(evaluation.options))):
        raise UsageError(
            "the evaluator is told other options than when the run began",
            subject=str(paths.root),
            hint=f"it was told {began['options']}; leave --resume out",
        )
    if began["digest"] == evaluation.digest:
        return evaluation
    if paths.bundle.is_file():
        kept = evaluation.with_content(paths.bundle.read_bytes())
        if kept.digest == began["digest"]:
            watch.observer.note(
                "the evaluator's files have changed since; the run goes on with those it began with"
            )
            return kept
    raise UsageError(
        "the evaluator's files are not those that the run began with, which are gone",
        subject=str(paths.bundle),
        hint="leave --resume out",
    )


def _recorded(config: Config) -> dict[str, Any]:
    """The configuration as the run's record keeps it: no password is in it."""
    dumped: dict[str, Any] = config.model_dump(mode="json")
    dumped["task_queue"]["url"] = mask(dumped["task_queue"]["url"])
    return dumped


def build_engine(meta: Mapping[str, Any], rules: StopRules | None = None) -> Engine:
    """The engine that a run's meta describes, at its beginning; ``rules`` in place of the recorded ones."""
    config = _config_of(meta)
    table = config.evolve
    settings = EngineSettings(
        seed=meta["seed"],
        generation_size=table.generation_size,
        binning=_binning(table.archive, meta),
        islands=Islands(**table.islands.model_dump()),
        inspirations=table.inspirations,
        spread=table.inspire == "spread",
        ordered=table.ordered,
        look_ahead=table.look_ahead,
        moves=_moves(meta, config),
        **(_SCORED if meta.get("evaluation") else {}),
    )
    return Engine(settings, choice_of(config).made(), rules or stop_rules(config))


def _binning(table: ArchiveTable, meta: Mapping[str, Any]) -> Binning:
    fields = table.model_dump(exclude={"cells"})
    return Binning(**fields, centroids=tuple(map(tuple, meta.get("centroids", ()))))


def _centroids(table: ArchiveTable, seed: int) -> dict[str, Any]:
    """The part of a run's record that says where its archive's cells are; nothing for a grid. Raises MissingExtra."""
    if table.cells is None:
        return {}
    return {"centroids": centroids(table.cells, len(table.descriptors), seed)}


def _config_of(meta: Mapping[str, Any]) -> Config:
    """The configuration that a run began with, with what it meant by keys that its version did not know."""
    recorded = meta["config"]
    complete = {**recorded, "evolve": {"inspire": "any", **recorded["evolve"]}}
    return Config.model_validate_json(json.dumps(complete))


def choice_of(config: Config) -> Choice:
    """The configured parent selector."""
    name = config.evolve.selector
    return Choice(name, config.selector.get(name, {}))


def _new_choice(config: Config, before: Choice) -> Choice | None:
    """The parent selector that somebody asks for, if it is another than the run has; a default asks for none."""
    wanted = choice_of(config)
    named = "selector" in config.evolve.model_fields_set
    retuned = wanted.selector == before.selector and wanted.selector in config.selector
    return wanted if (named or retuned) and wanted != before else None


def stop_rules(config: Config, max_generations: int | None = None) -> StopRules:
    """The configured stopping rules."""
    stop = config.evolve.stop
    return StopRules(
        max_generations=max_generations or stop.max_generations,
        max_candidates=stop.max_candidates,
        target_ms=stop.target_ms,
        no_improve=stop.no_improve,
        budget_tokens=stop.budget_tokens,
        budget_usd=stop.budget_usd,
        run_timeout=stop.run_timeout.total_seconds() if stop.run_timeout else None,
    )


def _tasks(request: RunRequest, paths: RunPaths) -> TaskMaker:
    config = request.config
    mutator = request.mutator()
    away = through_queue(config)
    offline = "genetic" if mutator in LLM_MUTATORS else mutator
    asked = {TaskKind.MUTATE: {"mutator": offline}, TaskKind.EXECUTE: {"sandbox": config.evolve.backend}}
    return TaskMaker(
        run_id=paths.id,
        subject=request.subject(),
        reference=None if away or request.judged else paths.reference.resolve(),
        requires=requirements(asked) if away else {},
        limits=request.limits(),
        sandbox=config.evolve.backend,
        profile=config.execute.profile,
        container=request.container(),
        mutator=mutator,
        temperature=config.mutate.temperature,
        goal=config.evolve.goal,
        metric=config.evaluate.metric,
        hot=mutator in LLM_MUTATORS,
        evaluation=(evaluation := request.evaluation()),
        bundle=None if away or evaluation is None else paths.bundle.resolve(),
        artifact_chars=config.evaluate.artifact_chars,
    )


def _moves(meta: Mapping[str, Any], config: Config) -> dict[str, float]:
    if "mutator" not in meta:
        return {}
    return moves_of(meta["mutator"], config, python=is_python(Path(meta["subject"]["path"])))


def _seeds(request: RunRequest, fabric: Fabric, tasks: TaskMaker, reference_ms: float) -> list[Program]:
    """The original, and the other programs that a person wants to start from, screened."""
    found = [_seed_program(fabric, tasks, tasks.subject.source, 0, request.target)]
    original = found[0]
    if tasks.evaluation is None:
        original = original.with_(fitness=0.0, speed_ms=reference_ms, confirmed=True)
    for number, path in enumerate(request.seeds, 1):
        source = read_target(path)
        if is_python(path):
            inspect_source(source, tasks.subject.entry, str(path))
        found.append(_seed_program(fabric, tasks, source, number, path))
    return [original, *found[1:]]


def _seed_program(fabric: Fabric, tasks: TaskMaker, source: str, number: int, path: Path) -> Program:
    executed = result_data(fabric.do(tasks.screen(("seed", number), source, rival=None)))
    data = result_data(fabric.wait(executed["evaluate"]))
    score = data["score"]
    if score is None and number == 0:
        raise _unsound(tasks.subject, data) if tasks.evaluation is None else _unscored(tasks, data)
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
        confirmed=score["confirmed"],
        metrics=told_metrics(score["metrics"], data, tasks.artifact_chars),
        fingerprint=fingerprint_of_any(source),
    )


def _unscored(tasks: TaskMaker, data: Mapping[str, Any]) -> TargetError:
    """For an original that its evaluator gives no score: what it printed last is worth more than a guess."""
    texts = [value["text"] for value in data.get("artifacts", {}).values() if value.get("text")]
    last = texts[-1].strip().splitlines()[-3:] if texts else []
    return TargetError(
        f"the evaluator gives the original no score: {data['outcome']}: {data['reason']}",
        subject=tasks.subject.path,
        hint=" / ".join(last)[:500] or "run the evaluator by itself first",
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
