"""The configuration model: every table and key of ``.peagen.toml``, and the only home of its defaults."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from peagen_ray.config.values import (
    Caps,
    Descriptors,
    Duration,
    Edges,
    Endpoint,
    GpuShare,
    Labels,
    LaxPath,
    Names,
    Paths,
    Positive,
    Provider,
    Range,
    Tag,
    VariableName,
    Words,
)


def _with_llm(slots: dict[str, int]) -> dict[str, int]:
    return {"llm": 16, **slots}


def _different(backends: tuple[LLMBackend, ...]) -> tuple[LLMBackend, ...]:
    names = [backend.name for backend in backends]
    for name in names:
        if names.count(name) > 1:
            msg = f"two back-ends have the name {name!r}; give each one its own, and say adapter = {name!r}"
            raise ValueError(msg)
    return backends


class Table(BaseModel):
    """A table of the file: immutable, knows its keys, converts nothing that was written as another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskQueueTable(Table):
    """``[task_queue]``: where tasks wait."""

    provider: Provider = Field(default="stub", min_length=1)
    """stub, ray, redis, or the name of a plugin; ray by default where [fabric] address names a cluster"""
    url: str = ""
    """where the provider's broker is, such as redis://host:6379 or ray://host:10001"""
    idle_ms: int = Field(default=60_000, ge=1)
    """a task whose claim was silent for this long is taken back"""
    max_retry: int = Field(default=3, ge=1)
    """runs of one task in all, before it goes to the dead-letter queue"""
    patience: Positive = 60.0
    """seconds that a task may go unserved, or be skipped by one worker after the other"""
    prefix: str = Field(default="peagen.", min_length=1)
    """what the names of a broker's keys, or of Ray's actor, begin with; {peagen}. is one slot of a Redis Cluster"""
    username: str = ""
    """ACL user of the broker, unless the url has one"""
    password_env: VariableName = "PEAGEN_REDIS_PASSWORD"  # noqa: S105 - a name
    """the environment variable that holds the broker's password, if there is one"""
    replicas: int = Field(default=0, ge=0)
    """replicas of the broker that must have a task before its producer is told that it is accepted"""
    broker_timeout: Positive = 30.0
    """seconds that a broker may stay away before a command gives up"""
    max_waiting: int | None = Field(default=None, ge=1)
    """tasks that may wait before producers are held back; no bound by default"""
    room_timeout: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """seconds that a producer waits for room before it is refused"""
    results_kept: int = Field(default=10_000, ge=1)
    """Results that the queue keeps at most"""
    results_age: Duration = timedelta(days=1)
    """how long the queue keeps a Result"""


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
    waiting: int = Field(default=16, ge=1, le=1024)
    """tasks at a time that wait for language models, beside ``concurrency``: they take no CPU slot"""
    warm_pool: int = Field(default=2, ge=0, le=4096)
    """processes that stand ready at most, of all workers of a node on Ray together"""
    idle_timeout: Duration = timedelta(seconds=60)
    """seconds after which a process that stands ready leaves, unless it gets a task"""
    max_uptime: Duration = timedelta(hours=4)
    """it leaves after this long, and a fresh one takes its place"""
    isolation: Literal["auto", "always", "worker"] = "auto"
    """always: a fresh process even for handlers that declare themselves shared; worker, on Ray alone: handlers
    run in Ray's own worker, which is used for one task only"""


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


class RequestTable(Table):
    """One ``[fabric.requests.<kind>]``: what a task of that kind asks a Ray node for, beside its tags."""

    cpus: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """CPUs of every such task; by default one for the tag cpu (0.05 where a model is asked), else none"""
    gpus: GpuShare = None
    """GPUs of such a task that has the tag gpu, whole ones or a share of one; by default one"""
    memory_mb: int | None = Field(default=None, ge=1)
    """memory that is reserved for such a task, MiB; none by default, which Ray does not reserve"""
    tags: Labels = frozenset()
    """tags that a node must offer for such a task, beside those of the task and its handler"""


class RequestsTable(Table):
    """``[fabric.requests]``."""

    render: RequestTable = RequestTable()
    mutate: RequestTable = RequestTable()
    execute: RequestTable = RequestTable()
    evaluate: RequestTable = RequestTable()


