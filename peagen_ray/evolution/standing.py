"""What a run's observations amount to so far: the archive, the confirmed best, every verdict."""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution.archipelago import Archipelago, Arrival
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.bandit import OperatorCredits
from peagen_ray.evolution.briefing import Briefing, Story
from peagen_ray.evolution.events import printable
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Confirm, Judgement, Mutate, Observation, Question
from peagen_ray.evolution.ranking import fitness_of
from peagen_ray.evolution.settings import EngineSettings

EXCLUDED: Final = 200
"""Fingerprints of a parent's latest children that its next question excludes."""

CONFIRM_ATTEMPTS: Final = 2
"""How often our own machinery may fail on confirming one program."""

_FLATTERY: Final = math.log(2)
"""By how much screening may overrate a program, beyond as much again as it has truly gained."""

_RAISED_BEST, _BEAT_PARENT, _ENTERED = 1.0, 0.5, 0.05


class Verdict(NamedTuple):
    """What became of a syntax tree: the first question that it answered, and the outcome."""

    n: int
    outcome: Outcome


@dataclass(slots=True)
class Tally:
    """What was counted.

    Attributes:
        told: candidates told back.
        accepted: of these, how many entered the archive.
        refuted: programs that confirmation did not bear out.
        stale_from: ``told`` when the confirmed best last rose.
        tokens: LLM tokens spent.
        usd: money spent.
    """

    told: int = 0
    accepted: int = 0
    refuted: int = 0
    stale_from: int = 0
    tokens: int = 0
    usd: float = 0.0


