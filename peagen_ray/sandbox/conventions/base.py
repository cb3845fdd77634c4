"""What a convention is given in its guest, and what it has to say.

A convention is a function ``judge(assignment) -> Judgement``. It runs in the guest, beside the candidate, so that
nothing it says is more than the candidate's own word: the host reads it as data and marks it so.
"""

from __future__ import annotations

import base64
import math
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from peagen_ray.sandbox import stand_ins

MOST_METRICS: Final = 200
TEXT_LIMIT: Final = 8_000
"""Characters that are kept of one text: the beginning and the end."""
BINARY_LIMIT: Final = 256 << 10
"""Bytes of one artifact that is no text, such as a picture; a larger one is left out, and said to be."""
MOST_ARTIFACTS: Final = 20
_TAIL: Final = 256 << 10


@dataclass(frozen=True)
class Assignment:
    """What is to be judged.

    Attributes:
        program: the candidate's main file.
        task: the directory of the evaluator's files.
        results: an empty directory for whatever it writes.
        options: the convention's own.
    """

    program: Path
    task: Path
    results: Path
    options: Mapping[str, Any]

    def file(self) -> Path:
        """The evaluator's file; LookupError where the options name none."""
        return self.task / str(self.options["file"])

    def environment(self) -> dict[str, str]:
        """Of a process that evaluates: it finds the candidate's modules first, then the evaluator's."""
        own = dict.fromkeys(map(str, (self.program.parent, self.root, self.task)))
        path = os.pathsep.join([*own, *stand_ins.places()])
        return {
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PEAGEN_PROGRAM": str(self.program),
            "PEAGEN_RESULTS": str(self.results),
        }

    @property
    def root(self) -> Path:
        """The directory of the candidate's files."""
        return Path(str(self.options.get("root", self.program.parent)))


@dataclass
class Judgement:
    """What an evaluator said.

    Attributes:
        fitness: higher is better; None where there is none.
        metrics: numbers, flags and short texts by name.
        artifacts: texts and bytes by name.
        failure: why the candidate failed; "" if it did not.
        outcome: of a failure: ``error``, ``incorrect`` or ``memory``.
    """

    fitness: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    outcome: str = "error"

    def to_data(self) -> dict[str, Any]:
        """Its JSON form, bounded."""
        metrics = {str(name): plain(self.metrics[name]) for name in list(self.metrics)[:MOST_METRICS]}
        artifacts = {
            str(name)[:100]: enclosed(self.artifacts[name]) for name in list(self.artifacts)[:MOST_ARTIFACTS]
        }
        fitness = self.fitness if self.fitness is None or math.isfinite(self.fitness) else str(self.fitness)
        return {
            "fitness": fitness,
            "metrics": metrics,
            "artifacts": artifacts,
            "failure": self.failure[:500],
            "outcome": self.outcome,
        }


class Failure(Exception):
    """The candidate failed.

    Args:
        reason: one line of why.
        outcome: ``error`` or ``incorrect``.
        artifacts: what there is to see of it.
    """

    def __init__(
        self, reason: str, outcome: str = "error", artifacts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.artifacts = dict(artifacts or {})


def failed(error: BaseException) -> Judgement:
    """The judgement of a candidate whose evaluation raised."""
    if isinstance(error, Failure):
        return Judgement(artifacts=error.artifacts, failure=error.reason, outcome=error.outcome)
    lines = traceback.format_exception(error)
    reason = (
        f"{type(error).__name__}: {error}".strip().splitlines()[0] if str(error) else type(error).__name__
    )
    outcome = "memory" if isinstance(error, MemoryError) else "error"
    return Judgement(artifacts={"traceback": "".join(lines)}, failure=reason, outcome=outcome)


def number(value: object) -> float | None:
    """A metric as a number that may be averaged; None for a flag, a text, NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return None if math.isnan(found) else found


def fitness_of(metrics: Mapping[str, Any], ignored: Sequence[str] = ()) -> float | None:
    """``combined_score``, or else the mean of the other numbers; None where there is no number at all.

    Args:
        metrics: by name; flags are no numbers, and NaN is none.
        ignored: names that only say where in the archive a program belongs, unless there is nothing else.
    """
    combined = metrics.get("combined_score")
    if combined is not None:
        try:
            return float(combined)
        except (TypeError, ValueError):
            pass
    counted = {name: found for name, value in metrics.items() if (found := number(value)) is not None}
    counted = {name: value for name, value in counted.items() if name not in ignored} or counted
    return sum(counted.values()) / len(counted) if counted else None


def plain(value: object) -> Any:
    """A metric as JSON has it: numbers of numeric libraries become ours, texts are shortened."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and abs(value) < 1 << 62:
        return int(value)
    try:
        found = float(value) if not isinstance(value, str | bytes) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if math.isfinite(found):
        return found
    return shortened(str(value), 500)


def enclosed(value: object) -> dict[str, str]:
    """An artifact as JSON has it: ``text``, ``base64``, or ``left_out`` (why)."""
    if isinstance(value, bytes | bytearray):
        if len(value) > BINARY_LIMIT:
            return {"left_out": f"{len(value)} bytes, {BINARY_LIMIT} is the limit"}
        return {"base64": base64.b64encode(value).decode()}
    text = value if isinstance(value, str) else str(value)
    return {"text": shortened(text, TEXT_LIMIT).encode("utf-8", "backslashreplace").decode()}


def shortened(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"


@dataclass(frozen=True)
class Done:
    """A process that came to its end.

    Attributes:
        code: its exit code, negative if a signal ended it.
        stdout: the end of what it printed.
        stderr: the same of its standard error.
    """

    code: int
    stdout: str
    stderr: str

    def artifacts(self) -> dict[str, str]:
        """What it printed, where it printed anything."""
        return {
            name: text for name, text in (("stdout", self.stdout), ("stderr", self.stderr)) if text.strip()
        }

    @property
    def last_words(self) -> str:
        """The last line of what it complained of, or else how it ended."""
        lines = self.stderr.strip().splitlines() or self.stdout.strip().splitlines()
        how = f"killed by signal {-self.code}" if self.code < 0 else f"exit {self.code}"
        return ": ".join([how, *lines[-1:]])


def run(argv: Sequence[str], assignment: Assignment) -> Done:
    """Run a program in the evaluator's directory; what it prints goes to files, so that a flood fills no memory.

    Raises:
        Failure: there is no such program, or it may not be executed.
    """
    places = [assignment.results / name for name in ("stdout.txt", "stderr.txt")]
    with places[0].open("wb") as out, places[1].open("wb") as err:
        try:
            done = subprocess.run(
                list(argv),
                cwd=assignment.task,
                env=assignment.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                check=False,
            )
        except OSError as error:
            raise Failure(f"{argv[0]} cannot be run: {error.strerror}") from error
    return Done(done.returncode, *map(_tail, places))


def python() -> str:
    """The interpreter that this one is."""
    return sys.executable


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "backslashreplace")
