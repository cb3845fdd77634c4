"""What a child finds, and does not find, when its entry is called."""

import os
import resource
import sys
import time
from pathlib import Path

import pytest

from peagen_ray.launcher.client import Limits, SpawnSpec

FDS = "sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}'))"


def test_its_working_directory_and_temporary_directories_are_its_scratch(bench):
    scratch = bench.scratch()
    found = "(os.getcwd(), os.environ['HOME'], os.environ['TMPDIR'], tempfile.gettempdir())"
    assert eval(bench.ask(found, scratch=scratch)) == (str(scratch),) * 4


def test_its_environment_is_the_scrubbed_base_and_what_was_asked_for(bench):
    environment = eval(bench.ask("dict(os.environ)", environment={"ASKED": "yes", "HOME": "/not/this"}))
    assert environment["ASKED"] == "yes"
    assert "PEAGEN_PLANTED_KEY" not in environment
    expected = {"PATH", "HOME", "TMPDIR", "ASKED"}
    known = {"LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED"}
    others = {name for name in environment if not name.startswith(("LC_", "COV", "COVERAGE"))}
    assert expected <= others <= expected | known


def test_a_planted_key_is_in_no_environment_that_it_could_read(bench):
    for pid in (bench.server, bench.guard):
        assert b"planted" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert bench.ask("b'planted' in open('/proc/self/environ', 'rb').read()") == "False"
    assert bench.ask("os.popen('env').read().count('PLANTED')") == "0"


def test_it_has_no_descriptors_but_its_own(bench):
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        assert eval(bench.ask(FDS)) == [0, 1, 2, 3]
    finally:
        os.close(secret)


def test_its_input_is_empty(bench):
    with bench.spawn("wait_for_input") as child:
        assert child.receive(10, time.monotonic() + 20) == b"b''"


def test_it_leads_its_own_session(bench):
    assert bench.ask("os.getsid(0) == os.getpid()") == "True"


def test_what_it_makes_is_for_its_user_only(bench):
    scratch = bench.scratch()
    bench.ask("open('made', 'w').close() or os.mkdir('dir')", scratch=scratch)
    assert (scratch / "made").stat().st_mode & 0o777 == 0o600
    assert (scratch / "dir").stat().st_mode & 0o777 == 0o700


def test_signals_are_as_python_has_them(bench):
    handlers = eval(bench.ask("{int(s): str(signal.getsignal(s)) for s in signal.valid_signals()}"))
    ignored = {number for number, handler in handlers.items() if "IGN" in handler}
    assert ignored <= {13, 25}  # SIGPIPE and SIGXFSZ: errors in place of signals
    assert bench.ask("signal.pthread_sigmask(signal.SIG_BLOCK, ())") == "set()"


def test_no_two_draw_the_same_random_numbers(bench):
    draw = "(random.random(), os.urandom(4))"
    assert bench.ask(draw) != bench.ask(draw)


def test_it_sees_the_same_code(bench):
    path = eval(bench.ask("sys.path"))
    assert path == [str(Path(entry).absolute()) for entry in sys.path]
    assert bench.ask("__import__('peagen_ray').__file__") == sys.modules["peagen_ray"].__file__


def test_what_it_does_to_a_module_no_other_sees(bench):
    for _ in range(3):
        with bench.spawn("mark_module") as child:
            assert child.receive(10, time.monotonic() + 20) == b"1"
    assert bench.ask("'LEFT_BEHIND' in os.environ") == "False"


def test_the_launcher_is_small_and_has_one_thread(bench):
    assert bench.ask("threading.active_count(), len(os.listdir('/proc/self/task'))") == "(1, 1)"
    assert len(list(Path(f"/proc/{bench.server}/task").iterdir())) == 1
    modules = set(eval(bench.ask("list(sys.modules)")))
    assert modules.isdisjoint({"ray", "numpy", "pyarrow", "redis", "rich"})


def test_what_all_may_write_to_is_empty_and_private(bench):
    scratch = bench.scratch()
    leave = "[open(f'{d}/left-behind', 'w').close() for d in ('/tmp', '/var/tmp', '/dev/shm')]"
    with bench.spawn("nothing") as child:
        if "private-tmp" not in child.layers:
            pytest.skip("the kernel allows no private temporary directories here")
    bench.ask(leave, scratch=scratch)
    look = "[name for d in ('/tmp', '/var/tmp', '/dev/shm') for name in os.listdir(d) if 'left' in name]"
    assert bench.ask(look) == "[]"
    assert not any(Path(d, "left-behind").exists() for d in ("/tmp", "/var/tmp", "/dev/shm"))


