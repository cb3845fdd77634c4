"""``run_shinka_eval``: run a function of a program several times, check and aggregate, and write both files down.

Runs follow one another whatever ``run_workers`` says (each imports the program anew if there are to be several), all of
them are made, and nothing is drawn: that changes what an evaluation takes, and not what it comes to.
"""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Validate = Callable[[Any], tuple[bool, str | None]]

_WITHOUT = {
    "combined_score": 0.0,
    "execution_time_mean": 0.0,
    "execution_time_std": 0.0,
    "num_successful_runs": 0,
}


def run_shinka_eval(
    program_path: str,
    results_dir: str,
    experiment_fn_name: str,
    num_runs: int,
    get_experiment_kwargs: Callable[[int], dict[str, Any]] | None = None,
    aggregate_metrics_fn: Callable[[list[Any]], dict[str, Any]] | None = None,
    validate_fn: Validate | None = None,
    default_metrics_on_error: Mapping[str, Any] | None = None,
    run_workers: int = 1,
    max_workers_cap: int | None = None,
    **_without_effect: Any,
) -> tuple[dict[str, Any], bool, str | None]:
    """Metrics, whether all runs were valid, and the first error; what raises makes the program incorrect."""
    metrics: dict[str, Any]
    try:
        apart = min(run_workers, max_workers_cap or run_workers, num_runs) > 1
        experiments = _experiments(program_path, experiment_fn_name, anew=apart)
        results, seconds = _runs(experiments, num_runs, get_experiment_kwargs)
        errors = [said for result in results if (said := _fault(validate_fn, result)) is not None]
        metrics = (
            dict(aggregate_metrics_fn(results))
            if aggregate_metrics_fn
            else {"num_successful_runs": len(results)}
        )
        metrics |= {"execution_time_mean": statistics.fmean(seconds) if seconds else 0.0}
        metrics |= {"execution_time_std": statistics.pstdev(seconds) if seconds else 0.0}
        if validate_fn is not None:
            metrics |= {"num_valid_runs": num_runs - len(errors), "num_invalid_runs": len(errors)}
            metrics["all_validation_errors"] = list(dict.fromkeys(filter(None, errors)))
        error = next((f"Validation failed: {said}" for said in errors if said), None)
        correct = not errors
        if not math.isfinite(metrics.get("combined_score", 0.0)):
            correct, error = False, error or f"combined_score is {metrics['combined_score']}"
    except Exception as raised:  # noqa: BLE001 - whatever a program raises is its outcome
        metrics, correct, error = dict(default_metrics_on_error or _WITHOUT), False, str(raised)
    metrics.pop("extra_data", None)
    save_json_results(results_dir, metrics, correct, error)
    return metrics, correct, error


def load_program(program_path: str) -> Any:
    """The program, imported from its file; raises ImportError."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {program_path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_json_results(
    results_dir: str, metrics: Mapping[str, Any], correct: bool, error: str | None = None
) -> None:
    """Write ``correct.json`` and ``metrics.json``."""
    directory = Path(results_dir)
    directory.mkdir(parents=True, exist_ok=True)
    for name, said in (("correct", {"correct": correct, "error": error}), ("metrics", dict(metrics))):
        (directory / f"{name}.json").write_text(json.dumps(said, indent=4))


def _experiments(path: str, name: str, *, anew: bool) -> Iterator[Callable[..., Any]]:
    """The function for one run after the other: of one import, or each of its own, as in a process of its own."""
    experiment = getattr(load_program(path), name)
    while True:
        yield getattr(load_program(path), name) if anew else experiment


def _runs(
    experiments: Iterator[Callable[..., Any]], count: int, arguments: Callable[[int], dict[str, Any]] | None
) -> tuple[list[Any], list[float]]:
    results, seconds = [], []
    for number, experiment in zip(range(count), experiments, strict=False):
        given = arguments(number) if arguments else {"seed": number + 1}
        begun = time.perf_counter()
        results.append(experiment(**given))
        seconds.append(time.perf_counter() - begun)
    return results, seconds


def _fault(validate: Validate | None, result: Any) -> str | None:
    """What is wrong with a result, "" where nobody says; None if nothing is."""
    if validate is None:
        return None
    valid, said = validate(result)
    return None if valid else said or ""
