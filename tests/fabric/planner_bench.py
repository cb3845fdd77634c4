"""A desk at which a planner's actions are carried out by hand, on a queue in memory and a Ray that is made up."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.actions import (
    Action,
    Begin,
    Cancel,
    ClaimTasks,
    Complete,
    Extend,
    Fail,
    Failure,
    GiveBack,
    Report,
    Submit,
)
from peagen_ray.fabric.capabilities import Cluster, Node, NodeType, Placement
from peagen_ray.fabric.planning import Planner
from peagen_ray.fabric.routing import Router
from peagen_ray.handler import TaskHandler
from peagen_ray.lifecycle import Policy
from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.model import Completion
from peagen_ray.task import Result, Status, Task, TaskKind

POLICY = Policy(max_retry=3, patience=20.0, retry_delay=2.0, skip_delay=1.0)
TABLE = FabricTable()
CPU = Cluster((Node("cpu-1", {"CPU": 4.0}),))
SCALING = Cluster(CPU.nodes, (NodeType("gpu-worker", {"CPU": 4.0, "GPU": 1.0}, 0, 4),))
WITH_GPU = Cluster((*CPU.nodes, Node("gpu-1", {"CPU": 4.0, "GPU": 1.0}, "gpu-worker")), SCALING.types)
EMPTY = Cluster()


class Cheap(TaskHandler):
    KIND = TaskKind.EXECUTE
    PROVIDES = frozenset({"cpu"})

    def dispatch(self, task: Task) -> bool:
        return "gpu" not in task.requires

    def handle(self, task: Task) -> Result:
        return Result.success(task, {})


class Graphic(Cheap):
    PROVIDES = frozenset({"cpu", "gpu"})

    def dispatch(self, task: Task) -> bool:
        return "gpu" in task.requires


HANDLERS = {"Cheap": Cheap(), "Graphic": Graphic()}


def task(*requires: str, **payload: Any) -> Task:
    return Task(kind=TaskKind.EXECUTE, requires=frozenset(requires), payload=payload)


def result(submitted: Submit, outcome: str = "ok") -> Result:
    if outcome == "ok":
        return Result.success(submitted.task, {})
    if outcome == "skip":
        return Result(task_id=submitted.task.id, status=Status.SKIP, attempts=submitted.task.attempts)
    return Result.failure(submitted.task, outcome, retryable=outcome == "retryable")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A planner and those who act for it. Actions on the queue wait in ``pending`` until they are asked for.

    Attributes:
        tasks: what Ray has and has not ended, by token.
        running: those of them that were started.
        cancelled: those of them that Ray was told to end.
        claimed: tokens that the planner was given.
        accepted: how often the queue accepted the end of a claim, by token.
    """

    def __init__(
        self,
        queue: MemoryQueue,
        clock: Callable[[], float],
        cluster: Cluster = CPU,
        limit: int = 4,
        **options: Any,
    ) -> None:
        self.queue = queue
        self.clock = clock
        self.limit = limit
        router = Router(HANDLERS, Placement(cluster, TABLE), 60.0)
        settings = {"node_patience": 30.0, "kill_after": 10.0, **options}
        self.planner = Planner(router, clock, max_parallel=limit, **settings)
        self.pending: list[Action] = []
        self.reports: list[Report] = []
        self.submitted: dict[str, Submit] = {}
        self.tasks: dict[str, Submit] = {}
        self.running: set[str] = set()
        self.cancelled: set[str] = set()
        self.claimed: set[str] = set()
        self.accepted: Counter[str] = Counter()
        self.stopped = False

    # ---- deciding and acting ----

    def decide(self) -> list[Action]:
        acts = self.planner.decide()
        for act in acts:
            match act:
                case Submit(token):
                    assert token not in self.submitted
                    self.submitted[token] = self.tasks[token] = act
                case Cancel(token):
                    self.cancelled |= {token} & self.tasks.keys()
                case Report():
                    self.reports.append(act)
                case _:
                    self.pending.append(act)
        return acts

    def act(self, number: int = 0, *, answer: bool = True) -> None:
        """Carry out an action on the queue; without ``answer`` its reply is lost on the way."""
        match self.pending.pop(number):
            case ClaimTasks(offered, limit):
                claims = self.queue.claim(offered, "desk", limit, begin=False)
                self.claimed |= {claim.key for claim in claims} if answer else set()
                self.planner.claimed(claims if answer else [])
            case Begin(claims):
                self.renewed(claims, [self.queue.begin(claim) is not None for claim in claims], answer=answer)
            case Extend(claims):
                self.renewed(claims, [self.queue.extend(claim) for claim in claims], answer=answer)
            case Complete(done):
                ended = [(each.claim.key, self.queue.complete(*each)) for each in done]
                self.settled(ended, answer=answer)
            case Fail(claim, outcome):
                self.settled([(claim.key, self.queue.fail(claim, outcome) is not None)], answer=answer)
            case GiveBack(claim, delay):
                self.settled([(claim.key, self.queue.give_back(claim, delay))], answer=answer)

    def renewed(self, claims, kept: list[bool], *, answer: bool) -> None:
        if answer:
            self.planner.renewed([claim.key for claim in claims], kept)

    def settled(self, ended: list[tuple[str, bool]], *, answer: bool) -> None:
        for token, accepted in ended:
            self.accepted[token] += accepted
        if answer:
            self.planner.settled([token for token, _ in ended], [accepted for _, accepted in ended])

    def lose(self, number: int = 0) -> None:
        """The queue never hears of an action."""
        if isinstance(self.pending.pop(number), ClaimTasks):
            self.planner.claimed([])

    def settle(self) -> None:
        """Decide and act until nothing more is to be done at this moment."""
        for _ in range(100):
            self.decide()
            again = [each for each in self.pending if not isinstance(each, ClaimTasks)]
            fruitful = again or self.queue.pending_count()
            before = self.queue.pending_count(), len(self.claimed)
            while self.pending:
                self.act()
            if not fruitful or (not again and before == (self.queue.pending_count(), len(self.claimed))):
                return

    # ---- Ray ----

    def start(self, token: str) -> None:
        self.running.add(token)
        self.planner.started(token)

    def finish(self, token: str, outcome: str = "ok", spawn=()) -> None:
        submitted = self.tasks.pop(token)
        self._gone(token)
        self.planner.finished(token, result(submitted, outcome), spawn)

    def fail(self, token: str, failure: Failure, words: str = "") -> None:
        del self.tasks[token]
        self._gone(token)
        self.planner.failed(token, failure, words)

    def _gone(self, token: str) -> None:
        self.running.discard(token)
        self.cancelled.discard(token)

    def end_cancelled(self) -> None:
        for token in sorted(self.cancelled):
            self.fail(token, Failure.CANCELLED)

    def run_all(self) -> None:
        """Everything that Ray has runs and ends well, or is cancelled."""
        self.end_cancelled()
        for token in list(self.tasks):
            self.start(token)
            self.finish(token)

    def done(self) -> list[Completion]:
        """What the pending actions would complete."""
        return [each for act in self.pending if isinstance(act, Complete) for each in act.done]
