"""What calls may cost and did cost: reserved before they are made, settled when they are over.

The run process holds the one :class:`Budget`. Each task gets a :class:`Lease` out of it, whose :class:`Purse`
lets a call be made only if all that it may cost is still there. What a task does not report counts as spent.

All sums are whole numbers: tokens, and picodollars rounded up. So they are the same in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, Self

from peagen_ray.config.model import Config, LLMTable
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.errors import BudgetExceeded, ConfigError
from peagen_ray.llm.exchange import Exchange
from peagen_ray.llm.opening import chosen, price

_PICO: Final = 10**12

Prices = Mapping[str, "tuple[float, float] | None"]
"""USD per million tokens, in and out, by the name of the back-end; None where it is not known."""


@dataclass(frozen=True, order=False)
class Amount:
    """Tokens, and money.

    Attributes:
        tokens: prompts and answers together.
        pico: picodollars.
    """

    tokens: int = 0
    pico: int = 0

    @classmethod
    def of(cls, tokens: int, usd: float) -> Self:
        """From dollars, as a ledger has them."""
        return cls(tokens, _picodollars(usd))

    @property
    def usd(self) -> float:
        """In dollars."""
        return self.pico / _PICO

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.pico + other.pico)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.pico - other.pico)

    def __mul__(self, times: int) -> Amount:
        return Amount(self.tokens * times, self.pico * times)

    def within(self, other: Amount) -> bool:
        """Whether neither is more than in the other."""
        return self.tokens <= other.tokens and self.pico <= other.pico

    def capped(self, other: Amount) -> Amount:
        """The lesser of each."""
        return Amount(min(self.tokens, other.tokens), min(self.pico, other.pico))


NOTHING: Final = Amount()


def _picodollars(usd: float) -> int:
    return int((Decimal(repr(usd)) * _PICO).to_integral_value(ROUND_CEILING))


def cost(tokens_in: int, tokens_out: int, prices: tuple[float, float] | None) -> Amount:
    """What so many tokens cost; no money where the price is not known."""
    price_in, price_out = prices or (0.0, 0.0)
    million = (Decimal(repr(each)) * 10**6 for each in (price_in, price_out))
    pico = sum(each * count for each, count in zip(million, (tokens_in, tokens_out), strict=True))
    return Amount(tokens_in + tokens_out, int(Decimal(pico).to_integral_value(ROUND_CEILING)))


def spent(exchanges: Iterable[Exchange], prices: Prices) -> Amount:
    """What calls are to be charged: usage that is not known counts as its bound."""
    return sum((cost(*each.charged, prices.get(each.backend)) for each in exchanges), NOTHING)


@dataclass(frozen=True)
class Lease:
    """What one run of a task may spend.

    Attributes:
        id: the task's id, or another name that is used once.
        amount: tokens and money; of what has no cap, more than anybody can spend.
    """

    id: str
    amount: Amount

    def to_wire(self) -> dict[str, Any]:
        """JSON-able."""
        return {"id": self.id, "tokens": self.amount.tokens, "pico": self.amount.pico}

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_wire` made; raises KeyError, TypeError or ValueError."""
        return cls(str(fields["id"]), Amount(int(fields["tokens"]), int(fields["pico"])))


class Purse:
    """What is left of a lease within its task.

    Args:
        amount: what there is; None has no end.
        prices: of each back-end.
    """

    def __init__(self, amount: Amount | None, prices: Prices) -> None:
        self._left = amount
        self._prices = prices

    def take(self, backend: str, bound_in: int, bound_out: int) -> bool:
        """Put aside all that a call may cost; False, and nothing done, if it is not there."""
        worst = cost(bound_in, bound_out, self._prices.get(backend))
        if self._left is not None:
            if not worst.within(self._left):
                return False
            self._left -= worst
        return True

    def settle(self, exchange: Exchange) -> None:
        """A call is over: put back what it did not cost."""
        if self._left is not None:
            prices = self._prices.get(exchange.backend)
            worst = cost(exchange.bound_in, exchange.bound_out, prices)
            self._left += worst - cost(*exchange.charged, prices)


