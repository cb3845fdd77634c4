"""The configuration model: its defaults, its ranges, and the small types that it adds."""

from __future__ import annotations

import math
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from peagen_ray.config.model import Config
from peagen_ray.config.values import format_duration, parse_duration

DEFAULTS = {
    "task_queue": {
        "provider": "stub",
        "url": "",
        "idle_ms": 60000,
        "max_retry": 3,
        "patience": 60.0,
        "prefix": "peagen.",
        "username": "",
        "password_env": "PEAGEN_REDIS_PASSWORD",
        "replicas": 0,
        "broker_timeout": 30.0,
        "max_waiting": None,
        "room_timeout": 0.0,
        "results_kept": 10000,
        "results_age": "24h",
    },
    "result_backend": {"provider": "fs", "root": ".peagen/results", "compress": True},
    "worker": {
        "defaults": {
            "caps": ["cpu"],
            "plugins": [],
            "concurrency": 1,
            "waiting": 16,
            "warm_pool": 2,
            "idle_timeout": "1m",
            "max_uptime": "4h",
            "isolation": "auto",
        },
        "limits": dict.fromkeys(
            ["timeout_s", "cpu_s", "memory_mb", "output_kb", "scratch_mb", "processes"], None
        ),
    },
    "metrics": {"port": None},
    "logs": {"format": "text", "level": None},
    "traces": {"endpoint": "", "share": 1.0},
    "fabric": {
        "address": "",
        "max_parallel": 256,
        "node_patience": "10m",
        "kill_after": 10.0,
        "consumable": {"llm": 16},
        "requests": {
            kind: {"cpus": None, "gpus": None, "memory_mb": None, "tags": []}
            for kind in ("render", "mutate", "execute", "evaluate")
        },
    },
    "mutate": {
        "mutator": "auto",
        "target_file": None,
        "entry_fn": "",
        "temperature": 0.7,
        "max_tokens": 4096,
        "backend": "auto",
        "form": "unified diff",
    },
    "evolve": {
        "selector": "epsilon",
        "mutator": "auto",
        "backend": "cpu",
        "entry_fn": "",
        "files": [],
        "generation_size": 10,
        "seed": None,
        "ordered": False,
        "look_ahead": 8,
        "max_in_flight": 0,
        "moves": {"diff": 0.5, "rewrite": 0.25, "crossover": 0.15, "repair": 0.1, "genetic": 0.0},
        "goal": "",
        "inspirations": 4,
        "inspire": "spread",
        "stop": {
            "max_generations": 200,
            "max_candidates": None,
            "target_ms": None,
            "no_improve": 25,
            "budget_tokens": None,
            "budget_usd": None,
            "run_timeout": None,
        },
        "archive": {
            "speed_bin_ms": 5.0,
            "mem_bin_kb": 32.0,
            "size_bin_ch": 40,
            "descriptors": ["speed", "memory", "size", "age"],
            "edges": {},
            "widths": {},
            "cells": None,
            "ranges": {},
        },
        "islands": {"count": 1, "migrate_every": 50, "migrants": 1, "reset_after": 500},
    },
    "execute": {
        "timeout_s": 10.0,
        "cpu_s": 60.0,
        "memory_mb": 1024,
        "output_kb": 1024,
        "scratch_mb": 64,
        "processes": 64,
        "profile": "pure",
        "require": [],
        "readable": [],
        "ports": [],
        "unsafe": False,
        "container": {
            "engine": "",
            "image": f"python:{sys.version_info.major}.{sys.version_info.minor}-slim",
            "venv": None,
            "engine_options": [],
            "gpus": "all",
        },
    },
    "selector": {},
    "evaluate": {
        "pool": "default",
        "evaluator": "speed",
        "file": None,
        "command": [],
        "arguments": {},
        "words": [],
        "files": [],
        "timeout_s": 300.0,
        "profile": "tree",
        "memory_mb": 4096,
        "scratch_mb": 256,
        "cascade": True,
        "thresholds": [0.5, 0.75, 0.9],
        "ignored": ["complexity", "diversity"],
        "repeats": 1,
        "objectives": [],
        "artifact_chars": 2000,
        "held_out": {"file": None, "files": []},
        "requests": {"cpus": None, "gpus": None, "memory_mb": None, "tags": []},
        "metric": "speed_ms",
        "winner_s": 12.0,
    },
    "llm": {
        "default_backend": "auto",
        "fanout": 1,
        "retries": 2,
        "repair_rounds": 1,
        "max_prompt_tokens": 32768,
        "bandit": False,
        "breaker_failures": 3,
        "breaker_pause": "15s",
        "backends": [],
    },
    "templates": {"search_path": []},
}


def test_every_default_is_the_documented_one() -> None:
    assert Config().model_dump(mode="json") == DEFAULTS


def test_a_backend_has_the_documented_defaults() -> None:
    config = Config.model_validate({"llm": {"backends": [{"name": "groq"}]}})
    assert config.llm.backends[0].model_dump() == {
        "name": "groq",
        "adapter": "",
        "model": "",
        "api_key_env": "",
        "base_url": "",
        "timeout_ms": 30000,
        "weight": 1.0,
        "price_in": None,
        "price_out": None,
        "rate_per_min": None,
        "tokens_per_min": None,
    }


