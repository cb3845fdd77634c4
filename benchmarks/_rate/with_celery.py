"""celery, told to acknowledge late, with its results kept: ``with_celery.py produce URL``.

Workers are started by ``python -m celery -A with_celery worker``; the address is in ``BENCH_URL``.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.result import ResultSet
from protocol import serve

URL = os.environ["BENCH_URL"].replace("unix://", "redis+socket://")
app = Celery("with_celery", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=100,
    task_ignore_result=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    result_expires=3600,
)


@app.task(name="nothing")
def nothing(n: int) -> int:
    return n


def produce(number: int) -> None:
    ResultSet([nothing.delay(n) for n in range(number)]).join_native(timeout=120)


if __name__ == "__main__":
    serve(produce)
