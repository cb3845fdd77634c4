"""Ctrl-C one way, progress the other."""

from __future__ import annotations

import math
import os
import select
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from runtime_script import Recorder

from peagen_ray.cli.display import Display
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Judgement
from peagen_ray.evolution.stopping import Remaining, StopReason
from peagen_ray.runtime.progress import Progress, Silent, Told
from peagen_ray.runtime.watch import Watch, _words

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_the_run_to_stop_and_the_second_leaves_at_once(
    number: signal.Signals, observer: Recorder
) -> None:
    before = handlers()
    with Watch(observer) as watch:
        assert watch.stopping is None
        signal.raise_signal(number)
        assert watch.stopping is StopReason.INTERRUPTED
        assert observer.noted.wait(10)
        assert "once more" in observer.notes[0]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert handlers() == before


def test_the_handlers_are_put_back_after_an_error_too(observer: Recorder) -> None:
    before = handlers()

    def fail() -> None:
        with Watch(observer):
            assert handlers() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert handlers() == before


def test_in_another_thread_signals_are_left_alone(observer: Recorder) -> None:
    before, seen = handlers(), []

    def elsewhere() -> None:
        with Watch(observer):
            seen.append(handlers())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_in_the_middle_of_a_write_to_a_terminal_that_does_not_read_harms_nothing() -> None:
    """As when ``| less`` waits for its reader: the pipe is full, and the write is what is interrupted."""
    reading, writing = os.pipe()
    received = bytearray()

    def read_after_the_interrupt() -> None:
        while select.select([], [writing], [], 0)[1]:
            pass
        os.kill(os.getpid(), signal.SIGINT)
        while not (b"the end" in received and b"once more" in received):
            more = os.read(reading, 1 << 16)
            if not more:
                break  # The writer failed.
            received.extend(more)

    reader = threading.Thread(target=read_after_the_interrupt)
    with os.fdopen(writing, "w") as stream, Watch(display(stream)) as watch:
        reader.start()
        for _ in range(200):
            watch.observer.note("x" * 4000)
        watch.observer.note("the end")
        reader.join()
        assert watch.stopping is StopReason.INTERRUPTED
    os.close(reading)
    assert b"once more" in received


def display(stream: Any) -> Display:
    return Display(Console(file=stream, width=5000, markup=False, highlight=False), verbose=False)


class FakeEngine:
    """What Watch reads of an engine."""

    def __init__(self) -> None:
        self.told = 0
        self.generation = 3
        self.accepted = 4
        self.refuted = 0
        self.islands = [None] * 5
        self.counts = {Outcome.OK: 2, Outcome.ERROR: 1}
        self.best: Program | None = None
        self.screened_best: Program | None = None

    def progress(self, now: float) -> Any:
        return SimpleNamespace(told=self.told, tokens=12, usd=0.5)

    def remaining(self, now: float) -> dict[StopReason, Remaining]:
        return {
            StopReason.MAX_GENERATIONS: Remaining(12.5, "generations", 30.4),
            StopReason.RUN_TIMEOUT: Remaining(59.6, "s", 59.6),
        }


@pytest.fixture
def engine() -> Any:
    return FakeEngine()


def look(watch: Watch, engine: Any, now: float, told: int, **options: Any) -> None:
    engine.told = told
    watch.look(engine, now, 2, **options)


def test_progress_is_shown_a_few_times_a_second_and_when_it_is_asked_for(
    engine: Any, observer: Recorder
) -> None:
    watch = Watch(observer, 200.0)
    for now in (0.0, 0.1, 0.2, 0.3):
        look(watch, engine, now, 0)
    assert [shown.elapsed_s for shown in observer.shown] == [0.0, 0.3]
    look(watch, engine, 0.31, 0, always=True)
    assert observer.shown[-1].elapsed_s == 0.31


def test_progress_says_where_the_run_is(engine: Any, observer: Recorder) -> None:
    engine.best = Program(1, "", fitness=math.log(4.0))
    engine.screened_best = Program(2, "", fitness=math.log(5.0))
    engine.refuted = 2
    look(Watch(observer, 200.0), engine, 9.0, 30)
    assert observer.shown == [
        Progress(
            elapsed_s=9.0,
            generation=3,
            told=30,
            in_flight=2,
            accepted=4,
            cells=5,
            best_ratio=pytest.approx(4.0),
            screened_ratio=pytest.approx(5.0),
            best_ms=pytest.approx(50.0),
            reference_ms=200.0,
            rate=0.0,
            outcomes={"ok": 2, "error": 1, "refuted": 2},
            remaining={"max_generations": "12.5 generations (~30 s)", "run_timeout": "60 s"},
            tokens=12,
            usd=0.5,
        )
    ]


