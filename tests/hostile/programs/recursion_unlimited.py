# tries: lifts the limit of recursion and overflows the stack
# screening: killed|memory|incorrect|timeout
# confirmation: killed|memory|incorrect|timeout
import sys

sys.setrecursionlimit(1 << 30)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x"[:0])


def total(numbers):
    return Deep().x
