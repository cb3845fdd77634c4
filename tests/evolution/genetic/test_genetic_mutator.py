from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import MutationRejected, TargetError
from peagen_ray.evolution.mutators.base import MutationRequest
from peagen_ray.evolution.mutators.genetic import GeneticMutator
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, parse_expression, parse_statements
from peagen_ray.evolution.mutators.genetic.catalogue import operators
from peagen_ray.evolution.mutators.genetic.guards import SOURCE_LIMIT
from peagen_ray.evolution.mutators.genetic.mutator import ATTEMPTS, LONGEST_CHAIN, _barren
from peagen_ray.workload.fingerprint import fingerprint

SOURCE = '''"""Numbers."""
LIMIT = 10


def unrelated(x):
    return x + 1  # not called


def helper(items):
    out = []
    for x in items:   # each
        if x not in out:
            out.append(x)
    return out


def slow(items, n=3):
    """Doc."""
    total = 0
    for i in range(len(items)):
        for j in range(len(items)):
            if items[i] < items[j] and n > 0:
                total = total + 1
    return total + len(helper(items))
'''
REQUEST = MutationRequest(source=SOURCE, entry="slow", seed=1, temperature=0)


class Marked(Operator):
    """Appends a statement to the entry function; counts how often it was asked."""

    NAME: ClassVar[str] = "marked"

    def __init__(
        self, name: str = "marked", text: str = "mark()", sites: int = 1, weight: float = 1.0
    ) -> None:
        self.NAME = name  # type: ignore[misc]
        self.WEIGHT = weight  # type: ignore[misc]
        self.text, self.count = text, sites
        self.applied: list[object] = []

    def sites(self, draft: Draft) -> Sequence[object]:
        return range(self.count)

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        self.applied.append(site)
        function = draft.function(draft.entry)
        assert function is not None
        function.body += parse_statements(self.text.format(site=site))
        return True


class Editing(Marked):
    """Does to the draft what it is told, without ``touched``."""

    def __init__(self, edit: object, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.edit = edit

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        self.applied.append(site)
        return self.edit(draft) is not False  # type: ignore[operator]


def rejection(mutator: GeneticMutator, request: MutationRequest = REQUEST) -> MutationRejected:
    with pytest.raises(MutationRejected) as caught:
        mutator.propose(request)
    return caught.value


# -- proposals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [3280793433914734, 346_696_269_808])
def test_a_proposal_does_not_depend_on_what_the_process_has_learnt_of_the_parent(seed: int) -> None:
    request = replace(REQUEST, seed=seed, temperature=0.0)
    made = []
    for _ in range(3):
        _barren.cache_clear()
        made += [GeneticMutator().propose(request) for _ in range(2)]
    assert len(set(made)) == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**53), temperature=st.floats(0, 2))
def test_a_proposal_is_a_different_program_with_the_same_interface(seed: int, temperature: float) -> None:
    request = replace(REQUEST, seed=seed, temperature=temperature)
    made = GeneticMutator(strict=True).propose(request)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(made.source, "made", "exec")
    assert fingerprint(made.source) != fingerprint(SOURCE)
    assert made == GeneticMutator().propose(request), "the same request makes the same proposal"
    draft = Draft.parse(made.source, "slow")
    function = draft.function("slow")
    assert function is not None
    assert ast.unparse(function.args) == "items, n=3"
    assert "LIMIT = 10" in made.source
    assert "return x + 1  # not called" in made.source
    assert 1 <= len(made.operator.split("+")) <= LONGEST_CHAIN


def test_seeds_lead_to_many_programs() -> None:
    mutator = GeneticMutator(strict=True)
    made = {mutator.propose(replace(REQUEST, seed=seed, temperature=1)).source for seed in range(40)}
    assert len(made) > 20


def test_only_what_was_edited_differs() -> None:
    lines = set(SOURCE.splitlines())
    for seed in range(20):
        made = GeneticMutator().propose(replace(REQUEST, seed=seed))
        assert len(lines & set(made.source.splitlines())) >= len(lines) - 9


def test_excluded_programs_are_not_proposed_again() -> None:
    mutator, seen = GeneticMutator(strict=True), set()
    for seed in range(25):
        made = mutator.propose(replace(REQUEST, seed=seed, exclude=frozenset(seen)))
        known = fingerprint(made.source)
        assert known not in seen
        seen.add(known)


def test_weights_decide_which_operator_is_drawn() -> None:
    both = [Marked("one", "one()"), Marked("two", "two()")]
    drawn = {
        GeneticMutator(both)
        .propose(replace(REQUEST, seed=seed, temperature=0, weights={"two": 1e-9}))
        .operator
        for seed in range(30)
    }
    assert drawn == {"one"}


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_an_operator_without_weight_is_never_drawn(weight: float) -> None:
    only = GeneticMutator([Marked()])
    assert rejection(only, replace(REQUEST, weights={"marked": weight})).reason == "no site"


