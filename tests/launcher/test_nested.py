"""The launcher that a child is given."""

import time

import pytest
from launcher_bench import wait_gone


def soon():
    return time.monotonic() + 20


def test_a_candidate_of_a_handlers_runs_and_answers(bench):
    with bench.spawn("nest", nested=True) as child:
        child.send(b"os.getcwd().endswith('candidate'), os.getppid()")
        assert child.receive(100, soon()).decode() == str((True, bench.server))
        assert child.wait(20).code == 0
        assert "Exit(code=0" in child.output()[0]


def test_a_candidate_cannot_reach_the_launcher(bench):
    with bench.spawn("nest", nested=True) as child:
        child.send(b"sorted(os.listdir('/proc/self/fd'))[:5]")
        assert "'4'" not in child.receive(1000, soon()).decode().replace("'5'", "").replace("'4']", "")
        child.wait(20)


@pytest.mark.parametrize("mode", ["hang", "die", "return"])
def test_candidates_die_with_the_handler_however_it_ends(bench, mode):
    child, pids = bench.started("nest_and_hang", nested=True)
    with child:
        child.send(mode.encode())
        if mode == "hang":
            child.kill()
        else:
            assert child.wait(20).code == (3 if mode == "die" else 0)
        assert len(pids) == 7
        assert [pid for pid in pids if not wait_gone(pid, 0)] == []


def test_a_daemon_that_holds_the_handlers_socket_keeps_nothing_alive(bench):
    child, pids = bench.started("nest_leaves_socket", nested=True)
    with child:
        assert child.wait(20).code == 0
        assert all(wait_gone(pid, 0) for pid in pids)


def test_rubbish_from_a_handler_does_not_harm_the_launcher(bench):
    with bench.spawn("nest_abuse", nested=True) as child:
        assert child.receive(100, soon()) == b"True", child.output()
        assert child.wait(20).code == 0
    assert bench.ask("'well'") == "well"
