"""The language models of a run: whom to ask next, what that may cost, and what came of it.

The run process alone holds all of it (breakers, rate limits, budget, recording); a task gets a lease.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from peagen_ray.config.model import Config, LLMTable
from peagen_ray.errors import BudgetExceeded, ConfigError, MutationRejected
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.patch import PatchRequest, PatchSettings, prompt
from peagen_ray.evolution.prompts import Form
from peagen_ray.evolution.questions import ANY_LIFE
from peagen_ray.evolution.stopping import StopReason
from peagen_ray.llm.base import CHAT_OVERHEAD, Prompt
from peagen_ray.llm.budget import (
    NOTHING,
    Amount,
    Budget,
    Lease,
    Prices,
    check_prices,
    prices_of,
    round_bound,
    spent,
    task_bound,
    worst_case,
)
from peagen_ray.llm.calling import Asked
from peagen_ray.llm.ensemble import Choice, Ensemble, Wait
from peagen_ray.llm.exchange import Exchange
from peagen_ray.llm.opening import adapter, chosen, open_backend
from peagen_ray.llm.recording import Recording, Round

LLM_MUTATORS: Final = frozenset({"patch", "rewrite", "crossover", "repair"})
"""Mutators that ask a language model."""

_PAUSES_S: Final = 30.0
"""Seconds that one retry may wait before it."""

_MARGIN_S: Final = 30.0
"""Seconds that a task may take beside its calls."""

_PROMPT_CHARS: Final = 24_000


@dataclass(frozen=True)
class Asking:
    """A question that may be sent off.

    Attributes:
        lease: what it may cost.
        choice: whom it goes to.
        payload: of its task.
    """

    lease: Lease
    choice: Choice
    payload: dict[str, Any]


@dataclass(frozen=True)
class Later:
    """A question that must wait.

    Attributes:
        why: what keeps each back-end; "" if it waits for what others hold of the budget.
        until: when it is worth asking again, by the clock.
        final: every back-end refuses us for a reason that time does not mend.
    """

    why: str = ""
    until: float = 0.0
    final: bool = False


@dataclass(frozen=True)
class Broke:
    """What is left of the budget pays for no more calls, and nobody holds any of it.

    Attributes:
        reason: the rule that ends the run.
        why: what is short.
    """

    reason: StopReason
    why: str


@dataclass(frozen=True)
class Heard:
    """What came of a question.

    Attributes:
        cost: what it is charged.
        backend: the one whose answer was kept; "" if none was.
    """

    cost: Amount
    backend: str = ""


class Models:
    """The back-ends that a run may ask. Used by one thread.

    Args:
        config: the effective configuration.
        seed: of the run, for drawing back-ends.
        spent: what earlier lives of the run have spent.
        clock: seconds from anywhere, never going back.
        on_cost: told what a back-end's calls were charged, in dollars. What is charged without anything known of a
            call counts for the back-end that was asked first.

    Raises:
        ConfigError: no back-end may be asked, or a price is missing that ``budget_usd`` wants.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        spent: Amount = NOTHING,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_cost: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self._on_cost = on_cost
        stop = config.evolve.stop
        self._config = config
        self._clock = clock
        self.backends = chosen(config.llm, config.mutate.backend)
        check_prices(self.backends, stop.budget_usd)
        self._tables = {each.name: each for each in self.backends}
        self._prices = prices_of(self.backends)
        self._fanout = min(config.llm.fanout, len(self.backends))
        self._ensemble = Ensemble(self.backends, config.llm, random.Random(f"{seed}:ensemble"))
        self._budget = Budget(stop.budget_tokens, stop.budget_usd, spent)
        self._leases = itertools.count()
        self._templates = texts_of(config.templates.search_path)

    def check(self, *, here: bool) -> None:
        """Find out before the run what no back-end could be asked without.

        Args:
            here: this process asks; otherwise its keys need not be here.

        Raises:
            PluginError: an adapter, or its SDK, is not installed.
            ConfigError: a model is missing.
            KeyRefused: a key is missing.
        """
        for table in self.backends:
            if here:
                open_backend(table)
            else:
                adapter(table)

    def prompt(self, request: PatchRequest) -> Prompt:
        """The first prompt of a request.

        Raises:
            MutationRejected: there is none to make, or it is too long.
            ConfigError: a template is missing or broken.
        """
        made = Prompt(prompt(request))
        most = self._config.llm.max_prompt_tokens
        if made.token_bound > most:
            raise MutationRejected(
                "too large", f"the prompt may have {made.token_bound} tokens, it may have {most}"
            )
        return made

    def ask(
        self, name: str, first: Prompt, request: PatchRequest, tried: Collection[str]
    ) -> Asking | Later | Broke:
        """Choose whom to ask, and reserve what that may cost at worst.

        Args:
            name: what its lease is called, and a number.
            first: the first prompt.
            request: what is asked.
            tried: fingerprints of programs that were judged already.
        """
        granted = self._granted(name, first, self._config.llm)
        if isinstance(granted, Later | Broke):
            return granted
        lease, choice = granted
        return Asking(lease, choice, self._payload(lease, choice, first, request, tried))

    def ask_text(self, name: str, prompt: Prompt) -> Asking | Later | Broke:
        """As :meth:`ask`, for a text that is taken as it comes.

        Args:
            name: what its lease is called, and a number.
            prompt: what is asked.
        """
        granted = self._granted(name, prompt, without_repairs(self._config.llm))
        if isinstance(granted, Later | Broke):
            return granted
        payload = self._terms(*granted)
        payload |= {"generate": 1, "prompt": prompt.user, "timeout": payload["round_s"] + _MARGIN_S}
        return Asking(*granted, payload)

    def pause(self, later: Later) -> float:
        """Seconds until it is worth asking again."""
        return max(0.0, later.until - self._clock())

    def _granted(self, name: str, first: Prompt, table: LLMTable) -> tuple[Lease, Choice] | Later | Broke:
        tokens, most = first.token_bound, self._config.mutate.max_tokens
        least = round_bound(self.backends, self._fanout, tokens, most)
        wanted = task_bound(self.backends, table, tokens, most, self._fanout)
        try:
            lease = self._budget.reserve(f"{name}-{next(self._leases)}", least, wanted)
        except BudgetExceeded as error:
            return Broke(self._short_of(least), str(error))
        if lease is None:
            return Later()
        choice = self._ensemble.choose(self._clock(), self._fanout, tokens=tokens + most)
        if isinstance(choice, Wait):
            self._budget.settle(lease.id, NOTHING)
            return Later(choice.why, choice.until, choice.final)
        return lease, choice

    def heard(self, asking: Asking, exchanges: Iterable[Exchange], *, lost: bool, attempts: int) -> Heard:
        """Take in what came of a question.

        Args:
            asking: the question.
            exchanges: the calls that are known.
            lost: there were calls of which nothing is known, so that all of its lease counts as spent.
            attempts: runs of its task; only the first one may have spent something.
        """
        calls = tuple(exchanges)
        before, name = self._budget.spent, asking.lease.id
        if lost:
            self._budget.forfeit(name)
        else:
            self._budget.settle(name, spent(calls, self._prices), lost_runs=min(1, attempts - 1))
        now = self._clock()
        for backend in asking.choice.backends:
            reports = [call.report() for call in calls if call.backend == backend]
            self._ensemble.report(backend, reports, now, asking.choice)
        kept = next((call.backend for call in calls if call.kept), "")
        cost = self._budget.spent - before
        self._tell_cost(asking, calls, cost)
        return Heard(cost, kept)

    def _tell_cost(self, asking: Asking, calls: tuple[Exchange, ...], cost: Amount) -> None:
        if cost == NOTHING:
            return
        known = {
            name: spent([call for call in calls if call.backend == name], self._prices)
            for name in asking.choice.backends
        }
        rest = cost - sum(known.values(), NOTHING)
        if rest.pico > 0:
            known[asking.choice.backends[0]] += rest
        for name, amount in known.items():
            self._on_cost(name, amount.usd)

    def credit(self, backend: str, gain: float, usd: float) -> None:
        """Say what a candidate of a back-end gained over its parent, in fitness, and what it cost."""
        if backend:
            self._ensemble.credit(backend, gain, usd)

    def _short_of(self, least: Amount) -> StopReason:
        cap = self._config.evolve.stop.budget_tokens
        short = cap is not None and cap - self._budget.spent.tokens < least.tokens
        return StopReason.BUDGET_TOKENS if short else StopReason.BUDGET_USD

    def _payload(
        self, lease: Lease, choice: Choice, first: Prompt, request: PatchRequest, tried: Collection[str]
    ) -> dict[str, Any]:
        table = self._config.llm
        wire: dict[str, Any] = _requests().dump_python(request, mode="json")
        wire["settings"]["search_path"] = []
        payload = self._terms(lease, choice)
        rounds_s = payload["round_s"] * (1 + table.repair_rounds)
        return {
            **payload,
            "mutator": "patch",
            "request": wire,
            "exclude": sorted(tried),
            "prompt": first.user,
            "templates": self._templates,
            "repair_rounds": table.repair_rounds,
            "timeout": rounds_s + _MARGIN_S,
        }

    def _terms(self, lease: Lease, choice: Choice) -> dict[str, Any]:
        """Whom to ask, how, and what that may cost."""
        table, config = self._config.llm, self._config
        backends = [self._tables[name] for name in choice.backends]
        slowest = max(each.timeout_ms for each in backends) / 1000
        return {
            "backends": [each.model_dump(mode="json") for each in backends],
            "lease": lease.to_wire(),
            "temperature": config.mutate.temperature,
            "max_tokens": config.mutate.max_tokens,
            "retries": table.retries,
            "max_prompt_tokens": table.max_prompt_tokens,
            "round_s": slowest * (1 + table.retries) + _PAUSES_S * table.retries,
        }


