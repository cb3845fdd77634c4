"""The engine: asks for candidates, is told what became of them, and decides what to ask next.

It is pure: it reads no clock, draws from no global randomness and does no I/O. The same seed and the
same observations give the same questions. Whatever changes its state leaves an
:class:`~peagen_ray.evolution.events.Event`, which is to be on disk before anything is done about it::

    engine.seed(original, now)
    while not engine.done:
        while room and (question := engine.ask(now)) is not None: ...   # to be sent off
        ledger.append(engine.take_events())
        ...                                                             # send, and wait for an answer
        engine.proposed(n, fingerprint, now, epoch=epoch)               # Run, Duplicate or Dropped
        engine.tell(n, observation, now, epoch=epoch)
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution import asking, events
from peagen_ray.evolution.archipelago import Archipelago
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.bandit import Credit
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.flight import Flight
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import (
    CHARGE,
    Confirm,
    Dropped,
    Duplicate,
    Judgement,
    Mutate,
    Observation,
    Question,
    Ruling,
    Run,
)
from peagen_ray.evolution.ranking import fitness_of
from peagen_ray.evolution.selectors.base import ParentSelector
from peagen_ray.evolution.selectors.choice import Choice
from peagen_ray.evolution.selectors.choosers import Choosers
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.standing import Standing
from peagen_ray.evolution.stopping import Progress, Remaining, StopReason, StopRules

_NEWS: Final = 1000


class Engine:
    """Steady-state MAP-Elites by ask and tell: many candidates in flight, no generation barrier.

    Used by one thread at a time. ``now`` is always seconds since the run's start, over all its lives.

    Args:
        settings: what its decisions depend on.
        selector: chooses the parents; the engine owns it from now on, and makes a copy for each further island.
        rules: when to stop.

    Attributes:
        epoch: the life of the run, from 0.
        stop_reason: why it asks for no more candidates; None while it does.
        dropped: answers that came too late, or twice; charges are none.
    """

    def __init__(self, settings: EngineSettings, selector: ParentSelector, rules: StopRules) -> None:
        self.settings = settings
        self.epoch = 0
        self.stop_reason: StopReason | None = None
        self.dropped = 0
        self._selectors = Choosers(selector, settings.islands.count)
        self._rules = rules
        self._standing = Standing(settings)
        self._flight = Flight()
        self._candidates = 0
        self._confirming = False
        self._events: list[Event] = []
        self._news: deque[Judgement] = deque(maxlen=_NEWS)

    # What it knows

    @property
    def db(self) -> EvoDB:
        """The archive of the first island; its cells hold screened and confirmed fitness alike."""
        return self._standing.isles.islands[0]

    @property
    def islands(self) -> Archipelago:
        """The archives of all islands; its length is the number of occupied cells."""
        return self._standing.isles

    @property
    def choice(self) -> Choice | None:
        """The selector that took the first one's place in a later life; None if none did."""
        return self._selectors.choice

    @property
    def best(self) -> Program | None:
        """The fittest confirmed program."""
        return self._standing.best

    @property
    def screened_best(self) -> Program | None:
        """The fittest program of all, confirmed or not."""
        return self._standing.isles.best

    @property
    def finalist(self) -> Program | None:
        """The program to be measured at the end: the best.

        Of a run that was left before anything better than the original was confirmed, what was to be confirmed next.
        """
        best = self.best
        if best is not None and fitness_of(best) > 0.0:
            return best
        return self._standing.contender() or best

    @property
    def generation(self) -> int:
        """Whole generations told back."""
        return self._standing.tally.told // self.settings.generation_size

    @property
    def counts(self) -> Counter[Outcome]:
        """Candidates told back, by outcome; confirmations are not among them."""
        return Counter(self._standing.outcomes)

    @property
    def accepted(self) -> int:
        """Candidates that entered the archive."""
        return self._standing.tally.accepted

    @property
    def refuted(self) -> int:
        """Programs that confirmation did not bear out."""
        return self._standing.tally.refuted

    @property
    def operators(self) -> Mapping[str, Credit]:
        """What each mutation operator has come to."""
        return self._standing.credits.credits

    @property
    def done(self) -> bool:
        """Whether it has stopped, and nothing that is worth waiting for is in flight or to be asked."""
        if self.stop_reason is None or self.stop_reason.at_once:
            return self.stop_reason is not None
        return not self._flight.awaited() and not self._repeats() and self._standing.contender() is None

    def outstanding(self) -> list[Question]:
        """What was asked and is not told, in the order of asking."""
        return self._flight.outstanding()

    def progress(self, now: float) -> Progress:
        """How far the run has come."""
        standing, tally, size = self._standing, self._standing.tally, self.settings.generation_size
        return Progress(
            asked=self._candidates,
            told=tally.told,
            generation_size=size,
            stale_generations=(tally.told - tally.stale_from) // size,
            confirming=self._confirming or standing.contender() is not None,
            best_ms=None if standing.best is None else standing.best.speed_ms,
            tokens=tally.tokens,
            usd=tally.usd,
            elapsed_s=now,
        )

    def remaining(self, now: float) -> dict[StopReason, Remaining]:
        """What is left to each stopping rule."""
        return self._rules.remaining(self.progress(now))

    def take_events(self) -> list[Event]:
        """What happened since the last call, for the ledger."""
        taken, self._events = self._events, []
        return taken

    def take_news(self) -> list[Judgement]:
        """What was judged since the last call, for the display; at most the last thousand."""
        taken, self._news = self._news, deque(maxlen=_NEWS)
        return list(taken)

    # What is asked of it

    def seed(self, program: Program, now: float) -> Program:
        """Start from a program that was measured, the original first. Returns it with its id.

        Raises:
            EvolutionError: questions were asked already.
        """
        if self._candidates or self.epoch:
            raise EvolutionError("seed programs come before the first question")
        program = program.with_(id=self._flight.asked, gen=0, parents=())
        self._flight.asked += 1
        self._news.append(self._standing.seed(program))
        self._events.append(events.seeded(program, now))
        return program

    def ask(self, now: float) -> Question | None:
        """The next question; None if there is none now: it stops, or must be told more first.

        Raises:
            EvolutionError: there is no correct seed program.
        """
        self._check_rules(now)
        if self.stop_reason is None and not self._flight.again and self._ready():
            self._advance()
            self._check_rules(now)
        return self.issue(now)

    def issue(self, now: float) -> Question | None:
        """What :meth:`ask` gives where no stopping rule holds; a replay asks with it."""
        question = self._flight.send_again() if self._repeats() else None
        if question is not None:
            self._record_ask(question, now)
            return question
        if self.stop_reason is None and self._ready():
            self._advance()
            return self._send(self._confirm() or self._mutate(), now)
        if self.stop_reason is None or self.stop_reason.at_once:
            return None
        if self.settings.ordered and self._flight.awaited():
            return None
        repeated = self._flight.send_again(Confirm)
        if repeated is not None:  # the one confirmation at a time is that of an earlier life
            self._record_ask(repeated, now)
            return repeated
        confirm = self._confirm()
        return None if confirm is None else self._send(confirm, now)

    def proposed(
        self,
        n: int,
        fingerprint: str,
        now: float,
        *,
        epoch: int,
        mutator: str = "",
        operator: str = "",
        tokens: int = 0,
        usd: float = 0.0,
        wall: Mapping[str, float] | None = None,
        cpu: Mapping[str, float] | None = None,
    ) -> Ruling:
        """Rule on what a mutator proposed for a question.

        A duplicate counts as told back, with what it cost. In ordered mode a later question's program is
        no reason not to run an earlier one's: which of the two came first would depend on timing.

        Raises:
            EvolutionError: that question was never asked.
        """
        seen = Observation(Outcome.DUPLICATE, mutator=mutator, operator=operator, fingerprint=fingerprint)
        seen = replace(seen, tokens=tokens, usd=usd, wall=wall or {}, cpu=cpu or {})
        if self._flight.open_slot(n, epoch) is None:
            self._drop(n, epoch, seen, now)
            return Dropped()
        twin = self._twin(n, fingerprint)
        if twin is None:
            self._flight.claim(n, fingerprint)
            return Run()
        self.tell(n, replace(seen, reason=f"same as {twin.of}"), now, epoch=epoch)
        return twin

    def tell(self, n: int, observation: Observation, now: float, *, epoch: int) -> bool:
        """Answer a question. False if the answer was dropped: it came too late, or twice.

        Raises:
            EvolutionError: that question was never asked, or a success comes without its source.
        """
        slot = self._flight.open_slot(n, epoch)
        if slot is None:
            self._drop(n, epoch, observation, now)
            return False
        seen = self._standing.normal(slot.question, observation, slot.claim)
        slot.observation = seen
        if isinstance(slot.question, Mutate):
            self._flight.claim(n, "" if seen.outcome is Outcome.DUPLICATE else seen.fingerprint)
        self._events.append(events.told(slot.question, seen, now))
        if not self.settings.ordered:
            self._apply(n)
        elif self.stop_reason is not None:
            self._wind_up()
        return True

    def stop(self, reason: StopReason, now: float) -> None:
        """Ask for no more candidates.

        Only a reason that leaves behind what is in flight may follow one that waits for it.
        """
        if self.stop_reason is not None and (self.stop_reason.at_once or not reason.at_once):
            return
        if self.stop_reason is None and self._ready():
            self._advance()
        self.stop_reason = reason
        self._record(Kind.STOP, now, reason=reason)
        self._wind_up()

    def look(self, now: float) -> None:
        """Stop if ``run_timeout`` is over, which it may be while nothing can be asked."""
        limit = self._rules.run_timeout
        if limit is not None and now >= limit:
            self.stop(StopReason.RUN_TIMEOUT, now)

    def resume(self, now: float, choice: Choice | None = None) -> None:
        """Begin a new life of the run: what is outstanding is asked again, late answers are dropped.

        Args:
            now: when.
            choice: the selector that chooses the parents from here on; None keeps the one that did.
        """
        self.epoch += 1
        self.stop_reason = None
        self._flight.renew(self.epoch)
        if choice is not None:
            self._selectors.replace(choice)
        self._record(Kind.RESUME, now, detail={} if choice is None else asdict(choice))

    # Asking

    def _check_rules(self, now: float) -> None:
        reason = self._rules.check(self.progress(now)) if self.stop_reason is None else None
        if reason is not None:
            self.stop(reason, now)

    def _confirm(self) -> Confirm | None:
        n, seed, busy = self._flight.asked, self.settings.seed, self._confirming
        confirm = None if busy else asking.confirm(n, self.epoch, seed, self._standing)
        self._confirming = self._confirming or confirm is not None
        return confirm

    def _mutate(self) -> Mutate:
        n = self._flight.asked
        at = self._candidates % len(self._selectors)
        self._candidates += 1
        return asking.mutate(n, self.epoch, self.settings, self._selectors[at], self._standing, at)

    def _send(self, question: Question, now: float) -> Question:
        self._flight.send(question)
        self._record_ask(question, now)
        return question

    def _repeats(self) -> bool:
        """Whether questions of an earlier life are to be asked again."""
        return bool(self._flight.again) and (self.stop_reason is None or self.stop_reason.full)

    def _record_ask(self, question: Question, now: float) -> None:
        self._events.append(events.asked(question, now, asking.inspired_by(question, self._standing)))

    def _record(self, kind: Kind, now: float, **facts: Any) -> None:
        self._events.append(Event(kind, self._flight.asked, self.epoch, time_s=now, **facts))

    # Telling

    def _drop(self, n: int, epoch: int, seen: Observation, now: float) -> None:
        self.dropped += seen.reason != CHARGE
        self._standing.dropped(seen)
        self._events.append(events.dropped(n, epoch, seen, now))

    def _twin(self, n: int, fingerprint: str) -> Duplicate | None:
        verdict = self._standing.verdicts.get(fingerprint)
        if verdict is not None:
            return Duplicate(verdict.n, verdict.outcome)
        claimant = self._flight.claimant(fingerprint)
        if claimant is None or claimant[0] == n or (self.settings.ordered and claimant[0] > n):
            return None
        return Duplicate(*claimant)

    # Applying

    def _ready(self) -> bool:
        """Whether all that the next question depends on was told."""
        settings = self.settings
        return not settings.ordered or self._flight.told_until(self._flight.asked - settings.look_ahead)

    def _advance(self) -> None:
        """Ordered: apply all that the next question depends on, and no more."""
        if self.settings.ordered:
            for n in self._flight.due(self._flight.asked - self.settings.look_ahead):
                self._apply(n)

    def _wind_up(self) -> None:
        """Ordered and stopping: apply all that was told, once nothing more is awaited."""
        at_once = self.stop_reason is not None and self.stop_reason.at_once
        if self.settings.ordered and (at_once or not self._flight.awaited()):
            for n in self._flight.due(self._flight.asked):
                self._apply(n)

    def _apply(self, n: int) -> None:
        slot = self._flight.take(n)
        assert slot.observation is not None
        if isinstance(slot.question, Confirm):
            self._confirming = False
            judgement = self._standing.confirmation(slot.question, slot.observation)
        else:
            judgement = self._standing.candidate(slot.question, slot.observation)
            selector = self._selectors[slot.question.island]
            selector.learn(slot.question.parent, judgement.program, judgement.island_gain)
        self._news.append(judgement)

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able, but for events and news that were not taken and proposals in flight."""
        return {
            "settings": self.settings.to_data(),
            "epoch": self.epoch,
            "stop_reason": self.stop_reason,
            "dropped": self.dropped,
            "candidates": self._candidates,
            "confirming": self._confirming,
            "flight": self._flight.state(),
            "selectors": self._selectors.state(),
            "standing": self._standing.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described, in an engine that was just made.

        Raises:
            EvolutionError: it was made with other settings.
        """
        if state["settings"] != self.settings.to_data():
            raise EvolutionError("the checkpoint is of a run with other settings")
        self.epoch = state["epoch"]
        self.stop_reason = StopReason(state["stop_reason"]) if state["stop_reason"] else None
        self.dropped = state["dropped"]
        self._candidates = state["candidates"]
        self._confirming = state["confirming"]
        self._flight.restore(state["flight"])
        self._selectors.restore(state["selectors"])
        self._standing.restore(state["standing"])