def test_the_configuration_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().evolve.seed = 3  # type: ignore[misc]


def test_what_a_file_may_write_is_understood() -> None:
    config = Config.model_validate(
        {
            "worker": {"defaults": {"caps": "cpu, gcc13,", "plugins": "A,B", "max_uptime": "1h30m"}},
            "mutate": {"target_file": "src/sort.py"},
            "evolve": {"stop": {"run_timeout": 90, "target_ms": 2}},
            "templates": {"search_path": "prompts"},
            "selector": {"mine": {"anything": [1, {"goes": True}]}},
        }
    )
    defaults = config.worker.defaults
    assert (defaults.caps, defaults.plugins) == (frozenset({"cpu", "gcc13"}), ("A", "B"))
    assert defaults.max_uptime == timedelta(hours=1.5)
    assert config.mutate.target_file == Path("src/sort.py")
    assert config.evolve.stop.run_timeout == timedelta(seconds=90)
    assert config.templates.search_path == (Path("prompts"),)
    assert config.selector == {"mine": {"anything": [1, {"goes": True}]}}


def test_a_further_consumable_tag_leaves_llm_one() -> None:
    assert Config.model_validate({"fabric": {"consumable": {"licence": 2}}}).fabric.consumable == {
        "llm": 16,
        "licence": 2,
    }
    assert Config.model_validate({"fabric": {"consumable": {"llm": 4}}}).fabric.consumable == {"llm": 4}


def test_lists_are_understood_as_lists() -> None:
    config = Config.model_validate(
        {
            "worker": {"defaults": {"caps": ["cpu", "docker"], "plugins": ["A"]}},
            "templates": {"search_path": ["a", "b"]},
        }
    )
    assert config.worker.defaults.caps == {"cpu", "docker"}
    assert config.templates.search_path == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task_queue.provider", ""),
        ("task_queue.idle_ms", 0),
        ("task_queue.max_retry", 0),
        ("task_queue.url", 5),
        ("result_backend.root", ""),
        ("result_backend.compress", 1),
        ("result_backend.compress", "yes"),
        ("worker.defaults.caps", "CPU"),
        ("worker.defaults.caps", ["two words"]),
        ("worker.defaults.caps", []),
        ("worker.defaults.caps", ","),
        ("worker.defaults.caps", [["cpu"]]),
        ("worker.defaults.caps", 5),
        ("worker.defaults.caps", {"cpu": 1}),
        ("worker.defaults.plugins", 5),
        ("worker.defaults.concurrency", 0),
        ("worker.defaults.concurrency", "4"),
        ("worker.defaults.warm_pool", -1),
        ("worker.defaults.idle_timeout", 0),
        ("worker.defaults.idle_timeout", "soon"),
        ("worker.defaults.max_uptime", 0),
        ("worker.defaults.max_uptime", -3),
        ("worker.defaults.max_uptime", True),
        ("worker.defaults.max_uptime", "4 parsecs"),
        ("worker.defaults.max_uptime", float("nan")),
        ("worker.defaults.max_uptime", float("inf")),
        ("worker.defaults.max_uptime", "9" * 40 + "h"),
        ("worker.defaults.isolation", "never"),
        ("fabric.max_parallel", 0),
        ("fabric.node_patience", 0),
        ("fabric.kill_after", -1),
        ("fabric.consumable.llm", 0),
        ("fabric.consumable.LLM", 4),
        ("fabric.requests.execute.gpus", 1.5),
        ("fabric.requests.execute.gpus", 0.00001),
        ("fabric.requests.execute.gpus", float("nan")),
        ("fabric.requests.execute.cpus", -1),
        ("fabric.requests.execute.memory_mb", 0),
        ("fabric.requests.execute.tags", ["licence", "gpu"]),
        ("fabric.requests.sleep.cpus", 1),
        ("mutate.temperature", 2.1),
        ("mutate.temperature", float("nan")),
        ("mutate.max_tokens", 0),
        ("mutate.target_file", 5),
        ("evolve.generation_size", 0),
        ("evolve.seed", -1),
        ("evolve.seed", 2**63),
        ("evolve.seed", 1.0),
        ("evolve.seed", True),
        ("evolve.ordered", "true"),
        ("evolve.look_ahead", 0),
        ("evolve.max_in_flight", -1),
        ("evolve.stop.max_generations", 0),
        ("evolve.stop.target_ms", 0),
        ("evolve.stop.target_ms", float("inf")),
        ("evolve.stop.no_improve", 0),
        ("evolve.stop.budget_tokens", 0),
        ("evolve.stop.budget_usd", -0.5),
        ("evolve.stop.run_timeout", "soon"),
        ("evolve.archive.speed_bin_ms", 0),
        ("evolve.archive.mem_bin_kb", -1),
        ("evolve.archive.size_bin_ch", 1.5),
        ("execute.timeout_s", 0),
        ("execute.memory_mb", 1),
        ("execute.output_kb", 0),
        ("execute.container.image", ""),
        ("execute.container.gpus", ""),
        ("selector.epsilon", 3),
        ("selector", []),
        ("evaluate.metric", ""),
        ("llm.backends", 5),
        ("llm.backends", [{}]),
        ("llm.backends", [{"name": "x", "weight": -1}]),
        ("llm.backends", [{"name": "x", "weight": float("inf")}]),
        ("llm.backends", [{"name": "x", "timeout_ms": 0}]),
        ("llm.backends", [{"name": "x", "api_key_env": "sk-not-a-name"}]),
        ("llm.backends", [{"name": "x", "rate_per_min": 0}]),
        ("llm.backends", [{"name": "x", "tokens_per_min": 0}]),
        ("llm.backends", [{"name": "x"}, {"name": "x"}]),
        ("llm.backends", [{"name": "x", "base_url": "host/v1"}]),
        ("llm.backends", [{"name": "x", "base_url": "ftp://host"}]),
        ("llm.backends", [{"name": "x", "base_url": "http://"}]),
        ("llm.backends", [{"name": "x", "base_url": "http://host:99999"}]),
        ("llm.backends", [{"name": "x", "base_url": "http://[host"}]),
        ("llm.fanout", 0),
        ("llm.retries", -1),
        ("llm.repair_rounds", -1),
        ("llm.max_prompt_tokens", 0),
        ("llm.breaker_failures", 0),
        ("llm.breaker_pause", 0),
        ("templates.search_path", 5),
        ("templates.search_path", [5]),
        ("evolve.nonsense", 5),
        ("nonsense", {}),
    ],
)
def test_what_is_out_of_range_or_of_another_type_is_refused(key: str, value: object) -> None:
    tree: Any = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    with pytest.raises(ValidationError):
        Config.model_validate(tree)