class FabricTable(Table):
    """``[fabric]``: how tasks become tasks of a Ray cluster."""

    address: str = ""
    """the cluster that does the tasks: auto, HOST:PORT or ray://HOST:PORT; by default that of the provider ray"""
    max_parallel: int = Field(default=256, ge=1)
    """tasks that a dispatcher holds at a time, those included that wait for nodes to come"""
    node_patience: Duration = timedelta(minutes=10)
    """how long a task waits for the first node of a kind that the autoscaler should start"""
    kill_after: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """seconds beyond its own timeout after which the dispatcher ends a task"""
    consumable: Annotated[dict[Tag, Annotated[int, Field(ge=1)]], AfterValidator(_with_llm)] = Field(
        default_factory=dict, validate_default=True
    )
    """tags of which a task takes a slot, with the slots of a node that we start; llm has 16 unless it is named"""
    requests: RequestsTable = RequestsTable()


class MetricsTable(Table):
    """``[metrics]``: numbers for Prometheus."""

    port: int | None = Field(default=None, ge=0, le=65_535)
    """where a worker, dispatcher or run shows them, at /metrics; 0 takes a free port; none shows none"""


class LogsTable(Table):
    """``[logs]``: what is written to stderr beside what a person is told."""

    format: Literal["text", "json"] = "text"
    """text for people; json: one object a line, with the ids of run, task, candidate and worker"""
    level: Literal["debug", "info", "warning", "error"] | None = None
    """the least that is written; info: one line for each run of a task and each candidate. None is warning for text,
    and info for json"""

    @property
    def least(self) -> str:
        """The level that holds."""
        return self.level or ("info" if self.format == "json" else "warning")


class TracesTable(Table):
    """``[traces]``: what becomes of each candidate, for OpenTelemetry."""

    endpoint: Endpoint = ""
    """a collector's address for OTLP over HTTP, such as http://localhost:4318/v1/traces; empty sends nothing"""
    share: float = Field(default=1.0, gt=0, le=1)
    """of the candidates that are traced"""


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
    form: Literal["unified diff", "search/replace", "whole rewrite"] = "unified diff"
    """the form in which a model is asked for a change of some lines; answers in the others are understood too"""


class StopTable(Table):
    """``[evolve.stop]``: when a run ends; the first rule that holds ends it."""

    max_generations: int = Field(default=200, ge=1)
    """generations in all"""
    max_candidates: int | None = Field(default=None, ge=1)
    """candidates in all"""
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
    """``[evolve.archive]``: what decides into which cell of the archive a program falls."""

    speed_bin_ms: Positive = 5.0
    """width in speed_ms"""
    mem_bin_kb: Positive = 32.0
    """width in peak memory, kB"""
    size_bin_ch: int = Field(default=40, ge=1)
    """width in characters of source"""
    descriptors: Descriptors = ("speed", "memory", "size", "age")
    """speed, memory, size, age (gen % 6), generation, novelty (0 to 1, how unlike the original's its syntax tree
    is), or the name of a metric of the evaluator"""
    edges: dict[str, Edges] = Field(default_factory=dict)
    """by descriptor: rising numbers, each of which begins a cell"""
    widths: dict[str, Positive] = Field(default_factory=dict)
    """by descriptor: the width of its cells, for one that has no edges"""
    cells: int | None = Field(default=None, ge=2, le=10_000)
    """in place of a grid: so many cells, spread evenly over the ranges of all descriptors; wants peagen-ray[qd]"""
    ranges: dict[str, Range] = Field(default_factory=dict)
    """by descriptor: its lowest and its highest value, where there are cells in place of a grid"""

    @model_validator(mode="after")
    def _know_each_other(self) -> Self:
        """Edges, widths and ranges are of descriptors, and each descriptor that needs one has one."""
        for name in self.ranges:
            if name not in self.descriptors:
                msg = f"{name} is not among the descriptors"
                raise ValueError(msg)
        return self._spread_apart() if self.cells else self._in_a_grid()

    def _spread_apart(self) -> Self:
        if self.edges or self.widths:
            msg = "edges and widths are of a grid; with cells, descriptors have ranges"
            raise ValueError(msg)
        for name in self.descriptors:
            if name not in {*self.ranges, "novelty", "age"}:
                msg = f"with cells, the descriptor {name} needs a range"
                raise ValueError(msg)
        return self

    def _in_a_grid(self) -> Self:
        if self.ranges:
            msg = "ranges are for cells that are spread over them; say how many: cells"
            raise ValueError(msg)
        for name in (*self.edges, *self.widths):
            if name not in self.descriptors:
                msg = f"{name} is not among the descriptors"
                raise ValueError(msg)
            if name in self.edges and name in self.widths:
                msg = f"{name} has edges and a width; one of them is enough"
                raise ValueError(msg)
        for name in self.descriptors:
            if name not in {*self.edges, *self.widths, "speed", "memory", "size", "age", "generation"}:
                msg = f"the descriptor {name} needs edges, or a width"
                raise ValueError(msg)
        return self


