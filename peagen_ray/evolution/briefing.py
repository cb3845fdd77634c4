"""What a model is told of a run: what was tried from each parent, how it failed, and how the best came about."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.moves import Move, MoveMix
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.prompts.context import Attempt, Failed, HotLine, Remark, Score

ARTIFACTS: Final = "artifacts"
"""The metric that holds the texts of a program's artifacts, shortened."""

PRIVATE: Final = "private."
"""How metrics are called that no prompt shows."""

ATTEMPTS: Final = 3
"""Changes of one parent that are remembered, the latest ones."""

RISES: Final = 6
"""Confirmed bests that are remembered, the latest ones."""

_CHANGE: Final = 1200
_ERROR: Final = 400
"""Characters that are kept of a change, and of what was said about it."""

_BROKEN: Final = frozenset(
    {Outcome.INCORRECT, Outcome.ERROR, Outcome.KILLED, Outcome.TIMEOUT, Outcome.MEMORY}
)
"""Outcomes of programs that may be worth mending."""

_UNTOLD: Final = frozenset({Outcome.DUPLICATE, Outcome.LOST})
"""Outcomes that say nothing about a change."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """What goes with a question whose answer a model may be asked for.

    Attributes:
        move: how to change the parent.
        values: the metric of each inspiration (``speed_ms``, or the evaluator's score); None where it is not known.
        history: the metric of the confirmed bests, oldest first, and of the parent.
        attempts: what was tried from the parent, latest last.
        failed: what to repair, for the move ``repair``.
        profile: where the parent spends its time, hottest first; nothing where that is not known.
        remarks: what the evaluator said of the parent.
    """

    move: Move
    values: tuple[float | None, ...] = ()
    history: tuple[Score, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failed: Failed | None = None
    profile: tuple[HotLine, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        data: dict[str, Any] = _adapter().dump_python(self, mode="json")
        late = {name for name in ("profile", "remarks") if not getattr(self, name)}
        return {
            name: value for name, value in data.items() if name not in late
        }  # as it was digested before them

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Briefing:
        """Read what :meth:`to_data` wrote; raises ValueError."""
        return _adapter().validate_python(data)


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Briefing]:
    return TypeAdapter(Briefing)


class Story:
    """What there is to tell, and the mix of moves; taken in observation by observation.

    Args:
        shares: of the moves, see :class:`~peagen_ray.evolution.moves.MoveMix`.
        scored: the metric is an evaluator's score rather than ``speed_ms``.
    """

    def __init__(self, shares: Mapping[str, float], *, scored: bool = False) -> None:
        self._scored = scored
        self._mix = MoveMix({Move(name): share for name, share in shares.items()})
        self._attempts: dict[int, deque[Attempt]] = {}
        self._failed: dict[int, Failed] = {}
        self._rises: deque[Score] = deque(maxlen=RISES)

    def brief(self, parent: Program, inspirations: Sequence[Program | None], seed: int) -> Briefing:
        """What to tell with a question about that parent.

        Args:
            parent: the program to change.
            inspirations: what goes with it; None for one that the archive has forgotten.
            seed: of the choice of the move.
        """
        failed = self._failed.get(parent.id)
        possible = set(Move) - (set() if inspirations else {Move.CROSSOVER})
        move = self._mix.choose(seed, possible - (set() if failed else {Move.REPAIR}))
        value = self._value(parent)
        own = () if value is None else (Score(f"the program to change (number {parent.id})", value),)
        return Briefing(
            move=move,
            values=tuple(None if each is None else self._value(each) for each in inspirations),
            history=(*(each for each in self._rises if each.value != value), *own),
            attempts=tuple(self._attempts.get(parent.id, ())),
            failed=failed if move is Move.REPAIR else None,
            profile=() if self._scored else _profile(parent),
            remarks=remarks_of(parent) if self._scored else (),
        )

    def tell(self, move: Move, parent: Program, child: Program, *, reward: float, tokens: int) -> None:
        """Take in what a move came to.

        Args:
            move: the move.
            parent: what was changed.
            child: what came of it, with its outcome.
            reward: 0 (failed) to 1 (could not have done better).
            tokens: what it cost.
        """
        if child.outcome is not Outcome.LOST:
            self._mix.tell(move, reward=reward, tokens=tokens)
        if move is Move.REPAIR:
            self._failed.pop(parent.id, None)
        if child.outcome in _UNTOLD:
            return
        error = child.reason[:_ERROR]
        if child.outcome in _BROKEN and child.src:
            self._failed[parent.id] = Failed(child.src, str(child.outcome), error)
        if child.outcome is Outcome.REJECTED and not child.src:
            return  # a reason without the answer that it is about misleads more than it tells
        change = unified(parent.src, child.src, "program.py")[:_CHANGE] if child.src else ""
        tried = self._attempts.setdefault(parent.id, deque(maxlen=ATTEMPTS))
        words = _scores(parent, child) if self._scored else _words(parent, child)
        tried.append(Attempt(change, words, error))

    def rose(self, program: Program) -> None:
        """There is a new confirmed best."""
        value = self._value(program)
        if value is not None:
            label = f"number {program.id}" if program.parents else "the original"
            self._rises.append(Score(label, value))

    def _value(self, program: Program) -> float | None:
        return program.fitness if self._scored else program.speed_ms

    def forget(self, program_id: int) -> None:
        """That program is no parent any more."""
        self._attempts.pop(program_id, None)
        self._failed.pop(program_id, None)

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        attempts = tuple((n, tuple(tried)) for n, tried in self._attempts.items())
        kept = _Saved(attempts, tuple(self._failed.items()), tuple(self._rises))
        saved: dict[str, Any] = _saved().dump_python(kept, mode="json")
        return saved | {"mix": self._mix.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self._mix.restore(state["mix"])
        saved = _saved().validate_python({name: state[name] for name in ("attempts", "failed", "rises")})
        self._attempts = {n: deque(tried, maxlen=ATTEMPTS) for n, tried in saved.attempts}
        self._failed = dict(saved.failed)
        self._rises = deque(saved.rises, maxlen=RISES)


@dataclass(frozen=True)
class _Saved:
    attempts: tuple[tuple[int, tuple[Attempt, ...]], ...]
    failed: tuple[tuple[int, Failed], ...]
    rises: tuple[Score, ...]


@lru_cache(maxsize=1)
def _saved() -> TypeAdapter[_Saved]:
    return TypeAdapter(_Saved)


def _profile(parent: Program) -> tuple[HotLine, ...]:
    """The parent's hot lines, if its evaluator reported them: pairs of line and share in the metric ``hot``."""
    try:
        return tuple(HotLine(int(line), float(share)) for line, share in parent.metrics.get("hot", ()))
    except (TypeError, ValueError, OverflowError):
        return ()  # an evaluator may mean something else by that name


def _words(parent: Program, child: Program) -> str:
    """What became of a change, in a word or two."""
    if child.outcome is not Outcome.OK:
        return str(child.outcome)
    if child.fitness is None or parent.fitness is None:
        return "correct"
    ratio = math.exp(child.fitness - parent.fitness)
    return f"correct, {ratio:.2f} times as fast"


def _scores(parent: Program, child: Program) -> str:
    """What became of a change, where an evaluator scores."""
    if child.outcome is not Outcome.OK or child.fitness is None or parent.fitness is None:
        return str(child.outcome)
    return f"it scored {child.fitness:.6g}, after {parent.fitness:.6g}"


def remarks_of(program: Program) -> tuple[Remark, ...]:
    """What an evaluator said of a program: its public metrics, and the texts among its artifacts."""
    texts = program.metrics.get(ARTIFACTS, {})
    numbers = (
        f"{name} = {value:.6g}"
        for name, value in program.metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not name.startswith(PRIVATE)
    )
    metrics = ", ".join(numbers)
    said = [Remark("metrics", metrics)] if metrics else []
    return (*said, *(Remark(str(name), str(text)) for name, text in texts.items()))
