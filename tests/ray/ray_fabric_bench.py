"""Dispatchers on a cluster of several nodes, and their queues. Not a test."""

from __future__ import annotations

import itertools
import os
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ray_bench import kill_actor, new_prefix
from ray_doers import NAMES, Phone

from peagen_ray.config.model import Config
from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric.host import Hosted
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.dispatching import host, leave
from peagen_ray.runtime.local import open_queue
from peagen_ray.task import Result, Task, TaskKind

LONG_S = 60.0
SMALL = {"object_store_memory": 80_000_000, "include_dashboard": False}
HERE = Path(__file__).parent
PLUGINS = (*NAMES, "ExecuteDockerHandler", "ExecuteGPUHandler")
_NUMBERS = itertools.count()
_said: dict[str, list[str]] = {}


def wheel(root: Path) -> Path:
    """A directory that, on Python's path, is an installed wheel with the tests' handlers; made if need be."""
    info = root / "peagen_doers-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: peagen-doers\nVersion: 1\n")
    lines = "".join(f"{name} = ray_doers:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(
        f"[peagen.task_handlers]\n{lines}[peagen.task_queues]\nwatched = ray_watched:WatchedQueue\n"
    )
    return root


def example_wheel(root: Path) -> tuple[Path, Path]:
    """What on Python's path is the example of a third party's wheel, installed: its metadata, and its modules."""
    source = HERE.parents[1] / "examples" / "peagen-shortcuts"
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    info = root / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{a} = {b}" for a, b in names.items())])
        for group, names in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return root, source


def task(do: str = "nothing", *requires: str, **payload: Any) -> Task:
    return Task(kind=TaskKind.RENDER, requires=frozenset(requires), payload={"do": do, **payload})


def wait_for(happened: Callable[[], Any], what: str = "", seconds: float = LONG_S) -> Any:
    """What ``happened`` returns as soon as that is true; for what nobody tells of."""
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end, f"never happened: {what or happened}"
        time.sleep(0.05)
    return found


class Fabric:
    """A queue, and dispatchers that serve it; all end with the block.

    Attributes:
        config: what they are made from.
        queue: the queue.
        phone: where handlers ask what to do.
    """

    def __init__(self, root: Path, provider: str = "ray", url: str = "", **tables: dict[str, Any]) -> None:
        self.prefix = new_prefix()
        queue = {"provider": provider, "url": url, "prefix": self.prefix, **tables.pop("task_queue", {})}
        plain: dict[str, Any] = {
            "task_queue": queue,
            "result_backend": {"root": str(root / "results")},
            "worker": {"defaults": {"plugins": list(PLUGINS)}},
            "fabric": {"kill_after": 0.5},
        }
        self.config = Config.model_validate({**plain, **tables})
        self.phone = Phone()
        self._stack = ExitStack()
        self.queue: TaskQueue

    def __enter__(self) -> Fabric:
        self._stack.callback(lambda: self.phone.close())
        if self.config.task_queue.provider != "redis":
            self._stack.callback(kill_actor, self.prefix)
        self.queue = self._stack.enter_context(open_queue(self.config))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def new_phone(self) -> None:
        """Whoever calls for what an earlier test has left gets no answer."""
        self.phone.close()
        self.phone = Phone()

    def serve(self, **options: Any) -> Hosted:
        """A dispatcher."""
        hosted = host(self.config, f"d{next(_NUMBERS)}", **options)
        self._stack.callback(leave, hosted)
        return hosted

    def calling(self, *requires: str, **payload: Any) -> Task:
        """A task whose handler asks by telephone."""
        return task("call", *requires, phone=self.phone.number, **payload)

    def call(self) -> Any:
        return self.phone.call(LONG_S)

    def add(self, one: Task) -> Task:
        self.queue.enqueue(one)
        return one

    def result(self, one: Task) -> Result:
        result = self.queue.wait_for_result(one.id, LONG_S)
        assert result is not None, self.queue.inspect(one.id)
        return result

    def do(self, do: str = "nothing", *requires: str, **payload: Any) -> Result:
        return self.result(self.add(task(do, *requires, **payload)))


def hear(hosted: Hosted, words: str) -> str:
    """What a dispatcher has said that contains those words, as soon as it has."""

    def heard() -> str:
        said = _said.setdefault(hosted.name, [])
        said += [text for _, text in status_of(hosted).get("said", ())]
        return next((text for text in said if words in text), "")

    return str(wait_for(heard, words))


def status_of(hosted: Hosted) -> dict[str, Any]:
    """How a dispatcher stands; nothing while its actor is away."""
    try:
        return hosted.status()
    except BrokerUnavailable:
        return {}


def place_of(result: Result) -> tuple[str, int]:
    """The beginning of the id of the node, and the Ray worker's process, in which a handler ran."""
    _, node, worker = result.data["provenance"]["worker"].split("-")
    return node, int(worker)


def node_ids(**resources: float) -> set[str]:
    """The beginnings of the ids of the live nodes that declare all of these."""
    import ray

    alive = [row for row in ray.nodes() if row["Alive"]]
    return {
        row["NodeID"][:8]
        for row in alive
        if all(row["Resources"].get(name, 0) >= amount for name, amount in resources.items())
    }


def ray_worker_of(pid: int) -> int:
    """The Ray worker above a process."""
    while not _command(pid).startswith(b"ray::"):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert pid > 1
    return pid


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@contextmanager
def extra_node(cluster: Any, **options: Any) -> Iterator[Any]:
    """A further node, unless the test removes it itself."""
    node = cluster.add_node(**{"num_cpus": 1, **SMALL, **options})
    try:
        yield node
    finally:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)
