"""What is known of the one-shot processes of all nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection

from peagen_ray.fabric.remote import Warmth


class Pools:
    """The last word of each Ray worker about its one-shot processes, as long as it holds. One thread writes.

    What a worker said is forgotten with its node, and what stood ready there when it must have left: nobody took it,
    whether its time was over or Ray had ended the worker.

    Args:
        on_idle: told of each process that left because nobody took it, as soon as that is known.
    """

    def __init__(self, on_idle: Callable[[], None] = lambda: None) -> None:
        self._on_idle = on_idle
        self._said: dict[tuple[str, int], tuple[Warmth, float]] = {}
        self._sums = (0, 0, 0)
        self._launched_before = 0
        self._left_idle = self._left_idle_before = 0
        self._forgotten: dict[tuple[str, int], tuple[int, int]] = {}

    def heard(self, warmth: Warmth, now: float) -> None:
        """A worker has said how it stands."""
        launched, left_idle = self._forgotten.pop((warmth.node, warmth.worker), (0, 0))
        if (
            warmth.launched >= launched
        ):  # it lives after all and counts on, rather than another of its process id
            self._launched_before -= launched
            self._left_idle_before -= left_idle
        self._said[warmth.node, warmth.worker] = warmth, now
        self._sum(now)

    def keep(self, nodes: Collection[str], now: float) -> None:
        """Only these nodes live."""
        for key, (warmth, said) in list(self._said.items()):
            over = now >= said + warmth.gone_in
            if key[0] not in nodes or (not warmth.live - warmth.idle and over):
                self._forget(key, warmth, over=over)
        self._forgotten = {key: counts for key, counts in self._forgotten.items() if key[0] in nodes}
        self._sum(now)

    def sums(self) -> tuple[int, int, int]:
        """Processes that live, those of them that stand ready, and all that were ever started."""
        return self._sums

    def _forget(self, key: tuple[str, int], warmth: Warmth, *, over: bool) -> None:
        counts = warmth.launched, _left_idle(warmth, over=over)
        self._launched_before += counts[0]
        self._left_idle_before += counts[1]
        if any(counts):
            self._forgotten[key] = counts
        del self._said[key]

    def _sum(self, now: float) -> None:
        every = list(self._said.values())
        idle = sum(warmth.idle for warmth, said in every if now < said + warmth.gone_in)
        gone = sum(warmth.idle for warmth, _ in every) - idle
        live = sum(warmth.live for warmth, _ in every) - gone
        launched = sum(warmth.launched for warmth, _ in every) + self._launched_before
        self._sums = live, idle, launched
        self._tell(sum(_left_idle(warmth, over=now >= said + warmth.gone_in) for warmth, said in every))

    def _tell(self, left_idle: int) -> None:
        """What a worker says replaces what was inferred of it; nothing is told twice, or taken back."""
        for _ in range(self._left_idle, left_idle + self._left_idle_before):
            self._left_idle += 1
            self._on_idle()


def _left_idle(warmth: Warmth, *, over: bool) -> int:
    """How many of a worker's processes have left because nobody took them, those included whose time is over."""
    return warmth.left_idle + (warmth.idle if over else 0)