@lru_cache(maxsize=1)
def _requests() -> TypeAdapter[PatchRequest]:
    return TypeAdapter(PatchRequest)


def patch_settings(config: Config) -> PatchSettings:
    """How prompts are made."""
    return PatchSettings(
        form=Form(config.mutate.form),
        search_path=config.templates.search_path,
        max_chars=max(1, min(_PROMPT_CHARS, config.llm.max_prompt_tokens - CHAT_OVERHEAD)),
    )


def moves_of(mutator: str, config: Config, *, python: bool = True) -> dict[str, float]:
    """The shares of the moves that a mutator makes; empty if it asks no model. Offline only Python is changed.

    Raises:
        ConfigError: none is above 0.
    """
    if mutator not in LLM_MUTATORS:
        return {}
    shares: dict[str, float] = config.evolve.moves.model_dump()
    if mutator != "patch":
        return {str(move): float(move == mutator) for move in Move}
    shares |= {} if python else {str(Move.GENETIC): 0.0}
    if not any(shares.values()):
        raise ConfigError("no move has a share above 0", subject="evolve.moves")
    return shares


def texts_of(search_path: Iterable[Path]) -> dict[str, str]:
    """The templates of a search path by name; of two with one name the first. They go with tasks.

    Raises:
        ConfigError: one of the directories is none, or a template cannot be read.
    """
    found: dict[str, str] = {}
    for directory in search_path:
        if not directory.is_dir():
            raise ConfigError(
                "no such directory", subject=str(directory), hint="correct [templates] search_path"
            )
        for path in sorted(directory.rglob("*.j2")):
            try:
                found.setdefault(str(path.relative_to(directory)), path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"cannot be read: {error}", subject=str(path)) from error
    return found


