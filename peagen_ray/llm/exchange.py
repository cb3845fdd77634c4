"""The record of one call of a language model: what was asked and answered, and what it may have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from peagen_ray.llm.base import Completion, FinishReason
from peagen_ray.llm.ensemble import Call, Outcome

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Exchange:
    """One call.

    Attributes:
        prompt: the prompt's digest.
        backend: the back-end's name.
        model: the model that answered, or was asked.
        outcome: what became of the call.
        bound_in: tokens that the prompt has at most.
        bound_out: tokens that the answer was limited to.
        text: the answer; "" where there is none.
        tokens_in: tokens of the prompt; None where nobody knows.
        tokens_out: tokens of the answer; None where nobody knows.
        latency_s: seconds that it took.
        finish: why the answer ends; None where there is none.
        error: what went wrong; "" where nothing did.
        billed: it may have cost tokens.
        retry_after: seconds that the back-end asked for.
        attempt: 1 for the first call of its back-end, and one more for each time it was made again.
        kept: its answer is the one that was kept.
    """

    prompt: str
    backend: str
    model: str
    outcome: Outcome
    bound_in: Count
    bound_out: Count
    text: str = ""
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    latency_s: float = 0.0
    finish: FinishReason | None = None
    error: str = ""
    billed: bool = True
    retry_after: float | None = None
    attempt: int = 1
    kept: bool = False

    @property
    def charged(self) -> tuple[int, int]:
        """Tokens in and out that are to be paid for: those that are known, and the bound of those that are not."""
        if not self.billed:
            return 0, 0
        known_in, known_out = self.tokens_in, self.tokens_out
        return (
            self.bound_in if known_in is None else known_in,
            self.bound_out if known_out is None else known_out,
        )

    def answered(self, completion: Completion) -> Exchange:
        """This call with its answer."""
        return replace(
            self,
            outcome=Outcome.OK,
            model=completion.model,
            text=completion.text,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            latency_s=completion.latency_s,
            finish=completion.finish_reason,
        )

    def report(self) -> Call:
        """What the ensemble is to hear of it."""
        return Call(self.outcome, self.error, self.retry_after, sum(self.charged))

    def to_wire(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> Exchange:
        """Read what :meth:`to_wire` made and JSON carried; raises ValueError."""
        return _reader().validate_python(fields)


@lru_cache(maxsize=1)
def _reader() -> TypeAdapter[Exchange]:
    return TypeAdapter(Exchange)
