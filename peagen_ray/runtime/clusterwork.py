"""``worker start`` on a Ray cluster, and ``worker status`` and ``worker stop`` for what it has started there."""

from __future__ import annotations

import queue as inboxes
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from peagen_ray.errors import BrokerUnavailable, FabricError, UsageError
from peagen_ray.fabric.cluster import connected
from peagen_ray.fabric.inline import Ended
from peagen_ray.runtime.dispatching import WATCH_S, host
from peagen_ray.runtime.elsewhere import place_of
from peagen_ray.runtime.worker import INTERRUPTED, WorkerRequest, summary, tags_text, taking_signals

if TYPE_CHECKING:
    from peagen_ray.fabric.host import Hosted

_DRAIN_S: Final = 30.0
"""Seconds for which a dispatcher that was killed off may take to give back what it has."""


@dataclass(frozen=True)
class ClusterWork:
    """A dispatcher on a cluster, as a person asks for it.

    Attributes:
        worker: what is to be served, and under which name.
        address: of the cluster.
        caps: the tags to which it is restricted; None for all that the cluster offers.
        detached: leave it there, and return.
    """

    worker: WorkerRequest
    address: str
    caps: frozenset[str] | None = None
    detached: bool = False

    def words(self) -> str:
        """What it serves, in one line."""
        table = self.worker.config
        tags = f"caps {tags_text(self.caps)}" if self.caps is not None else "all caps that nodes offer"
        return (
            f"dispatcher {self.worker.owner()} on the Ray cluster {self.address} serves the queue "
            f"{place_of(table)}: {tags}, {table.fabric.max_parallel} tasks at a time"
        )


def work_on_cluster(work: ClusterWork, say: Callable[[str], None]) -> int:
    """Serve with a cluster's workers until there is a reason to leave; in the main thread.

    Signals do what they do to :func:`peagen_ray.runtime.worker.work`. A detached dispatcher is started, and
    left there.

    Returns:
        The exit code.

    Raises:
        UsageError: there is a dispatcher of that name, or no broker to serve.
        BrokerUnavailable: the cluster or the queue's broker cannot be reached.
    """
    request = work.worker
    request.check_queue()
    config = request.config
    with ExitStack() as stack:
        stack.enter_context(connected(work.address))
        hosted = host(
            config,
            request.owner(),
            caps=work.caps,
            detached=work.detached,
            exit_after_idle=request.exit_after_idle,
            max_uptime=None if work.detached else config.worker.defaults.max_uptime.total_seconds(),
        )
        say(work.words())
        if work.detached:
            say(
                f"it stays there; see it with `peagen-ray worker status`, end it with `worker stop {hosted.name}`"
            )
            return 0
        stack.callback(hosted.kill)
        inbox: inboxes.SimpleQueue[int | None] = inboxes.SimpleQueue()
        stack.enter_context(taking_signals(inbox))
        return _Watch(hosted, inbox, say).run()


