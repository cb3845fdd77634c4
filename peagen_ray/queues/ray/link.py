"""The way to a queue's actor: finding the cluster, finding or making the actor, going on while either is away."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
import uuid
from contextlib import suppress
from typing import Any, Final

from peagen_ray.config.cluster import AUTO, NAMESPACE, address_of
from peagen_ray.errors import BrokerUnavailable, MissingExtra, QueueClosed, QueueError
from peagen_ray.queues.ray.address import listening
from peagen_ray.queues.ray.wire import Away, to_json, understood

try:
    import ray
    from ray import exceptions as broken
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise MissingExtra(
        "Ray is not installed", subject="queue ray", hint="pip install 'ray[default]'"
    ) from error

from peagen_ray.queues.ray.actor import QueueActor
from peagen_ray.queues.ray.joining import join

SLICE_S: Final = 2.0
"""Seconds that one call waits in the actor at most: how long it waits there for a caller that is dead."""

CALLS_AT_ONCE: Final = 10_000
"""Calls that the actor serves, or lets wait, at a time."""

_SILENCE_S: Final = 10.0
"""Seconds after which an actor that does not answer is asked again."""

_BIRTH_S: Final = 10.0
"""Seconds that an actor may take to start before it is asked again."""

_BLIP_S: Final = 1.0
"""Seconds of silence that nobody is told of."""

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_HEAD: Final = "node:__internal_head__"

_AWAY: Final = (broken.RayError, ConnectionError)
"""What is raised while the actor, its node or the cluster is away, or is coming back."""

_log = logging.getLogger(__name__)
_connecting = threading.Lock()


class Silent(Away):
    """There is no answer, and no reason."""


class Link:
    """A queue's actor, reached again whenever it was away.

    Calls are repeated, under the number that they had, until the actor answers or ``broker_timeout`` is over.
    A process has one connection to Ray: if there is one it is used, whatever the address; otherwise one is
    made, and stays until the process ends. No cluster is ever started.

    Concurrency: any thread.

    Args:
        url: ``ray://host:port`` (a Ray client server), ``host:port`` (the cluster itself), or one of "", ``auto``
            and ``ray://`` for the cluster of this machine or of ``RAY_ADDRESS``.
        name: the actor's.
        arguments: what the actor is made with, if there is none yet.
        broker_timeout: seconds that it may stay away before a call gives up.

    Raises:
        ConfigError: the address is none of these.
    """

    def __init__(self, url: str, name: str, arguments: dict[str, Any], *, broker_timeout: float) -> None:
        self._address = address_of(url)
        self.name = f"queue {name} on {self._address}"
        self._actor_name = name
        self._arguments = arguments
        self._timeout = broker_timeout
        self._silence = min(_SILENCE_S, max(0.5, broker_timeout / 3))
        self._me = uuid.uuid4().hex[:16]
        self._numbers = itertools.count(1)
        self._closed = threading.Event()
        self._greeting = threading.Lock()
        self._actor: Any = None
        self._away = threading.Lock()
        self._since: float | None = None
        self._told = False

    def call(self, step: str, *args: Any, wait: float = 0.0, now: float | None = None) -> Any:
        """What the actor answers to a step.

        Args:
            step: its name.
            args: its arguments; JSON.
            wait: seconds that the answer may take if there is nothing yet; more than SLICE_S counts as that.
            now: seconds since the epoch, in place of the actor's clock.

        Raises:
            BrokerUnavailable: the cluster or the actor stayed away.
            QueueClosed: the handle is closed.
            QueueError: whatever the step raises.
        """
        self._check_open()
        caller, number = f"{self._me}.{threading.get_ident():x}", next(self._numbers)
        words = (step, caller, number, to_json(args), min(wait, SLICE_S), now)
        start = time.monotonic()
        pauses = _pauses()
        why: Away | None = None
        while True:
            try:
                answer = self._ask(words)
            except Away as error:
                why = error if why is None or not isinstance(error, Silent) else why
                self._tell_away(why)
                self._closed.wait(next(pauses))
                self._check_open()
                if time.monotonic() - start > self._timeout + wait:
                    raise self._unavailable(why) from error
            else:
                self._tell_back()
                return answer

    def _ask(self, words: tuple[Any, ...]) -> Any:
        """Call once; raises Away if there was no answer."""
        actor = self._actor or self._greet(words[5])
        self._check_open()
        try:
            reply = ray.get(actor.call.remote(*words), timeout=self._silence + words[4])
        except broken.GetTimeoutError as error:
            raise Silent("it says nothing") from error
        except broken.RayTaskError as error:
            raise QueueError(f"the queue's actor fails: {_words(error)}", subject=self.name) from error
        except _AWAY as error:
            self._actor = None
            raise Away(_words(error)) from error
        return understood(reply)

    def _greet(self, now: float | None) -> Any:
        """Connect, find the actor or make it, and say by which numbers it must go."""
        with self._greeting:
            if self._actor is not None:
                return self._actor
            self._connect()
            try:
                actor = _find_or_make(self._actor_name, self._arguments)
                caller = f"{self._me}.hello"
                body = to_json([self._arguments["options"]])
                reply = actor.call.remote("hello", caller, next(self._numbers), body, 0.0, now)
                understood(ray.get(reply, timeout=max(self._silence, _BIRTH_S)))
            except broken.GetTimeoutError as error:
                raise Silent("it does not start") from error
            except (*_AWAY, ValueError) as error:
                raise Away(_words(error)) from error
            self._actor = actor
            return actor

    def _connect(self) -> None:
        with _connecting:
            if ray.is_initialized():
                return
            try:
                join(listening(self._address), NAMESPACE)
            except (ConnectionError, RuntimeError, OSError, TimeoutError) as error:
                raise Away(_words(error)) from error

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise QueueClosed("the queue is closed", subject=self.name)

    def _unavailable(self, error: Exception) -> BrokerUnavailable:
        if ray.is_initialized():
            hint = "the cluster answers, its queue does not: see the actor's log there"
        elif self._address == AUTO:
            hint = "start a cluster with: ray start --head; or name one: --provider ray://HOST:10001"
        else:
            hint = "is it up, and is this its address? A cluster is started with: ray start --head"
        return BrokerUnavailable(
            f"did not answer for {self._timeout:g} s: {error}", subject=self.name, hint=hint
        )

    def _tell_away(self, error: Exception) -> None:
        with self._away:
            if self._since is None:
                self._since = time.monotonic()
            if not self._told and time.monotonic() - self._since > _BLIP_S:
                self._told = True
                _log.warning("%s does not answer (%s); asking again", self.name, error)

    def _tell_back(self) -> None:
        if self._since is None:
            return
        with self._away:
            if self._since is not None and self._told:
                _log.warning("%s answers again, after %.1f s", self.name, time.monotonic() - self._since)
            self._since, self._told = None, False

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed.is_set()

    def close(self) -> None:
        """Wake whoever waits; the connection to Ray stays."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._actor is not None and ray.is_initialized():
            with suppress(*_AWAY):
                self._actor.hang_up.remote(self._me)


def _find_or_make(name: str, arguments: dict[str, Any]) -> Any:
    with suppress(ValueError):
        return ray.get_actor(name, namespace=NAMESPACE)
    make = ray.remote(QueueActor).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=CALLS_AT_ONCE,
        scheduling_strategy=on_head(),
    )
    return make.remote(name, **arguments)


def on_head() -> Any:
    """The head, which stays as long as the cluster; where none is known, wherever Ray likes.

    A preference (``soft``) would count for nothing: Ray heeds none for an actor without resources. If the
    head is replaced, the actor ends, and is made again on the new one.
    """
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    heads = [node["NodeID"] for node in nodes if node["Alive"] and _HEAD in node["Resources"]]
    return NodeAffinitySchedulingStrategy(heads[0], soft=False) if heads else "DEFAULT"


def _pauses() -> Any:
    pause = _FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _words(error: Exception) -> str:
    """The line of Ray's message that says why: of an actor that could not be made, the last one."""
    lines = str(error).strip().splitlines() or [""]
    line = lines[-1] if isinstance(error, broken.ActorDiedError) and "creation task" in lines[0] else lines[0]
    return line.strip().rstrip(".") or type(error).__name__
