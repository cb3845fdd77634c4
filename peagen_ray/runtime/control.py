"""What a person wants of a run that goes on, said from any thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from peagen_ray.runtime.paths import RunPaths


@dataclass
class Control:
    """A run's levers. The run looks at them several times a second.

    Attributes:
        paused: nothing new is asked; what is on its way comes back, and the clock of time limits goes on.
        stopped: the run is to end, keeping the best; as after Ctrl-C.
        gauges: somebody looks at the queue, which is then asked for its length with every progress.
        paths: the run's files; None until it has some.
        begun: set when there is a ledger to read.
    """

    paused: bool = False
    stopped: bool = False
    gauges: bool = False
    paths: RunPaths | None = None
    begun: threading.Event = field(default_factory=threading.Event)
