"""A render from beginning to end: the plan, its tasks, and the files that come of their Results."""

from __future__ import annotations

import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from peagen_ray.config.model import Config
from peagen_ray.errors import EnvelopeError, ProjectError, RenderError
from peagen_ray.rendering.chunks import Chunks
from peagen_ray.rendering.environment import make_environment
from peagen_ray.rendering.parts import Carried, Parts, Shared
from peagen_ray.rendering.payload import Payload
from peagen_ray.rendering.plan import Plan
from peagen_ray.rendering.tree import Change, OutputTree
from peagen_ray.rendering.work import Rendered, limited
from peagen_ray.rendering.work import render as render_text
from peagen_ray.runtime.authored import Authored, known_texts
from peagen_ray.runtime.authors import Authors, spend_lines
from peagen_ray.runtime.elsewhere import Elsewhere, place_of, requirements, through_queue, withdraw
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.leftovers import PREFIX, cancel_left, remembered, sweep, tasks_remembered
from peagen_ray.runtime.local import LocalFabric, shared_root
from peagen_ray.runtime.tasks import LLM_TAGS
from peagen_ray.task import Result, Status, Task, TaskKind

_PRELOAD: Final = ("peagen_ray.rendering.work",)
_SPREAD: Final = 32
"""Tasks into which a render goes for workers elsewhere, about."""
_WINDOW: Final = 64
"""Tasks on their way at a time."""

Sent = Callable[[str], None]
"""Is told the id of every task before it is enqueued."""


class _Means(NamedTuple):
    """What does the tasks, what makes them, and who is told of each."""

    fabric: Fabric
    chunks: list[Chunks]
    sent: Sent


class RenderObserver(Protocol):
    """Is told how a render goes on."""

    def note(self, text: str) -> None:
        """Something that a person should know."""

    def progress(self, done: int, total: int) -> None:
        """So many of all outputs are done."""


@dataclass(frozen=True)
class RenderRequest:
    """A render, as a person asks for it.

    Attributes:
        config: the effective configuration.
        out: the directory of the outputs.
        check: compare only, and write nothing.
        concurrency: tasks at a time, where they are done in this process.
        project: the directory of the project; what models wrote is kept there.
        regenerate: ask models for all that they write, also what is kept and still as it should be.
    """

    config: Config
    out: Path
    check: bool = False
    concurrency: int = 1
    project: Path = Path()
    regenerate: bool = False

    def authored(self, say: Callable[[str], None]) -> Authored:
        """What models wrote for it before."""
        return Authored(self.project, self.config, forget=self.regenerate, say=say)


@dataclass
class RenderSummary:
    """What a render came to.

    Attributes:
        changes: the paths of outputs by what was, or with ``check`` would be, done.
        failed: what went wrong, by path.
        skipped: why an output was not made, by path.
    """

    changes: dict[Change, list[str]] = field(default_factory=lambda: {each: [] for each in Change})
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def would_change(self) -> list[str]:
        """The paths that are not as they should be, sorted."""
        return sorted([*self.changes[Change.NEW], *self.changes[Change.CHANGED]])

    def to_data(self) -> dict[str, Any]:
        """As JSON has it."""
        changes = {each.value: sorted(paths) for each, paths in self.changes.items()}
        return {**changes, "failed": dict(self.failed), "skipped": dict(self.skipped)}


def render(job: Payload, request: RenderRequest, observer: RenderObserver) -> RenderSummary:
    """Render the outputs of a job as tasks, and write each as soon as it is there; then those that models write.

    An output that fails leaves its file as it was, and does not keep the others from being written. What a model
    should write is skipped where no back-end is configured.

    Args:
        job: what is to be made.
        request: how.
        observer: told how it goes on, and the most that may be spent before anything is.

    Raises:
        ProjectError: the data cannot travel.
        KeyRefused: a back-end is to be asked from here, and its key is missing.
        ConfigError: there are back-ends, and none may be asked.
        BrokerUnavailable: the broker does not answer.
    """
    run_id = f"render-{secrets.token_hex(8)}"
    authors = _authors(job, request, run_id, observer)
    texts: dict[str, str] = {}
    keep = texts.__setitem__ if job.generated else _forget
    with OutputTree(request.out, check=request.check) as tree:
        writing = _Writing(job, tree, observer, keep)
        writing.copy()
        with ExitStack() as stack:
            means = None
            if authors or any(plan.units for plan in job.plans):
                means = stack.enter_context(_means(job.plans, request, run_id, observer, llm=bool(authors)))
                for plan, numbers, results in _answers(means):
                    writing.receive(plan, numbers, results)
            if job.generated:
                _generate(job, request, texts, writing, means, authors)
            if means is not None:
                for problem in means.fabric.problems:
                    observer.note(problem)
    return writing.summary


