"""One task, one process, one Result."""

import os
import signal
import threading
from pathlib import Path

import pytest
from fabric_bench import CPU, WarmRunner, leftovers, task

import peagen_ray
from peagen_ray.errors import LaunchError
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Status, TaskKind

DOER = "fabric_handlers:Doer"


@pytest.fixture(params=["fresh", "warm"])
def make(request):
    """Makes runners, with a pool or without: nothing but the time that they take may differ."""
    made = []

    def make(*args, **options):
        made.append((OneShotRunner if request.param == "fresh" else WarmRunner)(*args, **options))
        return made[-1]

    make.close = lambda: [each.pool.close() for each in made if isinstance(each, WarmRunner)]
    yield make
    make.close()


@pytest.fixture
def runner(launcher, scratches, make):
    """A runner; at the end there is no process left, and nothing in any scratch directory."""
    yield make(launcher, "test-worker", CPU, scratches)
    make.close()
    assert [left for scratch in scratches.iterdir() for left in scratch.iterdir()] == []
    assert leftovers(launcher) == []


def run(runner, do, *, timeout=30.0, **payload):
    return runner.run(DOER, task(do, **payload), timeout=timeout)


def test_every_task_has_a_process_of_its_own(runner):
    pids = {run(runner, "nothing").data["pid"] for _ in range(3)}
    assert len(pids) == 3
    assert os.getpid() not in pids


def test_the_handler_knows_where_it_runs(runner, scratches):
    asked = task("context")
    data = runner.run(DOER, asked, timeout=12.5).data
    assert data["scratch"] == data["cwd"]
    assert Path(data["scratch"]).parent == scratches
    assert data["found"] == []
    assert (data["worker"], data["offered"], data["timeout"]) == ("test-worker", ["cpu"], 12.5)
    assert data["task"] == asked.id


def test_no_key_of_the_worker_reaches_the_handler(runner, monkeypatch):
    monkeypatch.setenv("PEAGEN_PLANTED_KEY", "sk-planted")
    assert "planted" not in str(run(runner, "environment").data["environment"]).lower()


def test_the_workspace_stays_visible(launcher, scratches, tmp_path, make):
    (tmp_path / "workspace").mkdir()
    path = str(tmp_path / "workspace")
    runner = make(launcher, "w", CPU, scratches, (tmp_path / "workspace",))
    assert run(runner, "see", path=path).data["seen"]


def test_the_result_says_what_produced_it_and_what_it_took(launcher, scratches, make):
    runner = make(launcher, "some-worker", CPU, scratches, image="registry/image:1")
    result = run(runner, "nothing")
    assert result.status is Status.OK
    assert result.data["provenance"] == {
        "handler": DOER,
        "handler_version": "7",
        "worker": "some-worker",
        "image": "registry/image:1",
        "version": peagen_ray.__version__,
        "layers": result.data["provenance"]["layers"],
    }
    usage = result.data["usage"]
    assert 0 < usage["cpu_s"] < 5
    assert 0 < usage["wall_s"] < 30
    assert usage["max_rss_kb"] > 1000
    assert "gpu_s" not in usage
    assert "output" not in result.data


def test_the_result_counts_the_attempt(runner):
    again = task("nothing").model_copy(update={"attempts": 3})
    assert runner.run(DOER, again, timeout=30).attempts == 3
    failing = task("exit").model_copy(update={"attempts": 2})
    assert runner.run(DOER, failing, timeout=30).attempts == 2


def test_what_was_printed_comes_with_the_result(runner):
    assert run(runner, "print").data["output"] == {"stdout": "to stdout\n", "stderr": "to stderr\n"}


def test_printing_megabytes_costs_nothing_but_their_middle(runner):
    result = run(runner, "print much")
    assert result.status is Status.OK
    for text in result.data["output"].values():
        assert len(text) < 66_000
        assert "bytes dropped" in text


def test_a_large_result_arrives(runner):
    assert len(run(runner, "return a lot").data["value"]) == 20 << 20


@pytest.mark.parametrize(
    ("do", "reason", "retryable"),
    [
        ("exit", "exit 3", True),
        ("segfault", "killed by SIGSEGV", True),
        ("kill self", "killed by SIGKILL", True),
        ("send rubbish", "rubbish", True),
        ("send false length", "rubbish", True),
        ("send anothers result", "rubbish", True),
        ("send half", "exit 0", True),
        ("return rubbish", "handler", False),
        ("return what is no json", "handler", False),
        ("return surrogates", "handler", False),
        ("return much", "handler", False),
    ],
)
def test_every_bad_end_is_an_error_with_its_reason(runner, do, reason, retryable):
    result = run(runner, do)
    assert result.status is Status.ERROR
    assert result.data["reason"] == reason
    assert result.data["retryable"] is retryable
    assert result.data["msg"]
    assert result.data["provenance"]["worker"] == "test-worker"
    assert result.data["usage"]["cpu_s"] > 0


