"""Execute tasks that have an evaluator of somebody's own judge a candidate: what they say, and who does them."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers.evaluate import EvaluateHandler, SpeedEvaluateHandler
from peagen_handlers.execute import ExecuteDockerHandler, ExecuteEvaluationHandler, ExecuteProcessHandler
from peagen_ray.handler import HandlerContext, choose, handling
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.task import Result, Status, Task, TaskKind

EVALUATOR = "import runpy\ndef evaluate(path):\n    return {'combined_score': runpy.run_path(path)['f']()}\n"
LIMITS = GuestLimits(memory_mb=2048)


def packed(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evaluator.py", text)
    return buffer.getvalue()


def job(source: str = "def f():\n    return 7\n", **more: Any) -> Task:
    content = packed(EVALUATOR)
    payload = {
        "mode": "evaluate",
        "evaluator": "module",
        "options": {"file": "evaluator.py"},
        "source": source,
        "content": base64.b64encode(content).decode(),
        "digest": hashlib.sha256(content).hexdigest(),
        "timeout_s": 20.0,
        "limits": asdict(LIMITS),
    }
    return Task(kind=TaskKind.EXECUTE, payload={**payload, **more})


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
        yield launcher


@pytest.fixture
def handled(launcher: Launcher, tmp_path: Path) -> Callable[..., Result]:
    def of(task: Task, **context: Any) -> Result:
        with handling(HandlerContext(tmp_path, launcher=launcher, **context)):
            answer = ExecuteEvaluationHandler().handle(Task.from_wire(task.to_wire()))
        return Result.from_wire(answer.to_wire())

    return of


def test_a_score_is_self_reported_and_final(handled: Callable[..., Result]) -> None:
    executed = handled(job())
    assert executed.status is Status.OK
    (follow_up,) = executed.data["spawn"]
    judged = SpeedEvaluateHandler().handle(Task.model_validate(follow_up))
    score = judged.data["score"]
    assert (score["fitness"], score["confirmed"], score["speed_ms"]) == (7.0, True, None)
    assert score["metrics"]["measured"] == "self-reported"
    assert "pid-namespace" in score["metrics"]["layers"]


def test_a_failure_has_artifacts_and_no_score(handled: Callable[..., Result]) -> None:
    (follow_up,) = handled(job("def f():\n    print('here')\n    raise OSError('no')\n")).data["spawn"]
    judged = SpeedEvaluateHandler().handle(Task.model_validate(follow_up)).data
    assert (judged["outcome"], judged["reason"], judged["score"]) == ("error", "OSError: no", None)
    assert "raise OSError" not in judged["reason"]
    assert "in f" in judged["artifacts"]["traceback"]["text"]
    assert judged["artifacts"]["printed"] == {"text": "here\n"}


@pytest.mark.parametrize(
    ("more", "outcome", "reason"),
    [
        (
            {"names": ["program.py", "pkg/a.py"]},
            "incorrect",
            "its files are not those of the program: pkg/a.py",
        ),
        ({"source": "# ---- file: ../x.py ----\n"}, "incorrect", "../x.py leads elsewhere"),
    ],
)
def test_a_candidate_whose_files_are_others_is_not_run(
    handled: Callable[..., Result], more: dict[str, Any], outcome: str, reason: str
) -> None:
    (follow_up,) = handled(job(**more)).data["spawn"]
    verdict = follow_up["payload"]["verdict"]
    assert (verdict["outcome"], verdict["reason"]) == (outcome, reason)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"digest": "0" * 64}, "the evaluator's files: are not those that the run began with"),
        ({"bundle": "/nowhere/evaluator.zip"}, "the evaluator's files cannot be read"),
        ({"evaluator": "speed"}, "judges no program by itself"),
        ({"timeout_s": 0}, "payload.timeout_s"),
    ],
)
def test_a_task_that_cannot_be_done_says_why(
    handled: Callable[..., Result], more: dict[str, Any], said: str
) -> None:
    failed = handled(job(**more))
    assert failed.status is Status.ERROR
    assert said in failed.data["msg"]
    assert failed.data["retryable"] is False


def test_an_interrupt_ends_it_and_is_no_fault_of_the_candidate(handled: Callable[..., Result]) -> None:
    @contextmanager
    def at_once(kill: Callable[[], object]) -> Iterator[None]:
        timer = threading.Timer(0.0, kill)
        timer.start()
        yield
        timer.join()

    interrupted = handled(job("def f():\n    while True: pass\n"), on_interrupt=at_once)
    assert (interrupted.status, interrupted.data["reason"]) == (Status.ERROR, "interrupted")
    assert interrupted.data["retryable"] is True


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        ({}, ExecuteEvaluationHandler),
        ({"sandbox": "cpu"}, ExecuteEvaluationHandler),
        ({"sandbox": "bubblewrap"}, ExecuteProcessHandler),
        ({"sandbox": "docker"}, ExecuteDockerHandler),
        ({"evaluator": "of another wheel"}, ExecuteProcessHandler),
        ({"mode": "screen"}, ExecuteProcessHandler),
    ],
)
def test_only_what_is_wholly_ours_runs_in_a_shared_process(payload: dict[str, Any], wanted: type) -> None:
    handlers = [ExecuteEvaluationHandler(), ExecuteProcessHandler(), ExecuteDockerHandler()]
    assert type(choose(handlers, job(**payload), frozenset({"cpu", "docker"}))) is wanted
    names = {
        handler: handler.SHARED
        for handler in (ExecuteEvaluationHandler, ExecuteProcessHandler, EvaluateHandler)
    }
    assert names == {ExecuteEvaluationHandler: True, ExecuteProcessHandler: False, EvaluateHandler: False}
