"""The contract of every sandbox, as a test suite.

Prove a sandbox by subclassing::

    class TestMySandbox(SandboxSuite):
        @pytest.fixture(scope="class")
        @classmethod
        def sandbox(cls):
            with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
                yield MySandbox(launcher)
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from peagen_ray.launcher import linux
from peagen_ray.sandbox.base import Guest, GuestFailed, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.examination import Facts, State, attempt, bait
from peagen_ray.sandbox.execution import Program
from peagen_ray.sandbox.probes import PROBES, Probe
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.target import Call

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=256, output_kb=64, scratch_mb=4, processes=16)

ENDS = [
    ("pass", "ok", ""),
    ("raise ValueError('x')", "error", "ValueError: x"),
    ("import os; os._exit(0)", "error", "exit 0"),
    ("import sys; sys.exit(3)", "error", "exit 3"),
    ("import os; os.close(3)", "error", ""),
    ("import os; os.write(3, b'\\0\\0\\0\\4rub\\n')", "error", "rubbish"),
    ("while True: pass", "timeout", "no answer within"),
    ("held = []\nwhile True: held.append(bytearray(b'x') * (8 << 20))", "memory", ""),
    ("import os; os.abort()", "killed", "SIGABRT"),
    ("import ctypes; ctypes.string_at(1)", "killed", "SIGSEGV"),
    ("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "violation", ""),
    ("while True: print('x' * 65536)", "violation", "printed more"),
    ("import os; os.write(3, b'\\xff\\xff\\xff\\xff')", "violation", "larger than"),
]


class SandboxSuite:
    """Guarantees of every sandbox; ``sandbox`` is one that is ready to start guests.

    Attributes:
        PROFILES: the profiles that it offers.
        HARMLESS: probes that it need not stop, since they cost nobody else anything there.
    """

    PROFILES: ClassVar[frozenset[Profile]] = frozenset({Profile.PURE, Profile.THREADS, Profile.TREE})
    HARMLESS: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture(scope="class")
    @classmethod
    def facts(cls) -> Iterator[Facts]:
        """What there is to be reached from a guest; in the working directory, since ``/tmp`` is easily covered."""
        with bait(Path.cwd()) as facts:
            yield facts

    # The conversation

    def test_a_guest_answers_what_it_is_asked(self, sandbox: Sandbox) -> None:
        with _started(sandbox, "def f(x):\n    return x + 1\n") as guest:
            assert [_call(guest, n).value for n in (1, 41)] == [2, 42]

    def test_what_a_call_raises_is_an_answer(self, sandbox: Sandbox) -> None:
        with _started(sandbox, "def f(x):\n    return {}[x]\n") as guest:
            assert _call(guest, 1).raised == "KeyError"
            assert _call(guest, 2).raised == "KeyError"

    def test_a_guest_that_was_closed_stays_closed(self, sandbox: Sandbox) -> None:
        guest = _started(sandbox, "def f(x):\n    return x\n")
        guest.close()
        guest.close()
        with pytest.raises(GuestFailed):
            _call(guest, 1)

    def test_a_paused_guest_answers_when_it_is_resumed_and_not_before(self, sandbox: Sandbox) -> None:
        with _started(sandbox, "def f(x):\n    return x\n") as guest:
            guest.pause()
            guest.resume()
            assert _call(guest, 1).value == 1
            guest.pause()
            with pytest.raises(GuestFailed) as failure:
                guest.ask({"op": "go", "slot": "a"}, wall_s=0.2)
        assert failure.value.outcome == "timeout"

    # What is reported

    def test_its_layers_are_reported_and_are_the_same_for_every_guest(self, sandbox: Sandbox) -> None:
        with sandbox.start(LIMITS) as first, sandbox.start(LIMITS) as second:
            assert first.layers
            assert first.layers == second.layers

    def test_cpu_time_is_read_from_outside(self, sandbox: Sandbox) -> None:
        with _started(sandbox, "def f(x):\n    return sum(range(x))\n") as guest:
            before = guest.cpu_ns()
            _call(guest, 1_000_000)
            assert guest.cpu_ns() > before

    def test_peak_memory_is_that_since_it_was_reset(self, sandbox: Sandbox) -> None:
        with _started(sandbox, "def f(x):\n    return len(bytearray(b'x') * x)\n") as guest:
            _call(guest, 64 << 20)
            guest.reset_peak()
            _call(guest, 16 << 20)
            assert 14_000 < guest.peak_kb() < 24_000

    def test_one_program_is_run_and_all_about_it_reported(self, sandbox: Sandbox) -> None:
        source = "import sys\nprint(sys.argv[1], sys.stdin.read())\nblock = bytearray(b'x') * (16 << 20)\n"
        done = sandbox.run(Program(source, stdin=b"given", argv=("word",)), LIMITS)
        assert (done.outcome, done.reason, done.stdout, done.stderr) == ("ok", "", "word given\n", "")
        assert 14_000 < done.peak_kb < 64_000
        assert done.cpu_s > 0
        assert done.wall_s > 0
        assert done.layers

    @pytest.mark.parametrize(("source", "outcome", "reason"), ENDS, ids=[f"{o}-{s:.30}" for s, o, _ in ENDS])
    def test_how_a_program_ends_is_told(
        self, sandbox: Sandbox, source: str, outcome: str, reason: str
    ) -> None:
        done = sandbox.run(Program(source), LIMITS)
        assert done.outcome == outcome, done
        assert reason in done.reason

    def test_a_guest_that_uses_up_its_cpu_time_is_ended(self, sandbox: Sandbox) -> None:
        source = "def f(x):\n    return sum(range(x))\n"
        program = Program(source, "f", (30_000_000,))
        assert sandbox.run(program, replace(LIMITS, cpu_s=0.01)).outcome == "timeout"

    def test_what_it_writes_is_bounded(self, sandbox: Sandbox) -> None:
        source = (
            "def f(x):\n    written = 0\n    try:\n        for n in range(x):\n"
            "            with open(f'part{n}', 'wb', buffering=0) as file:\n"
            "                written += file.write(bytes(1 << 20))\n    except OSError:\n        pass\n"
            "    return written\n"
        )
        written = sandbox.run(Program(source, "f", (4 * LIMITS.scratch_mb,)), LIMITS).value
        assert isinstance(written, int)
        assert written <= LIMITS.scratch_mb << 20

    # Hash seeds

    def test_a_fresh_interpreter_has_the_hash_seed_that_was_asked_for(self, sandbox: Sandbox) -> None:
        def hashed(seed: int) -> set[Any]:
            program = Program("def f():\n    return hash('some text')\n", "f")
            with sandbox.fresh(seed) as fresh:
                return {fresh.run(program, LIMITS).value for _ in range(2)}

        assert hashed(1) == hashed(1)
        assert hashed(1) != hashed(2)
        assert len(hashed(3)) == 1

    # Nothing leaks in, nothing leaks out

    @pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
    def test_a_guest_is_stopped_from_what_it_tries(
        self, sandbox: Sandbox, probe: Probe, facts: Facts
    ) -> None:
        found = attempt(sandbox, probe, facts)
        assert found.state is State.BLOCKED or probe.name in self.HARMLESS, found

    def test_it_has_an_empty_directory_of_its_own(self, sandbox: Sandbox) -> None:
        source = (
            "import os, tempfile\n\ndef f():\n    here = os.getcwd()\n"
            "    assert here == os.environ['HOME'] == os.environ['TMPDIR'] == tempfile.gettempdir()\n"
            "    found = os.listdir(here)\n    open('left-behind', 'x').close()\n    return found\n"
        )
        assert [sandbox.run(Program(source, "f"), LIMITS).value for _ in range(2)] == [[], []]

    def test_what_one_guest_leaves_no_other_finds(self, sandbox: Sandbox) -> None:
        source = (
            "import json, os\n\ndef f():\n    found = getattr(json, 'left_behind', [])\n"
            "    json.left_behind = ['memory']\n"
            "    for place in ('/tmp', '/var/tmp', '/dev/shm', '/run', '/', os.path.dirname(os.__file__)):\n"
            "        try:\n            found += [name for name in os.listdir(place) if 'left-behind' in name]\n"
            "            open(f'{place}/left-behind', 'w').close()\n        except OSError:\n            pass\n"
            "    return found\n"
        )
        with sandbox.start(LIMITS) as first, sandbox.start(LIMITS) as second:
            for guest in (first, second):
                Subject(source, "f").load(guest, "a", source)
                assert _call(guest).value in ([], ["left-behind"], ["left-behind"] * 2)
        assert sandbox.run(Program(source, "f"), LIMITS).value in ([], ["left-behind"], ["left-behind"] * 2)
        for place in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", Path.cwd()):  # noqa: S108
            assert not Path(place, "left-behind").exists()

    def test_its_processes_end_with_it(self, sandbox: Sandbox) -> None:
        if Profile.TREE not in self.PROFILES:
            pytest.skip("it offers no trees")
        before = set(linux.descendants(os.getpid()))
        source = (
            "import os, signal\n\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n"
            "        if os.fork() == 0:\n            for number in signal.valid_signals() - {9, 19}:\n"
            "                signal.signal(number, signal.SIG_IGN)\n            while True:\n"
            "                signal.pause()\n        os._exit(0)\n    os.wait()\n"
        )
        with sandbox.start(LIMITS, Profile.TREE) as guest:
            Subject(source, "f").load(guest, "a", source)
            assert _call(guest).raised is None
            assert set(linux.descendants(os.getpid())) > before
        assert set(linux.descendants(os.getpid())) <= before

    # Profiles

    def test_threads_are_for_those_that_may_have_them(self, sandbox: Sandbox) -> None:
        source = "import _thread\n\ndef f():\n    _thread.start_new_thread(int, ())\n"
        self._runs_in(sandbox, source, {Profile.THREADS, Profile.TREE})

    def test_processes_are_for_those_that_may_have_them(self, sandbox: Sandbox) -> None:
        source = (
            "import subprocess, sys\n\ndef f():\n"
            "    assert subprocess.run(['/bin/sh', '-c', 'exit 7'], check=False).returncode == 7\n"
        )
        self._runs_in(sandbox, source, {Profile.TREE})

    def test_a_tree_has_no_more_processes_than_it_may(self, sandbox: Sandbox) -> None:
        if Profile.TREE not in self.PROFILES:
            pytest.skip("it offers no trees")
        source = (
            "import os, signal\n\ndef f():\n    born = 0\n    try:\n        for _ in range(100):\n"
            "            if os.fork() == 0:\n                while True:\n                    signal.pause()\n"
            "            born += 1\n    except OSError:\n        pass\n    return born\n"
        )
        born = sandbox.run(Program(source, "f"), LIMITS, Profile.TREE).value
        assert isinstance(born, int)
        assert 0 < born <= LIMITS.processes

    def _runs_in(self, sandbox: Sandbox, source: str, profiles: set[Profile]) -> None:
        """``f()`` goes well in those profiles, and fails in the others that are offered."""
        done = {profile: sandbox.run(Program(source, "f"), LIMITS, profile) for profile in self.PROFILES}
        expected = {profile: "ok" if profile in profiles else "error" for profile in self.PROFILES}
        assert {profile: each.outcome for profile, each in done.items()} == expected, done


def _started(sandbox: Sandbox, source: str) -> Guest:
    guest = sandbox.start(LIMITS)
    Subject(source, "f").load(guest, "a", source)
    return guest


def _call(guest: Guest, *arguments: Any) -> Observation:
    return Observation.read(run(guest, "a", pickle.dumps(Call(arguments))).body)
