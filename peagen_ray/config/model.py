"""The configuration model: every table and key of ``.peagen.toml``, and the only home of its defaults."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from peagen_ray.task import Tags

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")


def parse_duration(value: object) -> object:
    """Turn ``"4h"``, ``"1h30m"`` or a number of seconds into a timedelta; pass anything else on.

    Raises:
        ValueError: a string that is no duration, or a number that no timedelta can hold.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    if isinstance(value, int | float):
        seconds = float(value)
    elif _DURATION.fullmatch(text := value.replace(" ", "")):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        msg = f"{value!r} is no duration; write seconds, or a number with ms, s, m, h or d such as '4h'"
        raise ValueError(msg)
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        msg = f"{value!r} is no length of time"
        raise ValueError(msg) from error


def format_duration(duration: timedelta) -> str:
    """The text that :func:`parse_duration` reads back: ``4h``, ``1h30m``, ``0.5s``."""
    minutes, seconds = divmod(duration.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), _seconds(seconds) * bool(seconds)]
    return "".join(parts) or "0s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _positive(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        msg = "must be longer than no time at all"
        raise ValueError(msg)
    return duration


def _variable_name(text: str) -> str:
    if text and not text.isidentifier():
        # The text itself is not repeated: it may be a key that was pasted here.
        msg = "must be the name of an environment variable, never the key itself"
        raise ValueError(msg)
    return text


def _split(value: object) -> object:
    """A comma separated string, or any list of strings, as a tuple of strings."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Iterable) and not isinstance(value, dict | bytes):
        return tuple(value)
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str | Path) else tuple(value) if isinstance(value, list) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_positive),
    PlainSerializer(format_duration, return_type=str),
]
"""A positive length of time; seconds as a number, or text such as ``"4h"`` or ``"1h30m"``."""

Caps = Annotated[Tags, BeforeValidator(_split), Field(min_length=1, strict=False)]
"""Capability tags, as a list or as one comma separated string."""

Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names, as a list or as one comma separated string."""

LaxPath = Annotated[Path, Field(strict=False)]
Paths = Annotated[tuple[LaxPath, ...], BeforeValidator(_one_or_many)]
"""Paths, as a list or as one string."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above zero."""


class Table(BaseModel):
    """A table of the file: immutable, knows its keys, converts nothing that was written as another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskQueueTable(Table):
    """``[task_queue]``: where tasks wait."""

    provider: str = Field(default="stub", min_length=1)
    """stub, ray, redis, or the name of a plugin"""
    url: str = ""
    """where the provider's broker is, such as redis://host:6379"""
    idle_ms: int = Field(default=60_000, ge=1)
    """a task whose claim was silent for this long is taken back"""
    max_retry: int = Field(default=3, ge=1)
    """runs of one task in all, before it goes to the dead-letter queue"""


class ResultBackendTable(Table):
    """``[result_backend]``: where Results are kept."""

    provider: str = Field(default="fs", min_length=1)
    """fs, or the name of a plugin"""
    root: str = Field(default=".peagen/results", min_length=1)
    """a directory, or an s3:// or gs:// address"""
    compress: bool = True
    """gzip each record"""


class WorkerDefaults(Table):
    """``[worker.defaults]``: what a worker is unless it is told otherwise."""

    caps: Caps = frozenset({"cpu"})
    """capability tags that it offers"""
    plugins: Names = ()
    """handler classes that it is restricted to; empty means every one installed"""
    concurrency: int = Field(default=1, ge=1, le=4096)
    """tasks at a time"""
    warm_pool: int = Field(default=2, ge=0, le=4096)
    """processes that stand ready"""
    max_uptime: Duration = timedelta(hours=4)
    """it leaves after this long, and a fresh one takes its place"""
    isolation: Literal["auto", "always"] = "auto"
    """always: a fresh process even for handlers that declare themselves shared"""


class WorkerLimits(Table):
    """``[worker.limits]``: what no candidate gets more of on this worker, whatever its task asks for."""

    timeout_s: Positive | None = None
    """wall time of one answer, seconds"""
    cpu_s: Positive | None = None
    """CPU time in all, seconds"""
    memory_mb: int | None = Field(default=None, ge=64)
    """memory, MiB"""
    output_kb: int | None = Field(default=None, ge=1)
    """what it prints or returns, KiB"""
    scratch_mb: int | None = Field(default=None, ge=1)
    """what it writes to files, MiB"""
    processes: int | None = Field(default=None, ge=1)
    """processes and threads at a time"""


class WorkerTable(Table):
    """``[worker]``."""

    defaults: WorkerDefaults = WorkerDefaults()
    limits: WorkerLimits = WorkerLimits()


class MutateTable(Table):
    """``[mutate]``: how a program is changed."""

    mutator: str = Field(default="auto", min_length=1)
    """auto (patch with an LLM back-end, else genetic), or the name of a plugin"""
    target_file: LaxPath | None = None
    """the file to improve"""
    entry_fn: str = ""
    """the function or Class.method to improve; empty means the whole module"""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """how far from its parent a mutation may go"""
    max_tokens: int = Field(default=4096, ge=1)
    """limit of one LLM answer"""
    backend: str = Field(default="auto", min_length=1)
    """the LLM back-end, or auto"""


class StopTable(Table):
    """``[evolve.stop]``: when a run ends; the first rule that holds ends it."""

    max_generations: int = Field(default=200, ge=1)
    """generations in all"""
    target_ms: Positive | None = None
    """speed_ms of the best program that is good enough"""
    no_improve: int = Field(default=25, ge=1)
    """generations without a better program"""
    budget_tokens: int | None = Field(default=None, ge=1)
    """LLM tokens that may be spent"""
    budget_usd: Positive | None = None
    """money that may be spent on LLMs"""
    run_timeout: Duration | None = None
    """wall time, such as 30m"""


