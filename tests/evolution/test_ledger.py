"""The ledger: appended, synced, cut where a write was torn, refused where it is not ours."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import LedgerError
from peagen_ray.evolution import ledger as ledger_module
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, Position, meta, read, table
from peagen_ray.evolution.program import Outcome

META = {"run": "r1", "seed": 7, "source": "def f(): pass\n", "reference_ms": 200.5}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.arrow"


def an_event(n=0, **changes):
    fields = {
        "event": Kind.TELL,
        "n": n,
        "epoch": 2,
        "kind": "mutate",
        "time_s": 1.5,
        "parents": (0, 3),
        "mutator": "genetic",
        "operator": "swap+hoist",
        "seed": 2**53 - 1,
        "outcome": Outcome.OK,
        "fitness": 0.25,
        "speed_ms": 155.0,
        "peak_kb": 12.5,
        "confirmed": True,
        "fingerprint": "0123456789abcdef",
        "source": "def f():\n    return 2\n",
        "tokens": 12,
        "usd": 0.01,
        "wall": {"mutate": 0.1, "execute": 2.0},
        "metrics": {"ratio": 1.28, "interval": [1.2, 1.3]},
        "detail": {"digest": "ab"},
    }
    return Event(**{**fields, **changes})


def written(path, *groups):
    with Ledger.create(path, META) as ledger:
        return [ledger.append(list(group)) for group in groups]


def test_what_was_appended_is_read_in_order_and_numbered(path):
    events = [an_event(n) for n in range(5)]
    written(path, events[:2], events[2:3], [], events[3:])
    again = list(read(path))
    assert again == events
    assert [event.seq for event in again] == [0, 1, 2, 3, 4]


def test_an_event_with_nothing_but_its_kind_comes_back_as_it_was(path):
    event = Event(Kind.RESUME)
    written(path, [event])
    assert list(read(path)) == [event]


def test_the_metadata_is_kept(path):
    written(path)
    assert meta(path) == META
    with Ledger.open(path) as ledger:
        assert ledger.meta == META


def test_any_arrow_reader_opens_it(path):
    written(path, [an_event(0)], [an_event(1), an_event(2)])
    with pa.ipc.open_stream(path) as stream:
        assert stream.read_all().column("n").to_pylist() == [0, 1, 2]
    assert table(path).column("fitness").to_pylist() == [0.25] * 3


def test_the_diff_against_the_parent_is_kept_for_whoever_reads_the_table(path):
    written(path, [an_event(base="def f():\n    return 1\n"), an_event(source="", base="x = 1\n")])
    first, second = table(path).column("diff").to_pylist()
    assert "-    return 1\n+    return 2\n" in first
    assert second == ""


def test_a_ledger_is_gone_on_with_where_it_ended(path):
    (position,) = written(path, [an_event(0)])
    with Ledger.open(path) as ledger:
        assert ledger.position == position
        assert ledger.cut == 0
        assert ledger.append([an_event(1)]).seq == 2
    assert [event.n for event in read(path)] == [0, 1]


def test_reading_begins_at_any_position_that_was_returned(path):
    first, second, end = written(path, [an_event(0)], [an_event(1), an_event(2)], [an_event(3)])
    assert [event.n for event in read(path, first)] == [1, 2, 3]
    assert [event.seq for event in read(path, second)] == [3]
    assert list(read(path, end)) == []


def test_reading_from_where_no_event_begins_is_an_error(path):
    first, end = written(path, [an_event(0)], [an_event(1)])
    for position in [
        Position(first.offset + 8, 1),
        Position(first.offset, 0),
        Position(0, 0),
        Position(end.offset + 8, 2),
        Position(-8, 0),
    ]:
        with pytest.raises(LedgerError, match="no event begins there"):
            list(read(path, position))


def test_a_writer_in_progress_does_not_hinder_readers(path):
    with Ledger.create(path, META) as ledger:
        assert list(read(path)) == []
        ledger.append([an_event(0)])
        assert [event.n for event in read(path)] == [0]


def test_text_that_utf8_cannot_hold_is_written_as_escapes(path):
    written(path, [an_event(reason="\udcff bad", metrics={"log": "\ud800"})])
    (event,) = read(path)
    assert event.reason == "\\udcff bad"
    assert event.metrics == {"log": "\ud800"}


text = st.text(max_size=20)
floats = st.floats(allow_nan=False)
events = st.builds(
    Event,
    event=st.sampled_from(Kind),
    n=st.integers(-1, 2**40),
    epoch=st.integers(0, 1000),
    time_s=floats,
    parents=st.lists(st.integers(0, 2**40), max_size=3).map(tuple),
    operator=text,
    seed=st.integers(0, 2**53 - 1),
    outcome=st.none() | st.sampled_from(Outcome),
    reason=text,
    fitness=st.none() | floats,
    confirmed=st.booleans(),
    source=text,
    wall=st.dictionaries(text, floats, max_size=2),
    metrics=st.dictionaries(text, st.none() | floats | st.lists(text, max_size=2), max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.lists(events, max_size=3), max_size=4))
def test_any_event_comes_back_as_it_was(groups, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.arrow"
    written(path, *groups)
    assert list(read(path)) == [event for group in groups for event in group]


# Torn writes


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "ledger.arrow"
    with Ledger.create(path, META) as ledger:
        ends = [ledger.position]
        ends += [ledger.append([an_event(n), an_event(n + 1)]) for n in (0, 2, 4)]
    return path.read_bytes(), ends


def test_every_prefix_reads_as_the_groups_that_are_whole(recorded, tmp_path):
    data, ends = recorded
    path = tmp_path / "ledger.arrow"
    for cut in {*range(ends[0].offset, len(data) + 1, 7), *(end.offset for end in ends)}:
        path.write_bytes(data[:cut])
        whole = max(end for end in ends if end.offset <= cut)
        assert len(list(read(path))) == table(path).num_rows == whole.seq
        with Ledger.open(path) as ledger:
            assert ledger.position == whole
            assert ledger.cut == cut - whole.offset
            ledger.append([an_event(99)])
        assert path.read_bytes()[: whole.offset] == data[: whole.offset]
        assert [event.n for event in read(path)] == [*range(whole.seq), 99]


def test_a_prefix_that_lacks_the_schema_is_no_ledger(recorded, tmp_path):
    data, ends = recorded
    path = tmp_path / "ledger.arrow"
    for cut in (0, 1, 7, 8, 100, ends[0].offset - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(LedgerError, match="no ledger"):
            Ledger.open(path)
        with pytest.raises(LedgerError, match="no ledger"):
            list(read(path))


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\xff" * 5000, b"garbage" * 99, b"\xff\xff\xff\xff\0\0\0\0"])
def test_a_tail_that_is_no_event_is_cut(recorded, tmp_path, tail):
    data, ends = recorded
    path = tmp_path / "ledger.arrow"
    path.write_bytes(data + tail)
    with Ledger.open(path) as ledger:
        assert ledger.position == ends[-1]
        assert ledger.cut == len(tail)
    assert path.read_bytes() == data


def test_a_batch_whose_body_never_reached_the_disk_is_cut(recorded, tmp_path):
    data, ends = recorded
    path = tmp_path / "ledger.arrow"
    start = ends[2].offset
    body = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
    path.write_bytes(data[:body] + b"\0" * (len(data) - body))
    with Ledger.open(path) as ledger:
        assert ledger.position == ends[2]


def test_an_event_out_of_its_order_is_cut(recorded, tmp_path):
    data, ends = recorded
    path = tmp_path / "ledger.arrow"
    path.write_bytes(data + data[ends[1].offset : ends[2].offset])
    assert len(list(read(path))) == 6


def test_an_event_of_an_unknown_kind_is_an_error_that_names_it(path, monkeypatch):
    with Ledger.create(path, META) as ledger:
        monkeypatch.setattr(
            ledger_module,
            "_row",
            lambda event, seq: {"seq": seq, "event": "party", "parents": [], "wall": [], "outcome": None},
        )
        ledger.append([an_event()])
    with pytest.raises(LedgerError, match=r"event 0.*party"):
        list(read(path))


# What is refused


def test_a_ledger_that_exists_is_not_begun_again(path):
    written(path, [an_event()])
    with pytest.raises(LedgerError, match="already"):
        Ledger.create(path, META)
    assert len(list(read(path))) == 1


def test_a_file_of_no_bytes_is_as_good_as_none(path):
    path.touch()
    written(path, [an_event()])
    assert len(list(read(path))) == 1


@pytest.mark.parametrize("use", [Ledger.open, lambda path: list(read(path)), table, meta])
def test_a_missing_ledger_is_an_error(path, use):
    with pytest.raises(LedgerError, match="no ledger"):
        use(path)


def foreign(path, metadata):
    path.write_bytes(pa.schema([("a", pa.int64())], metadata=metadata).serialize().to_pybytes())


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        (None, "no ledger of ours"),
        ({"peagen": "{"}, "no ledger of ours"),
        ({"peagen": "[]"}, "no ledger of ours"),
        ({"peagen": json.dumps({"format": 1})}, "no ledger of ours"),
        ({"peagen": json.dumps({"format": 2, "meta": {}})}, "format 2"),
        ({"peagen": json.dumps({"format": 1, "meta": {}})}, "format 1"),
    ],
)
def test_an_arrow_file_that_is_not_ours_is_refused_and_left_alone(path, metadata, match):
    foreign(path, metadata)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=match):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_arrow_is_refused_and_left_alone(path):
    path.write_text("def f():\n    return 'a program'\n" * 50)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_directory_is_no_ledger(tmp_path):
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(tmp_path)
    with pytest.raises(LedgerError, match="no ledger"):
        list(read(tmp_path))


def test_a_ledger_cannot_begin_in_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(LedgerError, match=r"nowhere"):
        Ledger.create(tmp_path / "nowhere" / "ledger.arrow", META)


def test_a_second_writer_is_refused(path):
    with Ledger.create(path, META):
        for open_again in (Ledger.open, lambda path: Ledger.create(path, META)):
            with pytest.raises(LedgerError, match="another process"):
                open_again(path)
    Ledger.open(path).close()


HOLD = """
import sys, pathlib
from peagen_ray.evolution.ledger import Ledger
with Ledger.open(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_holds_between_processes_and_ends_with_the_process(path):
    written(path)
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(LedgerError, match="another process"):
                Ledger.open(path)
        finally:
            process.kill()
    Ledger.open(path).close()


# A disk that refuses


@pytest.fixture
def failing(monkeypatch):
    """Make the next write stop half-way, with that error."""

    def fail(error):
        pwrite = os.pwrite

        def half(file, data, offset):
            monkeypatch.setattr(os, "pwrite", refuse)
            return pwrite(file, data[: len(data) // 2], offset)

        def refuse(*_):
            monkeypatch.setattr(os, "pwrite", pwrite)
            raise error

        monkeypatch.setattr(os, "pwrite", half)

    return fail


def test_a_write_that_fails_leaves_the_file_as_it_was_and_takes_no_more(path, failing):
    with Ledger.create(path, META) as ledger:
        ledger.append([an_event(0)])
        before = path.read_bytes()
        failing(OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(LedgerError, match="No space left"):
            ledger.append([an_event(1)])
        assert path.read_bytes() == before
        with pytest.raises(LedgerError, match="earlier write failed"):
            ledger.append([an_event(2)])
    assert [event.n for event in read(path)] == [0]


def test_a_ledger_that_could_not_be_begun_may_be_begun_later(path, failing):
    failing(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(LedgerError, match="No space left"):
        Ledger.create(path, META)
    written(path, [an_event(0)])
    assert len(list(read(path))) == 1


def test_a_write_that_is_interrupted_takes_no_more_events_after_the_gap(path, failing):
    with Ledger.create(path, META) as ledger:
        ledger.append([an_event(0)])
        failing(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            ledger.append([an_event(1)])
        with pytest.raises(LedgerError, match="earlier write failed"):
            ledger.append([an_event(2)])
    with Ledger.open(path) as ledger:
        assert ledger.cut > 0
        ledger.append([an_event(3)])
    assert [event.n for event in read(path)] == [0, 3]


def test_closing_twice_is_harmless(path):
    ledger = Ledger.create(path, META)
    ledger.close()
    ledger.close()