def _authors(job: Payload, request: RenderRequest, run_id: str, observer: RenderObserver) -> Authors | None:
    """Who writes what models should; nobody if there is nothing of that sort to do, or no back-end."""
    if not job.generated or request.check or not request.config.llm.backends:
        return None
    authors = Authors(request.config, run_id, request.authored(observer.note), observer.note)
    authors.check(here=not through_queue(request.config))
    return authors


def _nobody(_task_id: str) -> None:
    return


def _forget(_path: str, _text: str) -> None:
    return


def _generate(
    job: Payload,
    request: RenderRequest,
    texts: dict[str, str],
    writing: _Writing,
    means: _Means | None,
    authors: Authors | None,
) -> None:
    say, files = writing.observer.note, job.generated
    texts = dict(texts)  # a prompt may include no file of a model that its own does not depend on
    written = known_texts(request.authored(say), files, texts)
    for line in () if request.check else spend_lines(request.config, files, texts, written):
        say(line)
    if request.check and request.config.llm.backends:
        for one in files:
            path = one.record.path
            writing.compare(path, written.get(path))
        return
    if means is None or authors is None:
        for one in files:
            writing.summary.skipped[one.record.path] = "no language model back-end is configured"
        writing.advance(len(files))
        return
    for each in authors.write(means.fabric, files, texts, means.sent):
        if each.text is None:
            writing.summary.failed[each.path] = each.why
        else:
            writing.put(each.path, each.text)
        writing.advance(1)
    say(authors.bill())


def rendered_here(job: Payload) -> dict[str, str]:
    """The texts that prompts may include, rendered in this process; those that fail are not there."""
    texts: dict[str, str] = {}
    for plan in job.plans:
        environment = make_environment(plan.library.get, plan.library.settings)
        environment.globals.update(plan.data)
        for unit in plan.units:
            with suppress(Exception), limited(plan.timeout):
                texts[unit.path] = render_text(environment, unit.template, unit.values)
    return texts


@contextmanager
def _means(
    plans: Sequence[Plan], request: RenderRequest, run_id: str, observer: RenderObserver, *, llm: bool
) -> Iterator[_Means]:
    """What does the tasks, and what makes them; parts that were shared are gone at the end."""
    config = request.config
    sweep(request.out, observer.note)
    with ExitStack() as stack:
        fabric: Fabric
        sent: Sent = _nobody
        if through_queue(config):
            observer.note(f"tasks go to the workers of the queue {place_of(config)}")
            parts = _parts_elsewhere(request, run_id, stack)
            needed = requirements({TaskKind.RENDER: {"render": "1"}}).get(TaskKind.RENDER, frozenset())
            spread = _SPREAD
            fabric = stack.enter_context(Elsewhere(config, observer.note))
            name = f"{place_of(config)} {config.task_queue.prefix}"
            left = cancel_left(request.out, fabric.queue, name)
            if left:
                observer.note(f"cancelled what a render that was killed left in the queue: {left} tasks")
            sent = stack.enter_context(tasks_remembered(request.out, run_id, name))
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
            stack.enter_context(remembered(request.out, run_id, str(folder)))
            keep = (Path.cwd(), folder)
            parts, spread, needed = Shared(str(folder)), 4 * request.concurrency, frozenset()
            offered = frozenset({"cpu"}) | (LLM_TAGS if llm else frozenset())
            local = LocalFabric(config, request.concurrency, keep, offered, _PRELOAD)
            fabric = stack.enter_context(local)
        chunks = [
            Chunks(plan, parts, f"{run_id}/{number}", spread, needed)
            for number, plan in enumerate(plans)
            if plan.units
        ]
        yield _Means(fabric, chunks, sent)


