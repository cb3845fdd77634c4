"""The error tree is what its module draws, and each error says everything after a pickle's journey."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator

import pytest

from peagen_ray import errors
from peagen_ray.errors import MutationRejected, PeagenError, Unservable, UnsupportedSchema

_DRAWN = re.compile(r"^ {4}(?P<lines>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +exit (?P<code>\d))?")


def tree(cls: type[PeagenError]) -> Iterator[type[PeagenError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def drawn() -> list[tuple[str, str | None, int]]:
    """(name, parent, exit code) of each class that the docstring draws; a code not drawn is the parent's."""
    found: list[tuple[str, str | None, int]] = []
    branch: list[tuple[str, int]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = _DRAWN.match(line)
        if match is None:
            continue
        depth = len(match["lines"]) // 4
        parent, inherited = branch[depth - 1] if depth else (None, 1)
        code = int(match["code"] or inherited)
        branch[depth:] = [(match["name"], code)]
        found.append((match["name"], parent, code))
    return found


def made(cls: type[PeagenError]) -> PeagenError:
    if issubclass(cls, UnsupportedSchema):
        return cls(7, 1, "0123456789abcdef")
    if issubclass(cls, Unservable):
        return cls("mutate task 1", ("gpu", "llm"), hint="start a worker that offers them")
    if issubclass(cls, MutationRejected):
        return cls("identical", "nothing changed")
    return cls("it broke", subject="the thing", hint="mend it")


def test_the_drawn_tree_is_the_real_one() -> None:
    real = [(cls.__name__, cls.__bases__[0].__name__, cls.exit_code) for cls in tree(PeagenError)]
    (root, _, code), *rest = real
    assert drawn() == [(root, None, code), *rest]


def test_every_error_of_the_module_is_in_the_tree() -> None:
    defined = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)}
    assert defined == set(tree(PeagenError))


@pytest.mark.parametrize("cls", list(tree(PeagenError)), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_pickling(cls: type[PeagenError], protocol: int) -> None:
    before = made(cls)
    for after in (pickle.loads(pickle.dumps(before, protocol)), copy.copy(before), copy.deepcopy(before)):
        assert type(after) is cls
        assert str(after) == str(before)
        assert after.args == before.args
        assert vars(after) == vars(before)
        assert after.exit_code == before.exit_code


def test_the_message_says_what_happened_to_what_and_what_to_do() -> None:
    assert str(PeagenError("it broke")) == "it broke"
    assert str(PeagenError("it broke", subject="s")) == "s: it broke"
    assert str(PeagenError("it broke", hint="mend it")) == "it broke (mend it)"
    assert str(PeagenError("it broke", subject="s", hint="mend it")) == "s: it broke (mend it)"


def test_the_special_ones_say_their_own() -> None:
    assert "schema_v 7, this worker speaks 1" in str(made(UnsupportedSchema))
    assert "nothing here offers gpu, llm" in str(made(Unservable))
    assert str(MutationRejected("syntax")) == "syntax"
    assert str(made(MutationRejected)) == "identical: nothing changed"


def test_a_note_and_a_further_attribute_survive_too() -> None:
    before = PeagenError("it broke")
    before.add_note("on a Tuesday")
    after = pickle.loads(pickle.dumps(before))
    assert after.__notes__ == ["on a Tuesday"]
