"""In programs that run on Ray already: tasks, queues and runs use their cluster, and start no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import peagen_ray
from peagen_ray import Status, Task, TaskKind
from peagen_ray.errors import Unservable
from peagen_ray.queues.ray import RayQueue
from peagen_ray.runtime.progress import Silent

SOURCE = (
    "def f(xs: list[int]) -> list[int]:\n    r = []\n    for x in xs:\n        r = r + [x]\n    return r\n"
)


def mutation(seed: int = 1, **fields: Any) -> Task:
    payload = {"source": SOURCE, "entry": "f", "seed": seed, "mutator": "genetic"}
    return Task(kind=TaskKind.MUTATE, payload=payload, **fields)


@pytest.fixture(autouse=True)
def workspace(connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(SOURCE)
    return tmp_path


def test_a_submitted_task_gives_a_reference_to_its_result() -> None:
    import ray

    task = mutation()
    result = ray.get(peagen_ray.submit(task), timeout=60)
    assert result.task_id == task.id
    assert result.status is Status.OK
    assert result.data["provenance"]["worker"].startswith("ray-")


def test_a_task_goes_where_its_placement_says(connected: Any) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    chosen = next(node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
    strategy = NodeAffinitySchedulingStrategy(chosen, soft=False)
    result = ray.get(peagen_ray.submit(mutation(), scheduling_strategy=strategy), timeout=60)
    assert result.data["provenance"]["worker"].startswith(f"ray-{chosen[:8]}")


def test_a_task_that_nothing_can_run_is_refused_by_the_name_of_its_tag() -> None:
    with pytest.raises(Unservable) as refused:
        peagen_ray.submit(mutation(requires=frozenset({"rust"})))
    assert refused.value.missing == ("rust",)


def test_a_payload_that_no_handler_can_use_is_a_result_too() -> None:
    import ray

    result = ray.get(
        peagen_ray.submit(mutation().model_copy(update={"payload": {"timeout": -1}})), timeout=60
    )
    assert result.status is Status.ERROR


def test_tasks_and_actors_submit_and_open_the_queue() -> None:
    import ray

    def within(source: str) -> tuple[str, str]:
        import ray

        payload = {"source": source, "entry": "f", "seed": 1, "mutator": "genetic"}
        made = ray.get(peagen_ray.submit(Task(kind=TaskKind.MUTATE, payload=payload)))
        with peagen_ray.open_queue() as queue:
            assert queue.pending_count() == 0
            return made.status.value, type(queue).__name__

    assert ray.get(ray.remote(num_cpus=1)(within).remote(SOURCE), timeout=60) == ("ok", RayQueue.__name__)


@pytest.mark.slow
def test_an_actor_evolves_a_program_with_its_clusters_workers(workspace: Path) -> None:
    import ray

    class Driver:
        def go(self, path: str) -> tuple[int, str]:
            from peagen_ray.runtime.progress import Silent

            result = peagen_ray.evolve(path, generations=1, generation_size=4, seed=1, observer=Silent())
            return result.told, result.stopped

    quick = {"env_vars": {"PEAGEN__EVALUATE__WINNER_S": "0.5"}}
    actor = ray.remote(num_cpus=0, runtime_env=quick)(Driver).remote()
    assert ray.get(actor.go.remote(str(workspace / "t.py")), timeout=200) == (4, "max_generations")
    names = [row["name"] for row in ray.util.list_named_actors(all_namespaces=True)]
    assert not [name for name in names if name.startswith("peagen.dispatcher")]


@pytest.mark.nightly
def test_a_run_of_a_connected_program_leaves_nothing_that_holds_resources(workspace: Path) -> None:
    import ray

    result = peagen_ray.evolve("t.py", generations=1, seed=1, observer=Silent())
    assert result.told == 10
    names = [row["name"] for row in ray.util.list_named_actors(all_namespaces=True)]
    assert not [name for name in names if name.startswith("peagen.dispatcher")]
    assert ray.is_initialized()
