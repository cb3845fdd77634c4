"""The planner and the evolution engine against a simulated cluster of 10 to 10 000 workers, by a virtual clock.

Prints one JSON line. Everything that decides is the real thing: the engine asks, its tasks go through the queue's
state machine, the planner claims, submits, renews and completes them. Only Ray, its workers and what they compute are
made up: a candidate takes 0.1 s to propose and 10 s to run on average (log-normal), each message 2 ms, each task 2 ms
to start. The processor time that a decision really took passes on the virtual clock too, in the process that decided,
so that a dispatcher that is too slow for its cluster leaves workers idle here as it would there. Garbage is collected
between the runs only: one heap holds here what is spread over many machines there.

``busy`` is the share of the workers' time, after the cluster is filled, in which they ran something; at least 0.95 is
wanted. ``decisions_per_s`` are the planner's per second of processor time, one being anything that it is told of one
claim or an action for one claim; ``planner_us`` is what one costs, and ``ratio`` the largest cluster's over the
smallest one's: at most 1.5 is wanted.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import random
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from peagen_ray.config.model import FabricTable
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.program import Binning, Bucket, Outcome, Program
from peagen_ray.evolution.questions import Confirm, Mutate, Observation, Run
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.stopping import StopRules
from peagen_ray.fabric.actions import (
    Action,
    Begin,
    Cancel,
    ClaimTasks,
    Complete,
    Extend,
    Fail,
    GiveBack,
    Submit,
)
from peagen_ray.fabric.capabilities import Cluster, Node, Placement
from peagen_ray.fabric.planning import Planner
from peagen_ray.fabric.routing import Router
from peagen_ray.handler import TaskHandler
from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.model import FROM_START, Claim
from peagen_ray.task import Result, Task, TaskKind

BUSY, FLAT = 0.95, 1.5
MESSAGE_S, START_S = 0.002, 0.002
MEAN_S = {TaskKind.MUTATE: 0.1, TaskKind.EXECUTE: 10.0, TaskKind.EVALUATE: 0.02}
SPREAD = 0.5
TURN = 250
"""Messages that a process takes up at a time, before it lets others have what came of them."""

KEPT = 50_000
"""Results that the queue keeps: more than ever wait for the run to read them."""

CORES = 16
CPU = frozenset({"cpu"})


class Mutating(TaskHandler):
    """Stands for a handler; nothing is ever run."""

    KIND = TaskKind.MUTATE

    def handle(self, task: Task) -> Result:
        """Never called."""
        raise AssertionError(task)


class Executing(Mutating):
    """Another one."""

    KIND = TaskKind.EXECUTE


class Evaluating(Mutating):
    """Another one."""

    KIND = TaskKind.EVALUATE


class World:
    """The virtual clock, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def clock(self) -> float:
        """Virtual seconds."""
        return self.now

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let that happen then."""
        heapq.heappush(self._events, (when, next(self._order), what))

    def run(self, until: float) -> None:
        """Let everything happen that does until then."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until


