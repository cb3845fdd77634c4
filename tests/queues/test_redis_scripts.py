"""A script carries what it uses of the library, and no more."""

from __future__ import annotations

from importlib import resources

import pytest

from peagen_ray.queues.redis.link import _DEFINES, Script, linked

FOLDER = resources.files("peagen_ray.queues") / "lua"
LIBRARY = (FOLDER / "lib.lua").read_text().strip()
NAMES = sorted(
    each.name[:-4] for each in FOLDER.iterdir() if each.name.endswith(".lua") and each.name != "lib.lua"
)


def paragraphs() -> list[str]:
    return LIBRARY.split("\n\n")


def test_every_paragraph_of_the_library_defines_something_or_is_a_comment() -> None:
    for each in paragraphs():
        code = [line for line in each.splitlines() if not line.startswith("--")]
        assert not code or (code[0].startswith("local ") and _DEFINES.search(each)), each


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_itself_after_some_of_the_library_in_its_order(name: str) -> None:
    text = Script(name).text.removeprefix("#!lua flags=allow-oom\n")
    own = (FOLDER / f"{name}.lua").read_text()
    assert text.endswith(own)
    kept = [part for part in text.removesuffix(own).split("\n\n") if part]
    places = [paragraphs().index(part) for part in kept]
    assert places == sorted(set(places))
    assert len(kept) < len(paragraphs())


def test_what_a_function_needs_in_turn_comes_along_and_nothing_else() -> None:
    text = linked("return missing")
    assert text == "return missing"
    text = linked("return lacks(ARGV[4], nil)")
    assert "local function lacks(" in text
    assert "local function alternatives(" in text
    assert "local function bury(" not in text
