"""The servers that tests start end with whoever started them."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.testing._queue_kit import LONG, a_task
from peagen_ray.testing.servers import Flavour, RedisServer

STARTS = """
import sys
from peagen_ray.testing.servers import RedisServer
server = RedisServer(sys.argv[1]).start()
print(server.pid, server.folder, flush=True)
sys.stdin.read()
"""


def test_a_server_dies_with_the_process_that_started_it(flavour: Flavour) -> None:
    command = [sys.executable, "-c", STARTS, flavour]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid, folder = parent.stdout.readline().split()
        server = os.pidfd_open(int(pid))
        parent.kill()
    try:
        assert select.select([server], [], [], LONG)[0] == [server]
    finally:
        os.close(server)
        subprocess.run(["rm", "-r", folder], check=True)


def test_a_server_keeps_its_address_and_data_over_a_restart_and_loses_them_when_it_stops(
    flavour: Flavour,
) -> None:
    with RedisServer(flavour, tcp=True, keep=True) as server:
        url, pid = server.url, server.pid
        with RedisQueue.from_url(url) as queue:
            queue.enqueue(a_task("cpu"))
            server.restart()
            assert (server.url, queue.pending_count()) == (url, 1)
            assert server.pid != pid
        folder = server.folder
    assert not folder.exists()
    assert server.pid == 0


def test_a_server_that_does_not_start_says_what_it_logged(flavour: Flavour) -> None:
    server = RedisServer(flavour, options=["--no-such-option", "1"])
    with pytest.raises(RuntimeError, match="no-such-option"):
        server.start()
    server.stop()
