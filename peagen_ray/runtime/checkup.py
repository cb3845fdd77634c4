"""Whether this machine, its queue and its cluster are as a run needs them, and how to mend what is not."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Final

from peagen_ray.config.devices import devices_said
from peagen_ray.config.model import Config
from peagen_ray.config.secrets import secret
from peagen_ray.errors import ConfigError, PeagenError
from peagen_ray.fabric.gpus import gpus_of
from peagen_ray.launcher.jail.gpus import device_nodes
from peagen_ray.llm.opening import key_variable
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.dispatching import on_cluster
from peagen_ray.runtime.elsewhere import place_of, through_queue
from peagen_ray.runtime.local import open_queue, shared_root
from peagen_ray.storage import is_uri

_GIB: Final = 1024**3
_LITTLE: Final = 1.0
"""GiB below which a disk is said to be nearly full; a tenth of it is too little."""

_SKEW_S: Final = 2.0
"""Seconds by which the clocks of two machines may differ."""

_FOLLOW: Final = "let both follow a time server (NTP)"
_NAMED: Final = 3

_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Before this program was written: a clock that says so is wrong."""

_OLDEST: Final = {"redis": (7, 0), "valkey": (8, 0)}
_PATIENCE_S: Final = 5.0

_NODES_S: Final = 15.0
"""Seconds for the nodes of a cluster to tell the time: each starts a process for that."""


