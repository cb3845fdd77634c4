"""Somebody's own evaluator judges a candidate in a guest: every convention, and what hostile ones cost."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import zipfile
from typing import Any

import pytest

from peagen_ray.config.model import EvaluateTable
from peagen_ray.sandbox.base import GuestLimits, Profile
from peagen_ray.sandbox.evaluation import Assignment, Evaluated, evaluate, settled
from peagen_ray.sandbox.process import ProcessSandbox

LIMITS = GuestLimits(cpu_s=60.0, memory_mb=2048, output_kb=64, scratch_mb=16)
GOOD = "def answer():\n    return 42\n"


def bundle(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_py", ".py").replace("_txt", ".txt"), text)
    return buffer.getvalue()


@pytest.fixture
def judge(sandbox: ProcessSandbox) -> Any:
    def of(
        convention: str, files: bytes, program: str = GOOD, timeout_s: float = 10.0, **options: Any
    ) -> Evaluated:
        tree = ProcessSandbox(sandbox._launcher, profile=Profile.TREE)
        module = "test_suite" if convention == "pytest" else convention
        entry = f"peagen_ray.sandbox.conventions.{module}:judge"
        texts = {"initial.py": program}
        repeats, rival = options.pop("repeats", 1), options.pop("rival", None)
        assignment = Assignment(entry, options, files, texts, "initial.py", timeout_s)
        return evaluate(tree, LIMITS, assignment, repeats, rival)

    return of


LOAD = """
import importlib.util
def load(path):
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
MODULE = "from loading import load\ndef evaluate(path):\n    return {'answer': load(path).answer(), 'fast': True}\n"


def module(text: str, **more: str) -> bytes:
    return bundle(evaluator_py=text, loading_py=LOAD, **more)


def test_a_module_with_siblings_and_data_scores_a_candidate(judge: Any) -> None:
    text = MODULE.replace("{'answer'", "{'combined_score': float(open(D).read()), 'answer'")
    text = f"import os\nD = os.path.join(os.path.dirname(__file__), 'data', 'weight.txt')\n{text}"
    seen = judge("module", module(text, data__weight_txt="0.5"), file="evaluator.py")
    assert (seen.outcome, seen.reason, seen.fitness) == ("ok", "", 0.5)
    assert seen.metrics == {"combined_score": 0.5, "answer": 42, "fast": True}


def test_without_a_combined_score_the_mean_of_the_numbers_counts_flags_left_out(judge: Any) -> None:
    text = "def evaluate(path):\n    return {'a': 1, 'b': 4.0, 'flag': True, 'note': 'x', 'n': float('nan'), 'size': 90}\n"
    seen = judge("module", module(text), file="evaluator.py", ignored=["size"])
    assert (seen.outcome, seen.fitness) == ("ok", 2.5)
    assert seen.metrics["n"] == "nan"


def test_the_other_engines_result_class_and_coroutines_work_without_that_engine(judge: Any) -> None:
    text = (
        "from openevolve.evaluation_result import EvaluationResult\nimport asyncio\n"
        "async def evaluate(path):\n    await asyncio.sleep(0)\n"
        "    return EvaluationResult(metrics={'combined_score': 3.0}, artifacts={'log': 'fine', 'plot': b'\\x89PNG'})\n"
    )
    seen = judge("module", module(text), file="evaluator.py")
    assert (seen.outcome, seen.reason, seen.fitness) == ("ok", "", 3.0)
    assert seen.artifacts == {"log": {"text": "fine"}, "plot": {"base64": "iVBORw=="}}


STAGES = (
    "def evaluate_stage1(path):\n    return {'combined_score': 0.6, 'note': 'x'}\n"
    "def evaluate_stage2(path):\n    return {'combined_score': 0.7, 'two': 1}\n"
    "def evaluate_stage3(path):\n    return {'three': 1}\n"
    "def evaluate(path):\n    return {'combined_score': -1.0}\n"
)


@pytest.mark.parametrize(
    ("options", "metrics"),
    [
        ({"thresholds": [0.61]}, {"combined_score": 0.6, "note": "x"}),
        ({"thresholds": [0.5]}, {"combined_score": 0.7, "two": 1.0}),
        ({"thresholds": [0.5, 0.8]}, {"combined_score": 0.7, "two": 1.0}),
        ({"thresholds": [0.5, 0.7]}, {"combined_score": 0.7, "two": 1.0, "three": 1.0}),
        ({"cascade": False}, {"combined_score": -1.0}),
    ],
)
def test_a_stage_is_reached_over_the_threshold_before_it(
    judge: Any, options: dict[str, Any], metrics: dict[str, Any]
) -> None:
    seen = judge("module", module(STAGES), file="evaluator.py", **options)
    assert (seen.outcome, seen.metrics, seen.fitness) == ("ok", metrics, metrics["combined_score"])


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ({"imports": True}, {"accuracy": 0.25, "ok": True}, 0.75),  # flags are numbers once stages are merged
        ({"a": 0.8, "x": math.nan}, {"a": 0.6}, 0.8),  # NaN passes nothing
        ({"a": 0.2, "error": 9.0}, {"a": 0.6}, 4.6),  # error passes nothing, and counts where nothing follows
        ({"a": 0.9, "error": 9.0}, {"a": 0.7}, 0.7),
        ({"accuracy": 0.75, "complexity": 400, "diversity": 7}, {}, 0.75),
    ],
)
def test_stages_count_what_the_other_engine_counts(
    judge: Any, first: dict[str, Any], second: dict[str, Any], score: float
) -> None:
    stages = (
        "from math import nan\n"
        f"def evaluate_stage1(path):\n    return {first!r}\n"
        f"def evaluate_stage2(path):\n    return {second!r}\n"
    )
    ignored = EvaluateTable().ignored
    seen = judge("module", module(stages), file="evaluator.py", ignored=list(ignored))
    assert (seen.fitness, seen.reason) == (score, "")


