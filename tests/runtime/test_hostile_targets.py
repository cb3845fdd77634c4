"""Targets as people have them, through a whole run: each is improved, or refused with what is wrong.

The faster program is given as a further one to start from, so that nothing depends on what a mutator proposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from runtime_script import Recorder, config

from peagen_ray.config.model import Config
from peagen_ray.errors import TargetError, UsageError, WorkloadError
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest

SLOW = """def f(xs: list[int]) -> int:
    total = 0
    for i in range(len(xs)):
        for j in range(len(xs)):
            if i == j:
                total = total + xs[i]
    return total
"""
FAST = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"

NUMBERS = """sizes = (1, 200)


def inputs(rng, size):
    return ([rng.randrange(100) for _ in range(size)],)
"""

Go = Callable[..., RunResult]


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFabric]:
    """One fabric for all runs: starting one is not what is tested here."""
    root = tmp_path_factory.mktemp("results")
    settings = Config.model_validate({"result_backend": {"root": str(root)}})
    with LocalFabric(settings, 2, (tmp_path_factory.getbasetemp(),)) as fabric:
        yield fabric


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rough measurements are enough here."""
    monkeypatch.setattr("peagen_ray.runtime.driver.CONFIRM_S", 0.5)
    monkeypatch.setattr("peagen_ray.runtime.driver.CONFIRM_FRESH", 3)


@pytest.fixture
def go(here: Path, observer: Recorder, fabric: LocalFabric, monkeypatch: pytest.MonkeyPatch) -> Go:
    monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: nullcontext(fabric))

    def make(slow: str | bytes, fast: str | None = None, workload: str | None = NUMBERS) -> RunResult:
        return ends(observer, slow, fast, workload)

    return make


def ends(
    observer: Recorder, slow: str | bytes, fast: str | None = None, workload: str | None = NUMBERS
) -> RunResult:
    Path("slow.py").write_bytes(slow.encode() if isinstance(slow, str) else slow)
    if workload is not None:
        Path("slow_workload.py").write_text(workload)
    seeds = ()
    if fast is not None:
        Path("fast.py").write_bytes(fast.encode())
        seeds = (Path("fast.py"),)
    settings = config(generation_size=1, max_generations=1, stop={"run_timeout": "60s"})
    request = RunRequest(
        settings, Path("slow.py"), seeds=seeds, concurrency=2, output=Path("winner.py"), fresh_inputs=5
    )
    return evolve(request, observer)


def told(result: RunResult) -> list[Event]:
    return [event for event in read(result.paths.ledger) if event.event is Kind.TELL]


def assert_won(result: RunResult) -> bytes:
    """The faster program was found and confirmed, and no task was lost on the way."""
    assert result.improved, [(event.kind, event.outcome, event.reason) for event in read(result.paths.ledger)]
    assert result.inputs >= 5
    assert Outcome.LOST not in {event.outcome for event in told(result)}
    return Path("winner.py").read_bytes()


def test_windows_line_ends_and_tabs_stay_as_they_are(go: Go) -> None:
    slow, fast = (text.replace("\n", "\r\n").replace("    ", "\t") for text in (SLOW, FAST))
    result = go(slow, fast)
    assert assert_won(result) == fast.encode()
    for event in read(result.paths.ledger):
        assert "\n" not in event.source.replace("\r\n", "")
    assert all(line.endswith(("\r\n", " @@\n")) or line[:3] in {"---", "+++"} for line in diff_lines(result))


def diff_lines(result: RunResult) -> list[str]:
    return [f"{line}\n" for line in result.paths.diff.read_bytes().decode().split("\n")[:-1]]


def test_a_byte_order_mark_is_left_out(go: Go) -> None:
    assert assert_won(go("\ufeff" + SLOW, "\ufeff" + FAST)) == FAST.encode()


def test_what_is_printed_at_import_harms_nobody_and_a_script_is_not_run_as_one(go: Go) -> None:
    noise = "import sys\nprint('hello ' * 1000)\nprint('\\x1b[2J', file=sys.stderr)\n"
    guard = "\n\nif __name__ == '__main__':\n    raise SystemExit('it was run')\n"
    assert_won(go(noise + SLOW + guard, noise + FAST + guard, None))


def test_a_cached_function_is_improved_as_it_is(go: Go) -> None:
    cache = "import functools\n\n\n@functools.lru_cache(maxsize=4)\n"
    numbers = NUMBERS.replace("([rng", "(tuple([rng").replace("(size)]", "(size)])")
    assert_won(go(cache + SLOW, cache + FAST, numbers))


