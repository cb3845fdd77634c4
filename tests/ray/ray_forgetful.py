"""The queue's actor, for one test after the other. Not a test."""

from __future__ import annotations

from peagen_ray.queues.ray.actor import QueueActor

DEFAULTS = {
    "max_retry": 3,
    "idle_ms": 60_000,
    "patience": 60.0,
    "retry_delay": 1.0,
    "skip_delay": 0.1,
    "results_kept": 10_000,
    "results_age": 86_400.0,
    "max_waiting": None,
}


class ForgetfulActor(QueueActor):
    def __init__(self, name: str) -> None:
        super().__init__(name, DEFAULTS, None)

    async def forget(self, root: str) -> None:
        """Be new, with an empty journal."""
        if self._keeper is not None:
            await self._keeper.stop()
        super().__init__("queue", DEFAULTS, root)