def without_repairs(table: LLMTable) -> LLMTable:
    """The same settings, but no answer is mended."""
    return table.model_copy(update={"repair_rounds": 0})


def texts_bound(config: Config, tokens_in: int) -> tuple[Amount, bool]:
    """What one text may cost that a model writes, its caps left out, and whether all prices are known.

    Where there is no back-end, one call is counted. Raises ConfigError if there are some, and none may be asked.
    """
    most = config.mutate.max_tokens
    if not config.llm.backends:
        return Amount(tokens_in + most), False
    backends = chosen(config.llm, config.mutate.backend)
    fanout = min(config.llm.fanout, len(backends))
    bound = task_bound(backends, without_repairs(config.llm), tokens_in, most, fanout)
    return bound, None not in prices_of(backends).values()


def worst_words(config: Config, candidates: int) -> str:
    """What so many candidates may cost at most, for a person; raises ConfigError if no back-end may be asked."""
    tokens, usd = worst_case(config, candidates)
    money = "a price is not known" if usd is None else f"{usd:.2f} USD"
    return f"{tokens} tokens, {money}, for {candidates} candidates"


# ---- what is on disk -----------------------------------------------------------------------------


def record(recording: Recording, name: str, exchanges: Iterable[Exchange]) -> None:
    """Write down the rounds of a question; they are on disk once ``recording.sync`` has returned."""
    calls = (call for call in exchanges if call.prompt)
    for number, (digest, group) in enumerate(itertools.groupby(calls, lambda call: call.prompt)):
        made = tuple(group)
        kept = next((call for call in made if call.kept), None)
        recording.append(Round(name, number, digest, Asked(kept, made)), sync=False)


