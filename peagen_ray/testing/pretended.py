"""A pretended run: the real engine and the real ledger, and candidates that are never run.

What becomes of each candidate is drawn from its question's seed, so that the same arguments give the same ledger.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from peagen_ray._version import __version__
from peagen_ray.config.model import Config
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Confirm, Mutate, Observation, Question
from peagen_ray.runtime.run import build_engine, stop_rules

REFERENCE_MS: Final = 200.0

_FAILURES: Final = (
    (0.34, Outcome.INCORRECT, "result[{0}]: expected {1}, got {2}"),
    (0.08, Outcome.ERROR, "expected a call that returned {0}, got one that raised NameError(name 'v{1}')"),
    (0.03, Outcome.TIMEOUT, "took more than {0} s"),
    (0.01, Outcome.MEMORY, "took more than {1} MiB"),
    (0.05, Outcome.REJECTED, "no change applies at line {0}"),
)  # fmt: skip


@dataclass(frozen=True)
class Pretence:
    """What a pretended run is like.

    Attributes:
        candidates: told back.
        lines: of each program, one of which a candidate changes.
        gains: whether anything is ever faster than the original.
        tokens: spent for a candidate, on average.
        ends: whether the run is brought to its end; else it is left as a killed one leaves it.
        scored: whether an evaluator's score is reported, rather than a ratio of speeds.
        text: what stands in every program, reason and operator beside what is drawn.
        path: the file that is said to be improved.
        seed: of the run.
    """

    candidates: int = 60
    lines: int = 30
    gains: bool = True
    tokens: int = 0
    ends: bool = True
    scored: bool = False
    text: str = ""
    path: str = "slow.py"
    seed: int = 1


def record(path: Path, pretence: Pretence = Pretence()) -> None:
    """Write the ledger of a pretended run; see :class:`~peagen_ray.evolution.ledger.Ledger`."""
    source = _original(pretence)
    config = Config().model_dump(mode="json")
    config["evolve"]["stop"] |= {"max_generations": 10**6, "no_improve": 10**6}
    config["evaluate"]["evaluator"] = "module" if pretence.scored else "speed"
    meta = {
        "run": path.parent.name,
        "seed": pretence.seed,
        "secret": "5ec2e7" * 10,
        "subject": {"path": pretence.path, "entry": "slow", "source": source}
        | {"workload": None, "workload_path": ""},
        "reference": {"size": 100, "repeat": 1, "slice_s": 0.001, "reference_ms": REFERENCE_MS},
        "config": config,
        "mutator": "genetic",
        "versions": {"peagen-ray": __version__, "python": "3.11.0", "machine": "x86_64"},
    }
    engine = build_engine(meta, stop_rules(Config.model_validate(config)))
    engine.seed(_program(source, pretence), 0.0)
    with Ledger.create(path, meta) as ledger:
        ledger.append(engine.take_events())
        now = _drive(engine, ledger, pretence)
        if pretence.ends:
            ledger.append([_final(engine, source, now, pretence)])


def _drive(engine: Engine, ledger: Ledger, pretence: Pretence) -> float:
    now = 0.0
    while sum(engine.counts.values()) < pretence.candidates:
        now += 0.15
        question = engine.ask(now)
        assert question is not None
        engine.tell(question.n, _answer(question, pretence), now + 0.1, epoch=question.epoch)
        ledger.append(engine.take_events())
        engine.take_news()
    return now


def _original(pretence: Pretence) -> str:
    body = "".join(f"    total += {number} * x  # 0\n" for number in range(pretence.lines))
    words = f"    # {pretence.text}\n" if pretence.text else ""
    return f"def slow(x: int) -> int:\n    total = 0\n{words}{body}    return total\n"


def _program(source: str, pretence: Pretence) -> Program:
    metrics = _metrics(0.0, "screened", pretence)
    timed: dict[str, Any] = {} if pretence.scored else {"speed_ms": REFERENCE_MS, "peak_kb": 64.0}
    return Program(0, source, fitness=0.0, confirmed=True, metrics=metrics, **timed)


def _answer(question: Question, pretence: Pretence) -> Observation:
    rng = random.Random(question.seed)
    if isinstance(question, Confirm):
        return _confirmed(question, rng, pretence)
    assert isinstance(question, Mutate)
    operator = rng.choice(("sort-loop", "drop-dead-assignment", "hoist", "crossover", "any-loop"))
    cost = rng.randrange(2 * pretence.tokens) if pretence.tokens else 0
    common: dict[str, Any] = {"mutator": "genetic", "operator": operator + pretence.text, "tokens": cost}
    common |= {
        "usd": cost * 2e-6,
        "wall": {"mutate": 0.05, "execute": 0.2 + rng.random() / 10, "evaluate": 0.01},
    }
    source = _changed(question.parent.src, rng)
    common |= {"cpu": {"mutate": 0.02, "execute": 0.1, "evaluate": 0.005, "guests": 0.4}}
    digest = hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    common |= {"source": source, "fingerprint": digest}
    drawn = rng.random()
    for share, outcome, reason in _FAILURES:
        drawn -= share
        if drawn < 0:
            words = reason.format(*(rng.randrange(-500, 500) for _ in range(3))) + pretence.text
            return Observation(outcome, words, **common)
    fitness = (
        (question.parent.fitness or 0.0) + rng.gauss(-0.02, 0.04) if pretence.gains else rng.gauss(-1, 0.1)
    )
    return Observation(
        Outcome.OK,
        fitness=fitness,
        speed_ms=None if pretence.scored else REFERENCE_MS * math.exp(-fitness),
        peak_kb=None if pretence.scored else 64.0 + 32 * rng.randrange(6),
        metrics=_metrics(fitness, "screened", pretence),
        **common,
    )


def _changed(source: str, rng: random.Random) -> str:
    lines = source.split("\n")
    at = rng.choice([number for number, line in enumerate(lines) if line.startswith("    total +=")] or [1])
    code = lines[at].partition("  #")[0]
    lines[at] = (
        f"{code} + {rng.randrange(10**6)}  # {at}" if len(code) < 60 else f"    total += {at} * x  # {at}"
    )
    if rng.random() < 0.2:
        lines.insert(at, f"    total += {rng.randrange(10**6)}  # new")
    return "\n".join(lines)


def _confirmed(question: Confirm, rng: random.Random, pretence: Pretence) -> Observation:
    fitness = (question.program.fitness or 0.0) - abs(rng.gauss(0, 0.01))
    if rng.random() < 0.1:
        return Observation(Outcome.INCORRECT, "result: wrong on fresh inputs")
    metrics = _metrics(fitness, "confirmed", pretence)
    speed = REFERENCE_MS * math.exp(-fitness)
    timed: dict[str, Any] = {} if pretence.scored else {"speed_ms": speed, "peak_kb": 64.0}
    return Observation(Outcome.OK, fitness=fitness, metrics=metrics, **timed)


def _metrics(fitness: float, how: str, pretence: Pretence) -> dict[str, Any]:
    if pretence.scored:
        return {"combined_score": fitness, "measured": how}
    ratio = math.exp(fitness)
    found = {
        "ratio": ratio,
        "ratio_low": 0.98 * ratio,
        "ratio_high": 1.02 * ratio,
        "samples": 15,
        "inputs": 120,
    }
    families = {"families": [0.99 * ratio, ratio, 1.01 * ratio], "noise": [0.995, 1.004]}
    return {**found, "measured": how, **(families if how == "confirmed" else {})}


def _final(engine: Engine, source: str, now: float, pretence: Pretence) -> Event:
    best = engine.best
    won = best is not None and best.src != source and (best.fitness or 0.0) > 0
    fitness = best.fitness if best is not None and won else 0.0
    return Event(
        Kind.FINAL,
        time_s=now + 5,
        reason="max_generations",
        fitness=fitness,
        confirmed=won,
        source=best.src if best is not None and won else "",
        metrics=_metrics(fitness or 0.0, "confirmed", pretence) if won else {},
        detail={"stopped": "max_generations"},
    )
