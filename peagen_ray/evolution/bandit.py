"""Adaptive operator choice: how much each mutation operator has paid off lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_PRIOR_TRIES: Final = 4.0
_PRIOR_REWARD: Final = 0.1
_FLOOR: Final = 0.1
_CEILING: Final = 10.0
_DECAY: Final = 0.9965  # a credit halves in about 200 tries
_RENORMALISE: Final = 1e60


@dataclass(slots=True)
class Credit:
    """What one operator has come to.

    Attributes:
        tries: candidates that it took part in; one that n operators share counts 1/n for each.
        accepted: of these, how many entered the archive.
        gain: the fitness that they gained over their parents, added up.
        weight: decayed tries, in units of :attr:`OperatorCredits.scale`.
        reward: decayed reward, in the same units.
    """

    tries: float = 0.0
    accepted: float = 0.0
    gain: float = 0.0
    weight: float = 0.0
    reward: float = 0.0


class OperatorCredits:
    """Probability matching with a floor, on credits that fade.

    After Goldberg 1990 and Thierens 2005 ("An adaptive pursuit strategy for allocating operator
    probabilities"), with rewards discounted as in Kocsis & Szepesvári 2006, and each operator's mean
    reward shrunk towards the mean of all by a prior of a few tries.

    So an operator that was never tried weighs 1.0, exactly as much as the average one: as others fail it
    gains on them. A credit fades by what happens elsewhere: later credits are written larger by a growing
    ``scale`` instead of all earlier ones being multiplied, which costs the same for any number of
    operators. Only ``+ - * /`` are used, whose results do not differ between machines.
    """

    def __init__(self) -> None:
        self.scale = 1.0
        self.credits: dict[str, Credit] = {}
        self._all = Credit()

    def tell(self, operator: str, reward: float, *, accepted: bool = False, gain: float = 0.0) -> None:
        """Credit what a candidate came to.

        Args:
            operator: name of its operator, or of several joined by ``+``, who share alike.
            reward: 0 (failed) to 1 (could not have done better).
            accepted: it entered the archive.
            gain: the fitness that it gained over its parent; a loss counts as none.
        """
        self.scale /= _DECAY
        names = [name for name in operator.split("+") if name]
        if not names:
            return
        share = 1.0 / len(names)
        for credit in (*(self.credits.setdefault(name, Credit()) for name in names), self._all):
            part = 1.0 if credit is self._all else share
            credit.tries += part
            credit.accepted += part * accepted
            credit.gain += part * max(0.0, gain)
            credit.weight += part * self.scale
            credit.reward += part * self.scale * reward
        if self.scale > _RENORMALISE:
            self._renormalise()

    def _renormalise(self) -> None:
        for credit in (*self.credits.values(), self._all):
            credit.weight /= self.scale
            credit.reward /= self.scale
        self.scale = 1.0

    def weights(self) -> dict[str, float]:
        """How much each operator that was tried has paid off, as a multiple of the average; all above 0."""
        mean = self._mean(self._all, _PRIOR_REWARD)
        shrunk = ((name, self._mean(credit, mean) / mean) for name, credit in self.credits.items())
        return {name: round(min(_CEILING, max(_FLOOR, weight)), 6) for name, weight in shrunk}

    def _mean(self, credit: Credit, prior: float) -> float:
        reward, weight = credit.reward / self.scale, credit.weight / self.scale
        return (reward + _PRIOR_TRIES * prior) / (weight + _PRIOR_TRIES)

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        operators = {name: asdict(credit) for name, credit in self.credits.items()}
        return {"scale": self.scale, "operators": operators, "all": asdict(self._all)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self.scale = float(state["scale"])
        self.credits = {name: Credit(**credit) for name, credit in state["operators"].items()}
        self._all = Credit(**state["all"])
