"""dramatiq, which acknowledges late, with its results kept: ``with_dramatiq.py produce URL``.

Workers are started by ``python -m dramatiq with_dramatiq``; the address is in ``BENCH_URL``.
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from protocol import serve

URL = os.environ["BENCH_URL"]
broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def nothing(n: int) -> int:
    return n


def produce(number: int) -> None:
    for message in [nothing.send(n) for n in range(number)]:
        message.get_result(block=True, timeout=60_000)


if __name__ == "__main__":
    serve(produce)
