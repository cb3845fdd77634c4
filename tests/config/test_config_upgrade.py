"""Upgrading a file adds its missing section and leaves everything else as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.config.load import load
from peagen_ray.config.upgrade import upgrade
from peagen_ray.errors import ConfigError

SECTION = {"task_queue": {"provider": "stub"}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", '[task_queue]\nprovider = "stub"\n'),
        ("\n\n", '\n\n[task_queue]\nprovider = "stub"\n'),
        ("[evolve]\nseed = 1\n", '[evolve]\nseed = 1\n\n[task_queue]\nprovider = "stub"\n'),
        ("# only a comment", '# only a comment\n\n[task_queue]\nprovider = "stub"\n'),
        ("\ufeff[evolve]\n", '\ufeff[evolve]\n\n[task_queue]\nprovider = "stub"\n'),
        ("[evolve]\r\nseed = 1", '[evolve]\r\nseed = 1\r\n\r\n[task_queue]\r\nprovider = "stub"\r\n'),
    ],
)
def test_the_section_is_added_at_the_end(old: str, new: str) -> None:
    assert upgrade(old) == new


@pytest.mark.parametrize(
    "text",
    [
        "[task_queue]\n",
        "[task_queue]\nprovider = 'redis' # ours\n",
        "task_queue.provider = 'ray'\n[evolve]\n",
        "task_queue = {url = 'redis://h'}",
        "['task_queue']\n",
    ],
)
def test_a_file_that_has_the_section_is_left_alone(text: str) -> None:
    assert upgrade(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[evolve]\nseed = 1\n",
        "\ufeff[evolve]\nseed = 1\n",
        "[fabric]\naddress = 'auto'\n",
        "[fabric]\naddress = ''\n",
        "[fabric]\nmax_parallel = 2\n",
    ],
)
def test_an_upgraded_file_means_what_it_meant(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text)
    before = load(path, environ={}).config
    path.write_text(upgrade(text))
    assert load(path, environ={}).config == before


@pytest.mark.parametrize("text", ["# [task_queue]\n", "x = '''\n[task_queue]\n'''\n", "[other.task_queue]\n"])
def test_what_only_looks_like_the_section_does_not_count(text: str) -> None:
    assert tomllib.loads(upgrade(text))["task_queue"] == {"provider": "stub"}


def test_what_is_no_toml_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^mine\.toml:1:8: not TOML"):
        upgrade("[evolve\n", "mine.toml")


_lines = st.sampled_from(
    [
        "",
        "# a comment",
        "\t# indented",
        "[evolve]",
        "[[llm.backends]]",
        "[selector.epsilon]",
        "seed = 1",
        "goal = 'x' # why",
        'goal = """',
        "caps = [",
        '  "cpu",',
        "]",
        '"""',
        "[task_queue]",
        "  spaced   =   1",
    ]
)


@given(st.lists(_lines, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_old_text_stays_and_means_the_same(lines: list[str], newline: str, ended: bool) -> None:
    old = newline.join(lines) + newline * ended
    try:
        before = tomllib.loads(old)
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError):
            upgrade(old)
        return
    new = upgrade(old)
    assert new.startswith(old)
    assert tomllib.loads(new) == (before if "task_queue" in before else before | SECTION)
    assert upgrade(new) == new
    if old != new and "\n" in old:
        assert new.count("\r\n") == (new.count("\n") if newline == "\r\n" else 0)