class Verdict(StrEnum):
    """What a check found: all is well, worth a look, or something does not work."""

    OK = "ok"
    LOOK = "look"
    BAD = "bad"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        verdict: how it is.
        found: what was found; never a secret.
        mend: what to do; "" where nothing is to be done.
    """

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


def checks(config: Config) -> Iterator[Check]:
    """Everything beside the sandboxes, one after the other; what raises is a finding, and ends nothing."""
    looks: tuple[tuple[str, Callable[[Config], Iterator[Check]]], ...] = (
        ("ray", _ray),
        ("queue", _queue),
        ("gpus", _gpus),
        ("keys", _keys),
        ("clock", _clock),
        ("disk", _disks),
    )
    for name, look in looks:
        try:
            yield from look(config)
        except PeagenError as error:
            said = f"{error.subject}: {error.what}" if error.subject else error.what
            yield Check(name, Verdict.BAD, said, error.hint)
        except OSError as error:
            yield Check(name, Verdict.BAD, str(error))


def _ray(config: Config) -> Iterator[Check]:
    installed = f"Ray {version('ray')} is installed"
    where = on_cluster(config)
    if where is None:
        yield Check("ray", Verdict.OK, f"{installed}; no cluster is configured")
        return
    from peagen_ray.fabric.cluster import clocks, connected, live_nodes

    with connected(where) as ray:
        nodes = live_nodes(ray)
        yield Check("ray", Verdict.OK, f"{installed}; the cluster at {where} has {_nodes(len(nodes))}")
        ahead = clocks(ray, nodes, _NODES_S)
    yield from _apart(ahead)
    silent = [node.name for node in nodes if node.name not in ahead]
    if silent:
        said = f"not compared with that of {_some(silent)}: no answer within {_NODES_S:g} s"
        yield Check("clock", Verdict.LOOK, said, "look at the node; a busy one may answer the next time")


def _apart(ahead: Mapping[str, float]) -> Iterator[Check]:
    """The clocks of nodes that differ, each with its own line, and how many do not."""
    far = {name: by for name, by in ahead.items() if abs(by) > _SKEW_S}
    for name, by in far.items():
        yield Check("clock", Verdict.LOOK, f"that of node {name} is {_told(by)}", _FOLLOW)
    if len(ahead) > len(far):
        alike = _nodes(len(ahead) - len(far))
        yield Check("clock", Verdict.OK, f"within {_SKEW_S:g} s of that of {alike}")


def _nodes(number: int) -> str:
    return f"{number} node{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many there are more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _told(ahead: float) -> str:
    return f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"


def _queue(config: Config) -> Iterator[Check]:
    if not through_queue(config):
        yield Check("queue", Verdict.OK, "stub: tasks are done in the process that enqueues them")
        return
    table = config.task_queue
    impatient = config.model_copy(
        update={
            "task_queue": table.model_copy(update={"broker_timeout": min(table.broker_timeout, _PATIENCE_S)})
        }
    )
    with open_queue(impatient) as queue:
        waiting, dead = queue.pending_count(), queue.dead_count()
        yield Check("queue", Verdict.OK, f"{place_of(config)} answers: {waiting} waiting, {dead} dead")
        if table.provider == "redis":
            yield from _server(queue)


def _server(queue: TaskQueue) -> Iterator[Check]:
    from peagen_ray.queues.redis import RedisQueue

    assert isinstance(queue, RedisQueue)
    ahead = queue.clock_ahead()
    if abs(ahead) > _SKEW_S:
        yield Check("clock", Verdict.LOOK, f"the queue's is {_told(ahead)}", _FOLLOW)
    else:
        yield Check("clock", Verdict.OK, f"within {_SKEW_S:g} s of the queue's")
    try:
        about = queue.server()
    except ConfigError:
        yield Check("server", Verdict.OK, "the server's user may not ask for its version")
        return
    number = ".".join(map(str, about.version))
    if about.version < _OLDEST[about.flavour]:
        mend = "use Redis 7.0 or newer, or Valkey 8 or newer"
        yield Check("server", Verdict.BAD, f"{about.flavour} {number} is too old", mend)
    elif about.policy not in {"noeviction", ""}:
        mend = "set its maxmemory-policy to noeviction"
        yield Check(
            "server", Verdict.BAD, f"{about.flavour} {number} throws tasks away: {about.policy}", mend
        )
    else:
        yield Check("server", Verdict.OK, f"{about.flavour} {number}")


def _gpus(config: Config) -> Iterator[Check]:
    nodes = [node for node in device_nodes(None) if Path(node).name.removeprefix("nvidia").isdigit()]
    restricted = gpus_of(devices_said())
    number = len(nodes) if restricted is None else min(len(nodes), len(restricted))
    wanted = config.evolve.backend == "gpu" or "gpu" in config.worker.defaults.caps
    if number or not wanted:
        yield Check("gpus", Verdict.OK, f"{number} of {len(nodes)} may be used" if nodes else "none")
        return
    mend = 'install NVIDIA\'s driver, look at CUDA_VISIBLE_DEVICES, or use [evolve] backend = "cpu" and no gpu in caps'
    yield Check("gpus", Verdict.BAD, "none can be used, and the configuration wants one", mend)


def _keys(config: Config) -> Iterator[Check]:
    if not config.llm.backends:
        yield Check("keys", Verdict.OK, "no language model is configured; programs are changed offline")
    for table in config.llm.backends:
        variable = key_variable(table)
        if not variable:
            yield Check("keys", Verdict.OK, f"{table.name} needs none")
        elif secret(variable):
            yield Check("keys", Verdict.OK, f"{table.name}: {variable} is set")
        else:
            mend = f"export {variable} where runs and workers that offer llm start"
            yield Check("keys", Verdict.BAD, f"{table.name}: {variable} is not set", mend)


def _clock(config: Config) -> Iterator[Check]:
    now = datetime.fromtimestamp(time.time(), UTC)
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _BUILT:
        yield Check(
            "clock", Verdict.BAD, f"it is not {said}", "set the clock: certificates and ages depend on it"
        )
    elif on_cluster(config) or config.task_queue.provider == "redis":
        yield Check("clock", Verdict.OK, said)
    else:
        yield Check("clock", Verdict.OK, f"{said}; not compared: there is no other machine's")


def _disks(config: Config) -> Iterator[Check]:
    root = shared_root(config)
    places = {"workspace": Path.cwd(), "temporary files": Path(tempfile.gettempdir())}
    if root and not is_uri(root):
        places["results"] = next(each for each in (Path(root), *Path(root).parents) if each.exists())
    for what, place in places.items():
        free = shutil.disk_usage(place).free / _GIB
        said = f"{what} ({place}): {free:.1f} GiB free"
        if not os.access(place, os.W_OK):
            yield Check(
                "disk", Verdict.BAD, f"{what} ({place}) may not be written to", "use another directory"
            )
        elif free < _LITTLE:
            verdict = Verdict.BAD if free < _LITTLE / 10 else Verdict.LOOK
            yield Check("disk", verdict, said, "make room")
        else:
            yield Check("disk", Verdict.OK, said)
