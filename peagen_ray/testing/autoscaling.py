"""A Ray cluster on this machine with Ray's real autoscaler: its nodes are local processes that come and go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.capabilities import node_resources
from peagen_ray.launcher.linux import die_with_parent
from peagen_ray.testing.ports import free_ports

_HEAD_ID: Final = "f" * 51 + "00000"
_HEAD_TYPE: Final = "ray.head.default"
"""The name by which the provider of local processes knows the head."""

_PROVIDER: Final = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
_LISTS: Final = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)
_MARK: Final = "PEAGEN_TEST_CLUSTER"
"""The variable that every process of a cluster has in its environment, with the cluster's directory."""

_STORE_BYTES: Final = 100_000_000
_START_S: Final = 120.0
_STOP_S: Final = 20.0
_LOOK_S: Final = 0.1


def node_type(caps: Collection[str], *, cpus: int = 1, gpus: int = 0, most: int = 2) -> dict[str, Any]:
    """A type of node in the words of Ray's cluster configuration; none of it runs until it is needed.

    Args:
        caps: tags that it offers beside ``cpu`` and ``gpu``.
        cpus: CPUs that it declares.
        gpus: GPUs that it declares; there need not be any.
        most: nodes of it at a time.
    """
    counted = {"CPU": cpus, "GPU": gpus, "object_store_memory": _STORE_BYTES}
    resources = {name: amount for name, amount in counted.items() if amount}
    return {
        "resources": {**resources, **node_resources(caps, FabricTable())},
        "node_config": {},
        "min_workers": 0,
        "max_workers": most,
    }


NODE_TYPES: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "cpu": node_type(()),
        "docker": node_type(("docker",)),
        "llm": node_type(("llm",)),
        "gpu": node_type(("docker", "cuda12"), gpus=1, most=1),
    }
)
"""One type for each sort of work; every one has a CPU."""


class AutoscalingCluster:
    """A head without CPUs, and an autoscaler that starts local processes as nodes and stops them when idle.

    Used with ``with``. It keeps all its files in a directory of its own, dies with this process, and at the end
    stops the processes that it started and no other. Drivers need ``RAY_AUTH_MODE=disabled`` in their environment.

    Args:
        node_types: what it may start, by name, see :func:`node_type`.
        idle_minutes: how long a node without work stays.
        max_workers: nodes at a time, the head not counted.

    Attributes:
        folder: its directory.
        address: what ``ray.init`` takes; the port is found when it starts.
        client_port: where its Ray client server listens, on the head's own address.
    """

    def __init__(
        self,
        node_types: Mapping[str, dict[str, Any]] = NODE_TYPES,
        *,
        idle_minutes: float = 0.05,
        max_workers: int = 4,
    ) -> None:
        self._types = dict(node_types)
        self._idle = idle_minutes
        self._most = max_workers
        self._head: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="peagen-scale-"))
        self.address = ""
        self.client_port = 0

    @property
    def log(self) -> str:
        """What the head has printed."""
        path = self.folder / "head.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start the head; returns when it takes work.

        Raises:
            RuntimeError: it does not start; with the end of its log.
        """
        port, *others = free_ports(3)
        self.address, self.client_port = f"127.0.0.1:{port}", others[0]
        path = self.folder / "autoscaler.json"
        path.write_text(json.dumps(self._configuration()))
        self._launch(_command(port, path, self.folder / "ray", others))
        end = time.monotonic() + _START_S
        while "Ray runtime started" not in self.log:
            if time.monotonic() > end or self._head is None or self._head.poll() is not None:
                said = self.log[-3000:]
                self.stop()
                msg = f"the cluster does not start: {said}"
                raise RuntimeError(msg)
            time.sleep(_LOOK_S)
        return self

    def _launch(self, command: list[str]) -> None:
        us = os.getpid()
        mortal = threading.current_thread() is threading.main_thread()
        with (self.folder / "head.log").open("ab") as log:
            self._head = subprocess.Popen(
                command,
                env={**os.environ, **_environment(), _MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=(lambda: die_with_parent(signal.SIGTERM, us)) if mortal else None,
            )

    def _configuration(self) -> dict[str, Any]:
        """The whole of what the autoscaler wants; every key has to be there."""
        head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
        return {
            "cluster_name": "local-autoscaling",
            "max_workers": self._most,
            "idle_timeout_minutes": self._idle,
            "head_node_type": _HEAD_TYPE,
            "available_node_types": {_HEAD_TYPE: head, **self._types},
            "provider": {
                "type": "external",
                "module": _PROVIDER,
                "use_node_id_as_ip": True,
                "disable_node_updaters": True,
                "disable_launch_config_check": True,
                "launch_multiple": True,
                "head_node_id": _HEAD_ID,
                "gcs_address": self.address,
            },
            **{key: {} for key in ("auth", "docker", "file_mounts")},
            **{key: [] for key in _LISTS},
        }

    def processes(self) -> list[int]:
        """The ids of its processes that live."""
        return [pid for pid in _pids() if _belongs(pid, self.folder)]

    def stop(self) -> None:
        """End it and remove its directory; returns when none of its processes lives."""
        if self._head is not None:
            self._head.terminate()
            try:
                self._head.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._head.kill()
                self._head.wait()
            self._head = None
        while left := self.processes():
            for pid in left:
                _kill(pid)
            time.sleep(_LOOK_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _environment() -> dict[str, str]:
    return {
        "RAY_AUTH_MODE": "disabled",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID,
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _command(port: int, configuration: Path, folder: Path, others: list[int]) -> list[str]:
    client_port, agent_port = others
    return [
        sys.executable,
        *("-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=0", "--num-gpus=0"),
        f"--port={port}",
        "--node-ip-address=127.0.0.1",
        f"--temp-dir={folder}",
        f"--autoscaling-config={configuration}",
        f"--object-store-memory={_STORE_BYTES}",
        "--include-dashboard=false",
        f"--ray-client-server-port={client_port}",
        f"--dashboard-agent-listen-port={agent_port}",
    ]


def _pids() -> Iterator[int]:
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _belongs(pid: int, folder: Path) -> bool:
    """Whether a process was started by the cluster of that directory: its environment or its command says so."""
    if pid == os.getpid():
        return False
    try:
        said = [(Path("/proc") / str(pid) / name).read_bytes() for name in ("environ", "cmdline")]
    except OSError:
        return False
    return f"{_MARK}={folder}".encode() in said[0] or str(folder).encode() in said[1]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
