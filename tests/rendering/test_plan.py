"""Project files: which outputs they mean, and every mistake named with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.errors import PeagenError, ProjectError, RenderError
from peagen_ray.rendering.job import read_job
from peagen_ray.rendering.plan import Plan


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "t/a.txt.j2": "{{ title }}",
        "t/b.txt": "b",
        "t/deep/c.html.jinja": "{% include 't/part.j2' %}",
        "t/part.j2": "{{ rows | length }}",
        "t/.hidden": "",
        "rows.csv": "id,name\n1,x\n2,y\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def plan(text: str, name: str = "site.yaml") -> Plan:
    Path(name).write_text(text)
    (made,) = read_job(Path(name)).plans
    return made


def paths(text: str, name: str = "site.yaml") -> list[str]:
    made = plan(text, name)
    return [unit.path for unit in made.units] + [copy.path for copy in made.copies]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("template: t/a.txt.j2", ["t/a.txt"]),
        ("template: t", ["a.txt", "b.txt", "deep/c.html", "part"]),
        ("template: t/*.j2", ["a.txt", "part"]),
        ("template: t/**/*.jinja", ["deep/c.html"]),
        ("{template: t/b.txt, path: x/y}", ["x/y"]),
        (
            "{template: t/a.txt.j2, each: rows, as: row, path: '{{ row.id }}-{{ index }}.txt'}",
            ["1-1.txt", "2-2.txt"],
        ),
        ("{template: t/a.txt.j2, each: deep.map, path: '{{ item.key }}/{{ item.value }}'}", ["k/v"]),
        ("{template: t/a.txt.j2, each: deep.none}", []),
        ("{template: t/*.txt, copy: true, path: 's/{{ template.name }}'}", ["s/b.txt"]),
        ("{template: t/a.txt.j2, path: '{{ template.stem }}.{{ template.source | length }}'}", ["a.10"]),
    ],
)
def test_a_rule_means_these_outputs(rule: str, expected: list[str]) -> None:
    head = "data: {title: T, deep: {map: {k: v}, none: []}}\nfiles: {rows: rows.csv}\n"
    assert paths(f"{head}outputs:\n  - {rule}\n") == expected


def test_toml_says_the_same() -> None:
    text = '[data]\ntitle = "T"\n[files]\nrows = {path = "rows.csv", format = "csv"}\n[[outputs]]\ntemplate = "t/b.txt"\n'
    made = plan(text, "site.toml")
    assert [unit.path for unit in made.units] == ["t/b.txt"]
    assert made.data == {"title": "T", "rows": [{"id": "1", "name": "x"}, {"id": "2", "name": "y"}]}


def test_a_template_needs_what_it_and_its_includes_use() -> None:
    library = plan("files: {rows: rows.csv}\noutputs: [{template: t}]").library
    assert library.needs("t/a.txt.j2").names == {"title"}
    assert library.needs("t/deep/c.html.jinja").names == {"rows"}
    assert library.needs("t/deep/c.html.jinja").templates == {"t/deep/c.html.jinja", "t/part.j2"}


def test_a_computed_include_may_need_anything(site: Path) -> None:
    (site / "t/b.txt").write_text("{% include name %}")
    (site / "picture.png").write_bytes(b"\xff\xfe\x00")
    needs = plan("outputs: [{template: t/b.txt}]").library.needs("t/b.txt")
    assert needs.names is None
    assert needs.templates >= {"t/b.txt", "t/part.j2", "rows.csv"}
    assert "picture.png" not in needs.templates


def test_the_plan_is_the_same_each_time() -> None:
    text = "files: {rows: rows.csv}\noutputs: [{template: t}, {template: t/a.txt.j2, path: z}]"
    assert list(plan(text).lines()) == list(plan(text).lines())


OUT = "outputs: [{template: t/a.txt.j2, path: p}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outputs: []", r"site\.yaml: outputs: "),
        ("data: {}", r"site\.yaml: outputs: Field required"),
        ("- 1", r"PROJECTS\[0\]: is no mapping"),
        ("text", "is no mapping of names"),
        (
            "output: []\noutputs: [{template: t}]",
            r"site\.yaml: output: there is no such key \(did you mean outputs\?\)",
        ),
        (
            "outputs: [{template: t, paht: x}]",
            r"outputs\[0\]\.paht: there is no such key \(did you mean path\?\)",
        ),
        (
            "outputs: [{templat: t}]",
            r"outputs\[0\]\.templat: there is no such key \(did you mean template\?\)",
        ),
        ("outputs: [{template: [1]}]", r"outputs\[0\]\.template"),
        ("outputs: [{template: gone.j2}]", r"outputs\[0\]\.template: there is no template 'gone\.j2'"),
        ("outputs: [{template: '*.gone'}]", "there is no template"),
        ("outputs: [{template: t/a.txt.j2, path: ../x}]", r"outputs\[0\]\.path: the path '\.\./x' leads out"),
        ("outputs: [{template: t/a.txt.j2, path: /x}]", "is absolute"),
        ("outputs: [{template: t/a.txt.j2, path: '{{ gone }}'}]", r"outputs\[0\]\.path: 'gone' is missing"),
        ("outputs: [{template: t/a.txt.j2, path: '{{ gone'}]", r"outputs\[0\]\.path: wrong syntax"),
        ("outputs: [{template: t, path: same}]", "the path 'same' is that of another output"),
        (
            "outputs: [{template: t/a.txt.j2, each: gone}]",
            r"outputs\[0\]\.each: there is no 'gone' in the data",
        ),
        ("data: {x: 1}\noutputs: [{template: t/a.txt.j2, each: x}]", "x is no list and no mapping"),
        ("data: {item: [1]}\noutputs: [{template: t/a.txt.j2, each: item}]", "'item' is a name of the data"),
        (f"data: {{index: 1}}\n{OUT}", r"data\.index: 'index' is no name that a template can use"),
        (f"data: {{a b: 1}}\n{OUT}", "is no name that a template can use"),
        (f"data: {{x: 1}}\nfiles: {{x: rows.csv}}\n{OUT}", "x: is in data and in files"),
        (f"files: {{x: gone.csv}}\n{OUT}", r"gone\.csv: cannot be read"),
        (
            f"files: {{x: {{path: rows.csv, fromat: csv}}}}\n{OUT}",
            r"fromat: there is no such key \(did you mean format",
        ),
        (f"timeout: -1\n{OUT}", "timeout"),
    ],
)
def test_a_mistake_is_named_with_its_key(text: str, message: str) -> None:
    with pytest.raises(PeagenError, match=message):
        plan(text)


def test_rows_that_would_go_elsewhere_are_refused(site: Path) -> None:
    (site / "rows.csv").write_text("id\nok\n../../etc/x\n")
    with pytest.raises(ProjectError, match=r"\.\./\.\./etc/x"):
        plan("files: {rows: rows.csv}\noutputs: [{template: t/a.txt.j2, each: rows, path: '{{ item.id }}'}]")


def test_wrong_syntax_is_found_before_anything_is_rendered(site: Path) -> None:
    (site / "t/part.j2").write_text("\n{% if %}")
    with pytest.raises(RenderError, match=r"t/part\.j2:2: wrong syntax"):
        plan("outputs: [{template: t/deep/c.html.jinja}]")


def test_a_template_that_is_no_text_is_refused_with_advice(site: Path) -> None:
    (site / "t/b.txt").write_bytes(b"\xff\x00")
    with pytest.raises(ProjectError, match=r"t/b\.txt: is not UTF-8.*copy: true"):
        plan("outputs: [{template: t}]")