@pytest.mark.parametrize(
    ("program", "outcome", "reason"),
    [
        ("def answer():\n    while True: pass\n", "timeout", "no answer within 1 s"),
        ("import os\nos._exit(0)\n", "error", "exit 0"),
        ("import sys\nsys.exit(0)\n", "error", "SystemExit: 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "killed", "SIGSEGV"),
        ("def answer():\n    while True: print('x' * 1000)\n", "violation", "printed more than 64 KiB"),
        ("def answer():\n    return float('inf')\n", "incorrect", "its score is inf, not a finite number"),
        ("def answer():\n    return 'forty-two'\n", "error", "no number among its metrics"),
        ("def answer(:\n", "error", "SyntaxError"),
        ("def answer():\n    raise ValueError('far\\noff')\n", "error", "ValueError: far"),
        (
            "import socket\ndef answer():\n    socket.create_connection(('127.0.0.1', 1), 1)\n",
            "error",
            "Error",
        ),
        ("def answer():\n    return len(bytearray(1 << 40))\n", "memory", "MemoryError"),
    ],
)
def test_a_candidate_that_misbehaves_has_an_outcome_and_no_score(
    judge: Any, program: str, outcome: str, reason: str
) -> None:
    seen = judge("module", module(MODULE), program, 1.0, file="evaluator.py")
    assert seen.outcome == outcome, seen.reason
    assert seen.fitness is None
    assert reason in seen.reason


def test_processes_that_a_candidate_leaves_behind_are_gone_with_it(judge: Any) -> None:
    program = (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
    )
    assert judge("module", module(MODULE), program + GOOD, file="evaluator.py").fitness == 42


def test_a_script_writes_metrics_and_whether_it_is_correct(judge: Any) -> None:
    text = (
        "import argparse, json, os, runpy\np = argparse.ArgumentParser()\n"
        "p.add_argument('--program_path'); p.add_argument('--results_dir'); a = p.parse_args()\n"
        "value = runpy.run_path(a.program_path)['answer']()\n"
        "def write(name, said):\n    json.dump(said, open(os.path.join(a.results_dir, name), 'w'))\n"
        "write('metrics.json', {'combined_score': value / 2, 'public': {'value': value}, 'private': {'key': 9},"
        " 'text_feedback': 'go on'})\n"
        "write('correct.json', {'correct': value == 42, 'error': None if value == 42 else f'{value} is wrong'})\n"
        "open(os.path.join(a.results_dir, 'plot.png'), 'wb').write(b'PNG')\n"
    )
    seen = judge("script", bundle(evaluate_py=text), file="evaluate.py")
    assert (seen.outcome, seen.reason, seen.fitness) == ("ok", "", 21.0)
    assert seen.metrics == {"combined_score": 21.0, "value": 42, "private.key": 9}
    assert seen.artifacts == {"text_feedback": {"text": "go on"}, "plot.png": {"base64": "UE5H"}}
    wrong = judge("script", bundle(evaluate_py=text), GOOD.replace("42", "7"), file="evaluate.py")
    assert (wrong.outcome, wrong.reason, wrong.fitness) == ("incorrect", "7 is wrong", None)
    broken = judge("script", bundle(evaluate_py=text), "answer = 1\n", file="evaluate.py")
    assert broken.outcome == "error"
    assert "wrote no metrics and correct.json; exit 1: TypeError" in broken.reason


@pytest.mark.parametrize(
    ("line", "outcome", "fitness"),
    [
        ('echo done; echo \'{"combined_score": 2, "lines": 3}\'', "ok", 2.0),
        ("echo 7.5", "ok", 7.5),
        ("wc -l < {program}", "ok", 2.0),
        ("echo no", "error", None),
        ("echo 1; exit 3", "error", None),
        ('echo \'{"correct": false, "error": "off by one"}\'', "incorrect", None),
        ("head -c 99999999 /dev/zero", "error", None),
    ],
)
def test_a_command_of_any_language_says_it_on_its_last_line(
    judge: Any, line: str, outcome: str, fitness: float | None
) -> None:
    seen = judge("command", bundle(), command=["sh", "-c", line, "{program}"])
    assert (seen.outcome, seen.fitness) == (outcome, fitness), seen.reason


@pytest.mark.skipif(shutil.which("gcc") is None and "CI" not in os.environ, reason="there is no gcc")
def test_a_candidate_may_be_compiled(judge: Any) -> None:
    line = 'gcc -x c "$0" -o "$TMPDIR/it" && "$TMPDIR/it"'
    program = '#include <stdio.h>\nint main() { printf("%d\\n", 6 * 7); }\n'
    seen = judge("command", bundle(), program, command=["sh", "-c", line, "{program}"])
    assert (seen.fitness, seen.reason) == (42, "")


def test_a_test_suite_is_the_oracle_and_what_it_measures_the_score(judge: Any) -> None:
    tests = (
        "import json, os, initial\n"
        "def test_it():\n    assert initial.answer() == 42\n"
        "def test_size():\n    size = len(open(initial.__file__).read())\n"
        "    json.dump({'combined_score': 1 / size}, open(os.environ['PEAGEN_RESULTS'] + '/metrics.json', 'w'))\n"
    )
    files = {"tests__test_it_py": tests, "initial_py": "raise OSError('the original is in the way')\n"}
    seen = judge("pytest", bundle(**files), file="tests", place=".")
    assert (seen.outcome, seen.fitness, seen.metrics["tests"]) == ("ok", 1 / len(GOOD), 2), seen.reason
    wrong = judge("pytest", bundle(tests__test_it_py=tests), GOOD.replace("42", "41"), file="tests")
    assert (wrong.outcome, wrong.reason) == ("incorrect", "1 of 2 tests failed: test_it")
    assert "assert 41 == 42" in wrong.artifacts["stdout"]["text"]


def test_noise_is_averaged_and_agreement_ends_it_early(judge: Any) -> None:
    noisy = "import random\ndef evaluate(path):\n    return {'combined_score': random.random(), 'noise': random.random()}\n"
    seen = judge("module", module(noisy), file="evaluator.py", repeats=4)
    assert len(set(seen.samples)) == 4
    assert seen.fitness == pytest.approx(sum(seen.samples) / 4)
    steady = judge("module", module(MODULE), file="evaluator.py", repeats=9)
    assert steady.samples == (42.0, 42.0)


def test_what_surely_cannot_win_is_not_measured_on() -> None:
    assert settled([1.0, 1.1, 0.9], rival=2.0)
    assert not settled([1.0, 1.1, 0.9], rival=1.1)
    assert not settled([1.0, 1.1], rival=9.0)
    assert not settled([1.0, 1.1, 0.9], rival=None)


def test_a_guest_that_forges_its_answer_gets_no_further_than_its_own_score(judge: Any) -> None:
    forged = json.dumps(
        {"judgement": {"metrics": [], "artifacts": {}, "failure": "", "fitness": 1e9}}
    ).encode()
    program = f"import os\nos.write(3, len({forged!r}).to_bytes(4, 'big') + {forged!r} + b'\\n')\n"
    seen = judge("module", module(MODULE), program + GOOD, file="evaluator.py")
    assert (seen.outcome, seen.fitness) == ("error", None)
    assert seen.reason.startswith("answered rubbish")


SHINKA = """
import argparse
from shinka.core import run_shinka_eval
p = argparse.ArgumentParser()
p.add_argument("--program_path"); p.add_argument("--results_dir"); a = p.parse_args()
run_shinka_eval(program_path=a.program_path, results_dir=a.results_dir, experiment_fn_name="answer", num_runs=2,
    get_experiment_kwargs=lambda n: {}, validate_fn=lambda r: (r == 42, None if r == 42 else f"{r} is not 42"),
    aggregate_metrics_fn=lambda rs: {"combined_score": sum(rs) / 2, "public": {"runs": len(rs)}, "extra_data": {1: 2}})
"""


def test_a_script_of_the_other_engine_needs_nothing_of_it_installed(judge: Any) -> None:
    seen = judge("script", bundle(evaluate_py=SHINKA), file="evaluate.py")
    assert (seen.outcome, seen.reason, seen.fitness) == ("ok", "", 42.0)
    assert (seen.metrics["runs"], seen.metrics["num_valid_runs"]) == (2, 2)
    wrong = judge("script", bundle(evaluate_py=SHINKA), GOOD.replace("42", "41"), file="evaluate.py")
    assert (wrong.outcome, wrong.reason) == ("incorrect", "Validation failed: 41 is not 42")


def test_what_a_script_wrote_counts_as_it_does_for_the_other_engine(judge: Any) -> None:
    text = SHINKA.replace("shinka.core import", "shinka.core.wrap_eval import save_json_results,")
    counting = "from itertools import count\nanswer = count(42).__next__\n"
    apart = text.replace("num_runs=2", "num_runs=2, run_workers=4") + "raise SystemExit(3)\n"
    assert judge("script", bundle(evaluate_py=apart), counting, file="evaluate.py").fitness == 42
    without = text.replace('"combined_score": sum(rs) / 2, ', "")
    assert judge("script", bundle(evaluate_py=without), file="evaluate.py").fitness == 0
