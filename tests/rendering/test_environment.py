"""Templates: strict, sandboxed, deterministic, and every error with its template, line and key."""

from __future__ import annotations

from typing import Any

import pytest

from peagen_ray.rendering.environment import Problem, Settings, make_environment, problem_of
from peagen_ray.rendering.work import limited, render

PLAIN = Settings()
LENIENT = Settings(lenient=True)


def rendered(text: str, settings: Settings = PLAIN, /, **values: Any) -> str:
    others = values.pop("others", {})
    return render(make_environment({"t": text, **others}, settings), "t", values)


def problem(text: str, settings: Settings = PLAIN, /, **values: Any) -> Problem:
    with pytest.raises(Exception) as caught:
        rendered(text, settings, **values)
    return problem_of(caught.value, "t")


@pytest.mark.parametrize(
    "text",
    [
        "{{ gone }}",
        "{% if gone %}{% endif %}",
        "{% for x in gone %}{% endfor %}",
        "{{ gone == 1 }}",
        "{{ gone.x }}",
        "{{ gone + 1 }}",
        "{{ gone | upper }}",
        "{{ gone() }}",
        "{{ 1 in gone }}",
        "{{ [gone] }}",
        "{{ {'x': gone} }}",
    ],
)
def test_what_is_missing_is_named_with_template_line_and_key(text: str) -> None:
    found = problem(f"first\nsecond {text}")
    assert (found.template, found.line, found.key) == ("t", 2, "gone")
    assert str(found).startswith("t:2: 'gone' is missing")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{{ a.b }}", "b"),
        ("{{ [a] | map(attribute='b') | list }}", "b"),
        ("{{ a['b'] }}", "b"),
        ("{{ l[3] }}", "3"),
    ],
)
def test_a_missing_key_of_something_is_named(text: str, key: str) -> None:
    assert problem(text, a={}, l=[]).key == key


def test_an_error_is_placed_in_the_template_that_it_happens_in() -> None:
    found = problem("{% include 'inner' %}", others={"inner": "\n\n{{ gone }}"})
    assert (found.template, found.line, found.key) == ("inner", 3, "gone")
    found = problem(
        "\n{% from 'm' import f %}{{ f(1) }}", others={"m": "{% macro f(x) %}\n{{ x.y }}{% endmacro %}"}
    )
    assert (found.template, found.line, found.key) == ("m", 2, "y")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n{{ 1 / 0 }}", 2, "ZeroDivisionError"),
        ("\n\n{% if %}", 3, "wrong syntax"),
        ("{% include 'gone' %}", 1, "there is no template 'gone'"),
        ("{% include '../../etc/passwd' %}", 1, "there is no template"),
        ("{{ x | nothing }}", 1, "nothing"),
        ("{% include 't' %}", 1, "without end"),
    ],
)
def test_other_errors_are_placed_too(text: str, line: int, words: str) -> None:
    found = problem(text, x=1)
    assert (found.template, found.line) == ("t", line)
    assert words in found.what


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ x.append(1) }}",
        "{% do d.update({'a': 1}) %}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ ('%s' | attr('format'))(1).__class__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ range(10**9) | list }}",
        "{{ 'x' * 10**9 }}",
        "{{ 10 ** 9999999 }}",
        "{{ ((10 ** 999) ** 999) ** 999 }}",
        "{{ x | random }}",
        "{{ lipsum() }}",
    ],
)
def test_what_is_dangerous_or_left_to_chance_is_refused(text: str) -> None:
    shared: dict[str, Any] = {"x": [1], "d": {}}
    assert problem(text, **shared).template == "t"
    assert shared == {"x": [1], "d": {}}


@pytest.mark.timeout(60)
def test_an_endless_template_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n{% for a in range(99999) %}{% for b in range(99999) %}{% set x = b %}{% endfor %}{% endfor %}"
    with pytest.raises(Exception) as caught, limited(0.05):
        rendered(text)
    assert "took longer than 0.05 s" in problem_of(caught.value, "t").what


def test_an_output_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.work.MOST_OUTPUT", 1000)
    assert "more than 1000 characters" in problem("{% for a in range(99999) %}{{ a }}{% endfor %}").what


def test_empty_pieces_do_not_end_an_output() -> None:
    text = "{% for a in range(9000) %}{{ '' }}{% endfor %}end"
    assert rendered(text) == "end"


def test_plain_jinja_is_rendered_as_jinja_does() -> None:
    data = {"d": {"items": 1, "x": {"y": 2}}, "l": [3, 4]}
    assert rendered("{{ d.x.y }}{{ d['items'] }}{{ l | join(',') }}{{ d.get('x').y }}", **data) == "213,42"
    assert rendered("{{ 3 * 4 }} {{ 'a' * 3 }} {{ 2 ** 10 }}") == "12 aaa 1024"
    assert rendered("{{ gone | default('-') }}{{ gone is defined }}") == "-False"


def test_settings_are_jinjas() -> None:
    assert rendered("x\n") == "x\n"
    assert rendered("x\n", Settings(keep_trailing_newline=False)) == "x"
    assert rendered("{{ '<' }}", Settings(autoescape=True)) == "&lt;"
    text = "  {% if true %}\nx{% endif %}"
    assert rendered(text, Settings(trim_blocks=True, lstrip_blocks=True)) == "x"


def test_leniently_what_is_missing_may_be_tested_and_looped_over_but_not_printed() -> None:
    text = "{% if d.x %}1{% endif %}{% for y in d.x %}2{% endfor %}{% if d.x == 'a' %}3{% endif %}{{ d.x | length }}"
    assert rendered(text, LENIENT, d={}) == "0"
    assert problem("{{ d.x }}", LENIENT, d={}).key == "x"
    assert problem("{{ d.x.y }}", LENIENT, d={}).key == "x"
