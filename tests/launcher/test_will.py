"""Wills: what a child left elsewhere is removed when nobody else can do it, and only then."""

import json
import time

import pytest
from launcher_bench import Bench

from peagen_ray.launcher.client import Launcher


def will(path):
    """A program that says that it was run."""
    return ("/bin/sh", "-c", f"echo done >> {path}")


@pytest.mark.parametrize(
    ("end", "executed"), [("hang", True), ("die", True), ("return", True), ("close", False)]
)
def test_the_will_of_a_candidate_is_executed_if_its_handler_did_not_close_it(bench, tmp_path, end, executed):
    mark = tmp_path / "mark"
    with bench.spawn("nest_with_will", nested=True) as child:
        child.send(json.dumps([will(mark), end]).encode())
        assert child.receive(100, time.monotonic() + 20) == b"started"
        child.kill() if end == "hang" else child.wait(20)
    assert bench.settled()
    assert mark.exists() is executed
    if executed:
        assert mark.read_text() == "done\n"


def test_a_will_is_executed_when_the_launcher_ends_first(tmp_path):
    mark = tmp_path / "mark"
    with Launcher.start(["launcher_entries"]) as launcher:
        bench = Bench(launcher, tmp_path)
        child = bench.spawn("hang", will=will(mark))
    assert mark.read_text() == "done\n"
    child.close()


@pytest.mark.parametrize("broken", [("/no/such/program",), ("/bin/false",)])
def test_a_will_that_fails_is_nobodys_trouble(bench, broken):
    with bench.spawn("nest_with_will", nested=True) as child:
        child.send(json.dumps([broken, "die"]).encode())
        assert child.wait(20).code == 3
    assert bench.ask("'well'") == "well"