class IslandsTable(Table):
    """``[evolve.islands]``: populations that evolve apart, in a ring."""

    count: int = Field(default=1, ge=1, le=1000)
    """how many"""
    migrate_every: int = Field(default=50, ge=0)
    """candidates of all islands after which each sends its best to the next one; 0 for never"""
    migrants: int = Field(default=1, ge=1)
    """champions that it sends"""
    reset_after: int = Field(default=500, ge=0)
    """candidates of an island without a better one, after which it starts anew; 0 for never"""


class MovesTable(Table):
    """``[evolve.moves]``: shares of the ways to change a program where models are asked; they adapt to what pays."""

    diff: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    """change some lines"""
    rewrite: float = Field(default=0.25, ge=0, allow_inf_nan=False)
    """write the function anew"""
    crossover: float = Field(default=0.15, ge=0, allow_inf_nan=False)
    """join what is good in two programs"""
    repair: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """mend a candidate that failed"""
    genetic: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """edit the syntax tree, asking no model"""


class EvolveTable(Table):
    """``[evolve]``: the search."""

    selector: str = Field(default="epsilon", min_length=1)
    """chooses parents: epsilon, ucb, tournament, rank, thompson, lexicase, legacy, or the name of a plugin"""
    mutator: str = Field(default="auto", min_length=1)
    """auto (patch with an LLM back-end, else genetic), patch, rewrite, genetic, or the name of a plugin"""
    backend: str = Field(default="cpu", min_length=1)
    """execution sandbox tag: cpu, docker or gpu; or a sandbox by its name, such as bubblewrap"""
    entry_fn: str = ""
    """the function or Class.method to improve; empty means the whole module"""
    files: Paths = ()
    """further files of the program, under the directory of the first one; an evaluator judges all of them together"""
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
    moves: MovesTable = MovesTable()
    inspirations: int = Field(default=4, ge=0, le=100)
    """programs that accompany a parent, half of them the best"""
    inspire: Literal["spread", "any"] = "spread"
    """the other half: spread, unlike the best and one another; any, drawn evenly"""
    stop: StopTable = StopTable()
    archive: ArchiveTable = ArchiveTable()
    islands: IslandsTable = IslandsTable()


class ContainerTable(Table):
    """``[execute.container]``: what candidates run in when ``[evolve] backend`` is docker or gpu."""

    engine: str = ""
    """docker, podman or another command that takes their arguments; empty means whichever of those answers"""
    image: str = Field(default=f"python:{sys.version_info.major}.{sys.version_info.minor}-slim", min_length=1)
    """an image with python3, of this Python's version; it must be there already, nothing is pulled"""
    venv: LaxPath | None = None
    """a virtual environment whose packages candidates may import, mounted read-only; in bubblewrap too"""
    engine_options: Words = ()
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
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(strict=False)] = ()
    """TCP ports, of any machine, that evaluators may connect to, and the candidates beside them; empty is no network.
    In the sandbox process alone, and never where speed is measured"""
    unsafe: bool = False
    """run candidates without the layers that this machine lacks, in place of refusing"""
    container: ContainerTable = ContainerTable()


class HeldOutTable(Table):
    """``[evaluate.held_out]``: what judges the winner, and is never seen by a candidate before."""

    file: LaxPath | None = None
    """an evaluator of the same kind, beside the other one; none means that nothing is held out"""
    files: Names = ()
    """patterns, as gitignore has them, of files that only it may read"""


