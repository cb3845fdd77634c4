"""The other engine's configuration in our words, its conventions told apart, its tasks made workspaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.judged import judged_flags
from peagen_ray.config.load import load
from peagen_ray.errors import ConfigError, UsageError
from peagen_ray.runtime.importing import import_task
from peagen_ray.runtime.other_engine import kind_of, mapped, read_yaml

FULL = """
max_iterations: 105
checkpoint_interval: 10
random_seed: 7
diff_based_evolution: true
full_rewrite_probability: 0.25
max_code_length: 20000
early_stopping_patience: 31
llm:
  primary_model: big
  primary_model_weight: 0.8
  secondary_model: small
  api_base: https://models.example/v1
  api_key: ${MY_KEY}
  temperature: 0.6
  top_p: 0.95
  max_tokens: 2048
  timeout: 90
  retries: 4
prompt:
  system_message: Pack circles.
  num_top_programs: 2
  num_diverse_programs: 3
  max_artifact_bytes: 900
database:
  population_size: 60
  num_islands: 4
  migration_interval: 20
  feature_dimensions: [complexity, diversity, latency]
evaluator:
  timeout: 60
  cascade_evaluation: true
  cascade_thresholds: [0.3, 0.6]
  parallel_evaluations: 3
  evaluator_args: {size: 26}
