import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.spec import REQUEST_LIMIT, Exit, Limits, SpawnSpec

paths = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
limits = st.builds(
    Limits,
    cpu_s=st.none() | st.floats(0.1, 1000),
    address_space=st.none() | st.integers(1, 1 << 50),
    file_bytes=st.none() | st.integers(0, 1 << 50),
    open_files=st.none() | st.integers(1, 1000),
)


@given(
    st.builds(
        SpawnSpec,
        entry=st.just("some.module:function"),
        scratch=paths.map(Path),
        environment=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5),
        limits=limits,
        nested=st.booleans(),
        keep=st.lists(paths.map(Path), max_size=3).map(tuple),
        argv=st.lists(st.text(max_size=10), max_size=3).map(tuple),
        stdio=st.booleans(),
        will=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    )
)
def test_a_request_is_read_as_it_was_written(spec):
    resolved = replace(spec, scratch=spec.scratch.resolve(), keep=tuple(path.resolve() for path in spec.keep))
    assert SpawnSpec.from_wire(spec.to_wire()) == resolved


@given(st.binary(max_size=100))
def test_rubbish_is_refused(request_bytes):
    with pytest.raises(LaunchError):
        SpawnSpec.from_wire(request_bytes)


@pytest.mark.parametrize("entry", ["", "no_function", ":function", "module:", "a:b:c"])
def test_an_entry_that_is_none_is_refused(entry):
    with pytest.raises(LaunchError):
        SpawnSpec.from_wire(SpawnSpec(entry, Path("/")).to_wire())


def test_a_request_that_is_too_long_says_what_to_do():
    spec = SpawnSpec("m:f", Path("/"), environment={"LARGE": "x" * REQUEST_LIMIT})
    with pytest.raises(LaunchError, match="over the channel"):
        spec.to_wire()


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (Exit(0), "exit 0"),
        (Exit(1), "exit 1"),
        (Exit(None, signal.SIGSEGV), "killed by SIGSEGV"),
        (Exit(None, 40), "killed by signal 40"),
    ],
)
def test_an_exit_gives_its_reason(ended, reason):
    assert ended.reason == reason
    assert Exit.from_wire(ended.to_wire()) == ended
