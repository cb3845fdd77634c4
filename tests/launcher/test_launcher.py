"""Starting launchers, and how they end."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launcher_bench import Bench, wait_gone

import peagen_ray
from peagen_ray.errors import LaunchError
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher, SpawnSpec
from peagen_ray.launcher.start import scrubbed

HERE = Path(__file__).parent


def soon():
    return time.monotonic() + 20


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Makes modules that a launcher can preload."""
    directory = tmp_path / "modules"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))

    def make(name, source):
        (directory / f"{name}.py").write_text(source)
        return name

    return make


def test_a_module_that_cannot_be_imported_is_named_with_the_reason(modules):
    with pytest.raises(LaunchError, match=r"broken_module.*ZeroDivisionError"):
        Launcher.start([modules("broken_module", "1 / 0")])


def test_a_module_that_is_missing_is_named():
    with pytest.raises(LaunchError, match="no_such_module_at_all"):
        Launcher.start(["no_such_module_at_all"])


def test_a_module_that_starts_a_thread_is_refused(modules):
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    with pytest.raises(LaunchError, match="thread"):
        Launcher.start([modules("threading_module", source)])


def test_a_module_that_ends_the_process_is_an_error(modules):
    with pytest.raises(LaunchError, match="gone"):
        Launcher.start([modules("exiting_module", "import os; os._exit(1)")])


def test_what_a_preloaded_module_does_to_the_environment_is_undone(modules, tmp_path):
    name = modules("meddling_module", "import os; os.environ['MEDDLED'] = '1'; os.environ.pop('PATH')")
    with Launcher.start([name, "launcher_entries"]) as launcher:
        found = "'MEDDLED' in os.environ, 'PATH' in os.environ"
        assert Bench(launcher, tmp_path).ask(found) == "(False, True)"


def test_code_under_tmp_stays_importable(modules, tmp_path):
    modules("late_module", "VALUE = 'found late'")
    with Launcher.start(["launcher_entries"]) as launcher:
        assert Bench(launcher, tmp_path).ask("__import__('late_module').VALUE") == "found late"


def test_where_the_kernel_refuses_private_directories_the_layer_is_not_claimed(modules, tmp_path):
    source = """
from peagen_ray.launcher import linux
def refuse():
    raise OSError(1, "refused")
linux.unshare_mounts = refuse
"""
    with Launcher.start([modules("refusing_module", source), "launcher_entries"]) as launcher:
        bench = Bench(launcher, tmp_path)
        with bench.spawn("evaluate") as child:
            assert child.layers == frozenset()
            child.send(b"tempfile.gettempdir() == os.getcwd()")
            assert child.receive(10, soon()) == b"True"


def test_a_scratch_that_is_not_there_is_an_error(bench):
    with pytest.raises(LaunchError, match="cannot set up"):
        bench.spawn("nothing", scratch=Path("/nowhere/at/all"))


def test_a_child_that_dies_while_it_is_set_up_is_an_error(modules, tmp_path):
    source = """
import os
from peagen_ray.launcher import child
child._isolate = lambda *_: os._exit(9)
"""
    launcher = Launcher.start([modules("dying_module", source)])
    with launcher, pytest.raises(LaunchError, match="exit 9"):
        launcher.spawn(SpawnSpec("m:f", tmp_path))


def test_an_entry_that_is_written_wrongly_is_an_error(bench):
    with pytest.raises(LaunchError, match=r"package\.module:function"):
        bench.launcher.spawn(SpawnSpec(":", bench.scratch()))


def test_only_linux_is_served(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LaunchError, match="Linux"):
        Launcher.start()


def test_an_interpreter_that_cannot_be_started_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LaunchError, match="/nowhere/python"):
        Launcher.start()


def test_closing_ends_every_process_and_serves_no_more(own_bench):
    child, pids = own_bench.started("keep_daemons")
    everything = [own_bench.guard, own_bench.server, child.pid, *pids]
    own_bench.launcher.close()
    assert all(wait_gone(pid, 0) for pid in everything)
    assert not own_bench.launcher.alive
    assert child.wait(20).reason == "killed by SIGKILL"
    child.close()
    with pytest.raises(LaunchError, match="gone"):
        own_bench.spawn("nothing")
    own_bench.launcher.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("whom", ["server", "guard"])
def test_killing_the_launcher_leaves_no_process_and_it_can_be_revived(own_bench, whom, number):
    child, pids = own_bench.started("keep_daemons")
    everything = [own_bench.guard, own_bench.server, child.pid, *pids]
    os.kill(getattr(own_bench, whom), number)
    assert all(wait_gone(pid) for pid in everything)
    assert child.wait(20).reason == "killed by SIGKILL"
    assert not own_bench.launcher.alive
    with pytest.raises(LaunchError, match="gone"):
        own_bench.spawn("nothing")
    child.close()
    own_bench.launcher.revive()
    assert own_bench.launcher.alive
    assert own_bench.ask("'again'") == "again"


def test_a_launcher_that_lives_is_not_revived(own_bench):
    server = own_bench.server
    own_bench.launcher.revive()
    assert own_bench.server == server


def test_a_handlers_launcher_cannot_be_revived_by_it(own_bench):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    launcher = Launcher.from_socket(ours)
    assert launcher.alive
    theirs.close()
    with pytest.raises(LaunchError, match="only the worker"):
        launcher.revive()
    launcher.close()


