"""A queue on Ray that writes down what dispatchers do with it. Not a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from peagen_ray.queues.base import Claim, Completion
from peagen_ray.queues.ray import RayQueue


class WatchedQueue(RayQueue):
    """Writes down every claim and every completion that the queue accepts; retries and leases are short."""

    LEASE_S = 8.0

    def __init__(self, url: str = "", **options: Any) -> None:
        super().__init__(url, **{**options, "retry_delay": 0.05})
        folder = Path(options["root"]).parent
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        return cls(url, **options)

    def claim(self, offered: Any, owner: str, *args: Any, **options: Any) -> list[Claim]:
        claims = super().claim(offered, owner, *args, **{**options, "lease": self.LEASE_S})
        self._write(f"claim {each.task.id} {each.lease_until - self.LEASE_S!r}" for each in claims)
        return claims

    def complete_all(self, done: Sequence[Completion]) -> list[bool]:
        said = super().complete_all(done)
        self._write(f"done {each.claim.task.id} 0" for each, won in zip(done, said, strict=True) if won)
        return said

    def _write(self, lines: Iterable[str]) -> None:
        if text := "".join(f"{line}\n" for line in lines):
            with self._log.open("ab", buffering=0) as log:
                log.write(text.encode())
