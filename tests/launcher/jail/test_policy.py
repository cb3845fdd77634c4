"""What a jail demands, and what is said where a machine does not have it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.jail.policy import ALWAYS, Jail, Layer, Profile

jails = st.builds(
    Jail,
    profile=st.sampled_from(Profile),
    memory_bytes=st.integers(1, 1 << 40),
    readable=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    require=st.frozensets(st.sampled_from(Layer)),
    lax=st.booleans(),
)


@given(jails)
def test_a_jail_is_read_as_it_was_written(jail: Jail) -> None:
    assert Jail.from_wire(json.loads(json.dumps(jail.to_wire()))) == jail


@given(jails, st.frozensets(st.sampled_from(Layer)), st.booleans())
def test_untrusted_code_never_runs_without_what_is_demanded(
    jail: Jail, active: frozenset[Layer], root: bool
) -> None:
    enough = (
        active >= ALWAYS | jail.require
        and (not root or Layer.UID in active)
        and bool(active & {Layer.LANDLOCK, Layer.PRIVATE_ROOT})
        and (not jail.profile.forks or Layer.PID_NAMESPACE in active)
    )
    if enough or jail.lax:
        jail.check(active, root=root)
    else:
        with pytest.raises(LaunchError, match="untrusted code is not run without") as refused:
            jail.check(active, root=root)
        assert "--unsafe" in refused.value.hint


def test_what_is_missing_is_named_with_its_remedy() -> None:
    with pytest.raises(LaunchError) as refused:
        Jail(require=frozenset({Layer.CGROUP})).check(ALWAYS | {Layer.LANDLOCK}, root=False)
    assert "without cgroup" in refused.value.what
    assert "delegated cgroup v2" in refused.value.hint