def _parts_elsewhere(request: RenderRequest, run_id: str, stack: ExitStack) -> Parts:
    root = shared_root(request.config)
    if not root:
        return Carried()
    shared = Shared(f"{root}/.parts/{run_id}")
    stack.enter_context(remembered(request.out, run_id, shared.root))
    stack.callback(shared.remove)
    return shared


def _answers(means: _Means) -> Iterator[tuple[Plan, range, list[Result]]]:
    """The plan, the outputs' numbers and the Results of each task, follow-ups included, in order."""
    waiting: deque[tuple[Plan, Task, range]] = deque()
    fabric, chunks, sent = means
    source = ((each.plan, task, numbers) for each in chunks for task, numbers in each.tasks())
    try:
        while True:
            while len(waiting) < _WINDOW and (following := next(source, None)) is not None:
                waiting.append(following)
                sent(following[1].id)
                fabric.queue.enqueue(following[1])
            if not waiting:
                return
            plan, task, numbers = waiting[0]
            results = list(_results(fabric, task.id))
            waiting.popleft()
            yield plan, numbers, results
    finally:
        withdraw(fabric.queue, [task.id for _, task, _ in waiting])


def _results(fabric: Fabric, task_id: str) -> Iterator[Result]:
    following: str | None = task_id
    while following is not None:
        result = fabric.wait(following)
        yield result
        following = result.data.get("rest") if result.status is Status.OK else None


class _Writing:
    """From Results to files."""

    def __init__(
        self,
        job: Payload,
        tree: OutputTree,
        observer: RenderObserver,
        keep: Callable[[str, str], None],
    ) -> None:
        self._plans = job.plans
        self._tree = tree
        self._keep = keep
        self._total = sum(len(plan.units) + len(plan.copies) for plan in job.plans) + len(job.generated)
        self._done = 0
        self.observer = observer
        self.summary = RenderSummary()

    def copy(self) -> None:
        """Put the outputs that are files as they are."""
        for copy in (copy for plan in self._plans for copy in plan.copies):
            try:
                data = copy.file.read_bytes()
            except OSError as error:
                raise ProjectError(f"cannot be read: {error.strerror}", subject=str(copy.file)) from error
            self._put(copy.path, data)
            self.advance(1)

    def receive(self, plan: Plan, numbers: range, results: Sequence[Result]) -> None:
        """Put what came of a task and its follow-ups; what did not come failed."""
        missing = dict.fromkeys(numbers)
        reason = "its task ended without it"
        for result in results:
            if result.status is not Status.OK:
                reason = str(result.data.get("msg", reason))
                continue
            try:
                rendered = Rendered.from_wire(result.data)
            except EnvelopeError as error:
                reason = f"its worker's answer is none: {error}"
                continue
            for number, text in rendered.outputs:
                if missing.pop(number, number) is None:
                    self.put(plan.units[number].path, text)
            for number, problem in rendered.failed:
                if missing.pop(number, number) is None:
                    self.summary.failed[plan.units[number].path] = str(problem)
        for number in missing:
            self.summary.failed[plan.units[number].path] = reason
        self.advance(len(numbers))

    def put(self, path: str, text: str) -> None:
        """Put an output that is a text."""
        self._keep(path, text)
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            self.summary.failed[path] = f"is no Unicode text: {error.reason}"
        else:
            self._put(path, data)

    def compare(self, path: str, text: str | None) -> None:
        """Compare a file that models write; without a text one would have to be asked for it."""
        if text is not None:
            self.put(path, text)
        else:
            there = self._tree.holds(path)
            self.summary.changes[Change.CHANGED if there else Change.NEW].append(path)
        self.advance(1)

    def _put(self, path: str, data: bytes) -> None:
        try:
            self.summary.changes[self._tree.put(path, data)].append(path)
        except RenderError as error:
            self.summary.failed[path] = str(error)

    def advance(self, done: int) -> None:
        """So many outputs more are done."""
        self._done += done
        self.observer.progress(self._done, self._total)
