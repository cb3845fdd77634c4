"""A consumer that does what its tasks say, and writes down what it begins and ends. Not a test.

Usage: chaos_worker.py URL LOG OPTIONS-AS-JSON
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from peagen_ray.queues.base import Claim
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result

CPU = frozenset({"cpu"})
LEASE_S = 1.0
SLOW_S = 1.3


def main() -> None:
    url, path, options = sys.argv[1:]
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    queue = RedisQueue.from_url(url, **json.loads(options))
    held: dict[str, Claim] = {}
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())

    def beat() -> None:
        while True:
            time.sleep(LEASE_S / 3)
            queue.extend_all(list(held.values()))

    threading.Thread(target=beat, daemon=True).start()
    owner = f"worker-{os.getpid()}"
    while not leaving.is_set():
        claims = queue.claim(CPU, owner, 4, 0.2, lease=LEASE_S, begin=False)
        held.update({claim.token: claim for claim in claims})
        for claim in claims:
            begun = queue.begin(claim)
            if begun is not None:
                do(queue, begun, log)
            del held[claim.token]


def do(queue: RedisQueue, claim: Claim, log: int) -> None:
    task, what = claim.task, claim.task.payload["what"]
    os.write(log, f"start {task.id} {claim.token} {task.attempts}\n".encode())
    if what == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "slow":
        time.sleep(SLOW_S)
    if what == "bad" or (what == "flaky" and task.attempts == 1):
        queue.fail(claim, Result.failure(task, what, retryable=what == "flaky"))
    elif queue.complete(claim, Result.success(task, {"by": os.getpid()})):
        os.write(log, f"done {task.id} {claim.token} {task.attempts}\n".encode())


if __name__ == "__main__":
    main()
