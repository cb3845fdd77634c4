"""Random edits of random programs, written in every form: they come back as that edit, or not at all."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from peagen_ray.evolution.answers import Changed, Reason, read_answer
from peagen_ray.workload.fingerprint import fingerprint

Draw = st.DrawFn
PROSE = [
    "", "Here is a faster version:\n\n", "I thought about it.\n- It was slow.\n- It is fast.\n\n",
    "<think>\nmaybe `x = 1`?\n```python\nx = 1\n```\n</think>\n", "1. First\n2. Second\n",
]  # fmt: skip
AFTER = ["", "\nThis is faster.\n", "\n\n**Why**: fewer steps.\n- Less work.\n", "\n"]
NAMES = "abxy"

simple = st.builds(
    "{} = {}".format,
    st.sampled_from(NAMES),
    st.sampled_from(["a", "b + 1", "[x, y]", "f(a)", "x * 2", "'  ='", "-1"]),
)
quoted = st.sampled_from(['x = """\n two\n"""', 'y = ("""a\n  b""", 1)'])
heads = st.sampled_from(["for x in a:", "if b:", "while y:", "with a:"])


@st.composite
def bodies(draw: Draw, depth: int = 2) -> list[str]:
    """The lines of a block, its own at the left margin."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 9))
        if kind < 6 or depth == 0:
            lines.append(draw(simple))
        elif kind == 6:
            lines += ["", f"# {draw(st.sampled_from(NAMES))}", draw(simple)]
        else:
            lines.append(draw(heads))
            lines += [f"    {line}" if line else "" for line in draw(bodies(depth=depth - 1))]
    return lines


@dataclass(frozen=True)
class Case:
    """A program before and after.

    Attributes:
        before: its lines.
        after: its lines.
        function: the lines ``start:end`` of the function that was edited, before.
        cut: the lines ``start:end`` that were replaced.
        size: how many lines are there in their place.
    """

    before: list[str]
    after: list[str]
    function: tuple[int, int]
    cut: tuple[int, int]
    size: int

    @property
    def source(self) -> str:
        """The program before."""
        return text(self.before)

    @property
    def edited(self) -> str:
        """The program after."""
        return text(self.after)


def text(lines: list[str]) -> str:
    """Lines as a file."""
    return "".join(f"{line}\n" for line in lines)


@st.composite
def cases(draw: Draw) -> Case:
    """A program of several functions, one of which is edited by replacing lines that stand at one depth."""
    lines = ['"""A module."""', "", "import math", ""]
    functions = []
    for number in range(draw(st.integers(1, 3))):
        start = len(lines)
        lines += [
            f"def f{number}(a, b):",
            *(f"    {line}" if line else "" for line in draw(bodies())),
            "    return a",
        ]
        functions.append((start, len(lines)))
        lines += ["", ""]
    lines = lines[:-2]
    chosen = draw(st.integers(0, len(functions) - 1))
    start, end = functions[chosen]
    first = draw(st.sampled_from([at for at in range(start + 1, end) if lines[at]]))
    indent = len(lines[first]) - len(lines[first].lstrip())
    last = draw(st.integers(first, end - 1))
    fresh = [" " * indent + line if line else "" for line in draw(bodies(depth=1))]
    if draw(st.booleans()):
        fresh = [*fresh, " " * indent + "marker = 1"]
    after = [*lines[:first], *fresh, *lines[last + 1 :]]
    case = Case(lines, after, (start, end), (first, last + 1), len(fresh))
    assume(is_other(case))
    return case


def is_other(case: Case) -> bool:
    """Whether the edit makes another program that parses."""
    try:
        compile(case.edited, "<edited>", "exec")
        return fingerprint(case.edited) != fingerprint(case.source)
    except SyntaxError:
        return False


def check(answer: str, case: Case, *, clear: bool) -> None:
    """The answer is that edit; or, if it is not clear where it belongs, none."""
    said = read_answer(answer, case.source, "f0")
    if isinstance(said, Changed):
        event("changed")
        assert said.source == case.edited
    else:
        event(said.reason)
        assert not clear, (str(said), answer)
        assert said.reason in (Reason.NOT_APPLICABLE, Reason.SIGNATURE)


