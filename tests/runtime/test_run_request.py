"""What a person asks for is checked before anything runs, and what is wrong is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_script import SLOW, config

from peagen_ray.config.model import Config, LLMBackend, LLMTable
from peagen_ray.errors import TargetError, UsageError, WorkloadError
from peagen_ray.runtime.settings import RunRequest, cores, read_target

Ask = Callable[..., RunRequest]
WORKLOAD = "def inputs(rng, size):\n    return ([1] * size,)\n"


@pytest.fixture
def ask(here: Path, request_of: Ask) -> Ask:
    def make(source: str | bytes = SLOW, settings: Config | None = None, **options: Any) -> RunRequest:
        data = source.encode() if isinstance(source, str) else source
        (here / "slow.py").write_bytes(data)
        return request_of(settings or config(entry_fn=""), **options)

    return make


def test_the_only_function_need_not_be_named(ask: Ask) -> None:
    subject = ask("def _helper(x):\n    return x\n\n\ndef f(x: int) -> int:\n    return x\n").subject()
    assert (subject.entry, subject.workload, subject.workload_path) == ("f", None, "")
    assert subject.path == "slow.py"


def test_where_there_is_a_choice_it_is_the_persons(ask: Ask) -> None:
    with pytest.raises(TargetError, match="has 2 functions that could be meant") as refused:
        ask(SLOW + "\n\ndef g(x):\n    return x\n").subject()
    assert "--entry-fn: f, g" in refused.value.hint


@pytest.mark.parametrize("source", ["", "\n", "x = 1\n", "\ufeff", "# only words\n"])
def test_a_file_without_a_function_is_refused(ask: Ask, source: str) -> None:
    with pytest.raises(TargetError, match="defines no function"):
        ask(source).subject()
    with pytest.raises(TargetError, match="no function 'f'"):
        ask(source, config(entry_fn="f")).subject()


def test_a_syntax_error_is_told_with_its_line(ask: Ask) -> None:
    for entry in ("", "f"):
        with pytest.raises(TargetError, match="syntax error") as refused:
            ask("x = 1\ndef f(:\n", config(entry_fn=entry)).subject()
        assert refused.value.subject == "slow.py, line 2"


@pytest.mark.parametrize("source", ["def f(x):\n    return '\0'\n", f"def f(x):\n    return {'(' * 5000}\n"])
@pytest.mark.parametrize("entry", ["", "f"])
def test_what_is_no_python_at_all_is_refused(ask: Ask, source: str, entry: str) -> None:
    with pytest.raises(TargetError) as refused:
        ask(source, config(entry_fn=entry)).subject()
    assert refused.value.subject.startswith("slow.py")


def test_the_entry_of_mutate_is_used_where_evolve_names_none(ask: Ask) -> None:
    both = SLOW + "\n\ndef g(x: int) -> int:\n    return x\n"
    settings = Config.model_validate({"mutate": {"entry_fn": "g"}})
    assert ask(both, settings).subject().entry == "g"
    settings = Config.model_validate({"mutate": {"entry_fn": "g"}, "evolve": {"entry_fn": "f"}})
    assert ask(both, settings).subject().entry == "f"


def test_a_workload_beside_the_target_is_found_and_means_the_whole_module(here: Path, ask: Ask) -> None:
    (here / "slow_workload.py").write_text(WORKLOAD)
    subject = ask(SLOW).subject()
    assert (subject.entry, subject.workload, subject.workload_path) == ("", WORKLOAD, "slow_workload.py")
    (here / "other.py").write_text("# other\n")
    assert ask(SLOW, workload=Path("other.py")).subject().workload == "# other\n"


def test_a_byte_order_mark_is_no_part_of_a_program(here: Path, ask: Ask) -> None:
    (here / "slow_workload.py").write_bytes(b"\xef\xbb\xbf" + WORKLOAD.encode())
    subject = ask(b"\xef\xbb\xbf" + SLOW.encode(), config()).subject()
    assert (subject.source, subject.workload) == (SLOW, WORKLOAD)


def test_line_ends_are_left_as_they_are(ask: Ask) -> None:
    source = SLOW.replace("\n", "\r\n")
    assert ask(source).subject().source == source


@pytest.mark.parametrize(("name", "why"), [("none.py", "No such file"), (".", "Is a directory")])
def test_files_that_cannot_be_read_are_refused(ask: Ask, name: str, why: str) -> None:
    with pytest.raises(TargetError, match=why) as refused:
        ask(target=Path(name)).subject()
    assert refused.value.subject == name
    with pytest.raises(WorkloadError, match=why) as refused_too:
        ask(workload=Path(name)).subject()
    assert refused_too.value.subject == name


def test_files_that_are_not_utf_8_are_refused(here: Path, ask: Ask) -> None:
    (here / "latin.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(TargetError, match="is not UTF-8") as refused:
        read_target(Path("latin.py"))
    assert refused.value.hint
    with pytest.raises(WorkloadError, match="cannot be read"):
        ask(workload=Path("latin.py")).subject()


def test_limits_are_those_of_the_configuration(ask: Ask) -> None:
    settings = Config.model_validate(
        {"execute": {"timeout_s": 2.0, "cpu_s": 12.0, "memory_mb": 64, "output_kb": 8}}
    )
    limits = ask(settings=settings).limits()
    assert (limits.wall_s, limits.cpu_s, limits.memory_mb, limits.output_kb) == (2.0, 12.0, 64, 8)


def test_of_a_container_only_the_image_and_the_gpus_travel(ask: Ask) -> None:
    table = {
        "image": "python:3",
        "venv": "grown",
        "engine": "podman",
        "engine_options": ["--runtime", "runc"],
    }
    settings = Config.model_validate({"execute": {"container": table}})
    assert ask(settings=settings).container() == {"image": "python:3", "gpus": "all"}


@pytest.mark.parametrize(
    ("evolve", "mutate", "wanted"),
    [
        ("auto", "auto", "genetic"),
        ("auto", "mine", "mine"),
        ("mine", "other", "mine"),
        ("genetic", "patch", "genetic"),
    ],
)
def test_the_mutator_of_evolve_comes_before_that_of_mutate(
    ask: Ask, evolve: str, mutate: str, wanted: str
) -> None:
    settings = Config.model_validate({"evolve": {"mutator": evolve}, "mutate": {"mutator": mutate}})
    assert ask(settings=settings).mutator() == wanted


@pytest.mark.parametrize("name", ["patch", "rewrite"])
def test_a_mutator_that_asks_a_model_needs_a_back_end(ask: Ask, name: str) -> None:
    settings = Config.model_validate({"evolve": {"mutator": name}})
    with pytest.raises(UsageError, match="no back-end is configured") as refused:
        ask(settings=settings).mutator()
    assert "--mutator genetic" in refused.value.hint
    backend = LLMTable(backends=(LLMBackend(name="local"),))
    assert ask(settings=settings.model_copy(update={"llm": backend})).mutator() == name


def test_auto_is_patch_where_a_model_is_configured(ask: Ask) -> None:
    with_model = Config(llm=LLMTable(backends=(LLMBackend(name="local"),)))
    assert ask(settings=with_model).mutator() == "patch"
    assert ask(settings=Config()).mutator() == "genetic"


@pytest.mark.parametrize("option", ["output", "checkpoint"])
def test_a_place_that_cannot_be_written_is_found_out_before_the_run(
    here: Path, ask: Ask, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(**{option: Path("fine.py")}).check_outputs()
    ask(**{option: None}).check_outputs()
    with pytest.raises(UsageError, match="no such directory") as refused:
        ask(**{option: Path("no/such/place.py")}).check_outputs()
    assert refused.value.subject == str(here / "no" / "such")
    with pytest.raises(UsageError, match="is a directory"):
        ask(**{option: here}).check_outputs()
    with pytest.raises(UsageError, match="no such directory"):
        ask(**{option: Path("slow.py/winner.py")}).check_outputs()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UsageError, match="cannot be written"):
        ask(**{option: Path("fine.py")}).check_outputs()


def test_there_is_a_core_to_use() -> None:
    assert cores() >= 1
