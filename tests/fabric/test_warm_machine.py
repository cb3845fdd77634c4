"""Two pools that share slots, in any order of what can happen to them."""

import shutil
import tempfile
from pathlib import Path

import pytest
from fabric_bench import kill
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from peagen_ray.fabric.warm import WarmPool
from peagen_ray.launcher import linux

SIZE, IDLE_TIMEOUT = 2, 60
POOLS = st.integers(0, 1)


class StillPool(WarmPool):
    """A pool without a thread: it does something when it is told to."""

    def _start(self) -> None:
        pass


class Pools(RuleBasedStateMachine):
    """Whatever happens: no slot is held twice, what is taken lives, and what has left is gone."""

    launcher = None

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.now = 0.0
        self.pools = [self.made(), self.made()]
        self.taken = []
        self.dead = set()

    def made(self) -> StillPool:
        scratches = self.root / "scratches"
        scratches.mkdir(exist_ok=True)
        return StillPool(
            self.launcher,
            SIZE,
            self.root / "slots",
            IDLE_TIMEOUT,
            scratch_root=scratches,
            clock=lambda: self.now,
        )

    def standing(self):
        return [each for pool in self.pools for each in pool._idle]

    @rule(number=POOLS)
    def refill(self, number):
        pool = self.pools[number]
        pool.refill()
        pool._tend()
        healthy = [each for each in pool._idle if each.parked.fit and each.leaves > self.now]
        assert healthy == pool._idle
        assert len(self.standing()) == SIZE

    @rule(number=POOLS)
    def take(self, number):
        fit = [each.parked.child.pid for each in self.pools[number]._idle if each.parked.fit]
        parked = self.pools[number].take()
        if parked is None:
            assert fit == []
        else:
            assert parked.child.pid in fit
            assert parked.child.pid not in self.dead
            assert parked.scratch.is_dir()
            self.taken.append((number, parked))

    @precondition(lambda self: self.taken)
    @rule()
    def finish(self):
        _, parked = self.taken.pop()
        parked.close()

    @precondition(lambda self: self.standing())
    @rule(choice=st.integers(0, 9))
    def die(self, choice):
        standing = self.standing()
        pid = standing[choice % len(standing)].parked.child.pid
        if pid not in self.dead:
            self.dead.add(pid)
            kill(pid)

    @rule(seconds=st.sampled_from([1, IDLE_TIMEOUT / 2, IDLE_TIMEOUT]), number=POOLS)
    def let_time_pass(self, seconds, number):
        self.now += seconds
        self.pools[number]._tend()
        assert all(each.leaves > self.now and each.parked.fit for each in self.pools[number]._idle)

    @rule(number=POOLS)
    def close_and_begin_again(self, number):
        pool = self.pools[number]
        pool.close()
        assert pool.counts.live == sum(owner == number for owner, _ in self.taken)
        for _, parked in [each for each in self.taken if each[0] == number]:
            parked.close()
        self.taken = [each for each in self.taken if each[0] != number]
        self.pools[number] = self.made()

    @invariant()
    def no_more_stand_ready_than_there_are_slots(self):
        assert len(self.standing()) <= SIZE
        assert len({each.slot for each in self.standing()}) == len(self.standing())

    @invariant()
    def the_counts_are_right(self):
        for number, pool in enumerate(self.pools):
            taken = sum(owner == number for owner, _ in self.taken)
            counts = pool.counts
            assert (counts.idle, counts.live) == (len(pool._idle), len(pool._idle) + taken)
            assert (counts.gone_at is None) == (counts.idle == 0)

    @invariant()
    def nothing_is_there_but_what_stands_ready_or_was_taken(self):
        parked = [each.parked for each in self.standing()] + [each for _, each in self.taken]
        assert set((self.root / "scratches").iterdir()) == {each.scratch for each in parked}
        (server,) = linux.children(self.launcher.pid)
        assert set(linux.children(server)) <= {each.child.pid for each in parked}

    def teardown(self):
        for pool in self.pools:
            pool.close()
        for _, parked in self.taken:
            parked.close()
        assert list((self.root / "scratches").iterdir()) == []
        shutil.rmtree(self.root)


@pytest.fixture
def machine(launcher):
    Pools.launcher = launcher
    return Pools


def test_whatever_happens_to_two_pools_nothing_is_left_over_and_nothing_is_too_much(machine):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    limits = settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=limits)
