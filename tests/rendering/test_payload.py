"""The legacy payload: what it asks for, in which order, and every mistake named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from peagen_ray import plugins
from peagen_ray.errors import PeagenError, ProjectError, RenderError
from peagen_ray.rendering.generating import Bound, Outline, bounds, prompt_of
from peagen_ray.rendering.job import read_job
from peagen_ray.rendering.payload import Payload

DATA = Path(__file__).parents[1] / "data" / "payloads"
ITEMS, PRICES = "pkgs/cart/tests/test_items.py", "pkgs/cart/tests/test_prices.py"
SOURCES = {
    f"pkgs/cart/src/{name}.py": f"# {name} {{{{ raw }}}} {{% nothing\n" for name in ("items", "prices")
}


@pytest.fixture
def generated() -> Payload:
    return read_job(DATA / "generated.yaml", [DATA / "sets"])


def test_a_file_comes_after_those_that_it_depends_on(generated: Payload) -> None:
    assert [one.record.path for one in generated.generated] == [ITEMS, PRICES]


def test_a_prompt_includes_the_files_that_it_depends_on_as_they_are(generated: Payload) -> None:
    texts = {**SOURCES, ITEMS: "def test_items(): '{{ no template }}'"}
    said = prompt_of(generated.generated[1], texts)
    assert f'Write "{PRICES}". Tests prices.' in said
    assert "def test_prices():" in said
    assert "#### `cart/src/prices.py`\n# prices {{ raw }} {% nothing" in said
    assert "def test_items(): '{{ no template }}'" in said


def test_the_bound_of_a_prompt_says_how_many_files_in_it_are_yet_to_be_written(generated: Payload) -> None:
    first, second = bounds(generated.generated, SOURCES, {})
    assert first == Bound(ITEMS, len(prompt_of(generated.generated[0], SOURCES).encode()))
    size = len(prompt_of(generated.generated[1], {**SOURCES, ITEMS: ""}).encode())
    assert second == Bound(PRICES, size, included=1)


def test_a_prompt_that_cannot_be_made_says_why(generated: Payload) -> None:
    first, _ = bounds(generated.generated, {}, {})
    assert first.size == 0
    assert "there is no template 'pkgs/cart/src/items.py'" in first.problem


def test_a_file_is_ready_once_those_that_it_depends_on_are_written_and_its_prompt_includes_them(
    generated: Payload,
) -> None:
    outline = Outline(generated.generated, SOURCES)
    assert outline.ready() == [ITEMS]
    assert outline.ready() == []
    outline.done(ITEMS, "answer {{ 1 }}")
    assert outline.ready() == [PRICES]
    assert outline.missing(PRICES) == []
    assert "answer {{ 1 }}" in outline.prompt(PRICES)
    outline.done(PRICES, None)
    assert not outline


def test_what_a_failed_file_leaves_missing_is_known(generated: Payload) -> None:
    outline = Outline(generated.generated, SOURCES)
    for path in outline.ready():
        outline.done(path, None)
    assert outline.ready() == [PRICES]
    assert outline.missing(PRICES) == [ITEMS]


def test_a_prompt_includes_no_file_of_a_model_that_it_does_not_depend_on(generated: Payload) -> None:
    apart = tuple(
        replace(one, record=replace(one.record, needs=one.record.needs[:1])) for one in generated.generated
    )
    outline = Outline(apart, SOURCES)
    assert outline.ready() == [ITEMS, PRICES]
    outline.done(ITEMS, "there already")
    with pytest.raises(RenderError, match="there is no template 'pkgs/cart/tests/test_items"):
        outline.prompt(PRICES)


def test_a_prompt_that_lacks_a_file_says_which(generated: Payload) -> None:
    with pytest.raises(
        RenderError, match=r"agent_default\.j2:\d+: there is no template 'pkgs/cart/src/items\.py'"
    ):
        prompt_of(generated.generated[0], {})


# ---- mistakes --------------------------------------------------------------------------------------

Write = Callable[[str, str], Payload]
ONE = "PROJECTS: [{NAME: p, ROOT: r, PACKAGES: [{NAME: k, TEMPLATE_SET_OVERRIDE: s}]}]"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Reads a payload with one template set, ``s``, whose list is the second argument."""
    monkeypatch.chdir(tmp_path)

    def made(payload: str, listed: str = "[]") -> Payload:
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / "s" / "ptree.yaml.j2").write_text(listed)
        (tmp_path / "s" / "t.j2").write_text("{{ PROJ.NAME }}")
        (tmp_path / "p.yaml").write_text(payload)
        return read_job(tmp_path / "p.yaml")

    return made


def needing(*needs: tuple[str, str]) -> str:
    lines = [
        f"- {{FILE_NAME: t.j2, RENDERED_FILE_NAME: {path}, EXTRAS: {{DEPENDENCIES: [{need}]}}}}"
        for path, need in needs
    ]
    return "\n".join(lines)


