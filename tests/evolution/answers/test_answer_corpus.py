"""Every shape of answer in the corpus means what was intended, or is refused for the right reason."""

from __future__ import annotations

import answer_blocks
import answer_diffs
import answer_prose
import answer_rewrites
import answer_wrapped
import pytest
from answer_shape import Shape

from peagen_ray.evolution.answers import Changed, read_answer

CORPUS = {
    f"{family.__name__.removeprefix('answer_')}: {shape.name}": shape
    for family in (answer_diffs, answer_blocks, answer_rewrites, answer_prose, answer_wrapped)
    for shape in family.SHAPES
}


@pytest.mark.parametrize("shape", CORPUS.values(), ids=CORPUS.keys())
def test_an_answer_means_what_was_intended(shape: Shape) -> None:
    said = read_answer(shape.answer, shape.parent, shape.entry, name=shape.file, finished=shape.finished)
    if isinstance(shape.gives, str) and not hasattr(shape.gives, "value"):
        assert isinstance(said, Changed), said
        assert said.source == shape.gives
    else:
        assert not isinstance(said, Changed), said.source
        assert said.reason is shape.gives, said
        assert shape.detail in said.detail


def test_the_corpus_is_not_small() -> None:
    families = (answer_diffs, answer_blocks, answer_rewrites, answer_prose, answer_wrapped)
    assert len(CORPUS) == sum(len(family.SHAPES) for family in families) >= 120
