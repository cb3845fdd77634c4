"""Confirmation claims what is so: hidden work is billed, the control sets the standard, doubt is no gain."""

from __future__ import annotations

import pickle
from collections import defaultdict

import pytest

from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.billing import Account, Claim
from peagen_ray.sandbox.lockstep import Bill, Round
from peagen_ray.sandbox.measure import Verdict, confirm, screen
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject, prepare

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)

SLOW = "def f(xs):\n    t = 0\n    for x in xs:\n        for y in xs:\n            t = t + 1\n    return t\n"
QUICK = "def f(xs):\n    return len(xs) ** 2\n"
ANY_SIZE = "def inputs(rng, size):\n    return ([rng.randrange(9) for _ in range(size)],)\n"

GUEST = "\nimport sys\nguest = sys.modules['peagen_ray.sandbox.guest']\n" + SLOW.replace("def f", "def slow")
DESTRUCTOR = """
class Late:
    def __init__(self, xs):
        self.xs, self.me = xs, self

    def __del__(self):
        slow(self.xs)

def f(xs):
    Late(xs)
    return len(xs) ** 2
"""
NOTHING = """
timed = guest._time

def burning(calls):
    if not calls:
        for _ in range(300_000):
            pass
    return timed(calls)

guest._time = burning

def f(xs):
    return slow(xs)
"""
MEMOISER = """
known = {}

def f(xs):
    key = tuple(xs)
    if key not in known:
        known[key] = slow(xs)
    return known[key]
"""


@pytest.fixture(scope="module")
def original() -> Subject:
    return Subject(SLOW, "f", ANY_SIZE)


@pytest.fixture(scope="module")
def measured(original: Subject, sandbox: ProcessSandbox) -> Reference:
    return prepare(original, sandbox, LIMITS, seed=1)


def confirmed(sandbox: ProcessSandbox, original: Subject, measured: Reference, source: str) -> Verdict:
    verdict = confirm(sandbox, LIMITS, original, measured, source, seed=5, fresh=3, most_s=0.2)
    assert (verdict.outcome, verdict.confirmed) == ("ok", True), verdict
    return verdict


def test_a_great_gain_is_claimed_with_what_supports_it(
    sandbox: ProcessSandbox, original: Subject, measured: Reference
) -> None:
    verdict = confirmed(sandbox, original, measured, QUICK)
    assert verdict.gain
    assert verdict.reason == ""
    assert len(verdict.families) == 3
    assert verdict.noise is not None
    assert verdict.noise.low < verdict.noise.high
    assert 0 < verdict.overhead <= 1
    assert verdict.hidden == 0.0
    assert isinstance(verdict.to_data()["families"], list)


def test_work_that_is_left_to_a_destructor_is_billed(
    sandbox: ProcessSandbox, original: Subject, measured: Reference
) -> None:
    verdict = confirmed(sandbox, original, measured, GUEST + DESTRUCTOR)
    assert verdict.speed is not None
    assert verdict.speed.ratio < 2
    assert verdict.hidden > 0.5


def test_work_on_nothing_is_not_credited(
    sandbox: ProcessSandbox, original: Subject, measured: Reference
) -> None:
    verdict = confirmed(sandbox, original, measured, GUEST + NOTHING)
    assert not verdict.gain
    assert verdict.speed is not None
    assert verdict.speed.ratio < 1, "it is billed"


def test_a_candidate_that_remembers_its_inputs_meets_none_of_them_twice(
    sandbox: ProcessSandbox, original: Subject, measured: Reference
) -> None:
    verdict = confirmed(sandbox, original, measured, GUEST + MEMOISER)
    assert not (verdict.gain and verdict.speed is not None and verdict.speed.ratio > 1.5)


def test_screening_times_inputs_on_which_nothing_is_checked(measured: Reference) -> None:
    assert len(set(measured.extra)) == len(measured.extra) >= 96
    assert not set(measured.extra) & set(measured.calls)
    assert {len(pickle.loads(call).args[0]) for call in measured.extra} == {measured.size}