def test_a_circle_is_shown(write: Write) -> None:
    with pytest.raises(ProjectError) as caught:
        write(ONE, needing(("a", "b"), ("b", "c"), ("c", "./a"), ("d", "a")))
    shown = str(caught.value).partition("circle of dependencies: ")[2].partition(" (")[0].split(" needs ")
    assert len(shown) == 4
    assert shown[0] == shown[-1]
    assert all((one, two) in {("a", "b"), ("b", "c"), ("c", "a")} for one, two in pairwise(shown))


def test_a_file_that_needs_itself_is_a_circle(write: Write) -> None:
    with pytest.raises(ProjectError, match="a needs a"):
        write(ONE, needing(("a", "a")))


def test_a_dependency_that_nobody_lists_does_not_count(write: Write) -> None:
    (plan,) = write(ONE, needing(("b", "gone"), ("a", "b"))).plans
    assert [unit.path for unit in plan.units] == ["b", "a"]


@pytest.mark.parametrize(
    "payload", ["[{NAME: p, PACKAGES: [{NAME: k, TEMPLATE_SET: s}]}]", f"PROJECTS: [{{{ONE}}}]"]
)
def test_a_bare_list_and_a_group_of_projects_are_read_too(write: Write, payload: str) -> None:
    (plan,) = write(payload, needing(("a", "b"))).plans
    assert plan.data["PROJ"]["NAME"] == "p"
    assert plan.data["PROJ"]["EXTRAS"] == {}


@pytest.mark.parametrize(
    ("payload", "listed", "message"),
    [
        ("PROJECTS: 1", "[]", "PROJECTS: is no list"),
        ("PROJECTS: [{}]", "[]", r"PROJECTS\[0\]: NAME is missing"),
        ("PROJECTS: [{NAME: p, PACKAGES: [1]}]", "[]", "PACKAGES: is no list of mappings"),
        ("PROJECTS: [{NAME: p, PACKAGES: [{NAME: k, MODULES: [{}]}]}]", "[]", r"k\.MODULES: NAME is missing"),
        (ONE.replace(": s", ": gone"), "[]", "gone: there is no such template set"),
        (ONE.replace(": s", ": ../s"), "[]", "has a name, not a path"),
        (ONE.replace(": s", ": /etc"), "[]", "has a name, not a path"),
        (ONE, "- 1", "p.k: record 0: is no mapping"),
        (ONE, "text", "renders to no list of files"),
        (ONE, "- {", "renders to no YAML"),
        (ONE, "- {{ PROJ.gone }}", r"ptree\.yaml\.j2:1: 'gone' is missing"),
        (ONE, "- {{ 1 / 0 }}", r"ptree\.yaml\.j2:1: ZeroDivisionError"),
        (ONE, "- {FILE_NAME: t.j2}", "RENDERED_FILE_NAME is missing"),
        (ONE, "- {RENDERED_FILE_NAME: a}", "FILE_NAME is missing"),
        (ONE, "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: ../a}", "leads out of its directory"),
        (ONE, "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: /a}", "is absolute"),
        (ONE, "- {FILE_NAME: gone, RENDERED_FILE_NAME: a}", "there is no template 'gone'"),
        (ONE, "- {FILE_NAME: ../p.yaml, RENDERED_FILE_NAME: a}", r"there is no template '\.\./p\.yaml'"),
        (ONE, "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a, PROCESS_TYPE: RUN}", "neither COPY nor GENERATE"),
        (ONE, "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a, PROCESS_TYPE: GENERATE}", "AGENT_PROMPT_TEMPLATE"),
        (
            ONE,
            "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a, PACKAGE_NAME: x}",
            "there is no 'x' among PACKAGES",
        ),
        (ONE, "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a, EXTRAS: {DEPENDENCIES: a}}", "is no list of paths"),
        (ONE, needing(("a", ""), ("a", "")), "is that of another output"),
    ],
)
def test_a_mistake_is_named(write: Write, payload: str, listed: str, message: str) -> None:
    with pytest.raises(PeagenError, match=message):
        write(payload, listed)


def test_a_set_comes_from_a_wheel_if_the_workspace_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    sets = tmp_path / "wheel" / "some_sets"
    (sets / "web").mkdir(parents=True)
    (sets / "web" / "ptree.yaml.j2").write_text(needing(("page", "")))
    (sets / "web" / "t.j2").write_text("x")
    (sets / "__init__.py").write_text(
        "from pathlib import Path\ndef web():\n    return Path(__file__).parent / 'web'\n"
    )
    info = tmp_path / "wheel" / "some_sets-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-sets\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[peagen.template_sets]\nweb = some_sets:web\nbroken = some_sets:Path.cwd\nnone = some_sets:__doc__\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "wheel"))
    assert set(plugins.names(plugins.Group.TEMPLATE_SETS)) >= {"web"}
    (plan,) = write(ONE.replace(": s", ": web")).plans
    assert [unit.path for unit in plan.units] == ["page"]
    with pytest.raises(ProjectError, match=r"template set 'none': .*some-sets 1"):
        write(ONE.replace(": s", ": none"))
