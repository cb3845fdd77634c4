"""What an entry of the corpus is, and the programs that its answers are about."""

from __future__ import annotations

from dataclasses import dataclass

from peagen_ray.evolution.answers import Reason

TOTAL = '''"""Sums."""

import math


def weigh(x):
    return math.floor(x) * 2


def total(values):
    """Add up the weights."""
    result = 0
    for value in values:
        result = result + weigh(value)
    return result


def last(values):
    result = None
    for value in values:
        result = value
    return result
'''

BOX = '''class Box:
    """Holds items."""

    limit = 10

    def __init__(self, items=()):
        self.items = list(items)

    @staticmethod
    def double(x):
        return x + x

    def find(self, wanted):
        for index in range(len(self.items)):
            if self.items[index] == wanted:
                return index
        return -1

    def size(self):
        count = 0
        for _ in self.items:
            count += 1
        return count
'''

EVOLVE = """import random

SEED = 1


# EVOLVE-BLOCK-START
def step(x):
    y = x + 1
    return y


def search(n):
    best = 0
    for i in range(n):
        best = step(best)
    return best
# EVOLVE-BLOCK-END


def main():
    random.seed(SEED)
    print(search(10))
"""


@dataclass(frozen=True)
class Shape:
    """An answer, and what it says.

    Attributes:
        name: what is special about it.
        parent: the program.
        entry: the entry.
        answer: what the model said.
        gives: the program that it makes, or why it makes none.
        detail: a part of what is said about the reason.
        file: the file name that the model was told.
    """

    name: str
    parent: str
    entry: str
    answer: str
    gives: str | Reason
    detail: str = ""
    file: str = ""
    finished: bool = True


def edited(parent: str, *pairs: tuple[str, str]) -> str:
    """A program with some parts replaced, each of which it has once."""
    for old, new in pairs:
        assert parent.count(old) == 1, old
        parent = parent.replace(old, new)
    return parent
