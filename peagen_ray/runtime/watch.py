"""Between a run and the person: Ctrl-C one way, progress the other."""

from __future__ import annotations

import math
import signal
import threading
from collections import deque
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Judgement
from peagen_ray.evolution.stopping import Remaining, StopReason
from peagen_ray.runtime.progress import Observer, Progress, Told

_EVERY_S: Final = 0.25
_RATE_WINDOW_S: Final = 15.0
_TEN_TIMES: Final = math.log(10.0)


class Watch:
    """Turns what the engine says into what an observer is shown, and Ctrl-C into a reason to stop.

    As a context manager it takes over SIGINT and SIGTERM (in the main thread; elsewhere it leaves them
    alone): the first one asks the run to stop, the second one raises KeyboardInterrupt.

    Attributes:
        stopping: why the person wants the run to stop; None while they do not.
        first_10x_s: when a gain of ten times was first confirmed, in seconds since the run's start.
        best_s: when the confirmed best was last raised.
    """

    def __init__(self, observer: Observer, reference_ms: float = 0.0) -> None:
        self.observer = observer
        self.reference_ms = reference_ms
        self.stopping: StopReason | None = None
        self.first_10x_s: float | None = None
        self.best_s: float | None = None
        self._now = 0.0
        self._shown = -math.inf
        self._told: deque[tuple[float, int]] = deque()
        self._before: dict[int, Any] = {}

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
        self.stopping = StopReason.INTERRUPTED
        # Not from here: this thread may be in the middle of writing to the very terminal.
        text = "stopping: keeping the best (once more to leave at once)"
        threading.Thread(target=self.observer.note, args=(text,), daemon=True).start()

    def news(self, judgements: Sequence[Judgement]) -> None:
        """What the engine judged since the last call."""
        for judged in judgements:
            program = judged.program
            if judged.new_best and program.id:
                self.best_s = self._now
                if self.first_10x_s is None and (program.fitness or 0.0) >= _TEN_TIMES:
                    self.first_10x_s = self._now
            self.observer.candidate(
                Told(
                    n=judged.n,
                    kind="confirm" if judged.confirmation else "mutate" if program.parents else "seed",
                    parent=program.id if judged.confirmation else next(iter(program.parents), None),
                    operator=program.mutator,
                    outcome=program.outcome,
                    reason=program.reason,
                    ratio=None if program.fitness is None else math.exp(program.fitness),
                    accepted=judged.accepted or judged.new_best,
                )
            )

    def look(self, engine: Engine, now: float, in_flight: int, *, always: bool = False) -> None:
        """Show where the run is, a few times a second."""
        self._now = now
        if now - self._shown < _EVERY_S and not always:
            return
        self._shown = now
        told = engine.progress(now).told
        self._told.append((now, told))
        while len(self._told) > 2 and now - self._told[0][0] > _RATE_WINDOW_S:
            self._told.popleft()
        (start, first), (end, last) = self._told[0], self._told[-1]
        self.observer.progress(
            Progress(
                elapsed_s=now,
                generation=engine.generation,
                told=told,
                in_flight=in_flight,
                accepted=engine.accepted,
                cells=len(engine.db),
                best_ratio=_ratio(engine.best),
                screened_ratio=_ratio(engine.screened_best),
                best_ms=self.reference_ms / _ratio(engine.best),
                reference_ms=self.reference_ms,
                rate=(last - first) / (end - start) if end > start else 0.0,
                outcomes=_outcomes(engine),
                remaining={str(rule): _words(left) for rule, left in engine.remaining(now).items()},
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