def test_a_weight_without_bounds_is_bounded() -> None:
    both = GeneticMutator([Marked("one", "one()"), Marked("two", "two()")])
    assert both.propose(replace(REQUEST, weights={"one": float("inf")})).operator.startswith("one")


def test_heat_makes_chains_and_cold_makes_none() -> None:
    def length(temperature: float) -> float:
        made = [
            GeneticMutator([Marked(sites=50)]).propose(replace(REQUEST, seed=seed, temperature=temperature))
            for seed in range(60)
        ]
        return sum(len(each.operator.split("+")) for each in made) / len(made)

    assert length(0) == 1
    assert 1 < length(0.7) < length(2) <= LONGEST_CHAIN


def test_a_chain_ends_early_where_nothing_is_left_to_do() -> None:
    class Once(Marked):
        def sites(self, draft: Draft) -> Sequence[object]:
            return [] if "mark" in ast.dump(draft.tree) else [0]

    made = GeneticMutator([Once()]).propose(replace(REQUEST, temperature=2, seed=3))
    assert made.operator == "marked"


def test_an_operator_without_a_site_is_asked_once_a_program_and_nothing_else_changes() -> None:
    class Counted(Marked):
        asked = 0

        def sites(self, draft: Draft) -> Sequence[object]:
            self.asked += 1
            return []

    class Looking(Counted):
        LOOKS_AROUND: ClassVar[bool] = True

    barren, looking = Counted("barren", weight=50), Looking("looking", weight=50)
    mutator = GeneticMutator([barren, looking, Marked(sites=1000)])
    first = mutator.propose(REQUEST)
    asked = looking.asked
    assert mutator.propose(REQUEST) == first
    assert barren.asked == 1
    assert looking.asked == 2 * asked, "the inspirations may be others"


def test_the_operators_are_named() -> None:
    names = GeneticMutator().operators
    assert len(names) == len(set(names)) == len(operators())
    assert {"crossover", "delete-statement"} <= set(names)


def test_a_whole_module_may_be_the_target() -> None:
    made = GeneticMutator(strict=True).propose(replace(REQUEST, entry="", seed=5))
    assert made.source != SOURCE


def test_a_method_may_be_the_target() -> None:
    source = "class K:\n    def go(self, xs):\n        return list(sorted(xs))\n"
    made = GeneticMutator(strict=True).propose(MutationRequest(source, "K.go", 1))
    assert made.source.startswith("class K:\n    def go(self, xs):\n")


def test_a_byte_order_mark_stays() -> None:
    made = GeneticMutator(strict=True).propose(replace(REQUEST, source="\ufeff" + SOURCE))
    assert made.source.startswith("\ufeff")
    assert fingerprint(made.source) != fingerprint(SOURCE)


def test_warnings_of_the_compiler_go_nowhere(recwarn: pytest.WarningsRecorder) -> None:
    GeneticMutator([Marked(text="n is 1")]).propose(REQUEST)
    assert not recwarn.list


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["def f(", "x = '\0'"])
def test_a_source_that_does_not_parse_is_a_target_error(source: str) -> None:
    with pytest.raises(TargetError):
        GeneticMutator().propose(replace(REQUEST, source=source))


def test_a_missing_entry_is_a_target_error() -> None:
    with pytest.raises(TargetError, match="nowhere"):
        GeneticMutator().propose(replace(REQUEST, entry="nowhere"))


@pytest.mark.parametrize("source", ["", "x = 1\n", "def f(): pass\n"])
def test_a_program_without_anything_to_edit_is_refused(source: str) -> None:
    assert rejection(GeneticMutator(strict=True), MutationRequest(source, "", 1)).reason == "no site"


def test_a_program_that_stays_the_same_is_refused() -> None:
    same = Editing(lambda draft: True, sites=3)
    assert rejection(GeneticMutator([same])).reason == "identical"
    assert sorted(same.applied) == [0, 1, 2], "no site is tried twice"


def test_programs_that_were_judged_are_refused_after_a_bounded_number_of_attempts() -> None:
    operator = Marked(sites=1000)
    known = fingerprint(SOURCE + "    mark()\n")
    refused = rejection(GeneticMutator([operator]), replace(REQUEST, exclude=frozenset({known})))
    assert refused.reason == "already tried"
    assert len(operator.applied) == ATTEMPTS


def test_an_attempt_that_comes_to_nothing_is_followed_by_another() -> None:
    nothing = Editing(lambda draft: False, name="nothing", weight=1000)
    assert GeneticMutator([nothing, Marked()]).propose(replace(REQUEST)).operator == "marked"
    assert rejection(GeneticMutator([nothing])).reason == "no site"


@pytest.mark.parametrize("text", ["break", "x = yield = 1", "nonlocal total"])
def test_programs_that_do_not_compile_are_refused(text: str) -> None:
    def edit(draft: Draft) -> None:
        draft.tree.body[-1].body.append(ast.Expr(value=ast.Name(id=text, ctx=ast.Load())))  # type: ignore[attr-defined]

    assert rejection(GeneticMutator([Editing(edit)])).reason == "syntax"


