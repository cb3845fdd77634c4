"""Who watches or stops a dispatcher whose actor is restarted meanwhile; no cluster."""

from __future__ import annotations

import queue as inboxes
import signal
from typing import Any

import pytest

from peagen_ray.errors import BrokerUnavailable, FabricError
from peagen_ray.runtime import clusterwork
from peagen_ray.runtime.clusterwork import _Watch

SERVING = {"said": [], "reason": "", "stopping": False, "done": False, "counts": {"done": 3}}
STOPPING = {**SERVING, "stopping": True}
ENDED = {**STOPPING, "done": True}
BEGINNING = {"said": [(1, "the dispatcher was restarted")], "reason": ""}


class Scripted:
    """A dispatcher that stands as it is told to, one question after the other.

    Attributes:
        stops: how it was told to stop, in order.
    """

    name = "scripted"

    def __init__(self, *script: Any, gone: bool = False) -> None:
        self.stops: list[bool] = []
        self._script = list(script)
        self._gone = gone

    def status(self) -> dict[str, Any]:
        status = self._script.pop(0)
        if status is None:
            raise BrokerUnavailable("does not answer", subject="dispatcher scripted")
        return dict(status)

    def stop(self, *, drain: bool) -> None:
        self.stops.append(drain)

    def gone(self) -> bool:
        return self._gone

    def kill(self) -> None:
        """Nothing is left to end."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusterwork, "WATCH_S", 0.001)


def watch(hosted: Scripted, *signals: int) -> tuple[int, list[str]]:
    inbox: inboxes.SimpleQueue[int | None] = inboxes.SimpleQueue()
    for number in signals:
        inbox.put(number)
    said: list[str] = []
    found: Any = hosted
    return _Watch(found, inbox, said.append).run(), said


def test_one_that_was_restarted_after_a_signal_is_told_again() -> None:
    hosted = Scripted(STOPPING, None, BEGINNING, SERVING, ENDED)
    code, said = watch(hosted, signal.SIGTERM)
    assert (code, hosted.stops) == (0, [True, True])
    assert "the dispatcher was restarted" in said
    assert said[-1].endswith("3 done, 0 failed, 0 given back")


def test_after_two_signals_it_is_told_of_the_second() -> None:
    hosted = Scripted(STOPPING, SERVING, ENDED)
    code, _ = watch(hosted, signal.SIGINT, signal.SIGINT)
    assert (code, hosted.stops) == (130, [True, False, False])


def test_one_that_is_gone_for_good_is_watched_no_more() -> None:
    code, said = watch(Scripted(SERVING, None, gone=True))
    assert code == 0
    assert "somebody has ended it" in said
    assert "3 done" in said[-1]


def test_one_that_is_away_is_waited_for_and_that_is_said_once() -> None:
    code, said = watch(Scripted(SERVING, None, None, SERVING, ENDED))
    assert code == 0
    assert len([text for text in said if "Ray restarts it" in text]) == 1


def test_one_that_fails_is_an_error() -> None:
    with pytest.raises(FabricError, match="no hands"):
        watch(Scripted({**ENDED, "error": "no hands"}))
