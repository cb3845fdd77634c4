"""How near a run with a language model comes to the ideal rate: a model of 200 ms, an evaluation of 50 ms.

The model is a scripted server behind real HTTP, asked by the real handler through the run's own queue and driver;
the evaluation is a handler that sleeps. The ideal is in flight / (model + evaluation).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from _scripted import scripted

from peagen_ray import plugins
from peagen_ray.config.model import Config
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest

sys.path.insert(0, str(Path(__file__).parent / "_work"))

MODEL_S, EVALUATION_S = 0.2, 0.05
BARS = {2: 0.95, 4: 0.90, 16: 0.0}
SLOW = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"


class Silent:
    """An observer that is told and tells nobody."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


def answer(number: int) -> str:
    return f"```python\ndef f(xs: list[int]) -> int:\n    k = {number}\n    return sum(xs)\n```"


def with_sleeping_evaluation() -> None:
    """Have Execute tasks done by a handler that sleeps, in this process."""
    installed = plugins._installed  # noqa: SLF001 - the registry of this benchmark's own process
    own = EntryPoint("ExecuteProcessHandler", "llm_work:SleepingExecuteHandler", "peagen.task_handlers")

    def found(group: Any, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
        every = installed(group, path)
        if str(group) != "peagen.task_handlers":
            return every
        return (*(each for each in every if not each.name.startswith("Execute")), own)

    plugins._installed = found  # type: ignore[assignment]  # noqa: SLF001


def rate(in_flight: int, candidates: int) -> float:
    """Candidates a second in the middle of a run."""
    with scripted(map(answer, range(candidates + 2 * in_flight)), MODEL_S) as url:
        backend = {"name": "scripted", "adapter": "local", "model": "m", "base_url": url}
        config = Config.model_validate(
            {
                "evolve": {
                    "entry_fn": "f",
                    "seed": 1,
                    "generation_size": candidates,
                    "max_in_flight": in_flight,
                    "stop": {"max_generations": 1},
                },
                "worker": {"defaults": {"warm_pool": 0}},
                "llm": {"backends": [backend]},
                "result_backend": {"compress": False},
            }
        )
        evolve(RunRequest(config, Path("slow.py"), concurrency=in_flight, fresh_inputs=1), Silent())
    ends = [
        e.time_s for e in read(RunPaths.find("last").ledger) if e.event is Kind.TELL and e.kind == "mutate"
    ]
    start = 2 * in_flight - 1  # the end of the second round: those in flight tend to end together
    return (len(ends) - 1 - start) / (ends[-1] - ends[start])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement, about")
    parser.add_argument("--no-bar", action="store_true", help="print only")
    options = parser.parse_args()
    with_sleeping_evaluation()
    found: dict[str, Any] = {"benchmark": "llm_throughput", "cores": len(os.sched_getaffinity(0))}
    kept = True
    for in_flight, bar in BARS.items():
        ideal = in_flight / (MODEL_S + EVALUATION_S)
        started = time.process_time()
        candidates = max(4 * in_flight, int(options.seconds * ideal))
        reached = rate(in_flight, candidates)
        cpu = (time.process_time() - started) / candidates
        found[f"in_flight_{in_flight}"] = {
            "per_s": round(reached, 2),
            "ideal_per_s": round(ideal, 2),
            "share": round(reached / ideal, 3),
            "bar": bar,
            "cpu_ms": round(1000 * cpu, 1),
        }
        kept = kept and reached / ideal >= bar
    print(json.dumps({**found, "ok": kept}))
    return 0 if kept or options.no_bar else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        Path("slow.py").write_text(SLOW)
        sys.exit(main())
