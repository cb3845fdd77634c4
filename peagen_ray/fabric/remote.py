"""What runs in a Ray worker: the handlers of tasks, in fresh processes beside it. Importing it imports no Ray."""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.fabric.warm import WarmPool
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Result, Task

TELL_AFTER_S: Final = 0.1
"""Seconds that a run may last before its dispatcher is told that it has begun: its end says that of a shorter one."""

_DEVICES: Final = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""What Ray sets in a worker's environment for the devices that it gives to a task."""

_NO_DEVICES: Final = {"CUDA_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}
"""For a task that asked for none: Ray then sets nothing, and it would see all that the node has."""

_CACHE: Final = "peagen"

PATIENCE_S: Final = 0.5
"""Seconds after which what is left of a bundle is not begun: it was to be brief, and may run elsewhere."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """What is the same for all tasks of a dispatcher.

    Attributes:
        dispatcher: the name of its actor, which is told of runs that have begun; "" for nobody. Ray workers are
            shared by dispatchers whose setups differ in nothing else.
        namespace: of that actor.
        isolation: as in ``[worker.defaults]``.
        preload: modules that one-shot processes find imported.
        warm_pool: processes that stand ready, on each node.
        idle_timeout: seconds after which one that is not used leaves.
        confinement: how untrusted code is kept.
        image: the container image that nodes run, for provenance.
    """

    dispatcher: str
    namespace: str
    isolation: str
    preload: tuple[str, ...]
    warm_pool: int
    idle_timeout: float
    confinement: Confinement
    image: str = ""

    def to_wire(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_wire(cls, wire: bytes) -> Self:
        """Read what :meth:`to_wire` wrote."""
        fields = json.loads(wire)
        confinement = Confinement.from_wire(fields.pop("confinement"))
        return cls(confinement=confinement, preload=tuple(fields.pop("preload")), **fields)


class Warmth(NamedTuple):
    """What a node's worker says of its one-shot processes, beside a Result.

    Attributes:
        node: the node's id.
        worker: the Ray worker's process id.
        live: one-shot processes that it has.
        idle: those of them that stand ready.
        launched: how many it has started so far.
        gone_in: seconds after which those that stand ready will have left.
        left_idle: how many have left so far because nobody took them.
    """

    node: str
    worker: int
    live: int
    idle: int
    launched: int
    gone_in: float
    left_idle: int = 0


def runner(setup: bytes, handler: str, offered: frozenset[str]) -> Callable[[bytes], bytes]:
    """The remote function for tasks of one handler on nodes of one sort.

    It takes a :func:`bundle` and returns an :func:`answer`: one piece of bytes each, which Ray moves as they are.

    Args:
        setup: a :class:`Setup`, as it travels.
        handler: ``module:Class``.
        offered: the tags that such a node offers to a task.
    """
    known = Setup.from_wire(setup)
    dispatcher, common = known.dispatcher, replace(known, dispatcher="").to_wire()

    def run(orders: bytes) -> bytes:
        place = _place(common)
        place.dispatcher = dispatcher
        results: list[bytes] = []
        enough = time.monotonic() + PATIENCE_S
        for (token, timeout), task in _unpacked(orders):
            if results and time.monotonic() > enough:
                break
            with place.teller.running(f"{dispatcher}\n{token}"):
                results.append(place.run(handler, Task.from_wire(task), timeout, offered))
        return answer(results, place.warmth())

    return run


class Order(NamedTuple):
    """A run that is wanted.

    Attributes:
        token: what the dispatcher calls it.
        timeout: seconds that it may take.
        task: the task, as it travels.
    """

    token: str
    timeout: float
    task: bytes


def bundle(orders: Iterable[Order]) -> bytes:
    """What to run, one after the other."""
    return _packed([([token, timeout], task) for token, timeout, task in orders])


def answer(results: Iterable[bytes], warmth: Warmth) -> bytes:
    """The Results of the runs, as they travel, up to the first that was not begun; and what :func:`answered` says."""
    return _packed([(None, result) for result in results], warmth)


def answered(answer: bytes) -> tuple[list[bytes], Warmth]:
    """The Results of an :func:`answer`, and what there is to say of the one-shot processes."""
    said = json.loads(answer[: answer.index(b"\n")])
    return [result for _, result in _unpacked(answer)], Warmth(*said[1])


def _packed(pieces: Sequence[tuple[Any, bytes]], about: Any = None) -> bytes:
    """Pieces of bytes with what is said of each, and of all of them."""
    head = [[[said, len(piece)] for said, piece in pieces], about]
    return b"\n".join([json.dumps(head).encode(), b"".join(piece for _, piece in pieces)])


def _unpacked(packed: bytes) -> Iterator[tuple[Any, bytes]]:
    start = packed.index(b"\n") + 1
    for said, size in json.loads(packed[:start])[0]:
        yield said, packed[start : start + size]
        start += size


def run_here(setup: bytes, handler: str, task: bytes, timeout: float, offered: str) -> Result:
    """The same for nobody's dispatcher; returns the Result itself."""
    run = runner(setup, handler, frozenset(filter(None, offered.split(","))))
    results, _ = answered(run(bundle([Order("", timeout, task)])))
    return Result.from_wire(results[0])


# ---- the worker's own ----------------------------------------------------------------------------

_places: dict[bytes, Place] = {}


def _place(setup: bytes) -> Place:
    """What this Ray worker keeps between tasks of one setup, whichever dispatchers they are of."""
    place = _places.get(setup)
    if place is None:
        close()
        place = _places[setup] = Place(Setup.from_wire(setup))
    return place


@atexit.register
def close() -> None:
    """End what this Ray worker keeps between tasks."""
    while _places:
        _places.popitem()[1].close()


class Place:
    """A Ray worker's fork server, its runners, and whoever tells the dispatcher of runs. Used by one thread.

    Args:
        setup: see there.

    Attributes:
        dispatcher: whose task it ran last; "" is nobody.
    """

    dispatcher = ""

    def __init__(self, setup: Setup) -> None:
        import ray

        context = ray.get_runtime_context()
        self._setup = setup
        self._node = context.get_node_id()
        self._stack = ExitStack()
        folder = _folder(self._node)
        self._keep, self._cache = (folder,), folder / "cache"
        slots = folder / "slots"
        slots.mkdir(mode=0o700, exist_ok=True)
        self._launcher = self._stack.enter_context(Launcher.start([*PRELOAD, *setup.preload]))
        self._told = _Told(setup.namespace)
        options: dict[str, Any] = {"keep": self._keep, "on_idle": self._left_idle}
        self._pool = WarmPool(self._launcher, setup.warm_pool, slots, setup.idle_timeout, **options)
        self._stack.callback(self._pool.close)
        self._runners: dict[frozenset[str], OneShotRunner] = {}
        self.teller = Teller(self._told)
        self._stack.callback(self.teller.close)

    def run(self, handler: str, task: Task, timeout: float, offered: frozenset[str]) -> bytes:
        """The Result of a handler's run, as it travels."""
        given = {name: os.environ[name] for name in _DEVICES if name in os.environ}
        environment = given if "gpu" in offered else _NO_DEVICES
        runner = self._runner(offered)
        return runner.run(handler, task, timeout=timeout, environment=environment).to_wire()

    def warmth(self) -> Warmth:
        """What there is to say of the one-shot processes."""
        counts = self._pool.counts
        gone_in = 0.0 if counts.gone_at is None else max(0.0, counts.gone_at - time.time())
        said = counts.live, counts.idle, counts.launched, gone_in, counts.left_idle
        return Warmth(self._node, os.getpid(), *said)

    def close(self) -> None:
        """End the fork server and all that it started."""
        self._stack.close()

    def _left_idle(self) -> None:
        """Tell the dispatcher at once that nobody took a process, from the pool's thread: no Result may come after."""
        try:
            self._told.warmth(self.dispatcher, self.warmth())
        except Exception as error:  # noqa: BLE001 - the pool has to go on
            _log.warning("the dispatcher was not told of a process that nobody took: %s", error)

    def _runner(self, offered: frozenset[str]) -> OneShotRunner:
        if offered not in self._runners:
            self._runners[offered] = OneShotRunner(
                self._launcher,
                f"ray-{self._node[:8]}-{os.getpid()}",
                offered,
                keep=self._keep,
                image=self._setup.image,
                isolation=self._setup.isolation,  # type: ignore[arg-type]  # checked in the configuration
                confinement=self._setup.confinement,
                cache=self._cache,
                pool=self._pool,
            )
        return self._runners[offered]


def _folder(node: str) -> Path:
    """The directory that all workers of this node share, in Ray's own of this session."""
    from ray._private.worker import global_worker

    session: Any = global_worker.node
    folder = Path(session.get_session_dir_path()) / _CACHE / node[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class _Told:
    """Tells dispatchers what no Result says; one that is gone needs not know. Any thread may use it.

    Args:
        namespace: of their actors.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._actors: dict[str, Any] = {}

    def __call__(self, run: str) -> None:
        """That run of that dispatcher has begun, both on lines of their own."""
        dispatcher, _, token = run.partition("\n")
        self._tell(dispatcher, "started", token)

    def warmth(self, dispatcher: str, warmth: Warmth) -> None:
        """How the one-shot processes here stand."""
        self._tell(dispatcher, "heard", tuple(warmth))

    def _tell(self, dispatcher: str, method: str, said: Any) -> None:
        import ray

        if not dispatcher:
            return
        try:
            actor = self._actors.get(dispatcher)
            if actor is None:
                actor = ray.get_actor(dispatcher, namespace=self._namespace)
                self._actors = {dispatcher: actor}
            getattr(actor, method).remote(said)
        except (ValueError, AttributeError, ray.exceptions.RayError):
            self._actors = {}


class Teller:
    """Tells of runs that last longer than a moment, from a thread that is asleep while nothing runs.

    A run of which is told has lasted one to two times ``after``.

    Args:
        tell: is told of such a run.
        after: seconds.
    """

    def __init__(self, tell: Callable[[str], None], after: float = TELL_AFTER_S) -> None:
        self._tell = tell
        self._after = after
        self._token = ""
        self._awake = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="peagen-teller", daemon=True).start()

    def running(self, token: str) -> _Running:
        """Within the block that run lasts."""
        return _Running(self, token)

    def close(self) -> None:
        """Tell of no more."""
        self._closed.set()
        self._awake.set()

    def begin(self, token: str) -> None:
        """A run begins."""
        self._token = token
        self._awake.set()

    def end(self) -> None:
        """It has ended."""
        self._token = ""

    def _watch(self) -> None:
        told = ""
        while self._awake.wait() and not self._closed.is_set():
            before = self._token
            if not before:
                self._awake.clear()
                if self._token:  # it began between the two
                    self._awake.set()
                    continue
            self._closed.wait(self._after)
            if before and before != told and before == self._token:
                told = before
                try:
                    self._tell(told)
                except Exception as error:  # noqa: BLE001 - runs to come have to be told of
                    _log.warning("the dispatcher was not told of a run: %s", error)


class _Running:
    """A block within which a run lasts."""

    def __init__(self, teller: Teller, token: str) -> None:
        self._teller = teller
        self._token = token

    def __enter__(self) -> None:
        self._teller.begin(self._token)

    def __exit__(self, *_: Any) -> None:
        self._teller.end()