OWNER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from peagen_ray.launcher.client import Launcher, SpawnSpec
launcher = Launcher.start(["launcher_entries"])
scratch = Path({root!r}, "scratch")
scratch.mkdir()
child = launcher.spawn(SpawnSpec("launcher_entries:keep_daemons", scratch))
pids = child.receive(1 << 16, time.monotonic() + 20).decode()
server = Path(f"/proc/{{launcher._process.pid}}/task/{{launcher._process.pid}}/children").read_text()
print(launcher._process.pid, server, child.pid, pids, flush=True)
{then}
"""


def owner(tmp_path, then):
    """A process that owns a launcher with a child with daemons; and all their process ids."""
    source = OWNER.format(here=str(HERE), root=str(tmp_path), then=then)
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 6
    return process, pids


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_killing_the_owner_leaves_no_process_and_no_scratch(tmp_path, number):
    process, pids = owner(tmp_path, "time.sleep(1000)")
    with process:
        process.send_signal(number)
        process.wait(20)
        assert all(wait_gone(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("then", ["", "os._exit(0)", "raise SystemExit(3)"])
def test_an_owner_that_ends_without_closing_leaves_no_process_and_no_scratch(tmp_path, then):
    process, pids = owner(tmp_path, then)
    with process:
        process.wait(20)
        assert all(wait_gone(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_an_owner_that_closes_keeps_its_scratch(tmp_path):
    process, pids = owner(tmp_path, "(scratch / 'kept').touch()\nlauncher.close()")
    with process:
        process.wait(20)
        assert all(wait_gone(pid) for pid in pids)
    assert (tmp_path / "scratch" / "kept").exists()


def test_a_copy_of_the_owner_that_lives_on_holds_nothing(tmp_path):
    then = "copy = os.fork()\nif copy: print(copy, flush=True)\ntime.sleep(1000)"
    process, pids = owner(tmp_path, then)
    with process:
        copy = int(process.stdout.readline())
        process.kill()
        process.wait(20)
        assert all(wait_gone(pid) for pid in pids)
        assert not wait_gone(copy, 0)
        os.kill(copy, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_control_c_in_the_terminal_does_not_reach_it(own_bench):
    assert os.getsid(own_bench.guard) != os.getsid(0)
    assert os.getsid(own_bench.server) == own_bench.guard


def test_what_is_passed_on_of_the_environment_is_an_allow_list():
    environment = {"PATH": "p", "LC_ALL": "C", "COVERAGE_X": "1", "OPENAI_API_KEY": "k", "PYTHONPATH": "q"}
    assert scrubbed(environment) == {"PATH": "p", "LC_ALL": "C", "COVERAGE_X": "1"}


UNPRIVILEGED = """
import os, sys
sys.path[:0] = [{package!r}, {here!r}]
from pathlib import Path
from peagen_ray.launcher.client import Launcher, SpawnSpec
scratch = Path({scratch!r})
with Launcher.start(["launcher_entries"]) as launcher:
    def ask(expression):
        with launcher.spawn(SpawnSpec("launcher_entries:evaluate", scratch)) as child:
            child.send(expression.encode())
            answer = child.receive(1000).decode()
            child.wait()
            return answer, sorted(child.layers)
    print(ask("os.getuid(), os.getgid(), os.getcwd()"))
    ask("[open(f'{{d}}/left-behind', 'w').close() for d in ('/tmp', '/var/tmp', '/dev/shm')]")
    print(ask("[n for d in ('/tmp', '/var/tmp', '/dev/shm') for n in os.listdir(d) if n == 'left-behind']"))
    with launcher.spawn(SpawnSpec("launcher_entries:keep_daemons", scratch)) as child:
        pids = child.receive(1000).split()
        child.kill()
    print([os.path.exists(f"/proc/{{int(pid)}}") for pid in pids])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_an_unprivileged_user_gets_the_same(tmp_path_factory):
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    python = next((p for p in (sys.executable, "/usr/bin/python3") if runs(p, nobody)), None)
    if python is None:
        pytest.skip("an unprivileged user may run no Python of ours here")
    scratch = Path("/tmp") / f"peagen-test-{os.getpid()}"
    scratch.mkdir()
    os.chown(scratch, 65534, 65534)
    try:
        package = str(Path(peagen_ray.__file__).parents[1])
        source = UNPRIVILEGED.format(package=package, here=str(HERE), scratch=str(scratch))
        done = subprocess.run([python, "-B", "-c", source], capture_output=True, text=True, **nobody)
        assert done.returncode == 0, done.stderr
        who, left, alive = map(eval, done.stdout.splitlines())
        assert who[0] == str((65534, 65534, str(scratch)))
        assert left[0] == "[]" or left[1] == []
        assert alive == [False] * 3
    finally:
        for directory in ("/tmp", "/var/tmp", "/dev/shm"):
            Path(directory, "left-behind").unlink(missing_ok=True)
        scratch.rmdir()


def runs(python, nobody):
    """Whether that user may run that Python, and import from where our package and these tests lie."""
    code = (
        f"import sys; assert sys.version_info >= (3, 11); open({__file__!r}); open({peagen_ray.__file__!r})"
    )
    try:
        return subprocess.run([python, "-c", code], capture_output=True, **nobody).returncode == 0
    except PermissionError:
        return False


def test_the_guard_holds_no_socket(own_bench):
    links = [str(link.readlink()) for link in Path(f"/proc/{own_bench.guard}/fd").iterdir()]
    assert links
    assert not any(link.startswith("socket:") for link in links)
    assert linux.children(own_bench.guard) == [own_bench.server]
