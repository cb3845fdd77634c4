"""A cluster that is made up, queues that fail when they are told to, and a dispatcher between them. Not a test."""

import queue as inboxes
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from planner_bench import CPU, HANDLERS, TABLE

from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.capabilities import Cluster, Placement
from peagen_ray.fabric.dispatcher import Dispatcher
from peagen_ray.fabric.hands import OnEnd, Outcome
from peagen_ray.fabric.planning import Planner
from peagen_ray.fabric.routing import Router
from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Result, Task

LONG_S = 30.0
"""Seconds after which a test gives up waiting for something."""

STEPS = ("claim", "begin_all", "extend_all", "complete_all", "fail", "give_back", "pending_count", "unserved")
"""What a dispatcher asks of its queue."""


class MadeUpHands:
    """Runs nothing: the test, or ``answer`` if there is one, says how each submitted task ends.

    Attributes:
        submitted: what was submitted, in order, for the test to take.
        cancelled: tokens of what was cancelled, in order.
        on_end: tells the dispatcher of an end.
    """

    def __init__(self, answer: Callable[[Submit], Outcome | None] | None = None) -> None:
        self.submitted: inboxes.SimpleQueue[Submit] = inboxes.SimpleQueue()
        self.cancelled: inboxes.SimpleQueue[str] = inboxes.SimpleQueue()
        self.running: dict[str, Submit] = {}
        self.on_end: OnEnd
        self._answer = answer

    def made(self, on_end: OnEnd) -> "MadeUpHands":
        self.on_end = on_end
        return self

    def submit(self, submitted: Submit) -> None:
        self.running[submitted.token] = submitted
        outcome = self._answer(submitted) if self._answer else None
        if outcome is not None:
            self.end(submitted.token, outcome)
        self.submitted.put(submitted)

    def flush(self, cpus: float) -> None:
        """What was submitted has started."""

    def again(self, token: str) -> None:
        self.submit(self.running[token])

    def cancel(self, token: str) -> None:
        if token in self.running:
            self.end(token, (Failure.CANCELLED, ""))
        self.cancelled.put(token)

    def end(self, token: str, outcome: Outcome) -> None:
        self.running.pop(token, None)
        self.on_end(token, outcome, None)

    def ok(self, submitted: Submit, **data: Any) -> None:
        self.end(submitted.token, Result.success(submitted.task, data))

    def next(self) -> Submit:
        return self.submitted.get(timeout=LONG_S)


class FlakyQueue:
    """A queue whose calls fail as they are told to: before anything happened, or with the reply lost.

    Attributes:
        inner: the queue.
        away: whether every call fails.
        claimed: tokens of the claims whose replies arrived.
    """

    def __init__(self, inner: TaskQueue, fates: Iterable[str] = (), lease: float = 15.0) -> None:
        self.inner = inner
        self.away = False
        self.claimed: set[str] = set()
        self._fates = iter(fates)
        self._lease = lease
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        step = getattr(self.inner, name)
        return step if name not in STEPS else lambda *args, **options: self._call(name, step, args, options)

    def _call(self, name: str, step: Callable[..., Any], args: Any, options: Any) -> Any:
        with self._lock:
            fate = "before" if self.away else next(self._fates, "well")
        if fate == "before":
            raise BrokerUnavailable("not there", subject="flaky")
        if name == "claim":
            options["lease"] = self._lease
        answer = step(*args, **options)
        if fate == "after":
            raise BrokerUnavailable("the reply is lost", subject="flaky")
        if name == "claim":
            with self._lock:
                self.claimed |= {claim.token for claim in answer}
        return answer


class Service:
    """Dispatchers on one queue; all end with the block.

    Attributes:
        cluster: what they see when they look.
        said: what they had to say.
        records: every task and its Result that a queue accepted.
    """

    def __init__(self) -> None:
        self.cluster: Cluster = CPU
        self.said: inboxes.SimpleQueue[str] = inboxes.SimpleQueue()
        self.records: inboxes.SimpleQueue[tuple[Task, Result]] = inboxes.SimpleQueue()
        self._stack = ExitStack()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, queue: Any, hands: MadeUpHands, *, renew: float = 5.0, **options: Any) -> Dispatcher:
        router = Router(HANDLERS, Placement(self.cluster, TABLE), 60.0)
        limits = {"max_parallel": 4, "node_patience": 30.0, "kill_after": 10.0, "renew_every": renew}
        planner = Planner(router, time.monotonic, **limits)
        settings: dict[str, Any] = {
            "attention": 0.05,
            "look_every": 0.02,
            "on_results": self._record,
            **options,
        }
        look = settings.pop("look", lambda: self.cluster)
        made = Dispatcher(
            queue,
            planner,
            hands.made,
            "bench",
            look,
            lambda cluster: Placement(cluster, TABLE),
            say=self.said.put,
            **settings,
        )
        made.start()
        self._stack.callback(self._end, made)
        return made

    def _record(self, ended: Any) -> None:
        for each in ended:
            self.records.put(each)

    @staticmethod
    def _end(made: Dispatcher) -> None:
        made.stop(drain=False)
        assert made.wait(LONG_S)

    def hear(self, words: str) -> str:
        """The next thing said that contains those words."""
        while words not in (text := self.said.get(timeout=LONG_S)):
            pass
        return text

    def recorded(self, number: int) -> list[tuple[Task, Result]]:
        return [self.records.get(timeout=LONG_S) for _ in range(number)]


def wait_for(happened: Callable[[], Any], what: str = "") -> Any:
    """What ``happened`` returns as soon as that is true; for what nobody tells of."""
    end = time.monotonic() + LONG_S
    while not (found := happened()):
        assert time.monotonic() < end, f"never happened: {what or happened}"
        time.sleep(0.002)
    return found