def test_programs_too_deep_to_read_are_refused() -> None:
    def edit(draft: Draft) -> None:
        value: ast.expr = ast.Constant(value=1)
        for _ in range(5_000):
            value = ast.UnaryOp(op=ast.Not(), operand=value)
        draft.tree.body[-1].body[-1].value = value  # type: ignore[attr-defined]

    assert rejection(GeneticMutator([Editing(edit)])).reason == "syntax"


@pytest.mark.parametrize(
    ("edit", "detail"),
    [
        (lambda draft: draft.function("slow").args.args.pop(), "slow takes other arguments"),
        (lambda draft: draft.function("slow").args.defaults.clear(), "slow takes other arguments"),
        (lambda draft: draft.tree.body.pop(1), "LIMIT is gone"),
        (lambda draft: draft.tree.body.pop(2), "unrelated is gone"),
        (lambda draft: draft.tree.body.append(parse_statements(f"x = '{'x' * SOURCE_LIMIT}'")[0]), "longer"),
    ],
)
def test_what_others_rely_on_is_not_changed(edit: object, detail: str) -> None:
    refused = rejection(GeneticMutator([Editing(edit)]))
    assert refused.reason == "forbidden"
    assert detail in refused.detail


def test_helpers_may_take_other_arguments_unless_the_module_is_the_target() -> None:
    def edit(draft: Draft) -> None:
        draft.tree.body[2].args.args.append(ast.arg(arg="y"))  # type: ignore[attr-defined]

    assert "def unrelated(x, y)" in GeneticMutator([Editing(edit)]).propose(REQUEST).source
    assert rejection(GeneticMutator([Editing(edit)]), replace(REQUEST, entry="")).reason == "forbidden"


def test_an_async_function_stays_one() -> None:
    source = "async def f(a):\n    return a\n"

    def edit(draft: Draft) -> None:
        old = draft.tree.body[0]
        draft.tree.body[0] = ast.FunctionDef(**{name: getattr(old, name) for name in old._fields})

    assert rejection(GeneticMutator([Editing(edit)]), MutationRequest(source, "f", 1)).reason == "forbidden"


BLOCKS = SOURCE.replace("def slow", "# EVOLVE-BLOCK-START\ndef slow") + "# EVOLVE-BLOCK-END\n\nprint(LIMIT)\n"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**53))
def test_code_outside_the_evolve_block_is_left_alone(seed: int) -> None:
    made = GeneticMutator(strict=True).propose(replace(REQUEST, source=BLOCKS, seed=seed, temperature=2))
    start = BLOCKS.index("# EVOLVE-BLOCK-START")
    assert made.source.startswith(BLOCKS[:start])
    assert made.source.endswith(BLOCKS[BLOCKS.index("# EVOLVE-BLOCK-END") :])


def test_an_operator_that_edits_outside_the_evolve_block_is_refused() -> None:
    edits = [
        lambda draft: draft.tree.body.append(ast.Pass()),
        lambda draft: draft.tree.body.insert(0, ast.Pass()),
    ]
    for edit in edits:
        refused = rejection(GeneticMutator([Editing(edit)]), replace(REQUEST, source=BLOCKS))
        assert (refused.reason, refused.detail) == ("forbidden", "changes code outside the EVOLVE-BLOCK")


# -- broken operators -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sites", "apply"])
def test_a_broken_operator_costs_its_turn_only(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    operator = Marked("broken", weight=1000)
    monkeypatch.setattr(operator, method, broken)
    assert "marked" in GeneticMutator([operator, Marked()]).propose(REQUEST).operator
    refused = rejection(GeneticMutator([operator]))
    assert (refused.reason, refused.detail) == ("operator", "broken: ZeroDivisionError: oh")
    with pytest.raises(ZeroDivisionError):
        GeneticMutator([operator], strict=True).propose(REQUEST)


def test_an_operator_that_breaks_in_a_chain_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Second(Marked):
        def sites(self, draft: Draft) -> Sequence[object]:
            return [0] if "mark" in ast.dump(draft.tree) else []

        def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
            raise ZeroDivisionError

    made = GeneticMutator([Marked(), Second("second", weight=50)]).propose(replace(REQUEST, temperature=2))
    assert set(made.operator.split("+")) == {"marked"}


def test_an_expression_that_was_replaced_is_seen_by_the_next_operator() -> None:
    class Deeper(Marked):
        def sites(self, draft: Draft) -> Sequence[object]:
            return [n for n in ast.walk(draft.tree) if isinstance(n, ast.Constant) and n.value == 0]

        def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
            assert isinstance(site, ast.expr)
            draft.replace_expression(site, parse_expression("g(0)"))
            return True

    made = GeneticMutator([Deeper()], strict=True).propose(replace(REQUEST, temperature=2, seed=4))
    assert made.source.count("g(") == len(made.operator.split("+"))