def test_a_process_that_dies_hands_over_what_it_printed_last(runner, launcher):
    result = run(runner, "exit", code="not a number")
    assert result.data["reason"] == "exception"
    assert result.data["error_type"] == "TypeError"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        ("ValueError", False),
        ("RecursionError", False),
        ("SandboxUnavailable", False),
        ("SystemExit", False),
        ("OSError", True),
        ("MemoryError", True),
        ("SandboxError", True),
        ("LaunchError", True),
        ("BrokerUnavailable", True),
    ],
)
def test_what_a_handler_raises_is_an_error_with_its_traceback(runner, error, retryable):
    data = run(runner, "raise", error=error).data
    assert data["error_type"] == error
    assert data["msg"] == f"{error}: because"
    assert data["retryable"] is retryable
    assert data["traceback"].startswith("Traceback")
    assert "do_raise" in data["traceback"]


def test_a_hanging_task_is_ended_at_its_timeout_with_all_that_it_started(runner, tmp_path, launcher, make):
    started = tmp_path / "started"
    runner = make(launcher, "w", CPU, tmp_path, (tmp_path,))
    result = run(runner, "hang", timeout=1.0, started=str(started))
    assert (result.data["reason"], result.data["retryable"]) == ("timeout", False)
    assert "1 s" in result.data["msg"]
    pids = started.read_text().split()
    assert len(pids) == 2
    assert not any(Path("/proc", pid).exists() for pid in pids)


def test_closing_the_channel_does_not_save_a_task_from_its_end(runner, monkeypatch):
    monkeypatch.setattr("peagen_ray.fabric.oneshot._FAREWELL", 0.05)
    result = run(runner, "close channel and hang")
    assert result.data["reason"] == "killed by SIGKILL"


def test_a_thread_that_is_left_running_costs_nothing(runner):
    assert run(runner, "leave thread").status is Status.OK


def test_a_scratch_that_is_hard_to_remove_is_removed(runner):
    assert run(runner, "make hard to remove").status is Status.OK


def test_a_handler_can_start_candidates(runner):
    data = run(runner, "spawn candidate").data
    assert (data["said"], data["exit"]) == ("hi", "exit 0")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("no_such_module:Handler", "no_such_module"),
        ("fabric_handlers:NoSuchHandler", "NoSuchHandler"),
        ("fabric_handlers:NoHandler", "is no task handler"),
        ("fabric_handlers:CannotBeMade", "not today"),
    ],
)
def test_a_handler_that_cannot_be_had_is_an_error(runner, reference, words):
    result = runner.run(reference, task(), timeout=30)
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert words in result.data["msg"]
    assert result.data["provenance"]["handler"] == reference


def test_a_scratch_root_that_is_gone_is_an_error_that_may_pass(launcher, tmp_path, make):
    result = run(make(launcher, "w", CPU, tmp_path / "gone"), "nothing")
    assert (result.status, result.data["retryable"]) == (Status.ERROR, True)


def test_a_shared_handler_runs_here(runner, scratches):
    data = runner.run("fabric_handlers:Shared", task(kind=TaskKind.EVALUATE), timeout=30).data
    assert data["pid"] == os.getpid()
    assert Path(data["scratch"]).parent == scratches
    assert data["provenance"]["layers"] == []


def test_a_shared_handler_that_leaves_does_not_take_the_worker_with_it(runner):
    result = runner.run("fabric_handlers:Shared", task("exit", TaskKind.EVALUATE), timeout=30)
    assert result.data["error_type"] == "SystemExit"


def test_isolation_always_overrides_shared(launcher, scratches, make):
    runner = make(launcher, "w", CPU, scratches, isolation="always")
    data = runner.run("fabric_handlers:Shared", task(kind=TaskKind.EVALUATE), timeout=30).data
    assert data["pid"] != os.getpid()


def test_isolation_worker_runs_every_handler_here(launcher, scratches, make):
    runner = make(launcher, "w", CPU, scratches, isolation="worker")
    data = run(runner, "context").data
    assert Path(data["scratch"]).parent == scratches
    assert run(runner, "nothing").data["pid"] == os.getpid()
    assert (
        runner.run("fabric_handlers:Shared", task(kind=TaskKind.EVALUATE), timeout=30).data["pid"]
        == os.getpid()
    )


def test_variables_are_set_for_one_task_before_its_handler_is_made(runner, monkeypatch):
    monkeypatch.delenv("MARK", raising=False)
    marked = runner.run("fabric_handlers:Marked", task(), timeout=30, environment={"MARK": "a=b\n"})
    assert (marked.data["made"], marked.data["told"]) == ("a=b\n", {"MARK": "a=b\n"})
    assert "MARK" not in run(runner, "environment").data["environment"]
    assert "MARK" not in os.environ


