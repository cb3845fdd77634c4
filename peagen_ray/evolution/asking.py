"""How questions are made from what is known.

Each question has a random generator of its own, seeded from the run's seed and the question's number: so
no generator's state has to be kept, and a question that is asked again is the same question.
"""

from __future__ import annotations

import random

from peagen_ray.evolution.questions import Confirm, Mutate, Question
from peagen_ray.evolution.selectors.base import ParentSelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.standing import Standing


def mutate(
    n: int,
    epoch: int,
    settings: EngineSettings,
    selector: ParentSelector,
    standing: Standing,
    island: int = 0,
) -> Mutate:
    """Question ``n``: which program of an island to change, and with what in view.

    Raises:
        EvolutionError: the archive is empty.
    """
    rng = _rng(settings.seed, n)
    selector.reseed(rng)
    db = standing.isles.islands[island]
    db.rng = rng
    parent = selector.select(db)
    wanted = settings.inspirations
    texts = selector.sample_inspirations(db, wanted + 1) if wanted else []
    inspirations = tuple([text for text in texts if text != parent.src][:wanted])
    seed_of_answer = _seed(rng)
    return Mutate(
        n=n,
        epoch=epoch,
        parents=(parent,),
        inspirations=inspirations,
        seed=seed_of_answer,
        weights=standing.credits.weights(),
        exclude=standing.excluded(parent),
        briefing=standing.brief(db, parent, inspirations, rng),
        island=island,
    )


def confirm(n: int, epoch: int, seed: int, standing: Standing) -> Confirm | None:
    """Question ``n``: the program that is to be confirmed, if there is one."""
    program = standing.contender()
    if program is None:
        return None
    attempt = 1 + standing.attempts(program)
    return Confirm(n, epoch, program, attempt, _seed(_rng(seed, n)))


def inspired_by(question: Question, standing: Standing) -> tuple[int, ...]:
    """The ids of a question's inspirations, as far as its island still remembers them."""
    if isinstance(question, Confirm):
        return ()
    ids = map(standing.isles.islands[question.island].id_of, question.inspirations)
    return tuple(n for n in ids if n is not None)


def _rng(seed: int, n: int) -> random.Random:
    return random.Random(f"{seed}:{n}")


def _seed(rng: random.Random) -> int:
    """53 bits: a JSON reader of any language holds them exactly."""
    return rng.getrandbits(53)