class EvaluateTable(Table):
    """``[evaluate]``: how measurements become fitness."""

    pool: str = Field(default="default", min_length=1)
    """the pool of evaluators"""
    evaluator: str = Field(default="speed", min_length=1)
    """speed; or what judges programs by itself: module, script, command, pytest, or the name of a plugin"""
    file: LaxPath | None = None
    """the evaluator's file: a module, a script, or tests; everything in its directory is at its hand"""
    command: Words = ()
    """evaluator command: its words, in which {program} and {results} are replaced"""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """module: further keyword arguments of evaluate"""
    words: Words = ()
    """script and pytest: further words of the command line"""
    files: Names = ()
    """patterns, as gitignore has them, of what the evaluator needs of its directory; all of it by default"""
    timeout_s: Positive = 300.0
    """wall time of one evaluation, all stages together, seconds"""
    profile: Literal["tree", "threads"] = "tree"
    """tree: an evaluation may start processes; threads: it may not, which makes its beginning and end cheaper"""
    memory_mb: int = Field(default=4096, ge=64)
    """memory of an evaluation, MiB"""
    scratch_mb: int = Field(default=256, ge=1)
    """what an evaluation may write to files, its own included, MiB"""
    cascade: bool = True
    """module: go through evaluate_stage1 to 3, where they are defined"""
    thresholds: Annotated[tuple[float, ...], Field(strict=False)] = (0.5, 0.75, 0.9)
    """module: what a stage has to score for the next one to be reached"""
    ignored: Names = ("complexity", "diversity")
    """module: metrics that are no part of the mean where there is no combined_score"""
    repeats: int = Field(default=1, ge=1)
    """evaluations of one candidate at most; fitness is their mean, and they end early where noise cannot matter"""
    objectives: Names = ()
    """metrics of the Pareto front that is kept beside the fitness; a minus in front means that lower is better"""
    artifact_chars: int = Field(default=2000, ge=0)
    """of each of a program's artifacts, what the next prompt shows; 0 shows none"""
    held_out: HeldOutTable = HeldOutTable()
    requests: RequestTable = RequestTable()
    """what an evaluation asks a Ray node for: another name of [fabric.requests.execute], which goes before it"""
    metric: Literal["speed_ms", "instructions"] = "speed_ms"
    """what fitness is made from: CPU time, or instructions counted by callgrind"""
    winner_s: Positive = 12.0
    """CPU seconds to spend at most on measuring the winner"""


class LLMBackend(Table):
    """One ``[[llm.backends]]``."""

    name: str = Field(min_length=1)
    """what it is called in messages and metrics; different for each"""
    adapter: str = ""
    """openai, groq, local, anthropic, or the name of a plugin; empty means the one that is called like ``name``"""
    model: str = ""
    """the model to ask; may be empty where the adapter is local, which asks the server for its first one"""
    api_key_env: VariableName = ""
    """name of the environment variable that holds the key, never the key itself; empty means the adapter's own
    variable, and no key at all where ``base_url`` is given"""
    base_url: Endpoint = ""
    """address of the endpoint; empty means the adapter's own"""
    timeout_ms: int = Field(default=30_000, ge=1)
    """how long one call may take"""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """share of the calls: weight / sum of all weights"""
    price_in: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """USD per million prompt tokens"""
    price_out: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """USD per million answer tokens"""
    rate_per_min: Positive | None = None
    """calls per minute at most; none means no limit"""
    tokens_per_min: int | None = Field(default=None, ge=1)
    """tokens per minute at most, prompts and answers together; none means no limit"""


class LLMTable(Table):
    """``[llm]``: who is asked for changes."""

    default_backend: str = Field(default="auto", min_length=1)
    """the back-end to ask, or auto for all of them by weight"""
    fanout: int = Field(default=1, ge=1, le=64)
    """auto: how many different back-ends are asked at once; the first usable answer is kept"""
    retries: int = Field(default=2, ge=0, le=20)
    """how often a call is made again that failed for a reason that may pass"""
    repair_rounds: int = Field(default=1, ge=0, le=10)
    """how often a model may mend an answer that cannot be used"""
    max_prompt_tokens: int = Field(default=32_768, ge=1)
    """limit of one prompt, counted from above: one token a byte, and what the form of a chat adds"""
    bandit: bool = False
    """shift the weights to the back-ends that gain most per dollar"""
    breaker_failures: int = Field(default=3, ge=1)
    """failures in a row after which a back-end is left alone"""
    breaker_pause: Duration = timedelta(seconds=15)
    """how long it is left alone, twice as long after each failed probe"""
    backends: Annotated[tuple[LLMBackend, ...], Field(strict=False), AfterValidator(_different)] = ()
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
    fabric: FabricTable = FabricTable()
    metrics: MetricsTable = MetricsTable()
    logs: LogsTable = LogsTable()
    traces: TracesTable = TracesTable()
    mutate: MutateTable = MutateTable()
    evolve: EvolveTable = EvolveTable()
    execute: ExecuteTable = ExecuteTable()
    selector: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """options of each parent selector, by its name"""
    evaluate: EvaluateTable = EvaluateTable()
    llm: LLMTable = LLMTable()
    templates: TemplatesTable = TemplatesTable()
