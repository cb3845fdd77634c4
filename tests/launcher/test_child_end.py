"""How a child may end, and what is left of it: nothing."""

import select
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from launcher_bench import wait_gone

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import framing


def soon():
    return time.monotonic() + 20


def ended(bench, entry):
    with bench.spawn(entry) as child:
        exit_ = child.wait(20)
        return exit_, *child.output()


def test_an_entry_that_returns_exits_with_0(bench):
    exit_, stdout, stderr = ended(bench, "nothing")
    assert (exit_.code, exit_.signal, stdout, stderr) == (0, None, "", "")
    assert exit_.cpu_s > 0
    assert exit_.max_rss_kb > 1000


def test_an_uncaught_exception_prints_its_traceback_and_exits_with_1(bench):
    exit_, _, stderr = ended(bench, "raise_error")
    assert exit_.reason == "exit 1"
    assert stderr.startswith("Traceback")
    assert stderr.endswith("LookupError: nothing like it\n")


def test_a_recursion_without_end_exits_with_1(bench):
    exit_, _, stderr = ended(bench, "raise_recursion")
    assert exit_.code == 1
    assert "RecursionError" in stderr


def test_an_entry_that_is_not_there_exits_with_1(bench):
    exit_, _, stderr = ended(bench, "no_such_function")
    assert exit_.code == 1
    assert "no_such_function" in stderr


@pytest.mark.parametrize(("leaving", "code"), [("None", 0), ("0", 0), ("3", 3), ("256 + 4", 4), ("'why'", 1)])
def test_system_exit_is_what_python_makes_of_it(bench, leaving, code):
    with bench.spawn("exit_with") as child:
        child.send(leaving.encode())
        assert child.wait(20).code == code
        assert child.output()[1] == ("why\n" if "why" in leaving else "")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("leave_at_once", "exit 7"),
        ("segfault", "killed by SIGSEGV"),
        ("kill_self", "killed by SIGKILL"),
        ("abort", "killed by SIGABRT"),
        ("real_time_signal", "killed by signal 40"),
    ],
)
def test_the_exit_says_why(bench, entry, reason):
    assert ended(bench, entry)[0].reason == reason


def test_exit_handlers_of_the_launcher_do_not_run(bench):
    scratch = bench.scratch()
    bench.ask("1", scratch=scratch)
    assert list(scratch.iterdir()) == []


def test_a_thread_that_is_left_running_does_not_hold_it(bench):
    exit_, stdout, _ = ended(bench, "thread")
    assert (exit_.code, stdout) == (0, "with a thread")


def test_streams_that_were_closed_are_no_error(bench):
    assert ended(bench, "close_streams")[0].code == 0


def test_output_is_captured_to_the_last_character(bench):
    _, stdout, stderr = ended(bench, "print_without_newline")
    assert stdout == "no newline"
    assert stderr == "caf\\udce9 \N{SNOWMAN}\n"


def test_a_child_that_prints_much_is_never_blocked(bench):
    exit_, stdout, stderr = ended(bench, "print_much")
    assert exit_.code == 0
    for text in (stdout, stderr):
        assert text.startswith("first\n")
        assert text.endswith("\nlast\n")
        assert f"[{(50 << 20) + 12 - (64 << 10)} bytes dropped]" in text
        assert len(text) < 66_000


def test_what_it_prints_is_read_while_it_is_talked_to(bench):
    message = b"m" * (1 << 20)
    with bench.spawn("print_then_answer") as child:
        for _ in range(3):
            child.send(message, soon())
            assert child.receive(1 << 20, soon()) == message
        assert child.printed == 3 << 20
        assert child.wait(20).code == 0


def test_a_child_that_prints_without_end_can_be_waited_for_and_looked_at(bench):
    with bench.spawn("print_without_end") as child:
        assert child.wait(0.05) is None
        assert "bytes dropped" in child.output()[0]
        with pytest.raises(framing.ChannelTimeout):
            child.receive(10, time.monotonic() + 0.05)
        assert child.kill().reason == "killed by SIGKILL"


def test_waiting_for_a_child_that_runs_gives_nothing(bench):
    with bench.spawn("hang") as child:
        assert child.wait(0.01) is None
        assert child.wait(0) is None


def test_waiting_again_gives_the_same(bench):
    with bench.spawn("nothing") as child:
        assert child.wait() is child.wait(0) is child.kill()