class Standing:
    """Takes observations one by one, in the order in which the engine applies them.

    Args:
        settings: of the archives, and ``confirm_margin``, by which a program must exceed its parent to count
            as a gain, too.

    Attributes:
        isles: the archives, of screened and of confirmed fitness.
        best: the fittest confirmed program.
        credits: what each operator has come to.
        verdicts: what became of each fingerprint.
        outcomes: candidates by outcome.
        tally: the other counts.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.isles = Archipelago(settings)
        self._story = Story(settings.moves, scored=settings.scored) if settings.moves else None
        self.best: Program | None = None
        self.credits = OperatorCredits()
        self.verdicts: dict[str, Verdict] = {}
        self.outcomes: Counter[Outcome] = Counter()
        self.tally = Tally()
        self._margin = settings.confirm_margin
        self._tried: dict[int, deque[str]] = {}
        self._attempts: dict[int, int] = {}
        self._screened: float | None = None

    def seed(self, program: Program) -> Judgement:
        """Take in a program that the run starts from."""
        program = self.isles.placed(program)
        self._judge(program)
        accepted = self._settle(self.isles.insert_everywhere(program))
        rose = accepted and program.confirmed and self._raise_best(program)
        return Judgement(program.id, program, accepted=accepted, new_best=rose)

    def excluded(self, program: Program) -> tuple[str, ...]:
        """Fingerprints not worth proposing from this parent: its own, and its latest children's."""
        own = (program.fingerprint,) if program.fingerprint else ()
        return (*own, *self._tried.get(program.id, ()))

    def brief(
        self, db: EvoDB, parent: Program, inspirations: Sequence[str], rng: random.Random
    ) -> Briefing | None:
        """What a model is to be told with a question about that parent; None in a run that asks none."""
        if self._story is None:
            return None
        ids = [db.id_of(text) for text in inspirations]
        shown = [None if each is None else db.get(each) for each in ids]
        return self._story.brief(parent, shown, rng.getrandbits(53))

    def contender(self) -> Program | None:
        """The program to confirm next: the fittest, if it beats by the margin what is known to be true.

        That is the confirmed best, and the fittest that screening made of a program that was confirmed: where
        screening flatters, it flatters every program, and each would be confirmed in turn.
        """
        leader = self.isles.best
        if leader is None or leader.confirmed:
            return None
        known = [] if self.best is None else [fitness_of(self.best)]
        known += [] if self._screened is None else [self._screened]
        if known and fitness_of(leader) < max(known) + self._margin:
            return None
        return leader

    def attempts(self, program: Program) -> int:
        """How often confirming it was tried in vain."""
        return self._attempts.get(program.id, 0)

    def normal(self, question: Question, seen: Observation, claim: str) -> Observation:
        """An observation as it is recorded and judged.

        A success without a finite fitness is a failure; what was judged before is a duplicate; a source
        that was recorded before, or never ran, is left out.

        Args:
            question: what it answers.
            seen: the observation as it was told.
            claim: fingerprint of what was proposed, for an observation that has none itself.

        Raises:
            EvolutionError: a success comes without its source.
        """
        seen = replace(seen, reason=printable(seen.reason), fingerprint=seen.fingerprint or claim)
        if seen.outcome is Outcome.OK and (seen.fitness is None or not math.isfinite(seen.fitness)):
            seen = seen.failed(Outcome.INCORRECT, f"fitness is {seen.fitness}, not a finite number")
        if isinstance(question, Confirm):
            return replace(seen, source="")
        if seen.outcome is Outcome.OK and not seen.source:
            raise EvolutionError("a success was told without its source", subject=f"question {question.n}")
        verdict = self.verdicts.get(seen.fingerprint)
        if verdict is not None and seen.outcome is not Outcome.DUPLICATE:
            seen = seen.failed(Outcome.DUPLICATE, f"same as {verdict.n}")
        return replace(seen, source="") if seen.outcome is Outcome.DUPLICATE else seen

    def candidate(self, question: Mutate, seen: Observation) -> Judgement:
        """Judge the answer to a :class:`Mutate`."""
        self.tally.told += 1
        self._spend(seen)
        if seen.outcome is not Outcome.DUPLICATE and seen.fingerprint in self.verdicts:
            seen = seen.failed(Outcome.DUPLICATE, f"same as {self.verdicts[seen.fingerprint].n}")
        self.outcomes[seen.outcome] += 1
        program = self.isles.placed(_child(question, seen))
        self._judge(program)
        arrival = self.isles.insert(program, question.island)
        accepted = self._settle([arrival])
        self._remember(question.parent, seen.fingerprint)
        reward = self._credit(seen.operator, question.parent, program, arrival)
        if self._story is not None and question.briefing is not None and question.parent.id in self.isles:
            self._story.tell(
                question.briefing.move, question.parent, program, reward=reward, tokens=seen.tokens
            )
        self.tally.accepted += accepted
        rose = program.confirmed and self._raise_best(program)
        if self.isles.turn(question.island, self.tally.told):
            self._forget_the_gone()
        return Judgement(
            question.n,
            program,
            accepted=accepted,
            gain=arrival.gain,
            island_gain=arrival.insertion.gain,
            new_best=rose,
        )

    def confirmation(self, question: Confirm, seen: Observation) -> Judgement:
        """Judge the answer to a :class:`Confirm`."""
        self._spend(seen)
        program = question.program
        if seen.outcome is Outcome.OK:
            self._flattered(fitness_of(program), seen)
            program = self.isles.placed(_measured(program, seen))
            arrivals = self.isles.remeasure(program)
            accepted = self._settle(arrivals)
            rose = self._raise_best(program)
            if not rose:
                self._refute(program, Outcome.REFUTED)
            gain = max(arrival.gain for arrival in arrivals)
            return Judgement(question.n, program, True, accepted, gain, new_best=rose)
        self._attempts[program.id] = question.attempt
        if seen.outcome is not Outcome.LOST or question.attempt >= CONFIRM_ATTEMPTS:
            self._evict(program.id)
            self._refute(program, Outcome.REFUTED if seen.outcome is Outcome.LOST else seen.outcome)
        failed = program.with_(outcome=seen.outcome, reason=seen.reason, fitness=None)
        return Judgement(question.n, failed, confirmation=True)

    def _flattered(self, screened: float, seen: Observation) -> None:
        """Take note of what screening made of a program that was confirmed.

        One that is beyond all that confirmation found is a lie: it must not bar those that are honest.
        """
        confirmed = seen.fitness or 0.0
        if screened - confirmed <= max(_FLATTERY, confirmed):
            self._screened = screened if self._screened is None else max(screened, self._screened)

    def dropped(self, seen: Observation) -> None:
        """Count what an answer cost that came too late."""
        self._spend(seen)

    def _spend(self, seen: Observation) -> None:
        self.tally.tokens += seen.tokens
        self.tally.usd += seen.usd

    def _judge(self, program: Program) -> None:
        if program.fingerprint and program.outcome is not Outcome.DUPLICATE:
            self.verdicts.setdefault(program.fingerprint, Verdict(program.id, program.outcome))

    def _refute(self, program: Program, outcome: Outcome) -> None:
        self.tally.refuted += 1
        if program.fingerprint:
            self.verdicts[program.fingerprint] = Verdict(program.id, outcome)

    def _settle(self, arrivals: list[Arrival]) -> bool:
        """Forget what had to leave for these programs; whether one of them was accepted."""
        for arrival in arrivals:
            gone = arrival.insertion.dropped
            if gone is not None and gone not in self.isles:
                self._forget(gone)
        return any(arrival.insertion.accepted for arrival in arrivals)

    def _evict(self, program_id: int) -> None:
        self.isles.evict(program_id)
        self._forget(program_id)

    def _forget_the_gone(self) -> None:
        for program_id in [n for n in {**self._tried, **self._attempts} if n not in self.isles]:
            self._forget(program_id)

    def _forget(self, program_id: int) -> None:
        self._tried.pop(program_id, None)
        self._attempts.pop(program_id, None)
        if self._story is not None:
            self._story.forget(program_id)

    def _raise_best(self, program: Program) -> bool:
        if program.fitness is None:
            return False
        if self.best is not None and program.fitness <= fitness_of(self.best):
            return False
        self.best = program
        self.tally.stale_from = self.tally.told
        if self._story is not None:
            self._story.rose(program)
        return True

    def _remember(self, parent: Program, fingerprint: str) -> None:
        if fingerprint and parent.id in self.isles:
            tried = self._tried.setdefault(parent.id, deque(maxlen=EXCLUDED))
            if fingerprint not in tried:
                tried.append(fingerprint)

    def _credit(self, operator: str, parent: Program, program: Program, arrival: Arrival) -> float:
        gain = 0.0
        if program.fitness is not None and parent.fitness is not None:
            gain = program.fitness - parent.fitness
        accepted = arrival.insertion.accepted
        reward = _ENTERED if accepted else 0.0
        if gain >= self._margin:
            reward = _RAISED_BEST if arrival.gain >= self._margin else _BEAT_PARENT
        self.credits.tell(operator, reward, accepted=accepted, gain=gain)
        return reward

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "isles": self.isles.state(),
            "best": None if self.best is None else self.best.to_data(),
            "credits": self.credits.state(),
            "verdicts": [[fingerprint, *verdict] for fingerprint, verdict in self.verdicts.items()],
            "outcomes": dict(self.outcomes),
            "tally": {name: getattr(self.tally, name) for name in Tally.__slots__},
            "tried": [[program_id, list(tried)] for program_id, tried in self._tried.items()],
            "attempts": list(self._attempts.items()),
            "screened": self._screened,
            "story": None if self._story is None else self._story.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self.isles.restore(state["isles"])
        self.best = None if state["best"] is None else Program.from_data(state["best"])
        self.credits.restore(state["credits"])
        self.verdicts = {found: Verdict(n, Outcome(outcome)) for found, n, outcome in state["verdicts"]}
        self.outcomes = Counter({Outcome(name): count for name, count in state["outcomes"].items()})
        self.tally = Tally(**state["tally"])
        self._tried = {program_id: deque(tried, maxlen=EXCLUDED) for program_id, tried in state["tried"]}
        self._attempts = dict(state["attempts"])
        self._screened = state["screened"]
        if self._story is not None:
            self._story.restore(state["story"])


def _child(question: Mutate, seen: Observation) -> Program:
    ok = seen.outcome is Outcome.OK
    return Program(
        id=question.n,
        src=seen.source,
        gen=1 + max(parent.gen for parent in question.parents),
        parents=tuple(parent.id for parent in question.parents),
        mutator="/".join(filter(None, (seen.mutator, seen.operator))),
        seed=question.seed,
        outcome=seen.outcome,
        reason=seen.reason,
        fitness=seen.fitness if ok else None,
        speed_ms=seen.speed_ms if ok else None,
        peak_kb=seen.peak_kb if ok else None,
        confirmed=ok and seen.confirmed,
        metrics=dict(seen.metrics),
        fingerprint=seen.fingerprint,
    )


def _measured(program: Program, seen: Observation) -> Program:
    return program.with_(
        fitness=seen.fitness,
        speed_ms=seen.speed_ms,
        peak_kb=seen.peak_kb,
        metrics={**program.metrics, **seen.metrics},
        bucket=None,
        confirmed=True,
    )
