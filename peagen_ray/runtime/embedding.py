"""For programs that use this package: evolving a function, submitting a task to their Ray, opening a queue."""

from __future__ import annotations

import difflib
import inspect
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from peagen_ray.config.load import Flag, Loaded, load
from peagen_ray.errors import UsageError
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.background import Running
from peagen_ray.runtime.dispatching import direct
from peagen_ray.runtime.local import open_queue as open_configured
from peagen_ray.runtime.paths import WORKSPACE, RunPaths
from peagen_ray.runtime.progress import Observer, Printer, Silent
from peagen_ray.runtime.recorded import RecordedRun, Run
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve as run_evolution
from peagen_ray.runtime.settings import RunRequest, cores
from peagen_ray.runtime.standalone import is_lambda, source_of, standalone
from peagen_ray.task import Result, Task

if TYPE_CHECKING:
    from ray import ObjectRef

    from peagen_ray.fabric.direct import Direct

Target: TypeAlias = str | Path | Callable[..., Any]

KEYWORDS: Final = {
    "generations": "evolve.stop.max_generations",
    "target_ms": "evolve.stop.target_ms",
    "no_improve": "evolve.stop.no_improve",
    "run_timeout": "evolve.stop.run_timeout",
    "selector": "evolve.selector",
    "mutator": "evolve.mutator",
    "backend": "evolve.backend",
    "generation_size": "evolve.generation_size",
    "seed": "evolve.seed",
    "ordered": "evolve.ordered",
    "goal": "evolve.goal",
    "provider": "task_queue.provider",
    "address": "fabric.address",
}
"""Keywords of :func:`evolve` that stand for keys of the configuration."""

_FRESH_S: Final = 1.0
_known: dict[str | Path | None, tuple[float, Direct | None]] = {}


@overload
def evolve(
    target: Target, entry_fn: str = "", *, wait: Literal[True] = True, **settings: Any
) -> RunResult: ...
@overload
def evolve(target: Target, entry_fn: str = "", *, wait: Literal[False], **settings: Any) -> Running: ...
def evolve(
    target: Target,
    entry_fn: str = "",
    *,
    workload: str | Path | None = None,
    output: str | Path | None = None,
    resume: str | None = None,
    concurrency: int | None = None,
    config: str | Path | None = None,
    observer: Observer | None = None,
    ray_options: Mapping[str, Any] | None = None,
    wait: bool = True,
    **settings: Any,
) -> RunResult | Running:
    """Evolve a function until a stopping rule holds.

    In a program that is connected to Ray, be it a driver, a task or an actor, the candidates run on that
    cluster; elsewhere in processes of this machine. ``provider`` and ``address`` say otherwise.

    Args:
        target: a file, or a function; one that a notebook's cell defines is written into a file, with the imports,
            constants and functions that it uses.
        entry_fn: the function in the file, or ``Class.method``; by default the only one.
        workload: its workload file; by default ``<stem>_workload.py`` beside it, or inputs from type hints.
        output: where to write the best program, beside the run's directory.
        resume: a run to go on with: id, directory, or ``last``.
        concurrency: tasks at a time; by default what there is room for.
        config: a configuration file; by default ``.peagen.toml`` in the working directory, if there is one.
        observer: told of the progress; by default a line is printed now and then.
        ray_options: further options of every Ray task, such as ``scheduling_strategy`` or ``runtime_env``.
        wait: return when it has ended; else at once, with a run to watch, to pause and to stop.
        settings: ``generations``, ``target_ms``, ``no_improve``, ``run_timeout`` (such as ``"90s"``),
            ``selector``, ``mutator``, ``backend``, ``generation_size``, ``seed``, ``ordered``, ``goal``,
            ``provider``, ``address``: as of ``peagen-ray evolve run``.

    Raises:
        UsageError: the target, the workload or a setting is wrong.
        BrokerUnavailable: the queue's broker or the cluster does not answer.
    """
    path, entry = _file_of(target, entry_fn)
    flags = {**_flags(settings), "evolve.entry_fn": Flag("entry_fn", entry or None)}
    loaded = _loaded(config, flags)
    request = RunRequest(
        config=loaded.config,
        target=path,
        workload=None if workload is None else Path(workload),
        output=None if output is None else Path(output),
        resume=resume,
        concurrency=concurrency or _concurrency(loaded),
        concurrency_chosen=concurrency is not None,
        ray_options=ray_options or {},
    )
    if not wait:
        return Running(lambda control: run_evolution(request, observer or Silent(), control))
    return run_evolution(request, observer or Printer())


