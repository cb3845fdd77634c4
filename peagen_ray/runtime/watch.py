"""Between a run and the person: Ctrl-C one way, progress the other."""

from __future__ import annotations

import math
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Judgement
from peagen_ray.evolution.stopping import Remaining, StopReason
from peagen_ray.metrics import Meter
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.progress import Aloft, Observer, Progress, Told

_EVERY_S: Final = 0.25
_RATE_WINDOW_S: Final = 15.0
_TEN_TIMES: Final = math.log(10.0)


class Watch:
    """Turns what the engine says into what an observer is shown, and Ctrl-C into a reason to stop.

    As a context manager it takes over SIGINT and SIGTERM (in the main thread; elsewhere it leaves them
    alone): the first one asks the run to stop, the second one raises KeyboardInterrupt.

    Args:
        observer: shown where the run is.
        reference_ms: ``speed_ms`` of the original.
        meter: shown what Prometheus sees; None where nobody looks.

    Attributes:
        control: what else the person wants.
        first_10x_s: when a gain of ten times was first confirmed, in seconds since the run's start.
        best_s: when the confirmed best was last raised.
        scored: fitness is an evaluator's score, rather than a logarithm of speed.
    """

    def __init__(
        self,
        observer: Observer,
        reference_ms: float = 0.0,
        meter: Meter | None = None,
        control: Control | None = None,
    ) -> None:
        self.observer = observer
        self._meter = meter
        self.reference_ms = reference_ms
        self.control = control or Control()
        self.first_10x_s: float | None = None
        self.best_s: float | None = None
        self.scored = False
        self._now = 0.0
        self._shown = -math.inf
        self._told: deque[tuple[float, int]] = deque()
        self._before: dict[int, Any] = {}

    @property
    def stopping(self) -> StopReason | None:
        """Why the person wants the run to stop; None while they do not."""
        return StopReason.INTERRUPTED if self.control.stopped else None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping is not None:
            raise KeyboardInterrupt
        self.control.stopped = True
        # Not from here: this thread may be in the middle of writing to the very terminal.
        text = "stopping: keeping the best (once more to leave at once)"
        threading.Thread(target=self.observer.note, args=(text,), daemon=True).start()

    def news(self, judgements: Sequence[Judgement]) -> None:
        """What the engine judged since the last call."""
        for judged in judgements:
            program = judged.program
            if judged.new_best and program.id:
                self.best_s = self._now
                tenfold = not self.scored and (program.fitness or 0.0) >= _TEN_TIMES
                if self.first_10x_s is None and tenfold:
                    self.first_10x_s = self._now
            self.observer.candidate(
                Told(
                    n=judged.n,
                    kind="confirm" if judged.confirmation else "mutate" if program.parents else "seed",
                    parent=program.id if judged.confirmation else next(iter(program.parents), None),
                    operator=program.mutator,
                    outcome=program.outcome,
                    reason=program.reason,
                    ratio=None if self.scored or program.fitness is None else math.exp(program.fitness),
                    accepted=judged.accepted or judged.new_best,
                    score=program.fitness if self.scored else None,
                )
            )

    def paid(self, backend: str, usd: float) -> None:
        """The run was charged so much for calls of a back-end."""
        if self._meter is not None:
            self._meter.cost(backend, usd)

    def look(
        self,
        engine: Engine,
        now: float,
        in_flight: int,
        *,
        always: bool = False,
        aloft: Callable[[], Aloft] = Aloft,
    ) -> None:
        """Show where the run is, a few times a second; only then ``aloft`` is asked."""
        self._now = now
        if now - self._shown < _EVERY_S and not always:
            return
        self._shown = now
        so_far = engine.progress(now)
        told = so_far.told
        self._told.append((now, told))
        while len(self._told) > 2 and now - self._told[0][0] > _RATE_WINDOW_S:
            self._told.popleft()
        (start, first), (end, last) = self._told[0], self._told[-1]
        best, screened = (None, None) if self.scored else (engine.best, engine.screened_best)
        best_ms = self.reference_ms / _ratio(best)
        if self._meter is not None and not self.scored:
            self._meter.best(Path.cwd().name, best_ms)
        self.observer.progress(
            Progress(
                elapsed_s=now,
                generation=engine.generation,
                told=told,
                in_flight=in_flight,
                accepted=engine.accepted,
                cells=len(engine.islands),
                best_ratio=_ratio(best),
                screened_ratio=_ratio(screened),
                best_ms=best_ms,
                best_score=engine.best.fitness if self.scored and engine.best else None,
                reference_ms=self.reference_ms,
                rate=(last - first) / (end - start) if end > start else 0.0,
                outcomes=_outcomes(engine),
                remaining={str(rule): _words(left) for rule, left in engine.remaining(now).items()},
                tokens=so_far.tokens,
                usd=so_far.usd,
                aloft=aloft(),
                paused=self.control.paused,
            )
        )


def _outcomes(engine: Engine) -> dict[str, int]:
    counts = {str(outcome): number for outcome, number in engine.counts.items()}
    return counts | ({str(Outcome.REFUTED): engine.refuted} if engine.refuted else {})


def _ratio(program: Any) -> float:
    return math.exp(program.fitness) if program is not None and program.fitness is not None else 1.0


def _words(left: Remaining) -> str:
    if left.unit == "s":
        return f"{left.amount:.0f} s"
    digits = 0 if left.amount >= 100 else 2 if left.unit == "usd" else 1
    amount = f"{left.amount:.{digits}f}"
    amount = amount.rstrip("0").rstrip(".") if digits else amount
    return f"{amount} {left.unit}" + ("" if left.seconds is None else f" (~{left.seconds:.0f} s)")
