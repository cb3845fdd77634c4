"""PT-3: no-op tasks through a queue, from enqueueing to the producer's seeing the result; prints one JSON line.

Contestants take turns on one Valkey server that keeps a log on disk, each with as many worker processes: ours in
batches, ours one task a call, the floor (the same JSON through bare streams in batches), dramatiq and celery, both
told to acknowledge late and to keep results. ``cpu_us`` is the processor time of producer, workers and server
together. Bars: ours at least three times dramatiq's rate, at most a third of its processor time, and 60 000 tasks
a minute; at least 0.3 of the floor's rate is wanted. The peers are installed once, into an environment of
their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from _processes import cpu_s, end, line, say, start

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Task, TaskKind
from peagen_ray.testing.servers import RedisServer

FOLDER = Path(__file__).resolve().parent / "_rate"
PEERS = ("dramatiq[redis]==2.2.1", "celery[redis]==5.7.0", "redis==8.1.0", "hiredis==3.5.0")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "peagen-ray" / "queue-peers"
SERVER = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
OURS = 9_000
"""Fewer than the Results that a queue keeps by default: the producer reads them once it has enqueued."""

WAITING = 10_000
BARS = {"rate_to_dramatiq": 3.0, "cpu_to_dramatiq": 0.333, "per_minute": 60_000}
WANTED = {"rate_to_bare": 0.3}


@dataclass(frozen=True)
class Contestant:
    """One way to run tasks.

    Attributes:
        tasks: how many make a round.
        produce: the command of its producer.
        work: the command of a worker, by its number.
    """

    tasks: int
    produce: list[str]
    work: Callable[[int], list[str]]


def contestants(peers: Path | None, url: str) -> dict[str, Contestant]:
    """Those that can be run; ``peers`` is the Python that has the others installed."""

    def script(tasks: int, name: str, suffix: str = "") -> Contestant:
        def run(role: str) -> list[str]:
            return [sys.executable, name, role + suffix, url]

        return Contestant(tasks, run("produce"), lambda _: run("work"))

    found = {
        "bare": script(20_000, "bare.py"),
        "ours": script(OURS, "ours.py"),
        "ours_singly": script(3_000, "ours.py", "-singly"),
    }
    if peers:
        python = str(peers)
        dramatiq = [python, "-m", "dramatiq", "with_dramatiq", "--processes=1", f"--threads={THREADS}"]
        celery = [python, "-m", "celery", "-A", "with_celery", "worker", "--pool=solo", "--loglevel=ERROR"]
        celery += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        found["dramatiq"] = Contestant(3_000, [python, "with_dramatiq.py"], lambda _: dramatiq)
        found["celery"] = Contestant(
            1_000, [python, "with_celery.py"], lambda n: [*celery, f"--hostname=w{n}"]
        )
    return found


THREADS = 8
"""Threads of one dramatiq worker: its default, and its quickest here."""


def installed(folder: Path) -> Path:
    """The Python of an environment that has the peers."""
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists() or done.read_text() != " ".join(PEERS):
        say(f"installing {' '.join(PEERS)} into {folder} (once)")
        venv.create(folder, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]
        subprocess.run(command, check=True, stdout=sys.stderr)
        done.write_text(" ".join(PEERS))
    return python


def one_round(server: RedisServer, contestant: Contestant, workers: int, scale: float) -> tuple[float, float]:
    """Tasks a second, and microseconds of processor time a task."""
    with server.client() as client:
        client.flushall()
    number = max(1, int(contestant.tasks * scale))
    here = {"BENCH_URL": server.url, "C_FORCE_ROOT": "1"}
    with ExitStack() as stack:
        folder = str(FOLDER)
        crew = [start(contestant.work(n), environment=here, folder=folder) for n in range(workers)]
        crew.append(start(contestant.produce, environment=here, folder=folder, talks=True))
        for each in crew:
            stack.callback(end, each)
        producer = crew[-1]
        assert producer.stdin
        assert line(producer) == "ready"
        pids = [server.pid, *(each.pid for each in crew)]
        before = cpu_s(pids)
        producer.stdin.write(f"{number}\n")
        producer.stdin.flush()
        seconds = float(line(producer))
        return number / seconds, 1e6 * (cpu_s(pids) - before) / number


def bytes_per_waiting_task(server: RedisServer, number: int) -> float:
    """What the server's memory grows by with each task that waits."""
    with server.client() as client, RedisQueue.from_url(server.url) as queue:
        client.flushall()
        queue.pending_count()  # loads the script
        before = client.info("memory")["used_memory"]
        tasks = [Task(kind=TaskKind.EXECUTE, requires={"cpu"}, payload={"n": n}) for n in range(number)]
        queue.enqueue_all(tasks)
        return float(client.info("memory")["used_memory"] - before) / number


def compared(rates: dict[str, float], cpu: dict[str, float]) -> dict[str, float]:
    """The ratios that are asked for, of those who took part."""
    found: dict[str, float] = {}
    for peer in ("dramatiq", "celery", "bare"):
        if peer in rates and "ours" in rates:
            found[f"rate_to_{peer}"] = round(rates["ours"] / rates[peer], 3)
            found[f"cpu_to_{peer}"] = round(cpu["ours"] / cpu[peer], 3)
            if "ours_singly" in rates:
                found[f"singly_rate_to_{peer}"] = round(rates["ours_singly"] / rates[peer], 3)
                found[f"singly_cpu_to_{peer}"] = round(cpu["ours_singly"] / cpu[peer], 3)
    if "ours" in rates:
        found["per_minute"] = round(60 * rates["ours"])
    return found


def missed(found: dict[str, float]) -> list[str]:
    """The bars that are not cleared, or could not be looked at."""
    return [
        name
        for name, bar in BARS.items()
        if name not in found or (found[name] > bar if name.startswith("cpu") else found[name] < bar)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default 5)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tasks of a round (default 1)")
    parser.add_argument("--only", nargs="*", default=[], help="contestants; all if left out")
    parser.add_argument("--peers", type=Path, default=CACHE, help="environment of the peers")
    options = parser.parse_args()
    wants_peers = not options.only or {"dramatiq", "celery"} & set(options.only)
    peers = installed(options.peers) if wants_peers else None
    rates: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    with RedisServer("valkey", options=SERVER) as server:
        chosen = contestants(peers, server.url)
        chosen = {name: each for name, each in chosen.items() if not options.only or name in options.only}
        for number in range(options.rounds):
            for name, each in chosen.items():
                rate, used = one_round(server, each, options.workers, options.scale)
                rates.setdefault(name, []).append(rate)
                cpu.setdefault(name, []).append(used)
                say(f"round {number + 1}: {name} {rate:.0f}/s, {used:.0f} us")
        memory = bytes_per_waiting_task(server, WAITING)
    rate_of = {name: statistics.median(each) for name, each in rates.items()}
    cpu_of = {name: statistics.median(each) for name, each in cpu.items()}
    found = compared(rate_of, cpu_of)
    short = missed(found)
    result = {
        "benchmark": "PT-3",
        "tasks_per_s": {name: round(each) for name, each in rate_of.items()},
        "cpu_us": {name: round(each) for name, each in cpu_of.items()},
        **found,
        "bytes_per_waiting_task": round(memory),
        "rounds": options.rounds,
        "workers": options.workers,
        "bars": BARS,
        "wanted": WANTED,
        "missed": short,
        "ok": not short,
    }
    print(json.dumps(result))
    return 0 if not short else 1


if __name__ == "__main__":
    sys.exit(main())
