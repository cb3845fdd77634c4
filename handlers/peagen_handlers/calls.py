"""What every task says that asks a language model, and what it answers of its calls."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_handlers.talking import Switchboard
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.secrets import secret
from peagen_ray.errors import PeagenError
from peagen_ray.llm.base import LLMBackend
from peagen_ray.llm.budget import Lease, Purse, prices_of, spent
from peagen_ray.llm.calling import Terms
from peagen_ray.llm.ensemble import Outcome
from peagen_ray.llm.exchange import Exchange
from peagen_ray.task import Result, Task

NO_ANSWER: Final = "llm"
"""The ``reason`` of a Result that is no fault of what was asked: nobody answered, and it is worth asking again."""

SECOND_RUN: Final = {"reason": NO_ANSWER, "detail": "an earlier run of the task reported nothing"}
"""What a second run of a task answers: its lease is good for one, and the earlier one may have spent it."""


class CallJob(BaseModel):
    """Payload: whom to ask, and what it may cost. No key is in it: a worker has its own.

    Attributes:
        backends: whom to ask, all of them at once.
        lease: what it may cost; None has no end.
        temperature, max_tokens, retries, max_prompt_tokens, round_s: see :class:`~peagen_ray.llm.calling.Terms`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    backends: tuple[BackendTable, ...] = Field(min_length=1)
    lease: dict[str, Any] | None = None
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int = Field(default=4096, ge=1)
    retries: int = Field(default=2, ge=0)
    max_prompt_tokens: int = Field(default=32_768, ge=1)
    round_s: float = Field(default=120.0, gt=0)

    def purse(self) -> Purse:
        """What it may cost."""
        amount = None if self.lease is None else Lease.from_wire(self.lease).amount
        return Purse(amount, prices_of(self.backends))

    def terms(self) -> Terms:
        """How to ask."""
        return Terms(self.temperature, self.max_tokens, self.round_s, self.retries, self.max_prompt_tokens)


@dataclass
class Talk:
    """A task's conversation.

    Attributes:
        exchanges: every call that was made and is known.
        lost: calls were made of which nothing is known.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    lost: bool = False

    def silence(self) -> dict[str, Any]:
        """Says that nobody answered, and why."""
        errors = dict.fromkeys(each.error for each in self.exchanges if each.error)
        return {"reason": NO_ANSWER, "detail": "; ".join(errors) or "nobody was asked"}

    def result(self, task: Task, job: CallJob, data: Mapping[str, Any]) -> Result:
        """The task's Result: ``data``, and what all calls cost."""
        cost = spent(self.exchanges, prices_of(job.backends))
        exchanges = [each.to_wire() for each in self.exchanges]
        costs = {"exchanges": exchanges, "tokens": cost.tokens, "usd": cost.usd, "lost": self.lost}
        return Result.success(task, {**data, **costs})


def opened(
    tables: Sequence[BackendTable], board: Switchboard, talk: Talk, environment: Mapping[str, str]
) -> list[LLMBackend]:
    """The back-ends that can be asked from here; for each of the others an exchange that says why not."""

    def key_of(variable: str) -> str | None:
        return environment.get(variable) or secret(variable)

    found = []
    for table in tables:
        try:
            found.append(board.backend(table, key_of))
        except PeagenError as error:
            talk.exchanges.append(_refusal(table, f"{error}, on {platform.node()}"))
    return found


def unreadable(task: Task, error: ValidationError) -> Result:
    """The Result of a task whose payload is none."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return Result.failure(task, f"payload.{where}: {first['msg']}", retryable=False)


def _refusal(table: BackendTable, why: str) -> Exchange:
    return Exchange("", table.name, table.model, Outcome.REFUSED, 0, 0, error=why, billed=False)
