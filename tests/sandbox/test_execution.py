"""One-shot runs: a program's outcome, output, usage and layers, whatever it does."""

from __future__ import annotations

from typing import Any

import pytest

from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.execution import Execution, Program
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.workload.codec import Opaque

LIMITS = GuestLimits(wall_s=2.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)


def execute(sandbox: ProcessSandbox, source: str, *inputs: Any, **more: Any) -> Execution:
    return sandbox.run(Program(source, inputs=inputs, **more), LIMITS)


def test_an_entry_is_called_with_its_inputs_and_its_value_comes_back(sandbox: ProcessSandbox) -> None:
    source = "print('loading')\n\ndef f(xs, n):\n    return {'all': [x * n for x in xs], n: (1, None)}\n"
    done = execute(sandbox, source, [1, 2], 3, entry="f")
    assert (done.outcome, done.reason) == ("ok", "")
    assert done.value == {"all": [3, 6], 3: (1, None)}
    assert (done.stdout, done.stderr) == ("loading\n", "")


def test_a_program_runs_as_main_with_its_input_and_arguments(sandbox: ProcessSandbox) -> None:
    source = (
        "import sys\n\nif __name__ == '__main__':\n    print(sys.argv[1:], sys.stdin.read().upper())\n"
        "    print('oops', file=sys.stderr)\n"
    )
    done = execute(sandbox, source, stdin="grüße\n".encode(), argv=("-x", "1"))
    assert (done.outcome, done.value) == ("ok", None)
    assert done.stdout == "['-x', '1'] GRÜSSE\n\n"
    assert done.stderr == "oops\n"


def test_what_a_program_used_is_reported(sandbox: ProcessSandbox) -> None:
    source = "block = bytearray(b'x') * (48 << 20)\nsum(range(3_000_000))\n"
    done = execute(sandbox, source)
    assert done.outcome == "ok"
    assert 40_000 < done.peak_kb < 100_000
    assert done.cpu_s > 0
    assert done.wall_s > 0
    with sandbox.start(LIMITS) as guest:
        assert done.layers == guest.layers


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        ("import sys; sys.exit()", "ok", ""),
        ("import sys; sys.exit(3)", "error", "exit 3"),
        ("import sys; sys.exit('gone')", "error", "exit 1"),
        ("import sys; sys.stdout.close(); sys.stdout = None", "ok", ""),
        ("import os; os._exit(0)", "error", "exit 0"),
        ("1 / 0", "error", "raised ZeroDivisionError: division by zero"),
        ("raise KeyboardInterrupt", "error", "raised KeyboardInterrupt"),
        ("def f(:", "error", "SyntaxError"),
        ("bytearray(4 << 30)", "memory", "MemoryError"),
        ("while True: pass", "timeout", "no answer within 2 s"),
        ("import os; os.abort()", "killed", "SIGABRT"),
        ("print('x' * (1 << 20))", "violation", "printed more than"),
        ("import os; os.write(3, b'\\0\\0\\0\\x0b{\"code\": []}')", "error", ""),
        ("import os; os.write(3, b'\\0\\0\\0\\x02[]')", "error", "answered rubbish"),
    ],
)
def test_how_a_program_ends_is_its_outcome(
    source: str, outcome: str, reason: str, sandbox: ProcessSandbox
) -> None:
    done = execute(sandbox, source)
    assert done.outcome == outcome
    assert reason in done.reason
    assert done.value is None


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("raise KeyError('x')", "error", "raised KeyError"),
        ("return len(bytearray(4 << 30))", "memory", "MemoryError"),
        ("import sys; sys.exit(0)", "error", "exit 0"),
        ("return 'x' * (1 << 20)", "violation", "exceed"),
        ('import os; os.write(3, b\'\\0\\0\\0\\x19{"ns": 1, "lengths": [2]}\\nxx\')', "error", "rubbish"),
    ],
)
def test_how_a_call_ends_is_its_outcome(
    body: str, outcome: str, reason: str, sandbox: ProcessSandbox
) -> None:
    done = execute(sandbox, f"def f():\n    {body}\n", entry="f")
    assert (done.outcome, done.value) == (outcome, None)
    assert reason in done.reason


def test_an_entry_that_is_not_there_does_not_load(sandbox: ProcessSandbox) -> None:
    done = execute(sandbox, "x = 1\n", entry="f")
    assert (done.outcome, done.reason) == (
        "error",
        "does not load: TargetError: f: no such entry in the loaded module",
    )


def test_what_a_program_printed_before_it_died_is_kept(sandbox: ProcessSandbox) -> None:
    done = execute(sandbox, "import os\nprint('so far', flush=True)\nos._exit(9)\n")
    assert (done.outcome, done.reason, done.stdout) == ("error", "exit 9", "so far\n")
    assert done.cpu_s > 0


def test_a_value_of_its_own_class_comes_back_without_its_behaviour(sandbox: ProcessSandbox) -> None:
    source = "class P:\n    def __reduce__(self):\n        return exec, ('1 / 0',)\n\ndef f():\n    p = P()\n    p.x = 1\n    return p\n"
    value = execute(sandbox, source, entry="f").value
    assert isinstance(value, Opaque)
    assert value.state == {"x": 1}
