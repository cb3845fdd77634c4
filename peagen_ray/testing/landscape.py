"""A pretended search: programs that are never run, whose speed is a formula, and a loop to drive an engine.

It shows what an engine, a selector or a bandit does in milliseconds, and the same every time: an answer
depends on its question alone.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Confirm, Mutate, Observation, Question, Run

REFERENCE_MS = 200.0

_OPERATORS = ("up", "down", "leap", "up+leap", "spoil")


def a_program(level: int) -> Program:
    """The program of a level, measured and confirmed; level 0 is the original."""
    return Program(
        0,
        _source(level),
        fitness=_fitness(level),
        speed_ms=REFERENCE_MS * math.exp(-_fitness(level)),
        peak_kb=100.0,
        confirmed=True,
        fingerprint=_print(_source(level)),
    )


def answer(question: Question) -> Observation:
    """What becomes of a question: some candidates fail, some screen better than they confirm."""
    return _confirmed(question) if isinstance(question, Confirm) else _screened(question)


def drive(engine: Engine, order: random.Random, *, width: int = 6, now: float = 0.0) -> Iterator[Question]:
    """Ask and tell until the engine is done, ``width`` questions in flight, answered in a random order.

    Yields each question when it is asked. Every step takes a tenth of a second of pretended time.

    Args:
        engine: seeded, or resumed.
        order: decides when to ask, and what is answered next.
        width: questions in flight.
        now: seconds since the run's start.
    """
    flying: list[tuple[Question, Observation | None]] = []
    while not engine.done:
        now += 0.1
        asks = len(flying) < width and (not flying or order.random() < 0.6)
        question = engine.ask(now) if asks else None
        if question is not None:
            flying.append((question, None))
            yield question
        elif flying:
            _advance(engine, flying, order.randrange(len(flying)), now)


def _advance(engine: Engine, flying: list[tuple[Question, Observation | None]], at: int, now: float) -> None:
    """One question in flight gets on: proposed first, then run."""
    question, seen = flying.pop(at)
    epoch = question.epoch
    if seen is None and isinstance(question, Mutate):
        seen = answer(question)
        if seen.outcome is not Outcome.REJECTED:
            ruling = engine.proposed(
                question.n, seen.fingerprint, now, epoch=epoch, operator=seen.operator, tokens=seen.tokens
            )
            if isinstance(ruling, Run):
                flying.append((question, seen))
            return
    engine.tell(question.n, seen or answer(question), now, epoch=epoch)


def ask_all(engine: Engine, now: float = 0.0, most: int = 1000) -> list[Question]:
    """Everything that the engine asks before it must be told something."""
    return list(iter(_until(lambda: engine.ask(now), most), None))


def _until(ask: Callable[[], Question | None], most: int) -> Callable[[], Question | None]:
    left = iter(range(most))
    return lambda: None if next(left, None) is None else ask()


def _screened(question: Mutate) -> Observation:
    rng = random.Random(question.seed)
    operator = rng.choice(_OPERATORS)
    step = {"up": 1, "down": -1, "leap": 3, "up+leap": 4, "spoil": -5}[operator]
    level = max(0, _level(question.parent.src) + step + rng.randrange(-1, 2))
    source = _source(level)
    seen = Observation(
        Outcome.OK,
        fitness=_fitness(level) + (level % 3) * 0.01,
        speed_ms=REFERENCE_MS * math.exp(-_fitness(level)),
        peak_kb=100.0 + 40 * (level % 4),
        source=source,
        mutator="pretend",
        operator=operator,
        fingerprint=_print(source),
        tokens=100 + level,
        wall={"execute": 0.25},
    )
    if rng.random() < 0.1:
        return Observation(Outcome.REJECTED, "identical: nothing to change", operator=operator, tokens=7)
    failures = {5: Outcome.INCORRECT, 8: Outcome.ERROR, 10: Outcome.LOST, 12: Outcome.TIMEOUT}
    outcome = failures.get(level % 13)
    return seen if outcome is None else replace(seen.failed(outcome, f"level {level}"), metrics={"at": 1})


def _confirmed(question: Confirm) -> Observation:
    level = _level(question.program.src)
    fitness = _fitness(level)
    if level % 5 == 1 and question.attempt == 1:
        return Observation(Outcome.LOST, "the worker vanished")
    if level % 7 == 3:
        return Observation(Outcome.INCORRECT, "wrong on fresh inputs")
    if level % 7 == 5:
        fitness /= 2
    return Observation(Outcome.OK, fitness=fitness, speed_ms=REFERENCE_MS * math.exp(-fitness), peak_kb=100.0)


def _fitness(level: int) -> float:
    return 0.05 * level


def _source(level: int) -> str:
    return f"level = {level}\n"


def _level(source: str) -> int:
    return int(source.removeprefix("level = "))


def _print(source: str) -> str:
    return hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
