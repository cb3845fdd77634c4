"""Tasks of another engine as they lie on disk: what their configuration says, in the words of ours.

Nothing is guessed: a key that has no counterpart is listed, so that its owner knows what it does not do here.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from peagen_ray.errors import ConfigError, UsageError

OUTPUT: Final = "openevolve_output"
"""Where users of that engine look for its output: a directory beside the program."""

_SIZE: Final = 10
"""Candidates of a generation, unless our own configuration says otherwise."""

_THEIR_ENDPOINT: Final = "https://api.openai.com/v1"
_SEEDS: Final = 2**32
"""Theirs may be negative."""
_KEY: Final = "OPENAI_API_KEY"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_STAGE: Final = re.compile(r"^(?:async\s+)?def\s+evaluate_stage[123]\b", re.MULTILINE)

_OF_NO_CONSEQUENCE: Final = frozenset(
    (
        "checkpoint_interval",
        "checkpoint_on_improvement",
        "log_level",
        "log_dir",
        "logger_prefix",
        "language",
        "file_suffix",
        "database.db_path",
        "database.in_memory",
        "database.log_prompts",
        "database.artifacts_base_path",
        "database.cleanup_old_artifacts",
        "database.artifact_retention_days",
        "database.max_snapshot_artifacts",
        "database.artifact_size_threshold",
        "evaluator.distributed",
        "evaluator.max_artifact_storage",
        "max_tasks_per_child",
        "enforce_evolve_blocks",
        "diff_pattern",
        "prompt.use_meta_prompting",
        "prompt.meta_prompt_weight",
        "prompt.artifact_security_filter",
        "llm.retry_delay",
        "llm.name",
        "early_stopping_metric",
        "convergence_threshold",
        "evolution_trace.enabled",
    )
)
"""Keys whose purpose is served here whatever they say: every candidate is in the ledger, nothing outside the markers
may change, artifacts are always bounded."""


@dataclass
class Mapped:
    """What a configuration of theirs means here.

    Attributes:
        values: by the dotted key of ours.
        unmapped: keys of theirs, each with why it does nothing here.
    """

    values: dict[str, Any] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)


def read_yaml(path: Path) -> dict[str, Any]:
    """Their configuration file.

    Raises:
        UsageError: it cannot be read.
        ConfigError: it is no YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", subject=str(path)) from error
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"is no YAML: {' '.join(str(error).split())}", subject=str(path)) from error
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise ConfigError("holds no mapping", subject=str(path))
    return read


def mapped(read: Mapping[str, Any], evaluator: Path | None = None) -> Mapped:
    """Translate a configuration.

    Args:
        read: as it was read.
        evaluator: the evaluator's file; a time limit of theirs is for each of its stages.

    Raises:
        ConfigError: a value is not of the kind that the key wants; names the key.
    """
    return _Translation(read, _stages(evaluator)).made()


def limits_of(candidates: int, size: int = _SIZE) -> dict[str, Any]:
    """What ``-i N`` means: that many candidates, and no other rule before."""
    generations = math.ceil(candidates / size)
    return {
        "evolve.stop.max_candidates": candidates,
        "evolve.stop.max_generations": generations,
        "evolve.stop.no_improve": generations,
    }


def kind_of(evaluator: Path) -> str:
    """The convention that a file follows: ``module``, ``script`` or ``pytest``; ``command`` where it is no Python.

    Raises:
        UsageError: it cannot be read, or follows none.
    """
    if evaluator.is_dir():
        return "pytest"
    try:
        text = evaluator.read_text(encoding="utf-8-sig")
        tree = ast.parse(text) if evaluator.suffix == ".py" else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", subject=str(evaluator)) from error
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"is no Python: {error}", subject=str(evaluator)) from error
    if tree is None:
        return "command"
    defined = set(_bound(tree.body))
    if "--program_path" in text and "--results_dir" in text:
        return "script"
    if "evaluate" in defined or "evaluate_stage1" in defined:
        return "module"
    if any(name.startswith("test") for name in defined) or any(
        isinstance(node, ast.ClassDef) and node.name.startswith("Test") for node in tree.body
    ):
        return "pytest"
    raise UsageError(
        "defines no evaluate(program_path), takes no --program_path, and has no tests",
        subject=str(evaluator),
        hint="docs/evaluators.md says what an evaluator looks like",
    )


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements give to something that can be called: defined, imported or assigned."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _bound([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)])
            for handler in getattr(node, "handlers", ()):
                yield from _bound(handler.body)