def open_run(name: str | Path = "last") -> Run:
    """A run of this workspace, finished or not, to look at; see :class:`~peagen_ray.runtime.recorded.Run`.

    Args:
        name: its id or directory; ``last`` is the newest.

    Raises:
        UsageError: there is none.
    """
    return RecordedRun(RunPaths.find(str(name)))


def open_queue(provider: str = "", *, config: str | Path | None = None) -> TaskQueue:
    """The configured queue; used with ``with``, or closed by whoever opened it.

    Args:
        provider: its name or address; by default the configured one, and ``ray`` in a program that is
            connected to Ray where none is configured.
        config: a configuration file; by default ``.peagen.toml`` in the working directory, if there is one.

    Raises:
        UsageError: there is no such provider, or the configuration is wrong.
    """
    return open_configured(_loaded(config, _flags({"provider": provider or None})).config)


def submit(task: Task, *, config: str | Path | None = None, **ray_options: Any) -> ObjectRef[Result]:
    """Run a task on the Ray cluster to which this program is connected, without a queue.

    The task's tags become resources, its handler runs in a fresh process beside the Ray worker, and
    whatever happens to it the Result says so. A worker or node that dies is tried again by Ray.

    Args:
        task: the task.
        config: a configuration file; by default ``.peagen.toml`` in the working directory, if there is one.
        ray_options: further options of the Ray task, which come before ours: ``scheduling_strategy``,
            ``num_cpus``, ``max_retries``, ``runtime_env``, ...

    Returns:
        A reference to the Result.

    Raises:
        UsageError: this program is not connected to Ray.
        Unservable: no node offers what the task asks for, and none that does can be started.
    """
    if not _on_ray():
        raise UsageError(
            "this program is not connected to Ray", subject="submit", hint="call ray.init() first"
        )
    return _direct(config).submit(task, ray_options)


def _direct(config: str | Path | None) -> Direct:
    """What submits tasks by that configuration, of which it and the cluster are looked at once a second."""
    now, (made, known) = time.monotonic(), _known.get(config, (-math.inf, None))
    if known is None or now > made + _FRESH_S:
        known = direct(_loaded(config, {}).config)
        _known[config] = now, known
    return known


def _on_ray() -> bool:
    """Whether this process is connected to a Ray cluster."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _flags(settings: Mapping[str, Any]) -> dict[str, Flag]:
    """Keywords as flags of the configuration; UsageError for one that there is not."""
    for name in settings:
        if name not in KEYWORDS:
            near = difflib.get_close_matches(name, KEYWORDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYWORDS)}"
            raise UsageError("there is no such setting", subject=name, hint=hint)
    return {KEYWORDS[name]: Flag(name, value) for name, value in settings.items()}


def _loaded(config: str | Path | None, flags: Mapping[str, Any]) -> Loaded:
    """The effective configuration; whoever is on Ray and says nothing of a queue means Ray's."""
    path = None if config is None else Path(config)
    loaded = load(path, flags=flags)
    if loaded.origin["task_queue.provider"] == "default" and _on_ray():
        return load(path, flags={**flags, "task_queue.provider": Flag("provider", "ray")})
    return loaded


def _concurrency(loaded: Loaded) -> int:
    chosen = loaded.origin["worker.defaults.concurrency"] != "default"
    return loaded.config.worker.defaults.concurrency if chosen else cores()


def _file_of(target: Target, entry_fn: str) -> tuple[Path, str]:
    """The file and the entry that are meant; a function that is in no file gets one."""
    if isinstance(target, str | Path):
        return Path(target), entry_fn
    name = getattr(target, "__qualname__", "")
    if is_lambda(target):
        raise UsageError("a lambda has no name by which it could be found", hint="define it with def")
    source_of(target)
    file = inspect.getsourcefile(target)
    if file is not None and Path(file).is_file() and "<locals>" not in name:
        return Path(file), entry_fn or name
    plain = name.rpartition(".")[2]
    path = WORKSPACE / "targets" / f"{plain}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(standalone(target), encoding="utf-8")
    return path, entry_fn or plain