def test_screening_sends_every_slice_inputs_of_its_own(
    sandbox: ProcessSandbox, original: Subject, measured: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: defaultdict[bytes, int] = defaultdict(int)

    def note(guest: object, header: dict[str, object], body: bytes = b"", **more: object) -> object:
        if header["op"] == "pairs":
            met[body] += 1
        return ask(guest, header, body, **more)  # type: ignore[arg-type]

    from peagen_ray.sandbox.conversation import ConversationGuest

    ask = ConversationGuest.ask
    monkeypatch.setattr(ConversationGuest, "ask", note)
    assert screen(sandbox, LIMITS, original, measured, SLOW).outcome == "ok"
    assert len(met) >= 2
    assert set(met.values()) == {1}


# The arithmetic


def bill(go: int, aside: int = 1000, null: int = 10) -> Bill:
    return Bill(go, null, aside)


def account(original: int, candidate: Bill, control: int | None = None, visits: int = 3) -> Account:
    each = Round(bill(original), candidate, bill(control or original))
    return Account([[each] * 4 for _ in range(visits)])


def unsteady(candidate: Bill) -> Account:
    """What lies aside differs from turn to turn, so that a little more of it is not seen to be work."""
    rounds = [Round(bill(10_010), candidate, bill(10_010, aside)) for aside in (900, 1_100)]
    return Account([rounds * 2 for _ in range(3)])


def test_the_ratio_is_of_the_calls_alone() -> None:
    claim = Claim.of([account(10_010, bill(5_010)) for _ in range(3)])
    assert claim.speed.ratio == pytest.approx(2.0)
    assert claim.families == pytest.approx((2.0, 2.0, 2.0))
    assert (claim.objection, claim.hidden) == ("", 0.0)
    assert claim.overhead == pytest.approx(10 / 5_010)


def test_what_a_candidate_says_of_nothing_is_not_what_is_subtracted() -> None:
    claim = Claim.of([account(10_010, bill(5_010, null=4_000)) for _ in range(3)])
    assert claim.speed.ratio == pytest.approx(2.0)


def test_a_little_more_aside_is_its_memorys_place_and_more_than_that_is_work() -> None:
    claims = [Claim.of([account(10_010, bill(10, aside)) for _ in range(3)]) for aside in (1_099, 11_000)]
    assert claims[0].hidden == 0.0
    assert claims[1].hidden == pytest.approx(10_000 / 10_010)
    assert claims[1].speed.ratio == pytest.approx(1.0)


def test_what_lies_aside_is_billed_sooner_where_it_could_hold_all_the_work() -> None:
    costly = Round(bill(1_010, 10_000), bill(10, 10_900), bill(1_010, 10_000))
    claim = Claim.of([Account([[costly] * 4] * 3) for _ in range(3)])
    assert claim.speed.ratio == pytest.approx(1_000 / 900)
    assert claim.hidden == pytest.approx(900 / 910)


@pytest.mark.parametrize(
    ("accounts", "objection"),
    [
        ([account(10_010, bill(5_010))] * 2 + [account(10_010, bill(10_020))], "no gain in 1 of 3 interp"),
        ([account(10_010, bill(10_010))] * 3, "no gain in 3 of 3 interpreters"),
        ([account(10_010, bill(8_000), control=8_000)] * 3, "the original differs from itself by as much"),
        ([unsteady(bill(9_990, 1_050))] * 3, "no gain in all that was billed"),
        (
            [account(10_010, bill(5_010))] * 2 + [account(10_010, bill(9_900))],
            "the interval holds no gain too",
        ),
    ],
)
def test_a_gain_that_is_in_doubt_is_not_claimed(accounts: list[Account], objection: str) -> None:
    assert Claim.of(accounts).objection.startswith(objection)
