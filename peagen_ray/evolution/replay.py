"""Replay: an engine lives a recorded run again, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from peagen_ray.errors import EvolutionError, ReplayDivergence
from peagen_ray.evolution import checkpoint, events
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, Position, read
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Observation, Question
from peagen_ray.evolution.selectors.choice import Choice
from peagen_ray.evolution.stopping import StopReason


def replay(recorded: Iterable[Event], engine: Engine) -> int:
    """Let the engine live what was recorded. Returns the number of events.

    The stopping rules are not asked: a run may be replayed, and resumed, under other ones.

    Raises:
        ReplayDivergence: the engine asks something else than was asked; names the event and both.
    """
    count = 0
    for event in recorded:
        relive(event, engine)
        engine.take_events()
        engine.take_news()
        count += 1
    return count


def relive(event: Event, engine: Engine) -> Question | None:
    """One step of a replay. Returns the question, if the event is one that was asked.

    Raises:
        ReplayDivergence: the engine asks something else than was asked.
    """
    match event.event:
        case Kind.SEED:
            _compare(event, "seed program", event.n, engine.seed(events.seed_program(event), event.time_s).id)
        case Kind.ASK:
            return _asked(event, engine)
        case Kind.TELL:
            told = engine.tell(event.n, events.observation(event), event.time_s, epoch=event.epoch)
            _compare(event, "answer taken", True, told)
        case Kind.DROP:
            spent = Observation(
                Outcome.LOST, event.reason, tokens=event.tokens, usd=event.usd, wall=event.wall
            )
            told = engine.tell(event.n, spent, event.time_s, epoch=event.epoch)
            _compare(event, "answer taken", False, told)
        case Kind.STOP:
            known = next((reason for reason in StopReason if reason == event.reason), None)
            if known is None:
                raise _divergence(event, "stops", event.reason, "no such reason")
            engine.stop(known, event.time_s)
        case Kind.RESUME:
            engine.resume(event.time_s, Choice(**event.detail) if event.detail else None)
            _compare(event, "epoch", event.epoch, engine.epoch)
        case Kind.FINAL | Kind.LEASE:
            pass
    return None


def _asked(event: Event, engine: Engine) -> Question:
    question = engine.issue(event.time_s)
    if question is None:
        raise ReplayDivergence("nothing is asked where the recording asks", subject=_name(event))
    again = events.asked(question, event.time_s)
    for part in ("n", "epoch", "kind", "parents", "seed"):
        _compare(event, part, getattr(event, part), getattr(again, part))
    _compare(event, "digest", event.detail.get("digest"), again.detail["digest"])
    return question


def _compare(event: Event, what: str, recorded: Any, found: Any) -> None:
    if recorded != found:
        raise _divergence(event, what, recorded, found)


def _divergence(event: Event, what: str, recorded: Any, found: Any) -> ReplayDivergence:
    return ReplayDivergence(
        f"{what}: recorded {recorded!r}, replayed {found!r}",
        subject=_name(event),
        hint="the seed, the configuration or the version differs from the recorded run's",
    )


def _name(event: Event) -> str:
    return f"event {event.seq} ({event.event} {event.n})"


def save_checkpoint(path: Path, engine: Engine, position: Position, run_id: str) -> None:
    """Write what a resumed run may start from: the engine at a position of its ledger.

    Every event must be in the ledger already. Its cost grows with the archive, so write one now and then.
    """
    checkpoint.save(path, {"run": run_id, "position": list(position), "engine": engine.state()})


def resume(ledger: Ledger, path: Path, run_id: str, fresh: Callable[[], Engine]) -> Engine:
    """The engine as the ledger left it. It is still in its old life: call :meth:`Engine.resume` next.

    Args:
        ledger: the run's, open.
        path: its checkpoint; a missing, damaged or foreign one is done without.
        run_id: as it was given to :func:`save_checkpoint`.
        fresh: makes an engine with the run's settings and a new selector.

    Raises:
        ReplayDivergence: the engine asks something else than was asked.
        LedgerError: an event cannot be read.
    """
    found = _restored(ledger, checkpoint.load(path), run_id, fresh())
    if found is not None:
        engine, start = found
        try:
            replay(read(ledger.path, start), engine)
        except EvolutionError:
            pass  # The checkpoint is only a cache: what it cannot continue, the whole ledger can.
        else:
            return engine
    engine = fresh()
    replay(read(ledger.path), engine)
    return engine


def _restored(
    ledger: Ledger, saved: dict[str, Any] | None, run_id: str, engine: Engine
) -> tuple[Engine, Position] | None:
    """The engine of a checkpoint, and its position; None if it is not one of this ledger."""
    try:
        if saved is None or saved["run"] != run_id:
            return None
        start = Position(*saved["position"])
        if start.offset >= ledger.position.offset and start != ledger.position:
            return None
        engine.restore(saved["engine"])
    except (EvolutionError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return engine, start
