"""One Ray cluster for all tests of a session, and queues on it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

os.environ["RAY_AUTH_MODE"] = (
    "disabled"  # before ray is imported, or it writes a token into the home directory
)
sys.path.insert(0, str(Path(__file__).parent))

import ray_forgetful
from ray_bench import NAMESPACE, kill_actor, new_prefix
from ray_fabric_bench import HERE, example_wheel, wheel

from peagen_ray.queues.ray import RayQueue
from peagen_ray.testing.ports import free_ports

(_CLIENT_PORT,) = free_ports(1)
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A running ``ray.cluster_utils.Cluster``: a head that runs no tasks, and a node with two CPUs."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="pr")  # sockets lie under it: its name must be short
    os.environ["RAY_TMPDIR"] = folder
    before = os.environ.get("PYTHONPATH", "")
    plugins = wheel(Path(folder) / "wheel")
    example = map(str, example_wheel(Path(folder) / "example"))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(plugins), str(HERE), *example, before])
    )  # its workers have the tests' handlers installed, and a wheel of somebody else's
    small = {"object_store_memory": 80_000_000, "include_dashboard": False}
    running = Cluster()
    try:
        running.add_node(num_cpus=0, ray_client_server_port=_CLIENT_PORT, **small)
        running.add_node(num_cpus=2, **small)
        yield running
    finally:
        running.shutdown()
        del os.environ["RAY_TMPDIR"]
        os.environ.pop("PYTHONPATH")
        if before:
            os.environ["PYTHONPATH"] = before
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def client_address(cluster: Any) -> str:
    """Where the cluster's Ray client server listens."""
    return f"ray://127.0.0.1:{_CLIENT_PORT}"


@pytest.fixture(scope="session")
def connected(cluster: Any) -> Iterator[Any]:
    """The cluster, with this process as one of its drivers."""
    import ray

    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()


@pytest.fixture
def open_queue(connected: Any, tmp_path: Path) -> Iterator[Callable[..., RayQueue]]:
    """Opens handles on one new queue, whose prefix is ``open_queue.prefix``; its actor ends with the test."""
    prefix = new_prefix()
    with ExitStack() as stack:

        def make(**options: Any) -> RayQueue:
            options = {"prefix": prefix, "root": str(tmp_path / "queue"), **options}
            return stack.enter_context(RayQueue.from_url("", **options))

        make.prefix = prefix  # type: ignore[attr-defined]
        yield make
    kill_actor(prefix)


@pytest.fixture(scope="session")
def pool(connected: Any) -> Iterator[Pool]:
    """Queues whose actors serve one test after the other, since it takes a second to start one."""
    with Pool() as running:
        yield running


class Pool:
    """Actors that forget everything when they are asked to."""

    def __init__(self) -> None:
        self._free: list[str] = []
        self._used: list[str] = []
        self._root = Path(tempfile.mkdtemp(prefix="pq"))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for prefix in self._free + self._used:
            kill_actor(prefix)
        shutil.rmtree(self._root, ignore_errors=True)

    def queue(self, **options: Any) -> RayQueue:
        """A handle on an empty queue."""
        import ray

        prefix = self._free.pop() if self._free else self._start()
        self._used.append(prefix)
        actor = ray.get_actor(f"{prefix}queue", namespace=NAMESPACE)
        root = self._root / str(next(_NUMBERS))
        ray.get(actor.forget.remote(str(root)), timeout=30)
        return RayQueue.from_url("", prefix=prefix, **options)

    def take_back(self) -> None:
        """Let the next test have all of them."""
        self._free += self._used
        self._used.clear()

    def _start(self) -> str:
        import ray

        prefix = new_prefix()
        ray.cloudpickle.register_pickle_by_value(ray_forgetful)
        make = ray.remote(ray_forgetful.ForgetfulActor).options(
            name=f"{prefix}queue", namespace=NAMESPACE, lifetime="detached", num_cpus=0, max_concurrency=1000
        )
        make.remote(prefix)
        return prefix
