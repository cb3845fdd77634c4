"""Asking one back-end or several within one task, until an answer is taken or there is no more to hope for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from peagen_ray.errors import (
    KeyRefused,
    LLMError,
    LLMUnavailable,
    PromptRefused,
    RateLimited,
    UnknownModel,
)
from peagen_ray.llm.base import Completion, LLMBackend, Prompt
from peagen_ray.llm.budget import Purse
from peagen_ray.llm.ensemble import Outcome
from peagen_ray.llm.exchange import Exchange

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_POLITENESS: Final = 0.1
"""Of the time that a back-end asks for: how much longer it is given at random, so that not all return at once."""


@dataclass(frozen=True)
class Terms:
    """How to ask.

    Attributes:
        temperature: 0 (the likeliest answer) to 2.
        max_tokens: limit of one answer.
        timeout: seconds for all of it, retries and pauses included.
        retries: how often a call is made again that failed for a reason that may pass.
        max_prompt_tokens: limit of the prompt, by :attr:`Prompt.token_bound`.
    """

    temperature: float = 0.7
    max_tokens: int = 4096
    timeout: float = 120.0
    retries: int = 2
    max_prompt_tokens: int = 32_768


@dataclass(frozen=True)
class Asked:
    """What came of it.

    Attributes:
        kept: the call whose answer was taken; None if none was.
        exchanges: every call that was made, in the order of their ends; none where the purse did not hold one.
    """

    kept: Exchange | None
    exchanges: tuple[Exchange, ...]

    @property
    def answer(self) -> Exchange | None:
        """The call whose answer counts: the one that was taken, or else the last one that was answered."""
        answered = (each for each in reversed(self.exchanges) if each.outcome is Outcome.OK)
        return self.kept or next(answered, None)

    @property
    def fault(self) -> str:
        """What every back-end found wrong with the prompt; "" if that is not what happened."""
        faults = [
            each.error for each in self.exchanges if each.outcome is Outcome.NEUTRAL and not each.billed
        ]
        return faults[-1] if faults and len(faults) == len(self.exchanges) else ""


@dataclass(frozen=True)
class World:
    """What is not decided here: time and chance.

    Attributes:
        clock: seconds from anywhere.
        sleep: waits for so many seconds.
        rng: jitters pauses.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = random.Random()  # noqa: RUF009 - one for all is what is meant


async def ask(
    backends: Sequence[LLMBackend],
    prompt: Prompt,
    terms: Terms,
    *,
    purse: Purse,
    accepts: Callable[[str], bool] = bool,
    world: World | None = None,
) -> Asked:
    """Ask all of these back-ends at once, and keep the first answer that is taken; the other calls are cancelled.

    Args:
        backends: whom to ask.
        prompt: what.
        terms: how.
        purse: what it may cost; a call is made only if it holds the worst case.
        accepts: whether the text of an answer is of use.
        world: time and chance.

    Raises:
        PromptRefused: the prompt is longer than the limit; nothing was sent.
    """
    if prompt.token_bound > terms.max_prompt_tokens:
        raise PromptRefused(
            f"the prompt may have {prompt.token_bound} tokens, the limit is {terms.max_prompt_tokens}",
            subject="prompt",
            hint="raise max_prompt_tokens, or improve a smaller program",
        )
    asking = _Asking(prompt, terms, purse, world or World())
    kept = await asking.first(backends, accepts)
    marked = tuple(replace(each, kept=True) if each is kept else each for each in asking.exchanges)
    return Asked(next((each for each in marked if each.kept), None), marked)