def test_what_a_generator_yields_is_its_output(go: Go) -> None:
    slow = "def f(xs):\n    for i in range(len(xs)):\n        yield sum(xs[: i + 1])\n"
    fast = "from itertools import accumulate\n\n\ndef f(xs):\n    yield from accumulate(xs)\n"
    assert_won(go(slow, fast, NUMBERS.replace("200", "400")))


def test_what_a_function_does_to_its_argument_is_its_output(go: Go) -> None:
    slow = (
        "def f(xs: list[int]) -> None:\n    for _ in xs:\n        for j in range(len(xs) - 1):\n"
        "            if xs[j] > xs[j + 1]:\n                xs[j], xs[j + 1] = xs[j + 1], xs[j]\n"
    )
    assert_won(go(slow, "def f(xs: list[int]) -> None:\n    xs.sort()\n"))
    with pytest.raises(TargetError, match=r"after the call"):
        go(slow, "def f(xs: list[int]) -> None:\n    sorted(xs)\n")


def test_a_recursive_function_is_improved(go: Go) -> None:
    slow = "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)\n"
    fast = "def f(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n"
    assert_won(go(slow, fast, "sizes = (1, 20)\n\n\ndef inputs(rng, size):\n    return (size,)\n"))


def test_inputs_that_recurse_too_deeply_count_as_too_large(go: Go) -> None:
    slow = "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n"
    result = go(slow, None, "def inputs(rng, size):\n    return (size,)\n")
    assert 500 < result_size(result) < 3000


def result_size(result: RunResult) -> int:
    from peagen_ray.evolution.ledger import meta

    size: int = meta(result.paths.ledger)["reference"]["size"]
    return size


def test_a_workspace_with_blanks_and_other_letters_is_one_like_any_other(
    tmp_path: Path, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "Mein Ordner; ünï 'çödé' $HOME"
    root.mkdir()
    monkeypatch.chdir(root)
    assert_won(ends(observer, SLOW, FAST))
    assert (root / ".peagen" / "results").is_dir()


# What is refused


@pytest.mark.parametrize(
    ("slow", "workload", "error", "subject", "message"),
    [
        (b"# caf\xe9\n" + SLOW.encode(), NUMBERS, TargetError, "slow.py", "is not UTF-8"),
        (b"", NUMBERS, TargetError, "slow.py", "no function 'f'"),
        (b"", None, TargetError, "slow.py", "no function 'f'"),
        ("import sys\nsys.exit(3)\n" + SLOW, None, TargetError, "slow.py, line 2", "SystemExit: 3"),
        ("1 / 0\n" + SLOW, None, TargetError, "slow.py, line 1", "ZeroDivisionError"),
        ("1 / 0\n" + SLOW, NUMBERS, WorkloadError, "slow.py", "ZeroDivisionError"),
        (
            SLOW,
            "import random\n\n\ndef inputs(rng, size):\n    return [1 / 0]\n",
            WorkloadError,
            "slow_workload.py, line 5",
            "ZeroDivisionError: division by zero",
        ),
        (SLOW, "raise SystemExit(3)\n", WorkloadError, "slow_workload.py, line 1", "SystemExit"),
        (SLOW, "def inputs(rng, size:\n", WorkloadError, "slow_workload.py, line 1", "syntax error"),
        (SLOW, "x = 1\n", WorkloadError, "slow_workload.py", "defines no inputs"),
        (
            SLOW,
            NUMBERS + "\n\ndef check(args, output):\n    return False\n",
            WorkloadError,
            "slow_workload.py",
            "the original does not pass: incorrect: check says that it is wrong",
        ),
        (
            SLOW,
            NUMBERS + "\n\ndef check(args, output):\n    return output.nope\n",
            WorkloadError,
            "slow_workload.py",
            "check raised AttributeError in line 9",
        ),
    ],
    ids=[
        "not utf-8",
        "empty",
        "empty, without a workload",
        "leaves at import",
        "raises at import",
        "raises at import, with a workload",
        "inputs raise",
        "workload leaves",
        "workload does not parse",
        "workload without inputs",
        "check is never content",
        "check raises",
    ],
)
def test_what_cannot_be_improved_is_refused_where_it_is_wrong_and_leaves_no_run(
    here: Path,
    go: Go,
    slow: Any,
    workload: str | None,
    error: type[UsageError],
    subject: str,
    message: str,
) -> None:
    with pytest.raises(error, match=message) as refused:
        go(slow, None, workload)
    assert refused.value.subject == subject
    assert list((here / ".peagen" / "runs").iterdir()) == []
    assert not (here / "winner.py").exists()