class _Watch:
    """Passes on what a dispatcher says, and signals to it, until it has ended."""

    def __init__(
        self, hosted: Hosted, inbox: inboxes.SimpleQueue[int | None], say: Callable[[str], None]
    ) -> None:
        self._hosted = hosted
        self._inbox = inbox
        self._say = say
        self._signals = 0
        self._started = time.monotonic()
        self._reason = ""
        self._away = False
        self._until = float("inf")
        self._last: Mapping[str, Any] = {}

    def run(self) -> int:
        """The exit code, once it has ended."""
        code = 0
        while True:
            try:
                number = self._inbox.get(timeout=WATCH_S)
            except inboxes.Empty:
                number = None
            if number is not None:
                code = self._signalled(number)
            status = self._status()
            if status.get("done") or time.monotonic() > self._until:
                return self._end(status, code)

    def _signalled(self, number: int) -> int:
        self._signals += 1
        name = signal.Signals(number).name
        if self._signals == 1:
            self._tell(f"{name}: claiming no more, finishing what runs")
            return 0
        self._until = time.monotonic() + _DRAIN_S
        self._tell(f"{name} again: ending what runs and giving it back")
        return INTERRUPTED if number == signal.SIGINT else 0

    def _tell(self, text: str) -> None:
        self._reason = text
        self._say(text)
        self._stop()

    def _stop(self) -> None:
        try:
            self._hosted.stop(drain=self._signals == 1)
        except BrokerUnavailable as error:
            self._say(str(error))

    def _missing(self, error: BrokerUnavailable) -> Mapping[str, Any]:
        if self._hosted.gone():
            self._say("somebody has ended it")
            return {**self._last, "done": True}
        if not self._away:
            self._say(f"{error}; Ray restarts it")
        self._away = True
        return {}

    def _status(self) -> Mapping[str, Any]:
        try:
            status = self._hosted.status()
        except BrokerUnavailable as error:
            return self._missing(error)
        self._away, self._last = False, status
        for _, text in status["said"]:
            self._say(text)
        if self._signals and not status.get("stopping", True):
            self._stop()  # it was restarted, and does not know
        if status["reason"] and not self._reason:
            self._reason = status["reason"]
            self._say(f"{self._reason}: claiming no more, finishing what runs")
        return status

    def _end(self, status: Mapping[str, Any], code: int) -> int:
        if status.get("error"):
            raise FabricError(f"failed: {status['error']}", subject=f"dispatcher {self._hosted.name}")
        seconds = time.monotonic() - self._started
        self._say(f"dispatcher {self._hosted.name}, {seconds:.0f} s: {counts_text(status)}")
        return code


def counts_text(status: Mapping[str, Any]) -> str:
    """What became of a dispatcher's claims, for a person."""
    counts = status.get("counts", {})
    return summary({each: counts[each.value] for each in Ended if each.value in counts})


# ---- looking and ending --------------------------------------------------------------------------


def statuses(address: str) -> list[dict[str, Any]]:
    """How the dispatchers on a cluster stand, by name; of one that does not answer its name, and why.

    Raises:
        BrokerUnavailable: no cluster is at that address.
    """
    with connected(address):
        from peagen_ray.fabric.host import Hosted

        return [_status_of(hosted) for hosted in Hosted.every()]


def _status_of(hosted: Hosted) -> dict[str, Any]:
    try:
        return {**hosted.status(), "name": hosted.name}
    except BrokerUnavailable as error:
        return {"name": hosted.name, "error": str(error)}


def stop(address: str, name: str | None, *, now: bool, say: Callable[[str], None]) -> None:
    """End a dispatcher, and wait until it has ended.

    Args:
        address: of the cluster.
        name: the dispatcher's; None for the only one.
        now: end what runs and give it back, in place of waiting for it.
        say: told what it had to say, and at its end what it has done.

    Raises:
        UsageError: there is none of that name, or it is not clear which one is meant.
        BrokerUnavailable: the cluster, or the dispatcher, does not answer.
    """
    with connected(address):
        hosted = _meant(name)
        hosted.stop(drain=not now)
        while not (status := hosted.status()).get("done", True):
            for _, text in status["said"]:
                say(text)
            if not status.get("stopping", True):
                hosted.stop(drain=not now)  # it was restarted, and does not know
            time.sleep(WATCH_S)
        hosted.kill()
        say(f"dispatcher {hosted.name} has ended: {counts_text(status)}")


def _meant(name: str | None) -> Hosted:
    from peagen_ray.fabric.host import Hosted

    if name is not None:
        return Hosted.find(name)
    every = Hosted.every()
    if len(every) == 1:
        return every[0]
    names = ", ".join(each.name for each in every)
    what = f"which one? {names}" if every else "no dispatcher runs on that cluster"
    raise UsageError(what, subject="worker stop", hint="name it: worker stop NAME" if every else "")