"""


def test_a_seed_below_zero_is_one_of_ours(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("random_seed: -5\n")
    assert mapped(read_yaml(file)).values["evolve.seed"] == 2**32 - 5


def test_what_has_a_counterpart_is_taken_over_and_the_rest_is_listed(tmp_path: Path) -> None:
    file, evaluator = tmp_path / "config.yaml", tmp_path / "evaluator.py"
    file.write_text(FULL)
    evaluator.write_text(
        "def evaluate_stage1(p): ...\n\nasync def evaluate_stage2(p): ...\n\ndef evaluate(p): ...\n"
    )
    made = mapped(read_yaml(file), evaluator)
    backends = [
        {"name": "big", "adapter": "openai", "model": "big", "weight": 0.8},
        {"name": "small", "adapter": "openai", "model": "small", "weight": 0.2},
    ]
    common = {"base_url": "https://models.example/v1", "api_key_env": "MY_KEY", "timeout_ms": 90_000}
    assert made.values == {
        "evolve.stop.max_candidates": 105,
        "evolve.stop.max_generations": 11,
        "evolve.stop.no_improve": 4,
        "evolve.seed": 7,
        "evolve.moves.diff": 0.75,
        "evolve.moves.rewrite": 0.25,
        "evolve.moves.crossover": 0.0,
        "evolve.moves.repair": 0.0,
        "evolve.moves.genetic": 0.0,
        "mutate.temperature": 0.6,
        "mutate.max_tokens": 2048,
        "llm.retries": 4,
        "llm.backends": [each | common for each in backends],
        "mutate.form": "search/replace",
        "evolve.goal": "Pack circles.",
        "evolve.inspirations": 5,
        "evaluate.artifact_chars": 900,
        "evolve.islands.count": 4,
        "evolve.islands.migrate_every": 80,
        "evaluate.ignored": ["complexity", "diversity", "latency"],
        "evolve.archive": {"descriptors": ["size", "novelty"], "widths": {"novelty": 0.1}},
        "evaluate.timeout_s": 120.0,
        "evaluate.cascade": True,
        "evaluate.thresholds": [0.3, 0.6],
        "worker.defaults.concurrency": 3,
        "evaluate.arguments": {"size": 26},
    }
    assert [line.partition(":")[0] for line in made.unmapped] == [
        "database.feature_dimensions",
        "database.population_size",
        "llm.top_p",
        "max_code_length",
    ]
    config = load(None, {}, made.values).config
    assert [backend.model for backend in config.llm.backends] == ["big", "small"]


@pytest.mark.parametrize(
    ("llm", "made"),
    [
        ({"api_base": "http://localhost:8000/v1"}, {"base_url": "http://localhost:8000/v1"}),
        ({"api_base": "https://api.openai.com/v1"}, {}),
        (
            {"api_base": "https://x.example/v1"},
            {"base_url": "https://x.example/v1", "api_key_env": "OPENAI_API_KEY"},
        ),
    ],
)
def test_an_endpoint_on_this_machine_wants_no_key(llm: dict[str, str], made: dict[str, Any]) -> None:
    found = mapped({"llm": {**llm, "models": [{"name": "m"}]}}).values["llm.backends"]
    assert found == [{"name": "m", "adapter": "openai", "model": "m"} | made]


def test_a_key_in_the_file_is_not_read_and_not_repeated() -> None:
    made = mapped({"llm": {"primary_model": "m", "api_key": "sk-very-secret"}})
    assert "sk-very-secret" not in f"{made}"
    assert made.unmapped[0].startswith("llm.api_key: a key that stands in a file is not read")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_iterations: many\n", "max_iterations: 'many' is no whole number"),
        ("llm: {temperature: hot}\n", "llm.temperature"),
        ("llm: {models: [big]}\n", "llm.models"),
        ("evaluator: {cascade_thresholds: 0.5}\n", "evaluator.cascade_thresholds"),
        ("- a\n- b\n", "holds no mapping"),
        ("a: [\n", "is no YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "is no YAML"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        mapped(read_yaml(file))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("evaluator.py", "def evaluate(path):\n    return {}\n", "module"),
        ("evaluator.py", "async def evaluate(path):\n    return {}\n", "module"),
        (
            "evaluator.py",
            "try:\n    from judging import evaluate\nexcept ImportError:\n    evaluate = None\n",
            "module",
        ),
        ("evaluator.py", "evaluate = Judge()\n", "module"),
        ("evaluate.py", "p.add_argument('--program_path'); p.add_argument('--results_dir')\n", "script"),
        ("test_it.py", "def test_it(): ...\n", "pytest"),
        ("score.sh", "#!/bin/sh\necho 1\n", "command"),
    ],
)
def test_an_evaluator_is_known_by_what_it_says(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    assert kind_of(tmp_path / name) == kind


@pytest.mark.parametrize("text", ["x = 1\n", "def evaluate(:\n", "\0"])
def test_a_file_that_evaluates_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluator.py").write_text(text)
    with pytest.raises(UsageError):
        kind_of(tmp_path / "evaluator.py")


def lay(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


MARKED = "# EVOLVE-BLOCK-START\nA = 1\n# EVOLVE-BLOCK-END\n"


def test_a_task_becomes_a_workspace(tmp_path: Path) -> None:
    lay(
        tmp_path,
        initial_program_py=MARKED,
        evaluator_py="def evaluate(p): ...\n",
        config_yaml=FULL,
        pkg__more_py=MARKED,
    )
    made = import_task(tmp_path)
    assert (made.kind, made.files, len(made.unmapped)) == ("module", (tmp_path / "pkg" / "more.py",), 4)
    config = load(tmp_path / ".peagen.toml", {}).config
    assert (config.mutate.target_file, config.evaluate.file) == (
        Path("initial_program.py"),
        Path("evaluator.py"),
    )
    assert config.evolve.files == (Path("pkg/more.py"),)
    assert (config.llm.backends[1].weight, config.evaluate.arguments) == (0.2, {"size": 26})
    with pytest.raises(UsageError, match="is there already"):
        import_task(tmp_path)
    assert import_task(tmp_path, force=True).path == tmp_path / ".peagen.toml"


@pytest.mark.parametrize("name", ["initial_program.rs", "initial_prompt.txt", "initial.cpp"])
def test_a_program_in_another_language_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    lay(tmp_path, evaluator_py="def evaluate(p): ...\n", helper_py="A = 1\n")
    (tmp_path / name).write_text("anything\n")
    assert import_task(tmp_path, write=False).program == tmp_path / name


def test_what_would_be_refused_is_not_written(tmp_path: Path) -> None:
    lay(
        tmp_path,
        initial_py=MARKED,
        evaluate_py="'--program_path --results_dir'\n",
        config_yaml="max_iterations: -3\n",
    )
    with pytest.raises(ConfigError):
        import_task(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "evaluate.py", "initial.py"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"initial_py": MARKED}, "has no evaluator"),
        ({"evaluator_py": "def evaluate(p): ...\n", "other_py": "A = 1\n"}, "has no program"),
    ],
)
def test_a_directory_without_a_task_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        import_task(lay(tmp_path, **files))


def test_what_somebody_says_on_the_line_goes_before_the_file(tmp_path: Path) -> None:
    lay(tmp_path, initial_py=MARKED, evaluator_py="def evaluate(p): ...\n", config_yaml=FULL)
    program, evaluator, file = (tmp_path / name for name in ("initial.py", "evaluator.py", "config.yaml"))
    judged = judged_flags([program], str(evaluator), file, 33, None, None)
    assert judged.best == tmp_path / "openevolve_output" / "best"
    config = load(None, {}, judged.flags).config
    assert (config.evolve.stop.max_candidates, config.evolve.stop.max_generations) == (33, 4)
    assert config.evaluate.evaluator == "module"
    with pytest.raises(UsageError, match="no such evaluator"):
        judged_flags([program], "missing.py", None, None, None, None)
