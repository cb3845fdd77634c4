"""A process with a warm pool: fills it when told so, says what it has, and holds it until it is told to leave.

Arguments: the directory of slots, their number, the directory for scratch directories.
"""

import json
import sys
from pathlib import Path

from fabric_bench import FilledPool

from peagen_ray.fabric.oneshot import PRELOAD
from peagen_ray.launcher.client import Launcher

slots, size, scratches = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])


def say(**facts) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


with (
    Launcher.start(PRELOAD) as launcher,
    FilledPool(launcher, size, slots, 600, scratch_root=scratches) as pool,
):
    say(launcher=launcher.pid)
    for _ in sys.stdin:
        pool.fill()
        say(pids=[standing.parked.child.pid for standing in pool._idle])