def test_a_key_that_was_pasted_for_its_variable_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"llm": {"backends": [{"name": "x", "api_key_env": "sk-12345"}]}})
    assert "sk-12345" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14400),
        ("30m", 1800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("2d", 172800),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "4", "4x", "-4h", "4h!", "\u0664h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


def test_what_is_neither_text_nor_number_is_left_to_the_model() -> None:
    assert parse_duration(timedelta(1)) == timedelta(1)
    assert parse_duration(None) is None


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)))
def test_a_duration_survives_being_written_and_read(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_the_model_itself_reads_back_what_it_writes() -> None:
    given_ = {"evolve": {"stop": {"run_timeout": "90m"}}, "worker": {"defaults": {"caps": "cpu,docker"}}}
    config = Config.model_validate(given_)
    assert Config.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        ({"descriptors": ["accuracy"]}, "accuracy needs edges"),
        ({"descriptors": ["novelty"]}, "novelty needs edges"),
        ({"descriptors": []}, "one at least"),
        ({"descriptors": ["size", "size"]}, "a name of its own"),
        ({"edges": {"accuracy": [1.0]}}, "accuracy is not among the descriptors"),
        ({"widths": {"size": 5.0}, "edges": {"size": [1]}}, "one of them is enough"),
        ({"edges": {"size": []}}, "rising"),
        ({"edges": {"size": [2, 1]}}, "rising"),
        ({"edges": {"size": [1, 1]}}, "rising"),
        ({"edges": {"size": [1, math.nan]}}, "finite"),
        ({"widths": {"size": 0.0}}, "greater than 0"),
        ({"widths": {"size": math.inf}}, "finite"),
        ({"ranges": {"size": [0, 9]}}, "say how many: cells"),
        ({"cells": 9}, "speed needs a range"),
        ({"cells": 1}, "greater than or equal to 2"),
        ({"cells": 9, "descriptors": ["size"], "ranges": {"size": [9, 0]}}, "rising"),
        ({"cells": 9, "descriptors": ["size"], "ranges": {"size": [0, 1, 2]}}, "at most 2"),
        ({"cells": 9, "descriptors": ["size"], "ranges": {"size": [0, math.inf]}}, "finite"),
        (
            {"cells": 9, "descriptors": ["age"], "ranges": {"size": [0, 9]}},
            "size is not among the descriptors",
        ),
        ({"cells": 9, "descriptors": ["age"], "widths": {"age": 2}}, "edges and widths are of a grid"),
    ],
)
def test_a_grid_that_has_no_meaning_is_refused(archive: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"evolve": {"archive": archive}})


def test_descriptors_are_any_metrics_with_edges_or_a_width() -> None:
    table = {
        "descriptors": ["accuracy", "generation", "size"],
        "edges": {"accuracy": [0, 0.5]},
        "widths": {"size": 9.0},
    }
    archive = Config.model_validate({"evolve": {"archive": table}}).evolve.archive
    assert archive.edges == {"accuracy": (0.0, 0.5)}
    assert archive.descriptors == ("accuracy", "generation", "size")


@pytest.mark.parametrize("ports", [[0], [65536], ["443"], 443, [True]])
def test_what_is_no_port_is_refused(ports: object) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"execute": {"ports": ports}})


def test_ports_are_a_list() -> None:
    assert Config.model_validate({"execute": {"ports": [443, 8080]}}).execute.ports == (443, 8080)