def test_its_temporary_directories_hold_a_bounded_amount(bench):
    size = "[os.statvfs(d).f_blocks * os.statvfs(d).f_frsize for d in ('/tmp', '/var/tmp', '/dev/shm')]"
    if bench.spawn("nothing").layers:
        assert eval(bench.ask(size)) == [256 << 20] * 3


def test_what_is_kept_stays_visible_under_a_private_tmp(bench, tmp_path):
    kept, other = tmp_path / "kept", tmp_path / "other"
    for directory in (kept, other):
        directory.mkdir()
        (directory / "file").write_text("contents")
    seen = f"(os.path.exists({str(kept / 'file')!r}), os.path.exists({str(other / 'file')!r}))"
    write = f"open({str(kept / 'new')!r}, 'w').write('x')"
    with bench.spawn("nothing") as child:
        private = "private-tmp" in child.layers and str(tmp_path).startswith("/tmp/")
    assert eval(bench.ask(seen, keep=(kept, kept, tmp_path / "missing"))) == (True, not private)
    bench.ask(write, keep=(kept, kept / "file"))
    assert (kept / "new").read_text() == "x"


def test_its_scratch_is_the_same_directory_inside_and_outside(bench):
    scratch = bench.scratch()
    bench.ask("open('here', 'w').write('x')", scratch=scratch)
    assert (scratch / "here").read_text() == "x"


def test_core_dumps_are_always_off(bench):
    assert bench.ask("__import__('resource').getrlimit(__import__('resource').RLIMIT_CORE)") == "(0, 0)"


def test_without_limits_there_are_none_of_ours(bench):
    asked = "__import__('resource').getrlimit(__import__('resource').RLIMIT_FSIZE)"
    assert eval(bench.ask(asked)) == resource.getrlimit(resource.RLIMIT_FSIZE)


def test_a_limit_never_exceeds_what_is_allowed(bench):
    _, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = "__import__('resource').getrlimit(__import__('resource').RLIMIT_NOFILE)"
    limits = Limits(open_files=ceiling + 1)
    assert eval(bench.ask(asked, limits=limits)) == (ceiling, ceiling)


def test_memory_beyond_its_address_space_is_refused(bench):
    with bench.spawn("too_much_memory", limits=Limits(address_space=512 << 20)) as child:
        assert child.receive(100, time.monotonic() + 20) == b"MemoryError"


def test_a_file_beyond_the_limit_is_an_error_and_no_signal(bench):
    with bench.spawn("too_large_file", limits=Limits(file_bytes=10_000)) as child:
        assert child.receive(100, time.monotonic() + 20) == b"OSError27"


def test_descriptors_beyond_the_limit_are_refused(bench):
    limits = Limits(open_files=8)
    assert bench.ask("[os.dup(0) for _ in range(3)] and os.sysconf('SC_OPEN_MAX')", limits=limits) == "8"


def test_cpu_time_beyond_the_limit_ends_it(bench):
    with bench.spawn("spin", limits=Limits(cpu_s=0.2)) as child:
        ended = child.wait(60)
    assert ended.reason == "killed by SIGXCPU"
    assert 0.5 < ended.cpu_s < 3


@pytest.mark.parametrize("stdio", [False, True])
def test_a_program_is_executed_in_place_of_an_entry(bench, stdio):
    fd = 1 if stdio else 3
    program = (
        f"import os; os.write({fd}, b'\\0\\0\\0\\5hello'); print(os.getcwd(), file=__import__('sys').stderr)"
    )
    scratch = bench.scratch()
    with bench.launcher.spawn(
        SpawnSpec("", scratch, argv=(sys.executable, "-I", "-S", "-c", program), stdio=stdio)
    ) as child:
        assert child.receive(100, time.monotonic() + 20) == b"hello"
        assert child.wait(20).code == 0
        assert child.output() == ("", f"{scratch}\n")


def test_a_program_that_is_not_there_is_said_to_be(bench):
    with bench.launcher.spawn(SpawnSpec("", bench.scratch(), argv=("/no/such/program",))) as child:
        assert child.wait(20).code == 1
        assert "No such file" in child.output()[1]
