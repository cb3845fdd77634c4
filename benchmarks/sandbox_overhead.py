"""What a jailed process costs, from asking for it to its being gone, with one trivial call; prints one JSON line.

`jailed` is a guest of the sandbox `process`, forked by the launcher; `bare` the same with no jail. `bwrap_cold` is the
least that bubblewrap can do: an interpreter that does nothing, in the same kind of root. `bubblewrap` and `container`
are our guests in those. All take turns in one run, so that a busy machine is busy for all of them. Bars: `jailed` at
most 20 ms (median), and no slower than `bwrap_cold`.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peagen_ray.errors import SandboxError
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestLimits, Sandbox
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.container import Container, ContainerSandbox
from peagen_ray.sandbox.engine import Engine
from peagen_ray.sandbox.examination import Unconfined
from peagen_ray.sandbox.process import GUEST, ProcessSandbox
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.testing.container_image import image as image_of_python
from peagen_ray.workload.target import Call

SOURCE = "def f(x):\n    return x\n"
CALL = pickle.dumps(Call((1,)))
LIMITS = GuestLimits()
PROCESSES = min(4096, resource.getrlimit(resource.RLIMIT_NPROC)[1] % (1 << 63))
LIMITED = ("--ulimit", f"nproc={PROCESSES}:{PROCESSES}")
"""An engine's own default may be more than it is allowed to set."""


def guest(sandbox: Sandbox) -> Callable[[], None]:
    def once() -> None:
        with sandbox.start(LIMITS) as started:
            Subject(SOURCE, "f").load(started, "a", SOURCE)
            run(started, "a", CALL)

    return once


def bwrap_cold() -> Callable[[], None]:
    python = Path(sys.executable).resolve()
    seen = [path for path in ("/usr", "/lib", "/lib64", str(python.parents[1])) if Path(path).exists()]
    words = [word for path in dict.fromkeys(seen) for word in ("--ro-bind", path, path)]
    command = ["bwrap", *words, "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent"]
    return lambda: subprocess.run([*command, str(python), "-I", "-S", "-c", "pass"], check=True) and None


def contestants(launcher: Launcher, image: str) -> dict[str, Callable[[], None]]:
    found = {"bare": guest(Unconfined(launcher)), "jailed": guest(ProcessSandbox(launcher))}
    if shutil.which("bwrap"):
        found |= {"bwrap_cold": bwrap_cold(), "bubblewrap": guest(BubblewrapSandbox(launcher))}
    if image:
        container = Container(image, engine_options=LIMITED)
        found["container"] = guest(ContainerSandbox(launcher, container=container))
    return found


@contextmanager
def an_image() -> Iterator[str]:
    """An image made from this interpreter; "" where there is no engine."""
    try:
        engine = Engine.find()
    except SandboxError as error:
        sys.stderr.write(f"containers are left out: {error}\n")
        yield ""
        return
    with image_of_python(engine) as name:
        yield name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    with Launcher.start([GUEST]) as launcher, an_image() as name:
        todo = contestants(launcher, name)
        taken: dict[str, list[float]] = {name: [] for name in todo}
        for number in range(options.rounds + 2):
            for name, once in todo.items():
                if name == "container" and number % 10:
                    continue
                begun = time.perf_counter()
                once()
                if number >= 2 or name == "container":  # the first ones make what all share
                    taken[name].append((time.perf_counter() - begun) * 1e3)
    medians = {name: round(statistics.median(times), 2) for name, times in taken.items()}
    line = {"benchmark": "sandbox_overhead", "rounds": options.rounds, "median_ms": medians, "bar_ms": 20}
    line["jailed_p95_ms"] = round(statistics.quantiles(taken["jailed"], n=20)[-1], 2)
    if "bwrap_cold" in medians:
        line["ratio"] = round(medians["jailed"] / medians["bwrap_cold"], 3)
        line["bar_ratio"] = 1.0
    print(json.dumps(line))


if __name__ == "__main__":
    main()