def places(lines: list[str], wanted: list[str]) -> int:
    """In how many places lines stand, blanks and blank lines aside."""
    have = [line.strip() for line in lines if line.strip()]
    want = [line.strip() for line in wanted if line.strip()]
    return sum(have[at : at + len(want)] == want for at in range(len(have) - len(want) + 1)) if want else 0


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@quick
@given(case=cases(), context=st.integers(0, 5), wrap=st.integers(0, 3), data=st.data())
def test_a_diff_with_wrong_numbers_is_that_edit(
    case: Case, context: int, wrap: int, data: st.DataObject
) -> None:
    diff = list(difflib.unified_diff(case.before, case.after, "a/m.py", "b/m.py", n=context, lineterm=""))
    numbers = st.integers(0, 99)
    lines = [
        re.sub(r"\d+", lambda _: str(data.draw(numbers)), line) if line.startswith("@@") else line
        for line in diff
    ]
    body = "\n".join(lines)
    forms = [f"```diff\n{body}\n```\n", f"{body}\n", f"~~~~\n{body}\n~~~~", body.replace("\n", "\r\n")]
    prose, after = data.draw(st.sampled_from(PROSE)), data.draw(st.sampled_from(AFTER))
    hunks = "\n".join(diff).split("\n@@")[1:]
    befores = [[line[1:] for line in hunk.split("\n")[1:] if line[:1] in " -"] for hunk in hunks]
    clear = all(places(case.before, before) == 1 for before in befores)
    check(prose + forms[wrap] + after, case, clear=clear)


@quick
@given(case=cases(), context=st.integers(1, 5))
def test_a_diff_whose_kept_lines_lack_their_blank_is_that_edit(case: Case, context: int) -> None:
    diff = difflib.unified_diff(case.before, case.after, "a/m.py", "b/m.py", n=context, lineterm="")
    body = "\n".join(line.removeprefix(" ") for line in diff)
    said = read_answer(f"```diff\n{body}\n```", case.source, "f0")
    if isinstance(said, Changed):
        assert fingerprint(said.source) == fingerprint(case.edited)
    else:
        assert said.reason in (Reason.NOT_APPLICABLE, Reason.SIGNATURE)


@quick
@given(
    case=cases(), above=st.integers(0, 3), below=st.integers(0, 3), move=st.integers(-8, 8), data=st.data()
)
def test_a_block_moved_sideways_is_that_edit(
    case: Case, above: int, below: int, move: int, data: st.DataObject
) -> None:
    start, end = max(case.cut[0] - above, 0), min(case.cut[1] + below, len(case.before))
    search = case.before[start:end]
    replace = case.after[start : case.cut[0] + case.size + end - case.cut[1]]
    indents = [len(line) - len(line.lstrip()) for line in [*search, *replace] if line.strip()]
    assume(min(indents) + move >= 0)
    moved = [[shift(line, move) for line in lines] for lines in (search, replace)]
    assume(move == 0 or text(moved[0]) not in case.source)
    markers = data.draw(st.sampled_from([7, 5, 9]))
    block = (
        f"{'<' * markers} SEARCH\n{text(moved[0])}{'=' * markers}\n{text(moved[1])}{'>' * markers} REPLACE\n"
    )
    answer = data.draw(st.sampled_from(PROSE)) + data.draw(
        st.sampled_from([block, f"```python\n{block}```\n"])
    )
    clear = places(case.before, search) == 1
    check(answer + data.draw(st.sampled_from(AFTER)), case, clear=clear)


@quick
@given(case=cases(), move=st.integers(0, 4), data=st.data())
def test_a_function_in_a_fence_is_that_edit(case: Case, move: int, data: st.DataObject) -> None:
    start, end = case.function
    lines = case.after[start : end + len(case.after) - len(case.before)]
    assume('"""' not in text(lines) or move == 0)
    function = text([shift(line, move) for line in lines])
    forms = [f"```python\n{function}```\n", f"````\n{function}````", f"```py\n{function}"]
    answer = data.draw(st.sampled_from(PROSE)) + data.draw(st.sampled_from(forms))
    check(answer, case, clear=True)


@quick
@given(case=cases(), data=st.data())
def test_a_whole_file_is_that_edit(case: Case, data: st.DataObject) -> None:
    answer = (
        data.draw(st.sampled_from(PROSE))
        + f"```python\n{case.edited}```\n"
        + data.draw(st.sampled_from(AFTER))
    )
    check(answer, case, clear=True)


@quick
@given(case=cases(), below=st.integers(0, 1))
def test_what_stands_twice_is_refused(case: Case, below: int) -> None:
    end = min(case.cut[1] + below, len(case.before))
    search = case.before[case.cut[0] : end]
    replace = [*case.after[case.cut[0] : case.cut[0] + case.size], *case.before[case.cut[1] : end]]
    twice = text([*case.before, "", "", "def twin(a, b):", *search])
    assume(places([*case.before, *search], search) > 1)
    answer = f"<<<<<<< SEARCH\n{text(search)}=======\n{text(replace)}>>>>>>> REPLACE\n"
    said = read_answer(answer, twice, "f0")
    assert not isinstance(said, Changed)


def shift(line: str, move: int) -> str:
    """A line moved sideways."""
    if not line.strip():
        return line
    return " " * move + line if move >= 0 else line[-move:]
