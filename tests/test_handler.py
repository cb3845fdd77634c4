"""The choice of a handler for a task, and the context that it runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.errors import AmbiguousHandler, Unservable
from peagen_ray.handler import HandlerContext, TaskHandler, can_serve, choose, current, handling
from peagen_ray.task import Result, Task, TaskKind

EVERYTHING = frozenset({"cpu", "gpu", "cuda12", "llm", "docker", "internet", "gcc13"})


def a_handler(
    *provides: str, kind: TaskKind = TaskKind.EXECUTE, wants: str = "", name: str = "Handler"
) -> TaskHandler:
    class Handler(TaskHandler):
        KIND = kind
        PROVIDES = frozenset(provides)

        def dispatch(self, task: Task) -> bool:
            return not wants or task.payload.get("sandbox", wants) == wants

        def handle(self, task: Task) -> Result:
            return Result.success(task, {})

    Handler.__name__ = name
    return Handler()


def a_task(*requires: str, **payload: str) -> Task:
    return Task(kind=TaskKind.EXECUTE, requires=frozenset(requires), payload=payload)


@pytest.mark.parametrize(
    ("provides", "requires", "offered", "fits"),
    [
        (["cpu"], [], ["cpu"], True),
        (["cpu"], ["cpu"], ["cpu"], True),
        (["docker", "cpu"], [], ["cpu"], False),
        (["cpu"], ["gcc13"], ["cpu"], False),
        (["cpu"], ["gcc13"], ["cpu", "gcc13"], True),
        (["cpu"], ["gpu"], ["cpu", "gpu"], False),
        (["cpu"], ["internet"], ["cpu", "internet"], False),
        (["gpu", "cuda11/12"], ["gpu", "cuda12"], ["gpu", "cuda12"], True),
        (["gpu", "cuda11/12"], ["cuda11"], ["gpu", "cuda12"], False),
        (["gpu", "cuda11/12"], ["cuda11/12"], ["gpu", "cuda11"], True),
        (["gpu", "cuda11/12"], ["gpu"], ["gpu"], False),
    ],
)
def test_the_rule_of_capabilities(
    provides: list[str], requires: list[str], offered: list[str], fits: bool
) -> None:
    assert can_serve(a_handler(*provides), a_task(*requires), frozenset(offered)) is fits


def test_the_kind_and_the_handler_itself_have_a_say() -> None:
    assert not can_serve(a_handler("cpu", kind=TaskKind.RENDER), a_task(), EVERYTHING)
    assert not can_serve(a_handler("cpu", wants="process"), a_task(sandbox="container"), EVERYTHING)


def test_a_handler_wants_its_kind_and_provides_a_cpu_unless_it_says_otherwise() -> None:
    class Plain(TaskHandler):
        KIND = TaskKind.RENDER

        def handle(self, task: Task) -> Result:
            return Result.success(task, {})

    task = Task(kind=TaskKind.RENDER)
    assert can_serve(Plain(), task, frozenset({"cpu"}))
    assert not can_serve(Plain(), task, frozenset())


def test_of_those_that_qualify_the_one_that_provides_least_is_chosen() -> None:
    small, large = a_handler("cpu"), a_handler("cpu", "docker")
    assert choose([large, small], a_task(), EVERYTHING) is small
    assert choose([large, small], a_task("docker"), EVERYTHING) is large
    process, container = a_handler("cpu", wants="process"), a_handler("cpu", wants="container")
    assert choose([process, container], a_task(sandbox="container"), EVERYTHING) is container


def test_a_tie_names_both() -> None:
    handlers = [a_handler("cpu", name="First"), a_handler("gpu", name="Second")]
    with pytest.raises(AmbiguousHandler, match="First and Second"):
        choose(handlers, a_task(), EVERYTHING)


@pytest.mark.parametrize(
    ("handlers", "requires", "offered", "missing"),
    [
        ([], [], ["cpu"], ("a handler for execute",)),
        ([a_handler("cpu", kind=TaskKind.RENDER)], [], ["cpu"], ("a handler for execute",)),
        ([a_handler("cpu", wants="process")], [], ["cpu"], ("a handler for execute",)),
        ([a_handler("docker", "gpu"), a_handler("docker")], [], ["cpu"], ("docker",)),
        ([a_handler("cpu")], ["rust", "gcc13"], ["cpu"], ("gcc13", "rust")),
        ([a_handler("cpu")], ["gpu"], ["cpu", "gpu"], ("gpu",)),
        ([a_handler("gpu", "cuda11/12")], [], ["gpu"], ("cuda11/12",)),
    ],
)
def test_what_is_missing_is_named(
    handlers: list[TaskHandler], requires: list[str], offered: list[str], missing: tuple[str, ...]
) -> None:
    task = a_task(*requires, sandbox="container")
    with pytest.raises(Unservable) as caught:
        choose(handlers, task, frozenset(offered))
    assert caught.value.missing == missing
    assert task.id in str(caught.value)


def test_the_context_is_there_while_a_task_is_handled(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        current()
    outer, inner = HandlerContext(tmp_path), HandlerContext(tmp_path, worker="inner")
    with handling(outer):
        with handling(inner):
            assert current() is inner
        assert current() is outer
    with pytest.raises(LookupError):
        current()


def test_a_handler_must_handle() -> None:
    with pytest.raises(TypeError):
        TaskHandler()  # type: ignore[abstract]
