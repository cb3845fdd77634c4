"""Servers and queues that several tests of queues share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.testing.servers import FLAVOURS, Flavour, RedisServer, need

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A running server of each flavour, without persistence; give every queue a prefix of its own."""
    need(request.param)
    with RedisServer(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def valkey() -> Iterator[RedisServer]:
    """A running Valkey."""
    need("valkey")
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def open_queue(valkey: RedisServer) -> Iterator[Callable[..., RedisQueue]]:
    """Opens handles; those without a prefix are on one new queue."""
    prefix = new_prefix()
    with ExitStack() as stack:

        def make(url: str = valkey.url, **options: Any) -> RedisQueue:
            options.setdefault("prefix", prefix)
            return stack.enter_context(RedisQueue.from_url(url, **options))

        yield make


@pytest.fixture
def on_either(server: RedisServer) -> Iterator[Callable[..., RedisQueue]]:
    """Opens handles on one new queue of each flavour of server."""
    prefix = new_prefix()
    with ExitStack() as stack:

        def make(**options: Any) -> RedisQueue:
            return stack.enter_context(RedisQueue.from_url(server.url, **{"prefix": prefix, **options}))

        yield make


def in_turn() -> list[Any]:
    """Valkey, and at night Redis: that our scripts and calls mean the same to both, the contract and the machine prove."""
    marks = {"redis": [pytest.mark.nightly]}
    return [pytest.param(name, marks=marks.get(name, [])) for name in FLAVOURS]


@pytest.fixture(scope="session", params=in_turn())
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Each flavour of server in turn, for tests that start one of their own."""
    need(request.param)
    found: Flavour = request.param
    return found


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def new_prefix() -> str:
    """A prefix that no other test has."""
    return f"test{next(_NUMBERS)}."
