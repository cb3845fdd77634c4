"""Execute: jobs are read, done in a sandbox, and answered with an Evaluate task to follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import peagen_handlers.execute as module
from peagen_handlers.execute import (
    ExecuteDockerHandler,
    ExecuteGPUHandler,
    ExecuteProcessHandler,
    evaluate_id,
)
from peagen_ray.errors import SandboxError, SandboxUnavailable, TargetError, Unservable, WorkloadError
from peagen_ray.fabric import run
from peagen_ray.handler import Confinement, HandlerContext, choose, handling
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.container import Container
from peagen_ray.sandbox.engine import Engine
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Facts, Reference, Subject
from peagen_ray.task import Result, Status, Task, TaskKind

SLOW = """def f(xs):
    total = 0
    for i in range(len(xs)):
        for j in range(len(xs)):
            if i == j:
                total = total + xs[i]
    return total
"""
FAST = "def f(xs):\n    return sum(xs)\n"
NUMBERS = (
    "sizes = (1, 30)\n\n\ndef inputs(rng, size):\n    return ([rng.randrange(9) for _ in range(size)],)\n"
)
SUBJECT = Subject(SLOW, "f", NUMBERS)
LIMITS = GuestLimits(wall_s=5.0, memory_mb=512)
REFERENCE = Reference(10, 2, 0.005, 200.0, (b"call",), (b"answer",), 1, (b"more",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reference.bin"


def execute(file: Path, **payload: Any) -> Task:
    common = {"subject": asdict(SUBJECT), "reference": str(file), "limits": asdict(LIMITS)}
    return Task(kind=TaskKind.EXECUTE, payload={**common, **payload})


HANDLERS: dict[str, ExecuteProcessHandler] = {
    "process": ExecuteProcessHandler(),
    "docker": ExecuteDockerHandler(),
    "gpu": ExecuteGPUHandler(),
}


def handle(task: Task, handler: ExecuteProcessHandler = HANDLERS["process"]) -> Result:
    """As in a worker: the payload has been through JSON, and so has the Result."""
    return Result.from_wire(handler.handle(Task.from_wire(task.to_wire())).to_wire())


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        ({}, "process"),
        ({"sandbox": "process"}, "process"),
        ({"sandbox": "cpu"}, "process"),
        ({"sandbox": "bubblewrap"}, "process"),
        ({"sandbox": "docker"}, "docker"),
        ({"sandbox": "container"}, "docker"),
        ({"sandbox": "gpu"}, "gpu"),
        ({"sandbox": "moon"}, None),
        ({"sandbox": ["docker"]}, None),
        ({"sandbox": None}, None),
    ],
)
def test_each_handler_wants_its_own_sandboxes(payload: dict[str, Any], wanted: str | None) -> None:
    task = Task(kind=TaskKind.EXECUTE, payload=payload)
    assert [name for name, handler in HANDLERS.items() if handler.dispatch(task)] == [wanted] * bool(wanted)


@pytest.mark.parametrize(
    ("sandbox", "offered", "chosen"),
    [
        ("cpu", {"cpu", "docker", "gpu", "cuda12"}, "process"),
        ("docker", {"cpu", "docker"}, "docker"),
        ("gpu", {"docker", "gpu", "cuda12"}, "gpu"),
        ("gpu", {"docker", "gpu", "cuda11"}, "gpu"),
    ],
)
def test_tags_and_the_payload_choose_the_handler(sandbox: str, offered: set[str], chosen: str) -> None:
    task = Task(kind=TaskKind.EXECUTE, payload={"sandbox": sandbox})
    assert choose(HANDLERS.values(), task, frozenset(offered)) is HANDLERS[chosen]


@pytest.mark.parametrize(
    ("sandbox", "offered", "missing"),
    [
        ("docker", {"cpu"}, ("docker",)),
        ("gpu", {"cpu", "docker"}, ("cuda11/12", "gpu")),
        ("gpu", {"docker", "gpu", "cuda10"}, ("cuda11/12",)),
        ("moon", {"cpu"}, ("a handler for execute",)),
    ],
)
def test_the_tags_that_a_sandbox_takes_are_named_when_they_are_missing(
    sandbox: str, offered: set[str], missing: tuple[str, ...]
) -> None:
    with pytest.raises(Unservable) as refused:
        choose(
            HANDLERS.values(), Task(kind=TaskKind.EXECUTE, payload={"sandbox": sandbox}), frozenset(offered)
        )
    assert refused.value.missing == missing


def test_the_sandbox_of_another_wheel_is_reached_by_its_name(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "names", lambda _: ("moon", "process"))
    made = loading(monkeypatch)
    task = execute(file, mode="prepare", sandbox="moon")
    assert HANDLERS["process"].dispatch(task)
    handle(task)
    assert made == [("moon", {})]


CONTAINER = {"image": "python:3", "gpus": "two", "engine": "sh -c harm", "engine_options": ["--privileged"]}
"""What a task says of its container, the last two in vain."""

WORKER = Confinement(engine="podman", engine_options=("-x",), venv="/v")


@pytest.mark.parametrize(
    ("handler", "sandbox", "made"),
    [
        ("process", "cpu", ("process", {})),
        ("process", "bubblewrap", ("bubblewrap", {})),
        (
            "docker",
            "docker",
            ("container", {"container": Container("python:3", "podman", Path("/v"), ("-x",))}),
        ),
        (
            "gpu",
            "gpu",
            ("container", {"container": Container("python:3", "podman", Path("/v"), ("-x",), "two")}),
        ),
    ],
)
def test_each_sandbox_is_made_of_what_the_worker_grants_and_the_task_asks_for(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    handler: str,
    sandbox: str,
    made: tuple[str, dict[str, Any]],
) -> None:
    found = loading(monkeypatch)
    with handling(HandlerContext(tmp_path, confinement=WORKER)):
        handle(execute(file, mode="prepare", sandbox=sandbox, container=CONTAINER), HANDLERS[handler])
    assert found == [made]


@pytest.mark.parametrize(("wish", "given"), [("all", "device=1"), ("device=1", "device=1"), ("device=0", "")])
def test_a_guest_for_a_gpu_gets_those_that_the_task_was_given(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str, given: str
) -> None:
    started: list[tuple[str, ...]] = []

    class Started(Exception):
        pass

    def boot(_launcher: object, argv: tuple[str, ...], **_: object) -> None:
        started.append(argv)
        raise Started

    monkeypatch.setattr(Engine, "find", classmethod(lambda cls, _="": cls(("docker",))))
    monkeypatch.setattr("peagen_ray.sandbox.container.Booting", boot)
    task = execute(file, mode="prepare", sandbox="gpu", container={"image": "i", "gpus": wish})
    with handling(HandlerContext(tmp_path, gpus=("1",))):
        if given:
            with pytest.raises(Started):
                handle(task, HANDLERS["gpu"])
            (argv,) = started
            assert argv[argv.index("--gpus") + 1] == given
        else:
            result = handle(task, HANDLERS["gpu"])
            assert result.data["retryable"] is False
            assert "the task may use the GPUs 1" in result.data["msg"]
            assert started == []


def test_a_container_without_an_image_is_told(file: Path) -> None:
    result = handle(execute(file, mode="prepare", sandbox="docker"), HANDLERS["docker"])
    assert result.data["retryable"] is False
    assert result.data["error"]["what"] == "no image is named"


@pytest.mark.parametrize("profile", ["tree", "gpu"])
def test_speed_is_not_measured_where_a_candidate_could_work_out_of_its_clock(
    file: Path, profile: str
) -> None:
    result = handle(execute(file, mode="prepare", profile=profile))
    assert result.data["error"]["type"] == "UsageError"
    assert "pure or threads" in result.data["error"]["hint"]


def loading(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Sandboxes are asked for by name and never made; what was asked for."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def load(_: str, name: str) -> Callable[..., SimpleNamespace]:
        def make(**options: Any) -> SimpleNamespace:
            asked.append((name, options))
            return SimpleNamespace()

        return make

    monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(module, "prepare", lambda *_: REFERENCE)
    return asked


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "payload.mode: None is none of prepare, screen, confirm"),
        ({"mode": "dance"}, "payload.mode: 'dance' is none of"),
        ({"mode": "prepare", "subject": None}, "payload.subject: "),
        ({"mode": "prepare", "seed": "x"}, "payload.seed: "),
        ({"mode": "prepare", "known": {"size": 1}}, "payload.known.repeat: "),
        ({"mode": "screen"}, "payload.source: Field required"),
        ({"mode": "confirm", "source": "", "precision": 0}, "payload.precision: "),
        ({"mode": "confirm", "source": "", "fresh": -1}, "payload.fresh: "),
        ({"mode": "confirm", "source": "", "families": 2}, "payload.families: "),
        ({"mode": "screen", "source": "", "limits": {"wall_s": "long"}}, "payload.limits.wall_s: "),
    ],
)
def test_a_payload_that_makes_no_sense_is_told_and_never_tried_again(
    file: Path, payload: dict[str, Any], message: str
) -> None:
    result = handle(execute(file, **payload))
    assert result.status is Status.ERROR
    assert result.data["msg"].startswith(message)
    assert result.data["retryable"] is False


@pytest.mark.parametrize("kind", [WorkloadError, TargetError])
def test_wrong_use_travels_with_all_that_it_says(
    file: Path, monkeypatch: pytest.MonkeyPatch, kind: type[WorkloadError | TargetError]
) -> None:
    def refuse(*_: Any) -> Reference:
        raise kind("no usable inputs", subject="slow.py", hint="write some")

    monkeypatch.setattr(module, "prepare", refuse)
    result = handle(execute(file, mode="prepare"))
    assert result.data["retryable"] is False
    assert result.data["error"] == {
        "type": kind.__name__,
        "what": "no usable inputs",
        "subject": "slow.py",
        "hint": "write some",
    }
    assert not file.exists()


def test_what_is_known_of_the_original_is_passed_on_and_the_reference_written_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def prepared(*arguments: Any) -> Reference:
        seen.extend(arguments)
        return REFERENCE

    monkeypatch.setattr(module, "prepare", prepared)
    known = {"size": 10, "repeat": 2, "slice_s": 0.005, "reference_ms": 200.0}
    result = handle(execute(file, mode="prepare", seed=7, known=known))
    assert result.data == REFERENCE.facts()
    assert Reference.from_bytes(file.read_bytes()) == REFERENCE
    assert list(file.parent.iterdir()) == [file]
    subject, sandbox, limits, seed, facts = seen
    assert (subject, limits, seed, facts) == (SUBJECT, LIMITS, 7, Facts(**known))
    assert isinstance(sandbox, ProcessSandbox)


@pytest.mark.parametrize("mode", ["screen", "confirm"])
def test_a_measurement_is_followed_by_its_evaluation(
    file: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    verdict = Verdict("ok", speed=Interval(2.0, 1.9, 2.1, 8), peak_kb=3, inputs=5)
    asked: list[dict[str, Any]] = []

    def measured(*_: Any, **options: Any) -> Verdict:
        asked.append(options)
        return verdict

    monkeypatch.setattr(module, mode, measured)
    file.write_bytes(REFERENCE.to_bytes())
    task = execute(
        file,
        mode=mode,
        source=FAST,
        seed=7,
        fresh=9,
        precision=0.02,
        most_s=0.5,
        families=4,
        evaluator="mine",
    )
    result = handle(task)
    assert result.data["outcome"] == "ok"
    (follow_up,) = (Task.from_wire(json.dumps(spawned)) for spawned in result.data["spawn"])
    assert follow_up.kind is TaskKind.EVALUATE
    assert follow_up.id == result.data["evaluate"] == evaluate_id(task.id)
    assert follow_up.payload == {"verdict": verdict.to_data(), "reference_ms": 200.0, "evaluator": "mine"}
    if mode == "confirm":
        assert asked == [{"seed": 7, "precision": 0.02, "most_s": 0.5, "fresh": 9, "families": 4}]


def test_the_evaluation_of_a_task_has_one_id_whenever_the_task_runs() -> None:
    first, second = "0" * 32, "1" * 32
    assert evaluate_id(first) == evaluate_id(first) != evaluate_id(second)


def test_a_missing_reference_may_be_there_when_it_is_tried_again(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        handle(execute(file, mode="screen", source=FAST))


def test_without_a_launcher_there_is_no_sandbox(file: Path, tmp_path: Path) -> None:
    with handling(HandlerContext(tmp_path)), pytest.raises(SandboxError, match="no launcher"):
        handle(execute(file, mode="prepare"))


def test_what_a_machine_lacks_is_told_and_never_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Reference:
        raise SandboxUnavailable("without seccomp", hint="use another kernel")

    monkeypatch.setattr(module, "prepare", refuse)
    result = handle(execute(file, mode="prepare"))
    assert result.data["retryable"] is False
    assert result.data["error"]["type"] == "SandboxUnavailable"


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
        yield launcher


def test_an_original_is_prepared_and_candidates_are_measured_against_it(
    file: Path, tmp_path: Path, launcher: Launcher
) -> None:
    with handling(HandlerContext(tmp_path, launcher=launcher)):
        facts = handle(execute(file, mode="prepare", seed=1)).data
        assert facts["reference_ms"] >= 200.0
        measured = [
            handle(execute(file, mode=mode, source=source, seed=3, fresh=2, most_s=0.1)).data
            for mode, source in (("screen", FAST), ("confirm", FAST), ("screen", "def f(xs):\n    pass\n"))
        ]
    assert [data["outcome"] for data in measured] == ["ok", "ok", "incorrect"]
    verdicts = [data["spawn"][0]["payload"]["verdict"] for data in measured]
    assert [verdict["confirmed"] for verdict in verdicts] == [False, True, False]
    assert all(verdict["speed"]["ratio"] > 1 for verdict in verdicts[:2])
    assert verdicts[2]["reason"]
    assert {data["spawn"][0]["payload"]["reference_ms"] for data in measured} == {facts["reference_ms"]}


def test_a_result_says_what_the_candidate_printed_and_what_cpu_its_guests_took(
    file: Path, tmp_path: Path, launcher: Launcher
) -> None:
    def told(**payload: Any) -> dict[str, Any]:
        context = HandlerContext(tmp_path, launcher=launcher)
        data = run.handle(HANDLERS["process"], execute(file, **payload), context).data
        found: dict[str, Any] = data["guests"]
        return found

    assert told(mode="prepare", seed=1).keys() == {"cpu_s"}
    source = "import sys\nprint('x' * 9000 + 'loaded')\n\ndef f(xs):\n    print('called', file=sys.stderr)\n"
    for mode in ("screen", "confirm"):
        guests = told(mode=mode, source=source, seed=3)
        assert guests["cpu_s"] > 0
        assert guests["stdout"].endswith("xloaded\n")
        assert len(guests["stdout"]) == 4000
        assert "called" in guests["stderr"]
    assert "stdout" not in told(mode="screen", source=FAST)


def test_a_worker_that_shares_no_files_makes_the_reference_again_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading(monkeypatch)
    made: list[Any] = []
    seen: list[Reference] = []

    def prepare(subject: Subject, sandbox: Any, limits: Any, seed: int, known: Any = None) -> Reference:
        made.append((seed, known))
        return REFERENCE

    def screen(sandbox: Any, limits: Any, subject: Any, reference: Reference, *_: Any, **__: Any) -> Verdict:
        seen.append(reference)
        return Verdict("incorrect", "wrong")

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "screen", screen)
    facts = Facts(10, 2, 0.005, 200.0)
    prepared = {"seed": 7, "known": asdict(facts)}
    common = {"subject": asdict(SUBJECT), "reference": None, "limits": asdict(LIMITS)}

    def do(cache: Path, **payload: Any) -> Result:
        with handling(HandlerContext(tmp_path, cache=cache)):
            task = Task(kind=TaskKind.EXECUTE, payload={**common, **payload})
            return ExecuteProcessHandler().handle(task)

    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    assert do(here, mode="prepare", seed=7).status is Status.OK
    for _ in range(2):
        assert do(here, mode="screen", source=FAST, prepared=prepared).status is Status.OK
    assert made == [(7, None)]
    for _ in range(2):
        assert do(elsewhere, mode="screen", source=FAST, prepared=prepared).status is Status.OK
    assert made == [(7, None), (7, facts)]
    assert seen == [REFERENCE] * 4
    refused = do(here, mode="screen", source=FAST)
    assert refused.status is Status.ERROR
    assert "neither reference nor prepared" in refused.data["msg"]
