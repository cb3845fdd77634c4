"""Moves: the ways to come to a change, nearly all of them by asking a model; and which of them to make next."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from peagen_ray.errors import ConfigError

_DECAY: Final = 0.98  # what a move came to counts half after about 34 others
_PRIOR_TRIES: Final = 4.0
_PRIOR_REWARD: Final = 0.1
_PRIOR_TOKENS: Final = 1000.0
_FLOOR: Final = 0.1
_CEILING: Final = 10.0


class Move(StrEnum):
    """A way to come to a change."""

    DIFF = "diff"
    """Change some lines of the parent."""
    REWRITE = "rewrite"
    """Write the function anew."""
    CROSSOVER = "crossover"
    """Join what is good in two parents."""
    REPAIR = "repair"
    """Mend an answer or a candidate that failed, told how it did."""
    GENETIC = "genetic"
    """Edit the parent's syntax tree; no model is asked."""


PRIOR: Final[Mapping[Move, float]] = {
    Move.DIFF: 0.5,
    Move.REWRITE: 0.25,
    Move.CROSSOVER: 0.15,
    Move.REPAIR: 0.1,
    Move.GENETIC: 0.0,
}
"""Shares of the moves before anything is known of them."""


@dataclass(slots=True)
class Payoff:
    """What one move has come to, faded by what came after.

    Attributes:
        tries: how often it was made.
        reward: what it earned, 0 to 1 each time.
        tokens: what it cost.
    """

    tries: float = 0.0
    reward: float = 0.0
    tokens: float = 0.0


class MoveMix:
    """Chooses moves by their prior shares, shifted to what pays per token.

    A move's rate is its reward per token, shrunk towards the rate of all moves by a prior of a few tries; its
    weight is its prior share times the ratio of the two, within 0.1 and 10. A move whose share is 0 is never made.
    The same observations and seed give the same choice, on every machine.

    Args:
        prior: shares; a move that is left out has none.

    Raises:
        ConfigError: a share is negative or no number, or none is above 0.
    """

    def __init__(self, prior: Mapping[Move, float] = PRIOR) -> None:
        for move, share in prior.items():
            if not math.isfinite(share) or share < 0:
                raise ConfigError(f"the share of a move must be 0 or more, not {share}", subject=str(move))
        if not any(prior.values()):
            raise ConfigError("no move has a share above 0", subject="moves")
        self._prior = {move: float(prior.get(move, 0.0)) for move in Move}
        self._payoffs = {move: Payoff() for move in Move}

    def choose(self, seed: int, possible: Collection[Move] = tuple(Move)) -> Move:
        """A move.

        Args:
            seed: of the choice.
            possible: the moves that can be made; there may be nothing to repair, for example. If none of them
                has a share, ``diff`` is made.
        """
        weights = {move: weight for move, weight in self.weights().items() if move in possible and weight > 0}
        if not weights:
            return Move.DIFF
        (move,) = random.Random(seed).choices(list(weights), list(weights.values()))
        return move

    def tell(self, move: Move, *, reward: float, tokens: int) -> None:
        """What a move came to.

        Args:
            move: the move.
            reward: 0 (failed) to 1 (could not have done better).
            tokens: of prompt and answer, 0 if unknown.

        Raises:
            ValueError: a reward outside 0 to 1, or negative tokens.
        """
        if not 0.0 <= reward <= 1.0 or tokens < 0:
            msg = f"no payoff: reward {reward}, tokens {tokens}"
            raise ValueError(msg)
        for payoff in self._payoffs.values():
            payoff.tries *= _DECAY
            payoff.reward *= _DECAY
            payoff.tokens *= _DECAY
        told = self._payoffs[move]
        told.tries += 1.0
        told.reward += reward
        told.tokens += tokens

    def weights(self) -> dict[Move, float]:
        """The share of each move, all of them together 1."""
        everything = self._payoffs.values()
        tries = sum(each.tries for each in everything)
        mean_reward = (sum(each.reward for each in everything) + _PRIOR_TRIES * _PRIOR_REWARD) / (
            tries + _PRIOR_TRIES
        )
        mean_tokens = (sum(each.tokens for each in everything) + _PRIOR_TRIES * _PRIOR_TOKENS) / (
            tries + _PRIOR_TRIES
        )
        raw = {
            move: share * self._ratio(self._payoffs[move], mean_reward, mean_tokens)
            for move, share in self._prior.items()
        }
        total = sum(raw.values())
        return {move: weight / total for move, weight in raw.items()}

    @staticmethod
    def _ratio(payoff: Payoff, mean_reward: float, mean_tokens: float) -> float:
        """A move's reward per token over that of all of them."""
        reward = payoff.reward + _PRIOR_TRIES * mean_reward
        tokens = payoff.tokens + _PRIOR_TRIES * mean_tokens
        ratio = (reward * mean_tokens) / (tokens * mean_reward)
        return min(_CEILING, max(_FLOOR, ratio))

    def state(self) -> dict[str, Any]:
        """All that it was told, JSON-able."""
        return {str(move): asdict(payoff) for move, payoff in self._payoffs.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self._payoffs = {move: Payoff(**state.get(str(move), {})) for move in Move}
