"""Where values come from: a seeded generator for bulk, hypothesis for edge cases. Plans draw from either."""

from __future__ import annotations

import functools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, SearchStrategy

T = TypeVar("T")

REAL_STEP = 257 / 1024
"""Floats are multiples of this: sums of them are exact, so that their order does not matter."""

_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"]
_EDGE_ALPHABET = "abcAB01 \n\t.,-_'\"\\/éßİ中\u0301\u200b\u2028\U0001f600"
_EDGE_WORDS = ("", "a", "b", "ab", "ba", "A", "aa", " ", "é", "ß", "0", "a b", "中")
_POOL = 64
_MAX_DEPTH = 150


def word(index: int) -> str:
    """The word of a number: pronounceable, and another for each."""
    text = _SYLLABLES[index % 16]
    while index >= 16:
        index //= 16
        text += _SYLLABLES[index % 16]
    return text + "n"


class Drawing(ABC):
    """The values of one call.

    Attributes:
        size: how large the call's arguments are to be.
        limit: integers and words are drawn from so many different ones, so that coincidences happen.
        rows, columns: sides of every matrix in the call.
        depth: how deep the recursive object that is being drawn has become.
        mined: texts that the target itself mentions, which its inputs are likely to hold.
    """

    def __init__(self, size: int, mined: Sequence[str] = ()) -> None:
        self.size = size
        self.mined = mined
        self.limit = max(10, size)
        self.rows = self.columns = round(size**0.5)
        self.depth = 0

    @property
    def too_deep(self) -> bool:
        """Whether a recursive object must end here: deeper ones could not be pickled."""
        return self.depth >= _MAX_DEPTH

    @abstractmethod
    def between(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""

    @abstractmethod
    def number(self) -> int:
        """An integer as an element of a collection."""

    @abstractmethod
    def word(self) -> str:
        """A short text as an element of a collection."""

    @abstractmethod
    def text(self, length: int) -> str:
        """A text of about that length."""

    @abstractmethod
    def custom(self, kind: Any) -> Any:
        """An example of a type that hypothesis knows."""

    @abstractmethod
    def length(self, size: int) -> int:
        """How many elements a collection gets that should have ``size``."""

    def scalar(self) -> int:
        """An integer argument beside collections: an index, a count, a bound."""
        return self.between(1, max(1, self.size))

    def real(self) -> float:
        """A finite float."""
        return self.number() * REAL_STEP

    def numbers(self, count: int) -> list[int]:
        """Many of ``number``."""
        return [self.number() for _ in range(count)]

    def words(self, count: int) -> list[str]:
        """Many of ``word``."""
        return [self.word() for _ in range(count)]

    def chance(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.between(1, one_in) == one_in

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.between(0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All of them, in any order (Fisher and Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.between(0, last)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed


class Bulk(Drawing):
    """Large plain values: finite, not negative, of the size that was asked for."""

    def __init__(self, seed: int, size: int, mined: Sequence[str] = ()) -> None:
        super().__init__(size, mined)
        self.rng = random.Random(f"{seed}/{size}")
        self._shift = self.rng.randrange(16)

    def between(self, low: int, high: int) -> int:
        """See ``Drawing``."""
        return self.rng.randint(low, high)

    def number(self) -> int:
        """From 0 up to ``limit``."""
        return int(self.rng.random() * self.limit)

    def numbers(self, count: int) -> list[int]:
        """See ``Drawing``."""
        return self.rng.choices(range(self.limit), k=count)

    def word(self) -> str:
        """One of ``limit / 4`` words, or one in four times one that the target mentions."""
        if self.mined and self.chance(4):
            return self.rng.choice(self.mined)
        return word(self._shift + int(self.rng.random() * max(4, self.limit // 4)))

    def words(self, count: int) -> list[str]:
        """See ``Drawing``."""
        known = [word(self._shift + index) for index in range(max(4, self.limit // 4))]
        return self._salted(self.rng.choices(known, k=count), 4)

    def text(self, length: int) -> str:
        """Sentences, with what the target mentions in them; once in six one that reads the same backwards."""
        count = length // 4 + 1
        known = [word(self._shift + index) for index in range(max(8, count // 8))]
        words = self.rng.choices(known, k=count)
        for start in range(0, count, 9):
            words[start] = words[start].capitalize()
            words[start - 1] += "." if start % 2 else ","
        text = " ".join(self._salted(words, 2))[:length]
        return text[: (length + 1) // 2] + text[: length // 2][::-1] if self.chance(6) else text

    def _salted(self, words: list[str], one_in: int) -> list[str]:
        """The words, once in so many times one that the target mentions in the place of another."""
        if self.mined:
            for index in range(len(words)):
                if self.rng.random() * one_in < 1:
                    words[index] = self.rng.choice(self.mined)
        return words

    def custom(self, kind: Any) -> Any:
        """One of a few examples, drawn once."""
        return self.pick(_pool(kind))

    def length(self, size: int) -> int:
        """Exactly ``size``."""
        return size

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """See ``Drawing``."""
        return self.rng.sample(items, k=len(items))


class Edge(Drawing):
    """Small unusual values, drawn by hypothesis."""

    def __init__(self, data: DataObject, size: int, mined: Sequence[str] = ()) -> None:
        super().__init__(size, mined)
        from hypothesis import strategies

        self._data = data
        self._st = strategies
        self._uneven = self.chance(4)

    def between(self, low: int, high: int) -> int:
        """See ``Drawing``."""
        drawn: int = self._data.draw(self._st.integers(low, high))
        return drawn

    def scalar(self) -> int:
        """From 0 to one more than ``size``."""
        return self.between(0, self.size + 1)

    def number(self) -> int:
        """Mostly close to zero, of either sign."""
        st = self._st
        drawn: int = self._data.draw(st.integers(-3, 3) | st.integers(0, 9) | st.integers(-1000, 1000))
        return drawn

    def word(self) -> str:
        """Mostly one of a few, often one that the target mentions."""
        st = self._st
        if self.mined and self.chance(3):
            return self.pick(self.mined)
        drawn: str = self._data.draw(st.sampled_from(_EDGE_WORDS) | self._texts(_EDGE_ALPHABET, 4))
        return drawn

    def text(self, length: int) -> str:
        """At most ``length`` characters of several scripts, or of what the target mentions."""
        if self.mined and self.chance(2):
            return "".join(self.pick(self.mined) for _ in range(self.between(0, length)))[:length]
        drawn: str = self._data.draw(self._texts("ab", length) | self._texts(_EDGE_ALPHABET, length))
        return drawn

    def _texts(self, alphabet: str, longest: int) -> SearchStrategy[str]:
        """Not hypothesis' ``text``, which begins by computing a table of all Unicode, and writes it out."""
        letters: SearchStrategy[list[str]] = self._st.lists(self._st.sampled_from(alphabet), max_size=longest)
        return letters.map("".join)

    def custom(self, kind: Any) -> Any:
        """See ``Drawing``."""
        return self._data.draw(self._st.from_type(kind))

    def length(self, size: int) -> int:
        """Usually the same for all collections of the call; once in four calls each has its own."""
        return self.between(0, size) if self._uneven else size


@functools.cache
def _pool(kind: Any) -> list[Any]:
    from hypothesis import strategies

    return examples(lambda data: data.draw(strategies.from_type(kind)), seed=0, count=_POOL)


def examples(make: Callable[[DataObject], T], *, seed: int, count: int) -> list[T]:
    """At most ``count`` results of ``make`` on hypothesis' data; the same for the same seed, in any process.

    Raises:
        hypothesis.errors.HypothesisException: a type that cannot be made.
    """
    import hypothesis
    from hypothesis import HealthCheck, Phase, strategies

    found: list[T] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        backend=_backend(),
    )
    @hypothesis.given(strategies.data())
    def collect(data: DataObject) -> None:
        found.append(make(data))

    collect()
    return found[:count]


@functools.cache
def _backend() -> str:
    """Name of the back-end whose examples depend on the seed only, in hypothesis' register."""
    from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS

    AVAILABLE_PROVIDERS["peagen"] = "peagen_ray.workload._reproducible.Reproducible"
    return "peagen"
