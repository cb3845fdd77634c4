"""The handler protocol, the context that a handler runs in, and the choice of a handler for a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from peagen_ray.errors import AmbiguousHandler, Unservable
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Result, Task, TaskKind, is_reserved, missing_tags

_PRINTED: Final = 4_000
"""Characters that are kept of what a candidate printed, of each of the two."""


@dataclass(frozen=True)
class Confinement:
    """What a worker demands for untrusted code, and what it grants; no task can ask for more.

    Attributes:
        ceiling: the most that a guest gets, by the names of ``GuestLimits``.
        require: layers of isolation that may not be missing, beside those that no guest goes without.
        readable: paths that guests may read, beside Python's own libraries.
        ports: of TCP that evaluators, and the candidates beside them, may connect to; none is no network.
        unsafe: go without layers that this machine lacks, in place of refusing.
        image: the image that containers are made of where a task names none.
        engine: the command line of the container engine; "" is docker or podman, whichever answers.
        engine_options: further options of its ``run``.
        venv: a virtual environment whose packages guests of executed sandboxes may import.
    """

    ceiling: Mapping[str, float] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    unsafe: bool = False
    image: str = ""
    engine: str = ""
    engine_options: tuple[str, ...] = ()
    venv: str | None = None

    @classmethod
    def from_wire(cls, fields: dict[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` made and JSON carried."""
        lists = {name: tuple(fields[name]) for name in ("require", "readable", "ports", "engine_options")}
        return cls(**{**fields, **lists})


@dataclass
class Guests:
    """What the guests of a task have come to: filled in as they end, and told with its Result.

    Attributes:
        cpu_s: seconds of CPU that they have used, all together.
        stdout: the end of what the candidate's own guest printed, the last one that printed anything.
        stderr: the same of what it printed to standard error.
    """

    cpu_s: float = 0.0
    stdout: str = ""
    stderr: str = ""

    def printed(self, stdout: str, stderr: str) -> None:
        """A candidate's guest has ended, and has printed that."""
        if stdout.strip() or stderr.strip():
            self.stdout, self.stderr = stdout[-_PRINTED:], stderr[-_PRINTED:]

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result; empty where there is nothing to tell."""
        return {name: value for name, value in vars(self).items() if value}


def _uninterrupted(_: Callable[[], object]) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class HandlerContext:
    """What a handler may know of where it runs; see :func:`current`.

    Attributes:
        scratch: an empty directory of this task's own, the working directory.
        worker: name of the worker, for provenance.
        offered: capability tags that are offered here.
        launcher: starts candidate processes that die with this task; None where there is none.
        timeout: seconds that the task may take in all.
        confinement: how this worker keeps untrusted code.
        cache: a directory of the worker's that outlives the task, for what can be made again; it may have
            to be made first. None where there is none.
        environment: variables that are set for this task. In a process that it shares with others they are
            told here and nowhere else.
        gpus: the GPUs that this task may use, by index or UUID; None is no restriction.
        on_interrupt: within the block of what it returns, the function that it was given is called, from another
            thread, when nobody wants the task's outcome any more. A process of the task's own is killed instead.
        guests: what the task's guests have come to.
    """

    scratch: Path
    worker: str = "local"
    offered: frozenset[str] = field(default_factory=frozenset)
    launcher: Launcher | None = None
    timeout: float = 600.0
    confinement: Confinement = Confinement()
    cache: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] | None = None
    on_interrupt: Callable[[Callable[[], object]], AbstractContextManager[None]] = _uninterrupted
    guests: Guests = field(default_factory=Guests)


_CONTEXT: ContextVar[HandlerContext] = ContextVar("peagen_handler_context")


def current() -> HandlerContext:
    """The context of the task that is being handled; LookupError outside one."""
    return _CONTEXT.get()


def guests() -> Guests:
    """Those of the task that is being handled; nobody's outside one."""
    context = _CONTEXT.get(None)
    return context.guests if context else Guests()


@contextmanager
def handling(context: HandlerContext) -> Iterator[None]:
    """Make ``context`` the current one within the block (for whoever runs handlers)."""
    token = _CONTEXT.set(context)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


class TaskHandler(ABC):
    """Does one kind of task. Subclass it, register it in ``peagen.task_handlers``, and that is all.

    A handler never talks to a queue. Follow-up tasks are returned in ``Result.data["spawn"]``, as
    wire-form objects; they are enqueued in the same step that completes the parent.

    Attributes:
        KIND: the kind of task that it does.
        PROVIDES: the capability tags that it needs and therefore provides.
        VERSION: goes into every Result's provenance.
        SHARED: it runs no foreign code and keeps no state, so that one process may run many tasks.
        WAITS: it does next to nothing but wait for somebody else's answer, so that it takes no CPU slot of a worker.
    """

    KIND: ClassVar[TaskKind]
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})
    VERSION: ClassVar[str] = "1"
    SHARED: ClassVar[bool] = False
    WAITS: ClassVar[bool] = False

    def dispatch(self, task: Task) -> bool:  # noqa: ARG002
        """Whether it wants this task of its kind: quick and without side effects."""
        return True

    @abstractmethod
    def handle(self, task: Task) -> Result:
        """Do the task. Idempotent: it may run more than once."""


def can_serve(handler: TaskHandler, task: Task, offered: frozenset[str]) -> bool:
    """Whether the handler, on a worker that offers those tags, may run the task.

    ``requires`` and ``PROVIDES`` must be offered by the worker, and the reserved tags of
    ``requires`` must be among ``PROVIDES``.
    """
    reserved = frozenset(tag for tag in task.requires if is_reserved(tag))
    return (
        handler.KIND is task.kind
        and not missing_tags(task.requires | handler.PROVIDES, offered)
        and not missing_tags(reserved, handler.PROVIDES)
        and handler.dispatch(task)
    )


def choose(handlers: Iterable[TaskHandler], task: Task, offered: frozenset[str]) -> TaskHandler:
    """The one handler for a task: of those that qualify, the one that provides the fewest tags.

    Raises:
        Unservable: none qualifies; names the missing tags.
        AmbiguousHandler: two qualify and provide equally many.
    """
    known = list(handlers)
    fit = sorted((h for h in known if can_serve(h, task, offered)), key=lambda h: len(h.PROVIDES))
    if not fit:
        raise Unservable(f"{task.kind} task {task.id}", _missing(known, task, offered))
    if len(fit) > 1 and len(fit[0].PROVIDES) == len(fit[1].PROVIDES):
        first, second = (type(handler).__name__ for handler in fit[:2])
        raise AmbiguousHandler(
            f"both {first} and {second} qualify",
            subject=f"{task.kind} task {task.id}",
            hint="restrict the worker with WORKER_PLUGINS, or name one in the payload",
        )
    return fit[0]


def _missing(known: Sequence[TaskHandler], task: Task, offered: frozenset[str]) -> tuple[str, ...]:
    kin = [h for h in known if h.KIND is task.kind and h.dispatch(task)]
    if not kin:
        return (f"a handler for {task.kind}",)
    fewest = min((missing_tags(task.requires | h.PROVIDES, offered) for h in kin), key=len)
    if fewest:
        return fewest
    reserved = frozenset(tag for tag in task.requires if is_reserved(tag))
    return min((missing_tags(reserved, h.PROVIDES) for h in kin), key=len)
