"""What is known of the one-shot processes of all nodes."""

from __future__ import annotations

from collections.abc import Collection

from peagen_ray.fabric.remote import Warmth


class Pools:
    """The last word of each Ray worker about its one-shot processes, as long as it holds. One thread writes.

    What a worker said is forgotten with its node, and what stood ready there when it must have left.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], tuple[Warmth, float]] = {}
        self._sums = (0, 0, 0)
        self._launched_before = 0

    def heard(self, warmth: Warmth, now: float) -> None:
        """A worker has said how it stands."""
        self._said[warmth.node, warmth.worker] = warmth, now
        self._sum(now)

    def keep(self, nodes: Collection[str], now: float) -> None:
        """Only these nodes live."""
        for key, (warmth, said) in list(self._said.items()):
            if key[0] not in nodes or (not warmth.live - warmth.idle and now >= said + warmth.gone_in):
                self._launched_before += warmth.launched
                del self._said[key]
        self._sum(now)

    def sums(self) -> tuple[int, int, int]:
        """Processes that live, those of them that stand ready, and all that were ever started."""
        return self._sums

    def _sum(self, now: float) -> None:
        every = list(self._said.values())
        idle = sum(warmth.idle for warmth, said in every if now < said + warmth.gone_in)
        gone = sum(warmth.idle for warmth, _ in every) - idle
        live = sum(warmth.live for warmth, _ in every) - gone
        launched = sum(warmth.launched for warmth, _ in every) + self._launched_before
        self._sums = live, idle, launched