def test_before_there_is_a_best_the_original_is(engine: Any, observer: Recorder) -> None:
    engine.screened_best = Program(1, "")
    look(Watch(observer, 200.0), engine, 0.0, 0)
    assert (observer.shown[0].best_ratio, observer.shown[0].screened_ratio) == (1.0, 1.0)
    assert observer.shown[0].best_ms == 200.0


def test_the_rate_is_that_of_the_last_seconds(engine: Any, observer: Recorder) -> None:
    watch = Watch(observer)
    for second in range(60):
        look(watch, engine, float(second), 100 * min(second, 30))
    rates = [shown.rate for shown in observer.shown]
    assert rates[0] == 0.0
    assert rates[30] == pytest.approx(100.0)
    assert rates[-1] == 0.0


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (Remaining(0.0, "generations", None), "0 generations"),
        (Remaining(10.0, "generations", None), "10 generations"),
        (Remaining(2.25, "ms", None), "2.2 ms"),
        (Remaining(0.04, "usd", 3.0), "0.04 usd (~3 s)"),
        (Remaining(100.0, "tokens", 0.4), "100 tokens (~0 s)"),
        (Remaining(12345.6, "tokens", None), "12346 tokens"),
        (Remaining(90.0, "s", 90.0), "90 s"),
    ],
)
def test_what_is_left_is_said_in_words(left: Remaining, words: str) -> None:
    assert _words(left) == words


@given(st.floats(0, 1e9), st.none() | st.floats(0, 1e9))
def test_what_is_left_is_never_said_without_a_number(amount: float, seconds: float | None) -> None:
    words = _words(Remaining(amount, "generations", seconds))
    assert math.isclose(float(words.split()[0]), amount, rel_tol=0.01, abs_tol=0.051)


def judged(n: int, fitness: float | None, **options: Any) -> Judgement:
    program = Program(n, "", fitness=fitness, parents=options.pop("parents", (0,)), mutator="genetic/x")
    return Judgement(n, program, **options)


def test_news_are_told_with_their_kind_parent_and_ratio(observer: Recorder) -> None:
    failed = Program(3, "", parents=(1,), outcome=Outcome.ERROR, reason="exit 3", mutator="genetic/y")
    Watch(observer).news(
        [
            judged(0, 0.0, parents=(), accepted=True),
            judged(2, math.log(2.0), parents=(1, 0)),
            Judgement(3, failed),
            Judgement(
                5, Program(2, "", fitness=math.log(2.0), parents=(1,)), confirmation=True, new_best=True
            ),
        ]
    )
    assert [(told.n, told.kind, told.parent, told.accepted) for told in observer.told] == [
        (0, "seed", None, True),
        (2, "mutate", 1, False),
        (3, "mutate", 1, False),
        (5, "confirm", 2, True),
    ]
    assert [told.ratio for told in observer.told] == [1.0, pytest.approx(2.0), None, pytest.approx(2.0)]
    assert (observer.told[2].outcome, observer.told[2].reason) == (Outcome.ERROR, "exit 3")


def test_the_first_ten_times_and_the_best_are_remembered(engine: Any, observer: Recorder) -> None:
    watch = Watch(observer)
    moments = [(1.0, 0, 0.0), (2.0, 4, math.log(3.0)), (3.0, 5, math.log(10.0)), (4.0, 6, math.log(20.0))]
    seen = []
    for now, n, fitness in moments:
        look(watch, engine, now, n, always=True)
        watch.news([judged(n, fitness, new_best=True, confirmation=True)])
        seen.append((watch.best_s, watch.first_10x_s))
    assert seen == [(None, None), (2.0, None), (3.0, 3.0), (4.0, 3.0)]
    watch.news([judged(9, math.log(99.0))])
    assert (watch.best_s, watch.first_10x_s) == (4.0, 3.0)


def test_a_silent_observer_looks_away() -> None:
    silent = Silent()
    silent.phase("x", "y")
    silent.note("x")
    silent.candidate(Told(1, "mutate", 0, "x", Outcome.OK, "", 1.0, accepted=True))
    silent.progress(Progress(0.0, 0, 0, 0, 0, 0, 1.0, 1.0, 1.0, 1.0, 0.0))
