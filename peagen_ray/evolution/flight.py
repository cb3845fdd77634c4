"""Questions in flight: asked, and not yet told or not yet applied."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Observation, Question, question_from_data, question_to_data


@dataclass(slots=True)
class Slot:
    """A question whose observation is not applied yet.

    Attributes:
        question: what was asked.
        observation: the answer; None until it is told.
        claim: fingerprint of the proposal that is being run for it; "" until there is one.
    """

    question: Question
    observation: Observation | None = None
    claim: str = ""


class Flight:
    """Every question in flight, in the order of asking.

    Attributes:
        asked: how many questions there were, seed programs included: the number of the next one.
        again: numbers of questions of an earlier life that are to be asked again.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.again: deque[int] = deque()
        self._slots: dict[int, Slot] = {}
        self._claims: dict[str, int] = {}

    def send(self, question: Question) -> None:
        """Take in the next question."""
        self._slots[question.n] = Slot(question)
        self.asked += 1

    def send_again(self, kind: type[Question] | None = None) -> Question | None:
        """The next question that is to be asked again, of that kind if one is named; None if there is none."""
        found = (self._slots[n].question for n in self.again)
        question = next((each for each in found if kind is None or isinstance(each, kind)), None)
        if question is not None:
            self.again.remove(question.n)
        return question

    def open_slot(self, n: int, epoch: int) -> Slot | None:
        """The slot of a question that may be answered; None if it was, or is of another life.

        Raises:
            EvolutionError: that question was never asked.
        """
        if not 0 <= n < self.asked:
            raise EvolutionError("no such question was asked", subject=f"question {n}")
        slot = self._slots.get(n)
        if slot is None or slot.observation is not None or slot.question.epoch != epoch:
            return None
        return slot

    def take(self, n: int) -> Slot:
        """Remove a question that was told, to apply its observation."""
        slot = self._slots.pop(n)
        self._release(n, slot)
        return slot

    def outstanding(self) -> list[Question]:
        """What is not told."""
        return [slot.question for slot in self._slots.values() if slot.observation is None]

    def awaited(self) -> bool:
        """Whether an answer to a question of this life is still to come."""
        repeats = set(self.again)
        return any(slot.observation is None and n not in repeats for n, slot in self._slots.items())

    def told_until(self, last: int) -> bool:
        """Whether every question up to ``last`` was told."""
        return all(slot.observation is not None for n, slot in self._slots.items() if n <= last)

    def due(self, last: int) -> list[int]:
        """The questions up to ``last`` that were told, in the order of asking."""
        return [n for n, slot in self._slots.items() if n <= last and slot.observation is not None]

    def claim(self, n: int, fingerprint: str) -> None:
        """Question ``n`` stands for that fingerprint from now on, unless an earlier one does; "" is none."""
        slot = self._slots[n]
        self._release(n, slot)
        slot.claim = fingerprint
        if fingerprint:
            self._claims[fingerprint] = min(n, self._claims.get(fingerprint, n))

    def _release(self, n: int, slot: Slot) -> None:
        if self._claims.get(slot.claim) == n:
            del self._claims[slot.claim]

    def claimant(self, fingerprint: str) -> tuple[int, Outcome | None] | None:
        """The question that stands for a fingerprint, and its outcome once it is told."""
        n = self._claims.get(fingerprint)
        if n is None:
            return None
        observation = self._slots[n].observation
        return n, None if observation is None else observation.outcome

    def renew(self, epoch: int) -> None:
        """Begin a new life: what is not told is to be asked again, and stands for nothing."""
        self.again = deque(question.n for question in self.outstanding())
        for n in self.again:
            self._slots[n] = Slot(replace(self._slots[n].question, epoch=epoch))
        self._reclaim()

    def _reclaim(self) -> None:
        self._claims = {}
        for n, slot in self._slots.items():
            if slot.claim:
                self._claims.setdefault(slot.claim, n)

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able, but for the claims of what is not told."""
        slots = []
        for slot in self._slots.values():
            seen = slot.observation
            slots.append(
                {
                    **question_to_data(slot.question),
                    "observation": None if seen is None else seen.to_data(),
                    "claim": "" if seen is None else slot.claim,
                }
            )
        return {"asked": self.asked, "again": list(self.again), "slots": slots}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self.asked = state["asked"]
        self.again = deque(state["again"])
        for saved in state["slots"]:
            question = question_from_data(saved)
            seen = None if saved["observation"] is None else Observation.from_data(saved["observation"])
            self._slots[question.n] = Slot(question, seen, saved["claim"])
        self._reclaim()
