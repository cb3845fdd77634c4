"""Line numbers of TOML keys, whatever stands around them."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.config.lines import KeyPath, key_lines, line_of

AWKWARD = "\n".join(
    [
        "# a \"comment\" with [brackets] = and '''",
        "a.b = 1 # [no.table]",
        '"q.r" = """x',
        "[fake]",
        'k = 1 \\""" still',
        'last"""""',
        "lit = '''",
        "x = 1",
        "'''''",
        "[t]",
        "arr = [",
        "  1, # ]",
        "  { x = \"]\" }, '[',",
        "]",
        "last = 'a=b'",
        "[[llm.backends]]",
        'name = "x"',
        '[[ llm . "backends" ]]',
        'name = "y"',
        "[llm.backends.sub]",
        "z = 1",
        "[[llm.backends.deep]]",
        "w = 1",
        "[empty]",
    ]
)


def test_awkward_but_valid_text_is_followed() -> None:
    tomllib.loads(AWKWARD)
    assert key_lines(AWKWARD) == {
        ("a",): 2,
        ("a", "b"): 2,
        ("q.r",): 3,
        ("lit",): 7,
        ("t",): 10,
        ("t", "arr"): 11,
        ("t", "last"): 15,
        ("llm",): 16,
        ("llm", "backends"): 16,
        ("llm", "backends", 0): 16,
        ("llm", "backends", 0, "name"): 17,
        ("llm", "backends", 1): 18,
        ("llm", "backends", 1, "name"): 19,
        ("llm", "backends", 1, "sub"): 20,
        ("llm", "backends", 1, "sub", "z"): 21,
        ("llm", "backends", 1, "deep"): 22,
        ("llm", "backends", 1, "deep", 0): 22,
        ("llm", "backends", 1, "deep", 0, "w"): 23,
        ("empty",): 24,
    }


def test_windows_line_endings_change_nothing() -> None:
    assert key_lines("[a]\r\nb = 1\r\n") == {("a",): 1, ("a", "b"): 2}


def test_a_key_inside_an_inline_table_stands_where_the_table_does() -> None:
    lines = key_lines("\n[a]\nb = {c = 1}\n")
    assert line_of(lines, ("a", "b", "c")) == 3
    assert line_of(lines, ("a", "other")) == 2
    assert line_of(lines, ("other",)) is None


def _quoted(quote: str) -> st.SearchStrategy[str]:
    inside = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=f"{quote}\\")
    return st.text(inside, max_size=4).map(lambda text: f"{quote}{text}{quote}")


_key = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True), _quoted('"'), _quoted("'"))
_value = st.sampled_from(
    [
        "1",
        '"]"',
        "'['",
        '"\\"]"',
        "[\n1, # ]\n2]",
        "{a = 1, b = '}'}",
        '"""\n[x]\ny = 1\n"""',
        "'''\n[x]\n\"\"\"'''",
        '"""a""\\""""""',
        "1979-05-27T07:32:00Z",
        "[[1], [\n'''\n''']]",
    ]
)
_noise = st.sampled_from(["", "\n", "# x = [1\n", "  \n\t\n", '# """\n', "# '\r\n"])
_entry = st.tuples(_noise, _key, _value, st.sampled_from(["", " # ] [", "  "]))
_header = st.lists(_key, min_size=1, max_size=3)
_table = st.tuples(_noise, _header, st.booleans(), st.lists(_entry, max_size=4))


def _paths(node: Any, prefix: KeyPath = ()) -> list[KeyPath]:
    """Every key that the scanner has to know: tables, arrays of tables, values."""
    found: list[KeyPath] = []
    for key, value in node.items():
        found.append((*prefix, key))
        if isinstance(value, dict):
            found += _paths(value, (*prefix, key))
    return found


def _valid(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a key twice, or a table where a value stands
        return False
    return True


@given(st.lists(_table, min_size=1, max_size=5))
def test_every_key_of_a_valid_text_has_the_line_that_names_it(tables: list[Any]) -> None:
    text = ""
    for noise, header, array, entries in tables:
        dotted = " . ".join(header)
        start = f"{noise}{f'[[{dotted}]]' if array else f'[{dotted}]'}\n"
        if not _valid(text + start):
            continue
        text += start
        for before, key, value, after in entries:
            entry = f"{before}{key} = {value}{after}\n"
            text += entry if _valid(text + entry) else ""
    lines, rows = key_lines(text), text.split("\n")
    assert all(line_of(lines, path) for path in _paths(tomllib.loads(text)))
    for path, line in lines.items():
        last = next(part for part in reversed(path) if isinstance(part, str))
        assert last in rows[line - 1]
