"""``evolve run`` and ``evolve step``: search for a faster program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.options import (
    Address,
    BrokerTimeout,
    EntryFn,
    MetricsPort,
    Provider,
    Queue,
    Sync,
    check_provider,
    say_where,
)
from peagen_ray.cli.state import State, state
from peagen_ray.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from peagen_ray.cli.dashboard import Dashboard
    from peagen_ray.cli.display import Display
    from peagen_ray.config.load import Loaded
    from peagen_ray.runtime.control import Control
    from peagen_ray.runtime.settings import RunRequest

app = typer.Typer(no_args_is_help=True)

TargetFile = Annotated[
    Path | None, typer.Option(help="The file to improve; or [mutate] target_file.", show_default=False)
]
Workload = Annotated[
    Path | None,
    typer.Option(
        help="Inputs and check; by default <stem>_workload.py beside the target, else type hints.",
        show_default=False,
    ),
]
Selector = Annotated[str | None, typer.Option(help="Parent selector.", show_default=False)]
MutatorName = Annotated[
    str | None,
    typer.Option(
        help="auto (patch if [[llm.backends]] are configured, else genetic), patch, rewrite, genetic, or a plugin.",
        show_default=False,
    ),
]
BudgetTokens = Annotated[
    int | None, typer.Option(help="Stop before more LLM tokens than this are spent.", show_default=False)
]
BudgetUsd = Annotated[
    float | None, typer.Option(help="Stop before more dollars than this are spent.", show_default=False)
]
Backend = Annotated[
    str | None,
    typer.Option(help="Execution sandbox tag: cpu, docker, gpu; or a sandbox's name.", show_default=False),
]
Unsafe = Annotated[
    bool,
    typer.Option(
        "--unsafe",
        help="Run candidates without the layers of isolation that this machine lacks: [execute] unsafe.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency", "--workers", help="Tasks at a time; by default one per core.", show_default=False
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of every random choice.", show_default=False)]
Checkpoint = Annotated[
    Path | None, typer.Option(help="Where to keep the checkpoint.", show_default="in the run directory")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run of --checkpoint or --run.")]
RunName = Annotated[
    str | None,
    typer.Option("--run", help="The run to resume: id, directory, or last.", show_default="last"),
]
Goal = Annotated[str | None, typer.Option(help="A sentence of your own for every prompt.")]


@app.callback()
def evolve() -> None:
    """Search for a faster program, generation by generation."""


@app.command()
def run(
    context: typer.Context,
    target_file: TargetFile = None,
    entry_fn: EntryFn = "",
    workload: Workload = None,
    seed_program: Annotated[
        list[Path] | None, typer.Option(help="A further program to start from; may be repeated.")
    ] = None,
    generations: Annotated[int | None, typer.Option(help="Generations in all.", show_default=False)] = None,
    target_ms: Annotated[
        float | None, typer.Option(help="Stop when speed_ms is below this.", show_default=False)
    ] = None,
    no_improve: Annotated[
        int | None, typer.Option(help="Stop after that many generations without gain.", show_default=False)
    ] = None,
    run_timeout: Annotated[
        str | None, typer.Option(help="Stop after this long, such as 90s or 30m.", show_default=False)
    ] = None,
    budget_tokens: BudgetTokens = None,
    budget_usd: BudgetUsd = None,
    selector: Selector = None,
    mutator: MutatorName = None,
    backend: Backend = None,
    unsafe: Unsafe = False,
    generation_size: Annotated[
        int | None, typer.Option(help="Candidates in one generation.", show_default=False)
    ] = None,
    seed: Seed = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Apply observations in the order of asking.")
    ] = False,
    goal: Goal = None,
    concurrency: Concurrency = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    run_name: RunName = None,
    replay: Annotated[
        str | None, typer.Option(help="Re-live a recorded run: id, directory, or last.", show_default=False)
    ] = None,
    program: Annotated[
        list[Path] | None,
        typer.Option(
            help="The program to improve, where an evaluator scores it; repeat it for further files.",
            show_default=False,
        ),
    ] = None,
    evaluator: Annotated[
        str | None,
        typer.Option(
            help="What scores a program: a file (a module, a script, tests), or one of [evaluate] evaluator.",
            show_default=False,
        ),
    ] = None,
    config_yaml: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--config-yaml",
            help="Configuration of an OpenEvolve task; what it says that means nothing here is listed.",
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("-i", "--iterations", min=1, help="Candidates in all.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="With --program: where best/best_program.py goes.",
            show_default="openevolve_output beside it",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write the best program.", show_default="winner.py")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
    dashboard: Annotated[
        bool,
        typer.Option(
            "--dashboard", help="Show the run on the whole screen; keys: p pause, q stop, r report."
        ),
    ] = False,
    sync: Sync = False,
    queue: Queue = False,
    provider: Provider = None,
    address: Address = None,
    broker_timeout: BrokerTimeout = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Evolve a program until a stopping rule holds, and write down the best one.

    A function is made faster (--target-file), or an evaluator of yours scores a program (--program, --evaluator).
    Ctrl-C once stops asking and keeps the best; twice leaves at once, and --resume goes on later.

    Example: peagen-ray evolve run --sync --target-file sort.py --entry-fn bad_sort --run-timeout 60s

    Example: peagen-ray evolve run --program initial_program.py --evaluator evaluator.py -c config.yaml -i 100
    """
    from peagen_ray.config.load import Flag

    shared = state(context)
    if replay is not None:
        _replay(shared, replay, as_json=as_json)
        return
    flags = {
        "evolve.stop.max_generations": Flag("--generations", generations),
        "evolve.stop.target_ms": target_ms,
        "evolve.stop.no_improve": no_improve,
        "evolve.stop.run_timeout": run_timeout,
        "evolve.stop.budget_tokens": budget_tokens,
        "evolve.stop.budget_usd": budget_usd,
        "evolve.selector": selector,
        "evolve.mutator": mutator,
        "evolve.backend": backend,
        "execute.unsafe": True if unsafe else None,
        "evolve.generation_size": generation_size,
        "evolve.seed": seed,
        "evolve.ordered": True if ordered else None,
        "evolve.goal": goal,
        "evolve.entry_fn": entry_fn or None,
        "mutate.target_file": None if target_file is None else str(target_file),
        "worker.defaults.concurrency": concurrency,
        "task_queue.broker_timeout": broker_timeout,
        "metrics.port": metrics_port,
        **check_provider(sync=sync, queue=queue, provider=provider, address=address),
    }
    from peagen_ray.cli.judged import judged_flags, with_output
    from peagen_ray.runtime.settings import is_python

    judged = judged_flags(program or [], evaluator, config_yaml, iterations, out, generation_size)
    flags = {**judged.flags, **{key: value for key, value in flags.items() if _is_given(value)}}
    loaded = _loaded(shared, flags, resume=resume, run_name=run_name, checkpoint=checkpoint)
    say_where(queue=queue, provider=loaded.config.task_queue.provider)
    for line in judged.notes:
        people(stdout_is_json=as_json).print(printable(line), soft_wrap=True)
    request = _request(loaded, workload, tuple(seed_program or ()), checkpoint, None)
    request = with_output(request, judged, output)
    if request.judged and not is_python(request.target) and request.mutator() == "genetic":
        what = f"{request.target} is no Python, and the offline mutator changes nothing else: "
        hint = "it is scored as it is; for changes configure a model, [[llm.backends]]"
        people(stdout_is_json=as_json).print(printable(what + hint), soft_wrap=True)
    request = _resumed(request, resume=resume, run_name=run_name, checkpoint=checkpoint)
    _go(shared, request, as_json=as_json, dashboard=dashboard)


