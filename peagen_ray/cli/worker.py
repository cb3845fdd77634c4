"""``worker``: do the tasks of a queue, in this process or with a Ray cluster's workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray.cli.console import out, people, print_json, printable
from peagen_ray.cli.options import Address, BrokerTimeout, MetricsPort, Provider
from peagen_ray.cli.state import State, state
from peagen_ray.errors import UsageError
from peagen_ray.logs import teller

if TYPE_CHECKING:
    from rich.table import Table

    from peagen_ray.config.load import Loaded

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.callback()
def worker() -> None:
    """Do the tasks of a queue."""


@app.command()
def start(
    context: typer.Context,
    provider: Provider = None,
    address: Address = None,
    caps: Annotated[
        str | None,
        typer.Option(
            help="Capability tags to offer, as a,b; or WORKER_CAPS. On Ray nodes say what they offer, and this "
            "restricts it.",
            show_default=False,
        ),
    ] = None,
    plugins: Annotated[
        str | None,
        typer.Option(
            help="Handler classes to be restricted to, as A,B; or WORKER_PLUGINS.", show_default=False
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Tasks at a time, in this process.", show_default="[worker.defaults] concurrency"),
    ] = None,
    max_parallel: Annotated[
        int | None,
        typer.Option(
            help="On Ray: tasks held at a time, those included that wait for nodes.",
            show_default="[fabric] max_parallel",
        ),
    ] = None,
    warm_pool: Annotated[
        int | None,
        typer.Option(
            help="Processes that stand ready, on each node.", show_default="[worker.defaults] warm_pool"
        ),
    ] = None,
    exit_after_idle: Annotated[
        str | None,
        typer.Option(help="Leave when nothing ran for this long, such as 30s or 5m.", show_default="stay"),
    ] = None,
    metrics_port: MetricsPort = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="On Ray: leave the dispatcher in the cluster, and return.")
    ] = False,
    broker_timeout: BrokerTimeout = None,
    name: Annotated[str, typer.Option(help="The worker's name.", show_default="HOST-PID")] = "",
) -> None:
    """Serve a queue, each task in a process of its own, until told to leave.

    Without --address the tasks run in processes of this machine. With it a dispatcher, an actor on the Ray
    cluster's head, hands them to the cluster's nodes; the autoscaler starts what they ask for, and stops it.

    Ctrl-C or SIGTERM once lets what runs finish; twice kills it and gives it back to the queue.

    Example: peagen-ray worker start --provider redis://localhost:6379 --concurrency 4 --exit-after-idle 5m

    Example: peagen-ray worker start --address auto --max-parallel 64 --detach
    """
    flags = {
        "task_queue.provider": provider,
        "task_queue.broker_timeout": broker_timeout,
        "worker.defaults.caps": caps,
        "worker.defaults.plugins": plugins,
        "worker.defaults.concurrency": concurrency,
        "worker.defaults.warm_pool": warm_pool,
        "metrics.port": metrics_port,
        "fabric.address": address,
        "fabric.max_parallel": max_parallel,
    }
    shared = state(context)
    code = _start(shared, shared.load(flags), name, _seconds(exit_after_idle), detach=detach)
    if code:
        raise typer.Exit(code)


def _start(shared: State, loaded: Loaded, name: str, idle: float | None, *, detach: bool) -> int:
    from peagen_ray.runtime.dispatching import on_cluster
    from peagen_ray.runtime.worker import WorkerRequest, work

    console, config = out(), loaded.config
    request = WorkerRequest(config, name, idle)
    logged = teller("worker", worker=request.owner())

    def say(text: str) -> None:
        if config.logs.format == "json":
            logged(text)
        else:
            console.print(printable(text), soft_wrap=True)

    where = on_cluster(config)
    if where is None:
        if detach:
            raise UsageError(
                "only a dispatcher in a Ray cluster can be left there", hint="add --address auto"
            )
        if not shared.dry_run:
            return work(request, say)
        request.check()
        say(f"would be: {request.words()}")
        return 0
    from peagen_ray.runtime.clusterwork import ClusterWork, work_on_cluster

    chosen = loaded.origin["worker.defaults.caps"] != "default"
    job = ClusterWork(request, where, config.worker.defaults.caps if chosen else None, detach)
    if not shared.dry_run:
        return work_on_cluster(job, say)
    request.check_queue()
    say(f"would be: {job.words()}")
    return 0


@app.command()
def status(context: typer.Context, address: Address = None, as_json: AsJson = False) -> None:
    """Show the dispatchers on a Ray cluster, what they are at and what they have done.

    Example: peagen-ray worker status --address auto
    """
    from peagen_ray.runtime.clusterwork import statuses

    where = _cluster_of(state(context), address)
    console = people(stdout_is_json=as_json)
    found = statuses(where)
    if as_json:
        print_json({"dispatchers": [{key: row[key] for key in row if key != "said"} for row in found]})
    elif found:
        console.print(_table(found))
    else:
        console.print(
            printable(f"no dispatcher runs on {where}; start one with `peagen-ray worker start --address`")
        )


@app.command()
def stop(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The dispatcher; by default the only one.")] = None,
    address: Address = None,
    now: Annotated[bool, typer.Option("--now", help="End what runs too, and give it back.")] = False,
) -> None:
    """End a dispatcher on a Ray cluster, once what runs has finished.

    Example: peagen-ray worker stop --address auto
    """
    from peagen_ray.runtime.clusterwork import stop as stop_dispatcher

    shared, console = state(context), out()
    where = _cluster_of(shared, address)
    if shared.dry_run:
        console.print(printable(f"would stop {name or 'the only dispatcher'} on {where}"), soft_wrap=True)
        return
    stop_dispatcher(where, name, now=now, say=lambda text: console.print(printable(text), soft_wrap=True))


def _cluster_of(shared: State, address: str | None) -> str:
    """The address of the cluster that is meant."""
    from peagen_ray.runtime.dispatching import on_cluster

    return on_cluster(shared.load({"fabric.address": address}).config) or "auto"


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from peagen_ray.runtime.clusterwork import counts_text

    table = Table(
        "dispatcher", "state", "running", "waiting", "so far", "nodes", "ready", box=None, pad_edge=False
    )
    for row in found:
        if "in_flight" not in row:
            table.add_row(printable(row["name"]), printable(row.get("error") or "starting"))
            continue
        running = row["in_flight"] - row["waiting"]
        cells = (
            row["name"],
            _state(row),
            running,
            row["waiting"],
            counts_text(row),
            row["nodes"],
            row["idle"],
        )
        table.add_row(*(printable(str(cell)) for cell in cells))
    return table


def _state(row: dict[str, Any]) -> str:
    if row["error"]:
        return f"failed: {row['error']}"
    if row["done"]:
        return "ended"
    if row["stopping"]:
        return "finishing"
    return f"idle for {row['idle_s']:.0f} s" if row["idle_s"] else "working"


def _seconds(text: str | None) -> float | None:
    """A length of time in seconds; raises UsageError."""
    if text is None:
        return None
    from datetime import timedelta

    from peagen_ray.config.values import parse_duration

    try:
        length: Any = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), subject="--exit-after-idle") from error
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise UsageError("must be longer than no time at all", subject="--exit-after-idle")
    return length.total_seconds()