def _stages(evaluator: Path | None) -> int:
    """Stages that an evaluator defines, one if it has none."""
    if evaluator is None or not evaluator.is_file():
        return 1
    return max(1, len(_STAGE.findall(evaluator.read_text(encoding="utf-8", errors="replace"))))


class _Translation:
    def __init__(self, read: Mapping[str, Any], stages: int) -> None:
        self._left = dict(_flat(read))
        self._stages = stages
        self._made = Mapped()

    def made(self) -> Mapped:
        self._loop()
        self._models()
        self._prompts()
        self._archive()
        self._evaluator()
        for key, value in self._left.items():
            if key not in _OF_NO_CONSEQUENCE and value not in (None, [], {}):
                self._not(key, "has no counterpart")
        self._made.unmapped.sort()
        return self._made

    def _loop(self) -> None:
        iterations = self._int("max_iterations")
        if iterations is not None:
            self._made.values |= limits_of(iterations)
        patience = self._int("early_stopping_patience")
        if patience:
            self._made.values["evolve.stop.no_improve"] = math.ceil(patience / _SIZE)
        seed = self._int("random_seed")
        if seed is not None:
            self._made.values["evolve.seed"] = seed % _SEEDS
        rewrites = self._number("full_rewrite_probability")
        if self._take("diff_based_evolution", bool) is False:
            self._made.values["evolve.mutator"] = "rewrite"
        elif rewrites:
            moves = {
                "diff": 1 - rewrites,
                "rewrite": rewrites,
                "crossover": 0.0,
                "repair": 0.0,
                "genetic": 0.0,
            }
            self._made.values |= {f"evolve.moves.{name}": share for name, share in moves.items()}

    def _models(self) -> None:
        base = self._take("llm.api_base", str) or ""
        variable = self._key("llm.api_key")
        provider = self._take("llm.provider", str)
        temperature, tokens = self._number("llm.temperature"), self._int("llm.max_tokens")
        timeout, retries = self._number("llm.timeout"), self._int("llm.retries")
        if temperature is not None:
            self._made.values["mutate.temperature"] = temperature
        if tokens is not None:
            self._made.values["mutate.max_tokens"] = tokens
        if retries is not None:
            self._made.values["llm.retries"] = retries
        backends: list[dict[str, Any]] = []
        for at, model in enumerate(self._named_models()):
            name = str(model.pop("name"))
            own_base = model.pop("api_base", None) or base
            own_key = self._key(f"llm.models.{at}.api_key", model.pop("api_key", None)) or variable
            weight = model.pop("weight", None)
            seconds = model.pop("timeout", None) or timeout
            for key, value in model.items():
                if value is not None:
                    self._not(f"llm.models.{at}.{key}", "is the same for all models here")
            made = _backend(name, own_base, own_key, weight, seconds)
            taken = [each["name"] for each in backends]
            backends.append(made | ({"name": f"{name} {at + 1}"} if name in taken else {}))
        if backends and provider not in (None, "openai"):
            self._not("llm.provider", f"{provider} is no provider here; models are asked at api_base")
        if backends:
            self._made.values["llm.backends"] = backends
            if "evolve.mutator" not in self._made.values:
                self._made.values["mutate.form"] = "search/replace"

    def _named_models(self) -> Iterator[dict[str, Any]]:
        """The models, each with its name; those of ``llm.models`` first."""
        for model in self._take("llm.models", list) or []:
            if not isinstance(model, dict) or not model.get("name"):
                raise ConfigError("each model is a mapping with a name", subject="llm.models")
            yield dict(model)
        for which, weight in (("primary", 1.0), ("secondary", 0.2)):
            name, share = self._take(f"llm.{which}_model", str), self._number(f"llm.{which}_model_weight")
            if name and share != 0:
                yield {"name": name, "weight": weight if share is None else share}

    def _key(self, key: str, value: Any = None) -> str:
        """The variable that holds a key; a key itself is not read."""
        said = value if value is not None else self._left.pop(key, None)
        if not said:
            return ""
        variable = _VARIABLE.fullmatch(str(said))
        if variable is None:
            self._not(key, f"a key that stands in a file is not read; set the variable {_KEY}")
            return ""
        return variable[1]

    def _prompts(self) -> None:
        said = self._take("prompt.system_message", str) or self._take("llm.system_message", str)
        if said and said != "system_message":
            self._made.values["evolve.goal"] = said
        shown = [self._int(f"prompt.num_{which}_programs") for which in ("top", "diverse")]
        if any(count is not None for count in shown):
            top, diverse = shown
            self._made.values["evolve.inspirations"] = (3 if top is None else top) + (
                2 if diverse is None else diverse
            )
        most = self._int("prompt.max_artifact_bytes")
        if most is not None:
            self._made.values["evaluate.artifact_chars"] = min(most, 6000)
        if False in (
            self._take("prompt.include_artifacts", bool),
            self._take("evaluator.enable_artifacts", bool),
        ):
            self._made.values["evaluate.artifact_chars"] = 0

    def _archive(self) -> None:
        islands, interval = self._int("database.num_islands"), self._int("database.migration_interval")
        if islands is not None:
            self._made.values["evolve.islands.count"] = islands
        if interval is not None:  # of one island's candidates there, of all of them here
            self._made.values["evolve.islands.migrate_every"] = interval * (5 if islands is None else islands)
        seed = self._int("database.random_seed")
        if seed is not None:
            self._made.values.setdefault("evolve.seed", seed % _SEEDS)
        dimensions = self._take("database.feature_dimensions", list)
        if dimensions:
            self._dimensions([str(each) for each in dimensions])

    def _dimensions(self, dimensions: list[str]) -> None:
        self._made.values["evaluate.ignored"] = dimensions
        known = {"complexity": "size", "diversity": "novelty"}
        if others := [name for name in dimensions if name not in known]:
            names = ", ".join(others)
            self._not(
                f"database.feature_dimensions: {names}",
                "a metric needs edges here, which nothing says; set [evolve.archive] descriptors and edges",
            )
        if ours := [known[name] for name in dimensions if name in known]:
            widths = {"widths": {"novelty": 0.1}} if "novelty" in ours else {}
            self._made.values["evolve.archive"] = {"descriptors": ours, **widths}

    def _evaluator(self) -> None:
        timeout, cascade = self._number("evaluator.timeout"), self._take("evaluator.cascade_evaluation", bool)
        each = 300.0 if timeout is None else timeout
        self._made.values["evaluate.timeout_s"] = each * (1 if cascade is False else self._stages)
        if cascade is not None:
            self._made.values["evaluate.cascade"] = cascade
        thresholds = self._take("evaluator.cascade_thresholds", list)
        if thresholds is not None:
            self._made.values["evaluate.thresholds"] = thresholds
        parallel = self._int("evaluator.parallel_evaluations")
        if parallel:
            self._made.values["worker.defaults.concurrency"] = parallel
        memory = self._int("evaluator.memory_limit_mb")
        if memory:
            self._made.values["evaluate.memory_mb"] = memory
        prefix = "evaluator.evaluator_args."
        arguments = {
            key.removeprefix(prefix): self._left.pop(key)
            for key in list(self._left)
            if key.startswith(prefix)
        }
        if arguments:
            self._made.values["evaluate.arguments"] = arguments
        if self._take("evaluator.use_llm_feedback", bool):
            self._not("evaluator.use_llm_feedback", "no model judges programs here")
            self._left.pop("evaluator.llm_feedback_weight", None)

    def _take(self, key: str, kind: type) -> Any:
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"{value!r} is no {kind.__name__}", subject=key)
        return value

    def _int(self, key: str) -> int | None:
        value = self._left.pop(key, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ConfigError(f"{value!r} is no whole number", subject=key)
        return value

    def _number(self, key: str) -> float | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{value!r} is no number", subject=key)
        return float(value)

    def _not(self, key: str, why: str) -> None:
        self._made.unmapped.append(f"{key}: {why}")


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _backend(
    model: str, base: str, variable: str, weight: float | None, timeout: float | None
) -> dict[str, Any]:
    """One of ``[[llm.backends]]``. An endpoint on this machine wants no key unless one is named."""
    own = base.rstrip("/") in ("", _THEIR_ENDPOINT)
    near = urlsplit(base).hostname in {"localhost", "127.0.0.1", "::1"}
    made: dict[str, Any] = {"name": model, "adapter": "openai", "model": model}
    made |= {} if own else {"base_url": base}
    made |= {"api_key_env": variable or _KEY} if variable or not (own or near) else {}
    made |= {} if weight is None else {"weight": float(weight)}
    made |= {} if timeout is None else {"timeout_ms": int(timeout * 1000)}
    return made