@app.command()
def step(
    context: typer.Context,
    target_file: TargetFile = None,
    entry_fn: EntryFn = "",
    workload: Workload = None,
    budget_tokens: BudgetTokens = None,
    budget_usd: BudgetUsd = None,
    selector: Selector = None,
    mutator: MutatorName = None,
    backend: Backend = None,
    unsafe: Unsafe = False,
    seed: Seed = None,
    goal: Goal = None,
    concurrency: Concurrency = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    run_name: RunName = None,
    sync: Sync = False,
    queue: Queue = False,
    provider: Provider = None,
    address: Address = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Evolve one generation and print a JSON summary on stdout.

    With --resume it is the next generation of a run, otherwise the first of a new one.

    Example: peagen-ray evolve step --sync --target-file sort.py --entry-fn bad_sort
    """
    from dataclasses import replace

    flags = {
        "evolve.stop.budget_tokens": budget_tokens,
        "evolve.stop.budget_usd": budget_usd,
        "evolve.selector": selector,
        "evolve.mutator": mutator,
        "evolve.backend": backend,
        "execute.unsafe": True if unsafe else None,
        "evolve.seed": seed,
        "evolve.goal": goal,
        "evolve.entry_fn": entry_fn or None,
        "mutate.target_file": None if target_file is None else str(target_file),
        "worker.defaults.concurrency": concurrency,
        "task_queue.broker_timeout": broker_timeout,
        **check_provider(sync=sync, queue=queue, provider=provider, address=address),
    }
    shared = state(context)
    flags = {key: value for key, value in flags.items() if _is_given(value)}
    loaded = _loaded(shared, flags, resume=resume, run_name=run_name, checkpoint=checkpoint)
    say_where(queue=queue, provider=loaded.config.task_queue.provider)
    request = _request(loaded, workload, (), checkpoint, None)
    request = _resumed(request, resume=resume, run_name=run_name, checkpoint=checkpoint)
    _go(shared, replace(request, more_generations=1), as_json=True)


def _is_given(value: object) -> bool:
    return getattr(value, "value", value) is not None


def _loaded(
    shared: State, flags: dict[str, Any], *, resume: bool, run_name: str | None, checkpoint: Path | None
) -> Loaded:
    """The configuration; where a run goes on and nobody says with which program, with that of its record."""
    loaded = shared.load(flags)
    if not resume or loaded.config.mutate.target_file is not None:
        return loaded
    from peagen_ray.runtime.paths import RunPaths
    from peagen_ray.runtime.records import subject_flags

    return shared.load({**subject_flags(RunPaths.find(_named(run_name, checkpoint))), **flags})


def _named(run_name: str | None, checkpoint: Path | None) -> str:
    return run_name or (str(checkpoint) if checkpoint else "last")


def _request(
    loaded: Loaded,
    workload: Path | None,
    seeds: tuple[Path, ...],
    checkpoint: Path | None,
    output: Path | None,
) -> RunRequest:
    from peagen_ray.runtime.settings import RunRequest, cores

    config = loaded.config
    if config.mutate.target_file is None:
        raise UsageError("which file?", subject="evolve", hint="--target-file FILE, or [mutate] target_file")
    chosen = loaded.origin["worker.defaults.concurrency"] != "default"
    return RunRequest(
        config=config,
        target=config.mutate.target_file,
        workload=workload,
        seeds=seeds,
        concurrency=config.worker.defaults.concurrency if chosen else cores(),
        concurrency_chosen=chosen,
        checkpoint=checkpoint,
        output=output,
    )


def _resumed(
    request: RunRequest, *, resume: bool, run_name: str | None, checkpoint: Path | None
) -> RunRequest:
    from dataclasses import replace

    if not resume:
        if run_name is not None:
            raise UsageError("--run names a run to go on with", hint="add --resume")
        return request
    return replace(request, resume=_named(run_name, checkpoint))


def _go(shared: State, request: RunRequest, *, as_json: bool, dashboard: bool = False) -> None:
    from peagen_ray.cli.report import show_plan, show_result
    from peagen_ray.runtime.control import Control
    from peagen_ray.runtime.run import evolve as run_evolution

    console = people(stdout_is_json=as_json)
    if shared.dry_run:
        show_plan(console, request)
        return
    control = Control()
    try:
        with _observer(console, control, verbose=shared.verbose, dashboard=dashboard) as observer:
            result = run_evolution(request, observer, control)
    except KeyboardInterrupt:
        if control.paths is not None:
            words = f"left at once; the same command with --resume --run {control.paths.id} goes on"
            console.print(printable(words), soft_wrap=True)
        raise
    show_result(console, result)
    if as_json:
        print_json(result.to_data())


def _observer(console: Console, control: Control, *, verbose: bool, dashboard: bool) -> Dashboard | Display:
    """What shows the run: the whole screen where that is wanted and can be had."""
    from peagen_ray.cli.display import Display

    if dashboard:
        from peagen_ray.cli.dashboard import Dashboard, suits

        if suits(console):
            return Dashboard(console, control)
        console.print("--dashboard needs a terminal that can be drawn on; the progress comes in lines")
    return Display(console, verbose=verbose)


def _replay(shared: State, name: str, *, as_json: bool) -> None:
    from peagen_ray.runtime.paths import RunPaths
    from peagen_ray.runtime.replaying import replay

    paths = RunPaths.find(name)
    console = people(stdout_is_json=as_json)
    if shared.dry_run:
        console.print(printable(f"would replay {paths.root}"), soft_wrap=True)
        return
    told: dict[str, Any] = replay(paths)
    console.print(
        printable(
            f"replayed {paths.id}: {told['questions']} questions asked again, {told['programs']} programs "
            f"byte-identical and in the same order, {told['mutations']} mutations made again"
        ),
        soft_wrap=True,
    )
    if as_json:
        print_json(told)