@pytest.mark.parametrize("name", ["A=B", "A\0", ""])
def test_a_variable_that_cannot_be_is_an_error_of_the_task(runner, name):
    result = runner.run(DOER, task("nothing"), timeout=30, environment={name: "\0"})
    assert (result.data["reason"], result.data["retryable"]) == ("exception", False)


def test_a_handler_that_runs_here_is_told_its_variables_and_shares_them_with_nobody(runner):
    asked = task("environment", TaskKind.EVALUATE)
    data = runner.run(
        "fabric_handlers:Shared", asked, timeout=30, environment={"CUDA_VISIBLE_DEVICES": "1"}
    ).data
    assert (data["told"], data["gpus"]) == ({"CUDA_VISIBLE_DEVICES": "1"}, ["1"])
    assert data["own"] == os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["1"]),
        ({"CUDA_VISIBLE_DEVICES": "2, GPU-8f,2"}, ["2", "GPU-8f"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,3"}, ["0"]),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
        ({"CUDA_VISIBLE_DEVICES": "1", "NVIDIA_VISIBLE_DEVICES": "all"}, ["1"]),
        ({"ROCR_VISIBLE_DEVICES": "2"}, ["2"]),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, None),
        ({"NVIDIA_VISIBLE_DEVICES": "0,1"}, ["0", "1"]),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, []),
    ],
)
def test_the_gpus_of_a_task_are_those_of_its_variables(runner, environment, gpus):
    data = runner.run(DOER, task("gpus"), timeout=30, environment=environment).data
    assert data["gpus"] == gpus
    assert data["usage"].get("gpu_s", 0) == len(gpus or ()) * data["usage"]["wall_s"]


def test_an_interrupt_ends_a_run_from_another_thread(runner, tmp_path, launcher, scratches, make):
    runner = make(launcher, "w", CPU, scratches, (tmp_path,))
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    interrupt = Interrupt()

    def fire_once_started():
        fifo.read_text()
        interrupt.fire()

    thread = threading.Thread(target=fire_once_started)
    thread.start()
    asked = task("hang", started=str(fifo))
    result = runner.run(DOER, asked, timeout=60, interrupt=interrupt)
    thread.join()
    assert (result.data["reason"], result.data["retryable"]) == ("interrupted", True)


def test_an_interrupt_that_was_fired_before_ends_the_run_at_once(runner):
    interrupt = Interrupt()
    interrupt.fire()
    assert interrupt.fired
    result = runner.run(DOER, task("close channel and hang"), timeout=60, interrupt=interrupt)
    assert result.data["reason"] == "interrupted"


def test_a_launcher_that_was_killed_costs_nothing(scratches, make):
    with Launcher.start([*PRELOAD, "fabric_handlers"]) as launcher:
        runner = make(launcher, "w", CPU, scratches)
        os.kill(launcher._process.pid, signal.SIGKILL)
        launcher._process.wait()
        assert run(runner, "nothing").status is Status.OK
    make.close()
    assert [left for scratch in scratches.iterdir() for left in scratch.iterdir()] == []


def test_a_launcher_that_is_killed_during_a_task_costs_that_task_one_error(scratches, tmp_path, make):
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    with Launcher.start([*PRELOAD, "fabric_handlers"]) as launcher:
        runner = make(launcher, "w", CPU, scratches, (tmp_path,))

        def kill_once_started():
            fifo.read_text()
            os.kill(launcher._process.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill_once_started)
        thread.start()
        result = run(runner, "hang", started=str(fifo))
        thread.join()
        assert (result.data["reason"], result.data["retryable"]) == ("killed by SIGKILL", True)
        assert run(runner, "nothing").status is Status.OK


def test_a_launcher_that_cannot_be_revived_is_an_error_that_may_pass(scratches, monkeypatch, make):
    launcher = Launcher.start([*PRELOAD, "fabric_handlers"])
    launcher.close()
    monkeypatch.setattr("sys.executable", "/nowhere")
    result = run(make(launcher, "w", CPU, scratches), "nothing")
    assert (result.data["reason"], result.data["retryable"]) == ("launch", True)


def test_a_launcher_that_refuses_is_not_asked_twice(launcher, scratches, monkeypatch, make):
    asked = []

    def refuse(spec):
        asked.append(threading.current_thread())
        raise LaunchError("no")

    monkeypatch.setattr(launcher, "spawn", refuse)
    assert run(make(launcher, "w", CPU, scratches), "nothing").data["reason"] == "launch"
    assert asked.count(threading.current_thread()) == 1


def test_control_c_kills_the_process_and_removes_its_scratch(launcher, scratches, monkeypatch, make):
    def interrupted(child, order, deadline):
        raise KeyboardInterrupt

    monkeypatch.setattr("peagen_ray.fabric.oneshot._converse", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(make(launcher, "w", CPU, scratches), "nothing")
    make.close()
    assert [left for scratch in scratches.iterdir() for left in scratch.iterdir()] == []
    assert leftovers(launcher) == []