class Process(ABC):
    """Something with one thread: what comes while it works waits, and its work takes the time that it really takes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cpu = 0.0
        self._inbox: list[Any] = []
        self._free_at = 0.0
        self._turn_at: float | None = None

    def post(self, message: Any, delay: float = MESSAGE_S) -> None:
        """A message arrives after so many seconds."""
        self.world.at(self.world.now + delay, lambda: self._arrive(message))

    def wake(self, when: float) -> None:
        """Work at that time, or as soon as it can."""
        when = max(when, self._free_at, self.world.now)
        if self._turn_at is None or when < self._turn_at:
            self._turn_at = when
            self.world.at(when, self._turn)

    @abstractmethod
    def work(self, messages: list[Any]) -> Iterable[Callable[[], None]]:
        """What is done with the messages; returns what happens to others at the end of it."""

    def next_due(self) -> float | None:
        """When it works next if nothing comes before; None for never."""
        return None

    def _arrive(self, message: Any) -> None:
        self._inbox.append(message)
        self.wake(self.world.now)

    def _turn(self) -> None:
        if self._turn_at is None or self.world.now < self._turn_at:
            return
        self._turn_at = None
        messages, self._inbox = self._inbox[:TURN], self._inbox[TURN:]
        began = time.process_time()
        effects = list(self.work(messages))
        took = time.process_time() - began
        self.cpu += took
        self._free_at = self.world.now + took
        self.world.at(self._free_at, lambda: self._end(effects))

    def _end(self, effects: Sequence[Callable[[], None]]) -> None:
        for effect in effects:
            effect()
        due = self.next_due()
        if self._inbox:
            self.wake(self.world.now)
        elif due is not None:
            self.wake(due)


class Workers:
    """The cluster: each worker runs one task at a time, the oldest that waits."""

    def __init__(self, world: World, number: int, rng: random.Random) -> None:
        self.world = world
        self.number = number
        self.ended = 0
        self._free = number
        self._busy_s = 0.0
        self._since = 0.0
        self._waiting: deque[Submit] = deque()
        self._running: dict[str, float] = {}
        self._rng = rng
        self.tell: Callable[[tuple[str, Submit]], None]

    def submit(self, task: Submit) -> None:
        """It waits for a worker."""
        self._waiting.append(task)
        self._start()

    def _start(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            task = self._waiting.popleft()
            self.world.at(self.world.now + START_S, lambda task=task: self._run(task))  # type: ignore[misc]

    def _run(self, task: Submit) -> None:
        self.tell(("started", task))
        seconds = MEAN_S[task.task.kind] * self._rng.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        self._running[task.token] = self.world.now
        self.world.at(self.world.now + seconds, lambda: self._end(task))

    def _end(self, task: Submit) -> None:
        self._free += 1
        self.ended += 1
        self._busy_s += self.world.now - max(self._running.pop(task.token), self._since)
        self.tell(("finished", task))
        self._start()

    def measure_from_here(self) -> None:
        """Forget what was counted so far."""
        self._since, self._busy_s, self.ended = self.world.now, 0.0, 0

    def busy(self) -> float:
        """Share of the workers' time since then in which they ran something."""
        now = self.world.now
        running = sum(now - max(began, self._since) for began in self._running.values())
        return (self._busy_s + running) / (self.number * (now - self._since))


