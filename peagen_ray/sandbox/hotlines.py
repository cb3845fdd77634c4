"""Where a program spends its time, line by line: traced within a guest, and only a hint.

What tracing itself takes is the same for each line, so that the least that was ever seen between two lines is taken off
every one. A program that wants to may lie about it: nothing is decided by what is found here.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

MOST_LINES: Final = 300_000
"""Lines that are traced at most: about a tenth of a second."""

TOLD: Final = 6
"""Lines that are told, the hottest ones."""

_LEAST: Final = 30
"""Share of the time, in thousandths, of a line that is worth telling."""

_clock = time.perf_counter_ns


class Tracer:
    """Charges time to the lines of one file.

    Args:
        file: as its code names it; what runs elsewhere counts for the line that called it.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._spent: Counter[int] = Counter()
        self._seen: Counter[int] = Counter()
        self._line = 0
        self._last = 0
        self._left = MOST_LINES
        self._least = sys.maxsize

    def run(self, calls: Sequence[Callable[[], object]]) -> list[list[int]]:
        """Make the calls; the hottest lines and their shares in thousandths.

        Nothing where there were more lines than are traced: the first of them say nothing about the rest.
        """
        self._last = _clock()
        sys.settrace(self._entered)
        try:
            for call in calls:
                call()
        finally:
            sys.settrace(None)
        return self._hottest() if self._left > 0 else []

    def _hottest(self) -> list[list[int]]:
        spent = {line: ns - self._seen[line] * self._least for line, ns in self._spent.items() if line}
        whole = sum(spent.values())
        shares = [[line, round(1000 * ns / whole)] for line, ns in spent.items()] if whole > 0 else []
        hot = [share for share in shares if share[1] >= _LEAST]
        return sorted(hot, key=lambda share: (-share[1], share[0]))[:TOLD]

    def _entered(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        if frame.f_code.co_filename != self._file or self._left <= 0:
            return None
        self._charge(frame.f_lineno)
        return self._moved

    def _moved(self, frame: FrameType, event: str, _arg: Any) -> Any:
        back = frame.f_back
        if event != "return":
            self._charge(frame.f_lineno)
        elif back is not None and back.f_code.co_filename == self._file:
            self._charge(back.f_lineno)
        else:
            self._charge(0)
        return self._moved

    def _charge(self, line: int) -> None:
        """What passed belongs to the line that was reached last; from now on to this one."""
        passed = _clock() - self._last
        self._spent[self._line] += passed
        self._seen[self._line] += 1
        self._least = min(self._least, passed)
        self._line = line
        self._left -= 1
        if self._left <= 0:
            sys.settrace(None)
        self._last = _clock()