class _Asking:
    """One prompt on its way to several back-ends."""

    def __init__(self, prompt: Prompt, terms: Terms, purse: Purse, world: World) -> None:
        self.exchanges: list[Exchange] = []
        self._prompt = prompt
        self._terms = terms
        self._purse = purse
        self._world = world
        self._end = world.clock() + terms.timeout

    async def first(self, backends: Sequence[LLMBackend], accepts: Callable[[str], bool]) -> Exchange | None:
        """The first answer that is taken; when this returns or raises, no call is under way any more."""
        tasks = [asyncio.create_task(self._persist(backend)) for backend in backends]
        try:
            for ended in asyncio.as_completed(tasks):
                answer = await ended
                if answer is not None and accepts(answer.text):
                    return answer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return None

    async def _persist(self, backend: LLMBackend) -> Exchange | None:
        """Ask one back-end, again if that may help; its answer, or None."""
        for attempt in range(1, self._terms.retries + 2):
            left = self._end - self._world.clock()
            blank = self._blank(backend, attempt)
            if left <= 0 or not self._purse.take(backend.name, blank.bound_in, blank.bound_out):
                return None
            done, retryable = await self._once(backend, blank, left)
            if done.outcome is Outcome.OK:
                return done
            pause = self._pause(attempt, done.retry_after)
            if not retryable or attempt > self._terms.retries or pause >= self._end - self._world.clock():
                return None
            await self._world.sleep(pause)
        return None

    def _blank(self, backend: LLMBackend, attempt: int) -> Exchange:
        """A call that is about to be made; as it stands it is the record of one that was cancelled."""
        return Exchange(
            prompt=self._prompt.digest,
            backend=backend.name,
            model=backend.table.model,
            outcome=Outcome.NEUTRAL,
            bound_in=self._prompt.token_bound,
            bound_out=self._terms.max_tokens,
            error="cancelled",
            attempt=attempt,
        )

    async def _once(self, backend: LLMBackend, blank: Exchange, left: float) -> tuple[Exchange, bool]:
        """One call, recorded whatever becomes of it; and whether making it again may help."""
        begun = self._world.clock()
        done, retryable = blank, False
        try:
            completion = await self._generate(backend, min(left, backend.table.timeout_ms / 1000))
            done = replace(blank.answered(completion), error="")
        except LLMError as error:
            done, retryable = _failed(blank, error), error.retryable
        except Exception as error:  # noqa: BLE001 - an adapter of another wheel; its words may hold a key
            what = f"LLM back-end {backend.name}: the adapter failed: {type(error).__name__}"
            done = replace(blank, outcome=Outcome.FAILED, error=what)
        finally:
            if done.finish is None:
                done = replace(done, latency_s=self._world.clock() - begun)
            self.exchanges.append(done)
            self._purse.settle(done)
        return done, retryable

    async def _generate(self, backend: LLMBackend, timeout: float) -> Completion:
        async with asyncio.timeout(timeout + 1):  # an adapter of another wheel may not keep its time
            completion = await backend.generate(
                self._prompt,
                temperature=self._terms.temperature,
                max_tokens=self._terms.max_tokens,
                timeout=timeout,
            )
        return _sound(completion)

    def _pause(self, attempt: int, asked_for: float | None) -> float:
        """Seconds before the next try: what was asked for and a little more, or twice as long each time."""
        if asked_for is not None:
            return asked_for * (1 + _POLITENESS * self._world.rng.random())
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (attempt - 1))
        return longest * (0.5 + 0.5 * self._world.rng.random())


def _sound(completion: Completion) -> Completion:
    """The completion, if it is one; an adapter of another wheel may return anything. Raises TypeError."""
    counts = (completion.tokens_in, completion.tokens_out) if isinstance(completion, Completion) else ("",)
    if not all(count is None or (isinstance(count, int) and count >= 0) for count in counts):
        msg = "is no Completion"
        raise TypeError(msg)
    if not isinstance(completion.text, str):
        msg = "its text is none"
        raise TypeError(msg)
    return completion


def _failed(blank: Exchange, error: LLMError) -> Exchange:
    match error:
        case RateLimited():
            outcome = Outcome.RATE_LIMITED
        case KeyRefused() | UnknownModel():
            outcome = Outcome.REFUSED
        case PromptRefused():
            outcome = Outcome.NEUTRAL
        case _:
            outcome = Outcome.FAILED
    wait = error.retry_after if isinstance(error, LLMUnavailable) else None
    return replace(blank, outcome=outcome, error=str(error), billed=error.billed, retry_after=wait)