class Budget:
    """The caps of a run, what was spent, and what tasks hold.

    As long as nobody charges more than was reserved, what was spent is never more than a cap, whatever gets lost,
    comes twice or comes out of order. A back-end that does charge more is booked with what it says, and nothing
    is leased after that until it fits.

    Args:
        tokens: cap; None for no cap.
        usd: cap in dollars; None for no cap.
        spent: what was spent before, such as by the run that this one resumes.
    """

    def __init__(self, tokens: int | None = None, usd: float | None = None, spent: Amount = NOTHING) -> None:
        self._tokens = tokens
        self._pico = None if usd is None else int(Decimal(repr(usd)) * _PICO)
        self._spent = spent
        self._held: dict[str, tuple[Lease, int]] = {}
        self._over: set[str] = set()

    @property
    def spent(self) -> Amount:
        """What was spent for certain, or is lost."""
        return self._spent

    @property
    def held(self) -> Amount:
        """What tasks may still spend."""
        return sum((lease.amount * runs for lease, runs in self._held.values()), NOTHING)

    @property
    def leases(self) -> tuple[Lease, ...]:
        """The leases that are out, in the order of their granting; a resumed run counts them as spent."""
        return tuple(lease for lease, _ in self._held.values())

    def reserve(self, name: str, least: Amount, wanted: Amount, *, runs: int = 1) -> Lease | None:
        """Lease to a task what it may spend.

        Args:
            name: the task's id.
            least: what it cannot do without: the worst case of its first calls.
            wanted: the worst case of all its calls.
            runs: how often the task may run, since a run whose worker dies may have spent its lease.

        Returns:
            A lease of ``wanted``, or of what there is if that is at least ``least``; None if it is not there
            until others settle. Asked again for the same task, the lease that it has.

        Raises:
            BudgetExceeded: nobody holds anything, and what is left is too little; or the task has settled.
        """
        if name in self._held:
            return self._held[name][0]
        if name in self._over:
            raise BudgetExceeded("has settled already", subject=f"task {name}")
        left = self._left()
        share = Amount(left.tokens // runs, left.pico // runs)
        if not least.within(share):
            if self._held:
                return None
            raise BudgetExceeded(
                f"a call may take {least.tokens} tokens and {least.usd:.6f} USD, and {self._said()} is left",
                subject="budget",
                hint="raise budget_tokens or budget_usd, or lower max_tokens",
            )
        lease = Lease(name, wanted.capped(share))
        self._held[name] = lease, runs
        return lease

    def settle(self, name: str, amount: Amount, *, lost_runs: int = 0) -> bool:
        """A task is over.

        Args:
            name: its id.
            amount: what the run that reported has spent.
            lost_runs: runs of it that reported nothing; each counts as having spent its whole lease.

        Returns:
            Whether that is news; a second settlement of a task changes nothing.
        """
        found = self._held.pop(name, None)
        if found is None:
            return False
        self._over.add(name)
        self._spent += amount + found[0].amount * lost_runs
        return True

    def forfeit(self, name: str) -> bool:
        """A task is over, and nobody knows what any of its runs has spent: all that it held is spent."""
        runs = self._held[name][1] if name in self._held else 0
        return self.settle(name, NOTHING, lost_runs=runs)

    def _left(self) -> Amount:
        used = self._spent + self.held
        endless = 2**62
        return Amount(
            endless if self._tokens is None else max(0, self._tokens - used.tokens),
            endless if self._pico is None else max(0, self._pico - used.pico),
        )

    def _said(self) -> str:
        left = self._left()
        tokens = [] if self._tokens is None else [f"{left.tokens} tokens"]
        return " and ".join([*tokens, *([] if self._pico is None else [f"{left.usd:.6f} USD"])])


def prices_of(backends: Iterable[BackendTable]) -> dict[str, tuple[float, float] | None]:
    """The prices of back-ends by their names."""
    return {each.name: price(each) for each in backends}


def check_prices(backends: Iterable[BackendTable], budget_usd: float | None) -> None:
    """Raise ConfigError if there is a cap on money and the price of a back-end is not known."""
    unknown = [name for name, prices in prices_of(backends).items() if prices is None]
    if budget_usd is not None and unknown:
        raise ConfigError(
            "needs price_in and price_out of every back-end",
            subject="evolve.stop.budget_usd",
            hint=f"add them to {', '.join(unknown)}",
        )


def round_bound(backends: Sequence[BackendTable], fanout: int, tokens_in: int, tokens_out: int) -> Amount:
    """What asking ``fanout`` of these back-ends once may cost: the dearest ones count."""
    costs = [cost(tokens_in, tokens_out, prices) for prices in prices_of(backends).values()]
    return sum(sorted(costs, key=lambda each: each.pico, reverse=True)[:fanout], NOTHING)


def task_bound(
    backends: Sequence[BackendTable], table: LLMTable, tokens_in: int, tokens_out: int, fanout: int = 1
) -> Amount:
    """What one task may cost: every retry of every round, prompts of repairs as long as they may be.

    Args:
        backends: those that may be asked.
        table: retries, rounds of repair, and the limit of a prompt.
        tokens_in: tokens that its first prompt has at most.
        tokens_out: limit of one answer.
        fanout: how many are asked at once.
    """
    first = round_bound(backends, fanout, tokens_in, tokens_out)
    repair = round_bound(backends, fanout, table.max_prompt_tokens, tokens_out)
    return (first + repair * table.repair_rounds) * (1 + table.retries)


def worst_case(config: Config, candidates: int | None = None) -> tuple[int, float | None]:
    """Tokens and dollars that a run may spend at most, its caps included; None dollars where a price is not known.

    Args:
        config: the configuration.
        candidates: candidates in all; by default all of every generation, and those in flight at the end.

    Raises:
        ConfigError: no back-end may be asked.
    """
    stop, table = config.evolve.stop, config.llm
    backends = chosen(table, config.mutate.backend)
    if candidates is None:
        candidates = stop.max_generations * config.evolve.generation_size + config.evolve.max_in_flight
    fanout = min(table.fanout, len(backends))
    task = task_bound(backends, table, table.max_prompt_tokens, config.mutate.max_tokens, fanout)
    total = task * candidates
    tokens = min(total.tokens, stop.budget_tokens or total.tokens)
    prices = prices_of(backends).values()
    if None in prices:
        return tokens, stop.budget_usd
    dearest = max(each for pair in prices if pair for each in pair)
    return tokens, min(total.usd, cost(tokens, 0, (dearest, 0)).usd, stop.budget_usd or total.usd)