class Dispatcher(Process):
    """Acts on what the planner decides, and counts what that costs."""

    def __init__(self, world: World, queue: MemoryQueue, workers: Workers) -> None:
        super().__init__(world)
        nodes = [
            Node(f"node-{n}", {"CPU": min(CORES, workers.number - n)})
            for n in range(0, workers.number, CORES)
        ]
        handlers = {"Mutating": Mutating(), "Executing": Executing(), "Evaluating": Evaluating()}
        router = Router(handlers, Placement(Cluster(tuple(nodes)), FabricTable()))
        self.limit = workers.number + max(16, workers.number // 4)
        self.planner = Planner(router, world.clock, max_parallel=self.limit, node_patience=600, kill_after=10)
        self.decisions = 0
        self.planner_s = 0.0
        self._queue = queue
        self._workers = workers
        self._asked: ClaimTasks | None = None
        self._more = False
        workers.tell = self.post

    def next_due(self) -> float | None:
        """When the planner wants to be asked again."""
        return self.world.now if self._more else self.planner.next_due()

    def work(self, messages: list[Any]) -> Iterable[Callable[[], None]]:
        """Tell the planner what came, and do what it decides."""
        for message in messages:
            match message:
                case "started", Submit(token):
                    self._think(1, self.planner.started, token)
                case "finished", Submit(token, task):
                    self._think(1, self.planner.finished, token, result_of(task), follow_up(task))
        effects: list[Callable[[], None]] = []
        self._more = self._asked is not None and self._claim(self._asked)
        for act in self._decide():
            self._more |= self._act(act, effects)
        return effects

    def _decide(self) -> list[Action]:
        began = time.process_time()
        acts = self.planner.decide()
        self.planner_s += time.process_time() - began
        return acts

    def _think(self, decisions: int, method: Callable[..., None], *told: Any) -> None:
        began = time.process_time()
        method(*told)
        self.planner_s += time.process_time() - began
        self.decisions += decisions

    def _act(self, act: Action, effects: list[Callable[[], None]]) -> bool:
        """Carry it out; whether there may be more to decide now."""
        match act:
            case Submit():
                self.decisions += 1
                effects.append(
                    lambda: self.world.at(self.world.now + MESSAGE_S, lambda: self._workers.submit(act))
                )
            case ClaimTasks():
                return self._claim(act)
            case Begin(claims):
                self._renewed(claims, [self._queue.begin(claim) is not None for claim in claims])
            case Extend(claims):
                self._renewed(claims, [self._queue.extend(claim) for claim in claims])
            case Complete(done):
                kept = [self._queue.complete(*each) for each in done]
                self._think(len(done), self.planner.settled, [each.claim.key for each in done], kept)
                return True
            case Cancel() | Fail() | GiveBack():
                msg = f"nothing fails here, and yet: {act}"
                raise AssertionError(msg)
        return False

    def _claim(self, act: ClaimTasks) -> bool:
        claims = self._queue.claim(act.offered, "dispatcher", act.limit, begin=False)
        self._asked = act if act.wait and not claims else None
        if self._asked is None:
            self._think(len(claims), self.planner.claimed, claims)
        return bool(claims)

    def _renewed(self, claims: Sequence[Claim], kept: Sequence[bool]) -> None:
        self._think(len(claims), self.planner.renewed, [claim.key for claim in claims], kept)


class Driver(Process):
    """The process of a run: asks the engine, enqueues, and tells it what came of it."""

    def __init__(self, world: World, queue: MemoryQueue, in_flight: int, wake: Callable[[], None]) -> None:
        super().__init__(world)
        self.told = 0
        self.engine_s = 0.0
        self._engine = Engine(EngineSettings(1, 10, binning=Binning()), EpsilonSelector(), StopRules())
        seed = Program(0, "def f(items):\n    return items\n", fitness=0.0, speed_ms=200.0, peak_kb=10.0)
        self._engine.seed(seed.with_(bucket=Bucket(40, 0, 0, 0), confirmed=True, fingerprint="0" * 16), 0.0)
        self._queue = queue
        self._in_flight = in_flight
        self._wake = wake
        self._asked: dict[str, Mutate | Confirm] = {}
        self._cursor = FROM_START

    def work(self, messages: list[Any]) -> Iterable[Callable[[], None]]:  # noqa: ARG002
        """Tell the engine what came back, and ask as many questions as may be in flight."""
        tasks: list[Task] = []
        while True:
            results, self._cursor = self._queue.results_since(self._cursor, 1000)
            if not results:
                break
            for result in results:
                tasks += self._told(result)
        while len(self._asked) < self._in_flight:
            question = self._timed(self._engine.ask, self.world.now)
            if question is None:
                break
            tasks.append(
                self._task(question, TaskKind.MUTATE if isinstance(question, Mutate) else TaskKind.EXECUTE)
            )
        for task in tasks:
            self._queue.enqueue(task)
        return [self._wake] if tasks else []

    def _task(self, question: Mutate | Confirm, kind: TaskKind) -> Task:
        task = Task(kind=kind, requires=CPU)
        self._asked[task.id] = question
        return task

    def _told(self, result: Result) -> list[Task]:
        question = self._asked.pop(result.task_id, None)
        if question is None:
            return []
        now, n = self.world.now, question.n
        mutated = bool(result.data.get("mutated"))
        if isinstance(question, Mutate) and mutated:
            ruling = self._timed(
                self._engine.proposed, n, f"{n:016x}", now, epoch=question.epoch, operator=f"op{n % 40}"
            )
            return [self._task(question, TaskKind.EXECUTE)] if isinstance(ruling, Run) else []
        self._timed(self._engine.tell, n, observed(question), now, epoch=question.epoch)
        self._engine.take_events()
        self._engine.take_news()
        self.told += 1
        return []

    def _timed(self, method: Callable[..., Any], *told: Any, **more: Any) -> Any:
        began = time.process_time()
        found = method(*told, **more)
        self.engine_s += time.process_time() - began
        return found


def observed(question: Mutate | Confirm) -> Observation:
    """A third of the candidates fails; now and then one is the best so far."""
    if isinstance(question, Confirm):
        program = question.program
        return Observation(
            Outcome.OK,
            fitness=program.fitness,
            speed_ms=program.speed_ms,
            peak_kb=program.peak_kb,
            confirmed=True,
            source=program.src,
            fingerprint=program.fingerprint,
        )
    n = question.n
    source = f"def f_{n}(items):\n" + "    items = list(items)\n" * (n % 30) + "    return items\n"
    seen = Observation(
        Outcome.OK if n % 3 else Outcome.INCORRECT, operator=f"op{n % 40}", fingerprint=f"{n:016x}"
    )
    speed = 200.0 - (n % 997) / 5 if n % 3 else None
    fitness = (n % 997) / 1000 if n % 3 else None
    return Observation(
        seen.outcome,
        fitness=fitness,
        speed_ms=speed,
        peak_kb=float(n % 300),
        source=source,
        operator=seen.operator,
        fingerprint=seen.fingerprint,
    )


def result_of(task: Task) -> Result:
    return Result.success(task, {"mutated": task.kind is TaskKind.MUTATE})


def follow_up(task: Task) -> list[Task]:
    return [Task(kind=TaskKind.EVALUATE, requires=CPU)] if task.kind is TaskKind.EXECUTE else []


def simulated(number: int, candidates: int) -> dict[str, float]:
    """What a run on so many workers comes to, once each has had two candidates."""
    world = World()
    queue = MemoryQueue(world.clock, results_kept=KEPT)
    workers = Workers(world, number, random.Random(number))
    dispatcher = Dispatcher(world, queue, workers)
    driver = Driver(world, queue, 2 * number, lambda: dispatcher.post("enqueued"))
    published = queue.published
    driver.wake(0.0)
    dispatcher.wake(0.0)

    def look() -> None:
        """The driver hears of Results as from a blocking call."""
        nonlocal published
        if queue.published > published:
            published = queue.published
            driver.wake(world.now)
        world.at(world.now + MESSAGE_S, look)

    look()
    world.run(2.5 * MEAN_S[TaskKind.EXECUTE])
    workers.measure_from_here()
    dispatcher.decisions, dispatcher.planner_s, dispatcher.cpu = 0, 0.0, 0.0
    driver.engine_s, driver.cpu, driver.told = 0.0, 0.0, 0
    since = world.now
    length = max(MEAN_S[TaskKind.EXECUTE], candidates / number * MEAN_S[TaskKind.EXECUTE])
    world.run(since + length)
    return {
        "busy": workers.busy(),
        "decisions": dispatcher.decisions,
        "planner_us": 1e6 * dispatcher.planner_s / dispatcher.decisions,
        "engine_us": 1e6 * driver.engine_s / max(1, driver.told),
        "tasks_per_s": workers.ended / length,
        "dispatcher_load": dispatcher.cpu / length,
        "driver_load": driver.cpu / length,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10_000, help="workers of the largest cluster")
    parser.add_argument("--candidates", type=int, default=6000, help="candidates of a measured run, at least")
    options = parser.parse_args()
    found = {}
    for number in (size for size in (10, 100, 1000, 10_000) if size <= options.largest):
        gc.collect()
        gc.disable()
        found[number] = simulated(number, options.candidates)
    costs = [each["planner_us"] for each in found.values()]
    busy, ratio = min(each["busy"] for each in found.values()), costs[-1] / costs[0]
    line = {
        "benchmark": "scale_sim",
        "busy": {number: round(each["busy"], 4) for number, each in found.items()},
        "least_busy": round(busy, 4),
        "decisions_per_s": {number: round(1e6 / each["planner_us"]) for number, each in found.items()},
        "planner_us": {number: round(each["planner_us"], 2) for number, each in found.items()},
        "engine_us": {number: round(each["engine_us"], 1) for number, each in found.items()},
        "tasks_per_s": {number: round(each["tasks_per_s"], 1) for number, each in found.items()},
        "dispatcher_load": {number: round(each["dispatcher_load"], 3) for number, each in found.items()},
        "driver_load": {number: round(each["driver_load"], 3) for number, each in found.items()},
        "ratio": round(ratio, 3),
        "bounds": {"busy": BUSY, "ratio": FLAT},
        "ok": busy >= BUSY and ratio <= FLAT,
    }
    print(json.dumps(line))
    return 0 if line["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
