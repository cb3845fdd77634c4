"""What a contestant's producer and queue_rate.py say to each other; standard library only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

WARM_UP = 200


def serve(run: Callable[[int], None]) -> None:
    """Run so many tasks from enqueueing to their results, for each number that is read.

    Prints ``ready`` once a first few went through, then the seconds that each number took.
    """
    run(WARM_UP)
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        run(int(line))
        print(time.perf_counter() - began, flush=True)