def exchanges_of(data: Mapping[str, Any]) -> tuple[Exchange, ...] | None:
    """The calls that a Result's data tells of; None where it is not to be read."""
    try:
        return tuple(Exchange.from_wire(each) for each in data["exchanges"])
    except (KeyError, TypeError, ValueError):
        return None


def credits_of(
    events: Iterable[Event], rounds: Iterable[Round], name_of: Callable[[int, int], str]
) -> Iterator[tuple[str, float, float]]:
    """What back-ends have gained in earlier lives of a run: name, gain in fitness over the parent, dollars; in order.

    Args:
        events: the run's ledger.
        rounds: its recording.
        name_of: what a question is called there, by epoch and number.
    """
    kept = {each.task: call.backend for each in rounds for call in each.asked.exchanges if call.kept}
    fitness: dict[int, float | None] = {}
    for event in events:
        if event.event is Kind.SEED:
            fitness[event.n] = event.fitness
        elif event.event is Kind.TELL and event.kind == "confirm" and event.fitness is not None:
            fitness[event.parents[0]] = event.fitness
        elif event.event is Kind.TELL and event.kind == "mutate":
            fitness[event.n] = event.fitness
            backend = kept.get(name_of(event.epoch, event.n))
            if backend:
                yield backend, gained(event.fitness, fitness.get(event.parents[0])), event.usd


def gained(fitness: float | None, before: float | None) -> float:
    """What a candidate gained over its parent; 0 where one of them has no fitness."""
    return 0.0 if fitness is None or before is None else fitness - before


def leased(n: int, epoch: int, now: float, worst: Amount) -> Event:
    """Question ``n`` may cost so much in all; on disk before it is sent off."""
    return Event(Kind.LEASE, n=n, epoch=epoch, time_s=now, detail={"tokens": worst.tokens, "usd": worst.usd})


def heard_of(rounds: Iterable[Round], prices: Prices) -> dict[str, Amount]:
    """What questions have cost whose answer is recorded, by what they are called; of known back-ends."""
    calls: dict[str, list[Exchange]] = {}
    for each in rounds:
        calls.setdefault(each.task, []).extend(each.asked.exchanges)
    return {
        task: spent(made, prices)
        for task, made in calls.items()
        if any(call.kept for call in made) and all(call.backend in prices for call in made)
    }


def unsettled(
    events: Iterable[Event], heard: Mapping[str, Amount], name_of: Callable[[int, int], str]
) -> dict[tuple[int, int], Amount]:
    """What questions are to be charged of which the run was not told, by number and epoch.

    Of one that was sent off once, and whose answer is recorded, that is what it has cost; of all others what they may.

    Args:
        events: the run's ledger.
        heard: see :func:`heard_of`.
        name_of: what a question is called there, by epoch and number.
    """
    found: dict[tuple[int, int], Amount] = {}
    sent: Counter[tuple[int, int]] = Counter()
    for event in events:
        match event.event:
            case Kind.LEASE:
                amount = Amount.of(int(event.detail["tokens"]), float(event.detail["usd"]))
                sent[event.n, event.epoch] += 1
                known = heard.get(name_of(event.epoch, event.n)) if sent[event.n, event.epoch] == 1 else None
                found[event.n, event.epoch] = amount if known is None else known
            case Kind.TELL | Kind.DROP if event.epoch != ANY_LIFE:
                found.pop((event.n, event.epoch), None)
            case Kind.DROP:
                found = {key: amount for key, amount in found.items() if key[0] != event.n}
            case _:
                pass
    return found
