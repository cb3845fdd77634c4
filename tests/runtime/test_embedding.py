"""The package as a library: evolving from a program, without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import peagen_ray
from peagen_ray.errors import ConfigError, TargetError, UsageError
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime import embedding
from peagen_ray.runtime.progress import Silent
from peagen_ray.runtime.settings import RunRequest

SOURCE = (
    "def f(xs: list[int]) -> list[int]:\n    r = []\n    for x in xs:\n        r = r + [x]\n    return r\n"
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunRequest]:
    """What runs would be asked to do; nothing is run."""
    requests: list[RunRequest] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedding, "_on_ray", lambda: False)
    monkeypatch.setattr(embedding, "run_evolution", lambda request, _: requests.append(request))
    return requests


@pytest.mark.slow
def test_a_file_is_evolved_from_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedding, "_on_ray", lambda: False)
    monkeypatch.setenv("PEAGEN__EVALUATE__WINNER_S", "0.5")
    Path("t.py").write_text(SOURCE)
    result = peagen_ray.evolve(
        "t.py", generations=1, generation_size=4, seed=1, output="best.py", observer=Silent()
    )
    assert result.told == 4
    assert Path("best.py").read_text() == result.source


def test_keywords_are_keys_of_the_configuration(asked: list[RunRequest]) -> None:
    Path(".peagen.toml").write_text("[evolve]\nseed = 5\ngeneration_size = 3\n")
    peagen_ray.evolve("t.py", "f", generations=7, run_timeout="90s", seed=6, concurrency=3)
    (request,) = asked
    config = request.config
    assert config.evolve.stop.max_generations == 7
    assert config.evolve.stop.run_timeout is not None
    assert config.evolve.stop.run_timeout.total_seconds() == 90
    assert (config.evolve.seed, config.evolve.generation_size, config.evolve.entry_fn) == (6, 3, "f")
    assert (request.concurrency, request.concurrency_chosen) == (3, True)


def test_an_unknown_keyword_names_the_nearest(asked: list[RunRequest]) -> None:
    with pytest.raises(UsageError) as refused:
        peagen_ray.evolve("t.py", generation=1)
    assert refused.value.subject == "generation"
    assert "generations" in refused.value.hint
    assert not asked


def test_a_wrong_value_names_the_keyword(asked: list[RunRequest]) -> None:
    with pytest.raises(ConfigError, match="generations"):
        peagen_ray.evolve("t.py", generations=0)
    assert not asked


def test_a_function_of_a_file_is_found_there(asked: list[RunRequest]) -> None:
    peagen_ray.evolve(_own)
    assert asked[0].target.resolve() == Path(__file__).resolve()
    assert asked[0].config.evolve.entry_fn == "_own"


def test_a_function_of_no_file_gets_one(asked: list[RunRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    import linecache

    name = "<cell 1>"
    monkeypatch.setitem(linecache.cache, name, (len(SOURCE), None, SOURCE.splitlines(keepends=True), name))
    scope: dict[str, Any] = {}
    exec(compile(SOURCE, name, "exec"), scope)
    peagen_ray.evolve(scope["f"])
    assert asked[0].target.read_text() == SOURCE
    assert asked[0].config.evolve.entry_fn == "f"


def test_what_has_no_source_is_refused(asked: list[RunRequest]) -> None:
    with pytest.raises(TargetError, match="source"):
        peagen_ray.evolve(len)
    assert not asked


def test_a_queue_is_opened_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedding, "_on_ray", lambda: False)  # other tests' cluster may still be connected
    with peagen_ray.open_queue() as queue:
        assert isinstance(queue, StubQueue)


def test_a_task_is_not_submitted_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_on_ray", lambda: False)
    with pytest.raises(UsageError, match="not connected to Ray"):
        peagen_ray.submit(peagen_ray.Task(kind=peagen_ray.TaskKind.MUTATE, payload={}))


def _own(xs: list[int]) -> list[int]:
    return sorted(xs)
