"""What a run that was killed is charged for questions to models of whose answers it was not told."""

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.llm.budget import Amount, cost
from peagen_ray.llm.calling import Asked
from peagen_ray.llm.ensemble import Outcome
from peagen_ray.llm.exchange import Exchange
from peagen_ray.llm.recording import Round
from peagen_ray.runtime.models import heard_of, unsettled

PRICES = {"dear": (3.0, 15.0), "free": None}
BOUND = Amount(60_000, 0)


def call(*, kept: bool, backend: str = "dear", tokens: tuple[int | None, int | None] = (300, 40)) -> Exchange:
    return Exchange("digest", backend, "m", Outcome.OK, 5_000, 700, "answer", *tokens, kept=kept)


def round_of(task: str, *calls: Exchange, number: int = 0) -> Round:
    return Round(task, number, "digest", Asked(next((each for each in calls if each.kept), None), calls))


def lease(n: int = 4, epoch: int = 0) -> Event:
    return Event(Kind.LEASE, n=n, epoch=epoch, detail={"tokens": BOUND.tokens, "usd": 0.0})


def name_of(epoch: int, n: int) -> str:
    return f"{epoch}-{n}"


def test_an_answer_that_is_recorded_costs_what_it_did_and_not_what_it_might_have() -> None:
    rounds = [
        round_of("0-4", call(kept=False, tokens=(100, None)), call(kept=True)),
        round_of("0-4", call(kept=True), number=1),
        round_of("0-5", call(kept=True)),
    ]
    heard = heard_of(rounds, PRICES)
    known = cost(100, 700, PRICES["dear"]) + cost(300, 40, PRICES["dear"]) + cost(300, 40, PRICES["dear"])
    assert unsettled([lease()], heard, name_of) == {(4, 0): known}


@pytest.mark.parametrize(
    ("rounds", "events"),
    [
        ([], [lease()]),
        ([round_of("0-4", call(kept=False))], [lease()]),
        ([round_of("0-4", call(kept=True, backend="gone"))], [lease()]),
        ([round_of("0-4", call(kept=True))], [lease(), lease()]),
        ([round_of("1-4", call(kept=True))], [lease()]),
    ],
    ids=["no record", "no answer", "no price", "sent off twice", "another life's"],
)
def test_what_is_not_surely_known_costs_all_that_it_may(rounds: list[Round], events: list[Event]) -> None:
    assert unsettled(events, heard_of(rounds, PRICES), name_of) == {(4, 0): BOUND}


def test_nothing_is_charged_of_what_the_run_was_told() -> None:
    heard = heard_of([round_of("0-4", call(kept=True))], PRICES)
    assert unsettled([lease(), Event(Kind.TELL, n=4, epoch=0)], heard, name_of) == {}