def test_the_last_message_can_be_read_after_the_end(bench):
    with bench.spawn("evaluate") as child:
        child.send(b"6 * 7")
        assert child.wait(20).code == 0
        assert child.receive(10) == b"42"
        with pytest.raises(framing.ChannelClosed):
            child.receive(10)


def test_killing_takes_one_that_ignores_all_signals(bench):
    with bench.spawn("stubborn") as child:
        child.receive(10, soon())
        assert child.kill().reason == "killed by SIGKILL"
        assert wait_gone(child.pid, 0)


def test_killing_takes_grandchildren_with_sessions_of_their_own(bench):
    child, pids = bench.started("keep_daemons")
    with child:
        child.kill()
        assert [wait_gone(pid, 0) for pid in pids] == [True] * 3


def test_closing_kills_the_whole_tree(bench):
    child, pids = bench.started("keep_daemons")
    child.close()
    assert all(wait_gone(pid, 0) for pid in [*pids, child.pid])
    child.close()


def test_daemons_that_a_child_leaves_behind_die_with_it(bench):
    child, pids = bench.started("leave_daemons")
    with child:
        assert child.wait(20).code == 0
        assert all(wait_gone(pid, 0) for pid in pids)


def test_daemons_live_as_long_as_the_child_does(bench):
    with bench.spawn("adopt_daemons") as child:
        assert child.receive(10, soon()) == b"True"


def test_another_childs_end_leaves_living_daemons_alone(bench):
    child, pids = bench.started("keep_daemons")
    with child:
        bench.ask("1")
        assert not any(wait_gone(pid, 0) for pid in pids)


def test_a_chain_of_forks_cannot_outrun_the_sweep(bench):
    with bench.spawn("breed") as child:
        child.receive(10, soon())
        assert child.wait(20).code == 0
    assert bench.settled()


def test_other_programs_that_it_starts_die_with_it(bench):
    with bench.spawn("subprocesses") as child:
        said, pid = child.receive(100, soon()).split()
        assert said == b"hello"
        assert child.wait(20).code == 0
        assert wait_gone(int(pid), 0)


def test_any_thread_may_interrupt(bench):
    with ThreadPoolExecutor(1) as pool, bench.spawn("hang") as child:
        child.receive(10, soon())
        waiting = pool.submit(child.wait, 20)
        child.interrupt()
        assert waiting.result().reason == "killed by SIGKILL"
    child.interrupt()


def test_cpu_time_is_read_from_outside(bench):
    with bench.spawn("spin") as child:
        child.receive(10, soon())
        first = child.cpu_ns()
        while child.cpu_ns() < first + 20_000_000:
            select.select([], [], [], 0.001)
        used = child.cpu_ns()
        exit_ = child.kill()
        assert used / 1e9 <= exit_.cpu_s + 0.01
        with pytest.raises(LaunchError, match="has ended"):
            child.cpu_ns()


def test_forgetting_a_child_kills_it(bench):
    child = bench.spawn("hang")
    pid = child.pid
    child.receive(10, soon())
    for sock in (child._connection, child.channel):
        sock.close()
    assert wait_gone(pid)
    for capture in child._captures:
        capture.close()


def open_descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_no_descriptor_is_leaked_here_or_there(bench):
    def round_of_all():
        bench.ask("1")
        for entry in ("segfault", "leave_daemons", "hang"):
            with bench.spawn(entry):
                pass
        with pytest.raises(LaunchError):
            bench.spawn("nothing", scratch=Path("/nowhere"))
        with bench.spawn("nest", nested=True) as child:
            child.send(b"1")
            child.receive(10, soon())
            child.wait(20)

    round_of_all()
    here, there = open_descriptors("self"), open_descriptors(bench.server)
    for _ in range(10):
        round_of_all()
    assert open_descriptors("self") == here
    # The launcher may not have closed those of the last one yet.
    assert open_descriptors(bench.server) < there + 10


def test_threads_may_spawn_at_the_same_time(bench):
    def square(number):
        return int(bench.ask(f"{number} ** 2"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(square, range(60))) == [number**2 for number in range(60)]


def test_children_of_several_threads_end_independently(bench):
    def one(number):
        if number % 3 == 0:
            child, _ = bench.started("keep_daemons")
            child.close()
        elif number % 3 == 1:
            with bench.spawn("segfault") as child:
                return child.wait(20).reason
        return bench.ask(str(number))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(24)))
    assert answers == ["killed by SIGSEGV" if n % 3 == 1 else str(n) for n in range(24)]
