"""How long `peagen-ray render` takes against a plain Jinja2 loop; prints one JSON line.

The site has 200 templates, each of which goes through all rows of a CSV file of 5 MB. Both are processes of their own,
from start to end, in turns, so that a busy machine slows both alike; both must write the same bytes. `one_core` is the
ratio with both bound to one core, of the time or of the CPU time, whichever is larger; `two_workers` the ratio of the
times where ours has two workers and two cores. Bars: `one_core` at most 1.3, `two_workers` below 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TEMPLATES = 200
BYTES = 5_000_000
ONE_CORE, TWO_WORKERS = 1.3, 1.0

PLAIN = """
import csv, sys
from pathlib import Path
from jinja2 import Environment, FileSystemLoader, StrictUndefined
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
with (folder / "rows.csv").open(newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
environment = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=True)
for path in sorted((folder / "pages").iterdir()):
    text = environment.get_template(f"pages/{path.name}").render(title="Shop", rows=rows)
    target = out / "pages" / path.name.removesuffix(".j2")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
"""

TEMPLATE = """<h1>{{ title }}: group GROUP</h1>
<table>
{%- for row in rows if row.group == "GROUP" %}
<tr><td>{{ loop.index }}</td><td>{{ row.name }}</td><td>{{ row.price }}</td><td>{{ row.about | upper }}</td></tr>
{%- endfor %}
</table>
"""

PROJECT = """
data: {title: Shop}
files: {rows: rows.csv}
outputs:
  - {template: pages, path: "pages/{{ template.path }}"}
"""


def make_site(folder: Path) -> None:
    chance = random.Random(1)
    words = ["heron", "maple", "quartz", "lantern", "ribbon", "thistle"]
    lines, size = ["id,group,name,price,about"], 0
    while size < BYTES:
        about = " ".join(chance.choices(words, k=8))
        number = len(lines)
        lines.append(
            f"{number},g{number % TEMPLATES},{chance.choice(words)} {number},{chance.random():.2f},{about}"
        )
        size += len(lines[-1]) + 1
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "site.yaml").write_text(PROJECT)
    (folder / "pages").mkdir()
    for number in range(TEMPLATES):
        (folder / "pages" / f"g{number}.html.j2").write_text(TEMPLATE.replace("GROUP", f"g{number}"))


def timed(command: Sequence[str], cores: set[int], folder: Path) -> tuple[float, float]:
    """Wall time and CPU time, its children's included, in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, rounds: int) -> dict[str, object]:
    cores = sorted(os.sched_getaffinity(0))
    one, two = set(cores[:1]), set(cores[:2])
    ours = [sys.executable, "-m", "peagen_ray", "render", "--project", "site.yaml", "--sync", "--concurrency"]
    commands = {
        "plain": ([sys.executable, "-c", PLAIN, str(folder), str(folder / "out-plain")], one),
        "one": ([*ours, "1", "--out", "out-one"], one),
        "two": ([*ours, "2", "--out", "out-two"], two),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, bound) in commands.items():
            shutil.rmtree(folder / f"out-{name}", ignore_errors=True)
            taken[name].append(timed(command, bound, folder))
    for name in ("one", "two"):
        subprocess.run(["diff", "-rq", "out-plain", f"out-{name}"], check=True, cwd=folder)
    wall = {name: statistics.median(each[0] for each in found) for name, found in taken.items()}
    cpu = {name: statistics.median(each[1] for each in found) for name, found in taken.items()}
    single = [b[0] / a[0] for a, b in zip(taken["plain"], taken["one"], strict=True)]
    double = [b[0] / a[0] for a, b in zip(taken["plain"], taken["two"], strict=True)]
    one_core = max(statistics.median(single), cpu["one"] / cpu["plain"])
    two_workers = statistics.median(double)
    return {
        "benchmark": "render_site",
        "one_core": round(one_core, 3),
        "two_workers": round(two_workers, 3),
        "seconds": {name: round(value, 2) for name, value in wall.items()},
        "cpu_seconds": {name: round(value, 2) for name, value in cpu.items()},
        "rounds": rounds,
        "bars": {"one_core": ONE_CORE, "two_workers": TWO_WORKERS},
        "ok": one_core <= ONE_CORE and two_workers < TWO_WORKERS,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    with tempfile.TemporaryDirectory(prefix="peagen-site-") as name:
        folder = Path(name)
        make_site(folder)
        found = measure(folder, parser.parse_args().rounds)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
