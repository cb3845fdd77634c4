"""The contract of every task queue, as a test suite.

Prove a provider by subclassing::

    class TestMyQueue(TaskQueueSuite):
        UNIT = 0.2                      # its clock is real; see below

        @pytest.fixture
        def make_queue(self):
            with contextlib.ExitStack() as stack:
                yield lambda **options: stack.enter_context(MyQueue.from_url(an_empty_one(), **options))

A provider whose clock can be moved overrides :meth:`TaskQueueSuite.advance` and keeps ``UNIT``.
"""

from __future__ import annotations

from peagen_ray.testing._queue_crowd import Crowd
from peagen_ray.testing._queue_ending import Ending
from peagen_ray.testing._queue_interface import Interface
from peagen_ray.testing._queue_kit import MakeQueue
from peagen_ray.testing._queue_reading import Reading
from peagen_ray.testing._queue_serving import Serving

__all__ = ["MakeQueue", "TaskQueueSuite"]


class TaskQueueSuite(Interface, Serving, Ending, Reading, Crowd):
    """Guarantees of every provider; the fixture ``make_queue(**options)`` opens a new empty queue."""