class ArchiveTable(Table):
    """``[evolve.archive]``: widths of the archive's cells."""

    speed_bin_ms: Positive = 5.0
    """width in speed_ms"""
    mem_bin_kb: Positive = 32.0
    """width in peak memory, kB"""
    size_bin_ch: int = Field(default=40, ge=1)
    """width in characters of source"""


class EvolveTable(Table):
    """``[evolve]``: the search."""

    selector: str = Field(default="epsilon", min_length=1)
    """chooses parents: epsilon, legacy, or the name of a plugin"""
    mutator: str = Field(default="auto", min_length=1)
    """auto, genetic, or the name of a plugin"""
    backend: str = Field(default="cpu", min_length=1)
    """execution sandbox tag: cpu, docker or gpu; or a sandbox by its name, such as bubblewrap"""
    entry_fn: str = ""
    """the function or Class.method to improve; empty means the whole module"""
    generation_size: int = Field(default=10, ge=1)
    """candidates told back that make one generation"""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """seeds every random choice; none means a fresh one, which the ledger keeps"""
    ordered: bool = False
    """apply observations in the order of asking, so that timing changes nothing"""
    look_ahead: int = Field(default=8, ge=1)
    """ordered: candidates asked for beyond the oldest unanswered one"""
    max_in_flight: int = Field(default=0, ge=0)
    """candidates at a time; 0 means twice the concurrency"""
    goal: str = ""
    """a sentence of your own that is added to every prompt"""
    stop: StopTable = StopTable()
    archive: ArchiveTable = ArchiveTable()


class ContainerTable(Table):
    """``[execute.container]``: what candidates run in when ``[evolve] backend`` is docker or gpu."""

    engine: str = ""
    """docker, podman or another command that takes their arguments; empty means whichever of those answers"""
    image: str = Field(default=f"python:{sys.version_info.major}.{sys.version_info.minor}-slim", min_length=1)
    """an image with python3, of this Python's version; it must be there already, nothing is pulled"""
    venv: LaxPath | None = None
    """a virtual environment whose packages candidates may import, mounted read-only; in bubblewrap too"""
    engine_options: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = ()
    """further options of the engine's run command, one word each"""
    gpus: str = Field(default="all", min_length=1)
    """the GPUs that backend gpu uses, as the engine names them"""


class ExecuteTable(Table):
    """``[execute]``: what one candidate may use."""

    timeout_s: Positive = 10.0
    """wall time of one answer, seconds"""
    cpu_s: Positive = 60.0
    """CPU time in all, seconds"""
    memory_mb: int = Field(default=1024, ge=64)
    """memory, MiB"""
    output_kb: int = Field(default=1024, ge=1)
    """what it prints or returns, KiB"""
    scratch_mb: int = Field(default=64, ge=1)
    """what it writes to files, MiB"""
    processes: int = Field(default=64, ge=1)
    """processes and threads at a time, where the profile allows any"""
    profile: Literal["pure", "threads", "tree", "gpu"] = "pure"
    """pure: one thread, no fork, no exec; threads: threads too; tree: fork and exec too; gpu: GPUs as well"""
    require: Names = ()
    """layers of isolation that may not be missing, beside those that no candidate runs without"""
    readable: Paths = ()
    """files and directories that candidates may read, beside Python's own libraries"""
    unsafe: bool = False
    """run candidates without the layers that this machine lacks, in place of refusing"""
    container: ContainerTable = ContainerTable()


class EvaluateTable(Table):
    """``[evaluate]``: how measurements become fitness."""

    pool: str = Field(default="default", min_length=1)
    """the pool of evaluators"""
    metric: Literal["speed_ms", "instructions"] = "speed_ms"
    """what fitness is made from: CPU time, or instructions counted by callgrind"""
    winner_s: Positive = 12.0
    """CPU seconds to spend at most on measuring the winner"""


class LLMBackend(Table):
    """One ``[[llm.backends]]``."""

    name: str = Field(min_length=1)
    """openai, groq, local, or the name of a plugin"""
    model: str = ""
    """the model to ask"""
    api_key_env: Annotated[str, AfterValidator(_variable_name)] = ""
    """name of the environment variable that holds the key; never the key itself"""
    base_url: str = ""
    """an OpenAI-compatible endpoint"""
    timeout_ms: int = Field(default=30_000, ge=1)
    """how long one call may take"""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """share of the calls: weight / sum of all weights"""
    price_in: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """USD per million prompt tokens"""
    price_out: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """USD per million answer tokens"""


class LLMTable(Table):
    """``[llm]``: who is asked for changes."""

    default_backend: str = Field(default="auto", min_length=1)
    """the back-end to ask, or auto for all of them by weight"""
    backends: Annotated[tuple[LLMBackend, ...], BeforeValidator(_one_or_many)] = ()
    """the ensemble"""


class TemplatesTable(Table):
    """``[templates]``: where prompts come from."""

    search_path: Paths = ()
    """directories that come before the built-in templates"""


class Config(Table):
    """The whole configuration.

    Relative paths are relative to the working directory. ``selector`` holds the options of each
    parent selector by name; a selector owns its options and their defaults, since it is a plugin.
    """

    task_queue: TaskQueueTable = TaskQueueTable()
    result_backend: ResultBackendTable = ResultBackendTable()
    worker: WorkerTable = WorkerTable()
    mutate: MutateTable = MutateTable()
    evolve: EvolveTable = EvolveTable()
    execute: ExecuteTable = ExecuteTable()
    selector: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """options of each parent selector, by its name"""
    evaluate: EvaluateTable = EvaluateTable()
    llm: LLMTable = LLMTable()
    templates: TemplatesTable = TemplatesTable()
