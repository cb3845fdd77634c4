"""The actor that a dispatcher lives in: on the head, without resources, so that it keeps no node alive."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import ray
from ray.exceptions import RayError

from peagen_ray.config.cluster import NAMESPACE
from peagen_ray.errors import BrokerUnavailable, PeagenError, UsageError
from peagen_ray.fabric.dispatcher import Dispatcher
from peagen_ray.fabric.remote import Warmth
from peagen_ray.queues.ray.link import on_head

PREFIX: Final = "peagen.dispatcher."
"""What the names of dispatchers' actors begin with."""

BIRTH_S: Final = 60.0
"""Seconds that an actor may take to start."""

ANSWER_S: Final = 15.0
"""Seconds that it may take to answer."""

_AGAIN_S: Final = 2.0
"""Seconds until an actor that was restarted tries again to make its dispatcher."""

_REMEMBERED: Final = 1000
_CALLS_AT_ONCE: Final = 256

Make = Callable[[str, Callable[[str], None]], Dispatcher]
"""Makes a dispatcher for the actor of that name, which tells of troubles."""


class Host:
    """A dispatcher, and what it had to say; an actor that Ray restarts makes it anew.

    Args:
        name: the actor's name.
        make: makes the dispatcher.
        secrets: names of environment variables that :meth:`begin` brings; they are never kept by Ray.
        exit_after_idle: seconds without work after which it leaves; None stays.
        max_uptime: seconds after which it leaves.
    """

    def __init__(
        self, name: str, make: Make, exit_after_idle: float | None = None, max_uptime: float | None = None
    ) -> None:
        self._name = name
        self._make = make
        self._idle = exit_after_idle
        self._until = None if max_uptime is None else time.monotonic() + max_uptime
        self._said: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._number = time.time_ns()  # so that numbers go on when the actor is restarted
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._dispatcher: Dispatcher | None = None
        self._reason = ""
        if ray.get_runtime_context().was_current_actor_reconstructed:
            self._say("the dispatcher was restarted")
            threading.Thread(target=self._begin_again, name="host-begin", daemon=True).start()

    def remember(self, secrets: Mapping[str, str]) -> None:
        """Have these environment variables."""
        os.environ.update(secrets)

    def begin(self, secrets: Mapping[str, str]) -> None:
        """Begin to serve, with these environment variables; whatever hinders that is raised."""
        self.remember(secrets)
        with self._beginning:
            if self._dispatcher is None:
                made = self._make(self._name, self._say)
                made.start()
                self._dispatcher = made
                threading.Thread(target=self._leave_when_due, name="host", daemon=True).start()

    def _begin_again(self) -> None:
        """Begin as soon as nothing hinders it; an actor that fails while it is made is never restarted."""
        said = ""
        while self._dispatcher is None:
            try:
                self.begin({})
            except Exception as error:  # noqa: BLE001 - it is told, and tried again
                words = f"the dispatcher cannot begin, and tries again: {error}"
                if words != said:
                    self._say(words)
                said = words
                time.sleep(_AGAIN_S)

    def started(self, token: str) -> None:
        """A task runs."""
        if self._dispatcher is not None:
            self._dispatcher.started(token)

    def heard(self, warmth: tuple[Any, ...]) -> None:
        """A node's worker says how its one-shot processes stand: a :class:`Warmth`."""
        if self._dispatcher is not None:
            self._dispatcher.heard(Warmth(*warmth))

    def stop(self, drain: bool) -> None:
        """Claim no more; see :meth:`Dispatcher.stop`."""
        if self._dispatcher is not None:
            self._dispatcher.stop(drain)

    def status(self, after: int = 0) -> dict[str, Any]:
        """How it stands, and what it had to say since the message of that number."""
        with self._lock:
            said = [each for each in self._said if each[0] > after]
        found = asdict(self._dispatcher.status()) if self._dispatcher else {}
        return {**found, "name": self._name, "pid": os.getpid(), "said": said, "reason": self._reason}

    def _say(self, text: str) -> None:
        with self._lock:
            self._number += 1
            self._said.append((self._number, text))

    def _leave_when_due(self) -> None:
        dispatcher = self._dispatcher
        assert dispatcher is not None
        while not dispatcher.wait(0.5):
            reason = self._due(dispatcher.status().idle_s)
            if reason and not self._reason:
                self._reason = reason
                dispatcher.stop(drain=True)
        # The end is told to whoever asks within a moment; then the actor ends itself, or is restarted.
        time.sleep(ANSWER_S)
        if dispatcher.status().error:
            os._exit(1)
        with suppress(RayError, RuntimeError):
            ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    def _due(self, idle_s: float) -> str:
        if self._idle is not None and idle_s >= self._idle:
            return f"nothing ran for {self._idle:g} s"
        if self._until is not None and time.monotonic() >= self._until:
            return "up for max_uptime"
        return ""


class Hosted:
    """A dispatcher in an actor, seen from a process that is connected to the cluster.

    Args:
        actor: the actor's handle.
        name: its name, without what all have.
    """

    def __init__(self, actor: Any, name: str) -> None:
        self._actor = actor
        self.name = name
        self._after = 0
        self._secrets: Mapping[str, str] = {}

    @classmethod
    def make(
        cls,
        name: str,
        make: Make,
        secrets: Mapping[str, str],
        *,
        detached: bool = False,
        exit_after_idle: float | None = None,
        max_uptime: float | None = None,
    ) -> Hosted:
        """Start one; it ends with this process unless it is detached, and then Ray restarts it.

        Raises:
            UsageError: there is one of that name.
            BrokerUnavailable: it does not start.
            PeagenError: whatever hinders the dispatcher.
        """
        full = PREFIX + name
        options: dict[str, Any] = {
            "name": full,
            "namespace": NAMESPACE,
            "num_cpus": 0,
            "max_restarts": -1,
            "max_concurrency": _CALLS_AT_ONCE,
            "scheduling_strategy": on_head(),
        }
        if detached:
            options["lifetime"] = "detached"
        try:
            actor = ray.remote(Host).options(**options).remote(full, make, exit_after_idle, max_uptime)
        except ValueError as error:
            hint = "name another, or stop it with: peagen-ray worker stop " + name
            raise UsageError("there is a dispatcher of that name", subject=name, hint=hint) from error
        hosted = cls(actor, name)
        try:
            hosted._ask("begin", dict(secrets), timeout=BIRTH_S)
            hosted._secrets = secrets
        except BaseException:
            hosted.kill()
            raise
        return hosted

    @classmethod
    def find(cls, name: str) -> Hosted:
        """The dispatcher of that name; UsageError if there is none."""
        try:
            return cls(ray.get_actor(PREFIX + name, namespace=NAMESPACE), name)
        except ValueError as error:
            names = ", ".join(each.name for each in cls.every()) or "there is none"
            raise UsageError("there is no such dispatcher", subject=name, hint=f"running: {names}") from error

    @classmethod
    def every(cls) -> list[Hosted]:
        """All that live, by name."""
        rows = ray.util.list_named_actors(all_namespaces=True)
        names = sorted(row["name"] for row in rows if row["namespace"] == NAMESPACE)
        found = []
        for name in names:
            if name.startswith(PREFIX):
                with suppress(ValueError):
                    found.append(cls(ray.get_actor(name, namespace=NAMESPACE), name.removeprefix(PREFIX)))
        return found

    def status(self) -> dict[str, Any]:
        """How it stands, and under ``said`` what it had to say since this was asked last.

        One that was restarted, and cannot begin without the environment variables that it was made with, is
        given them again.
        """
        status: dict[str, Any] = self._ask("status", self._after)
        if self._secrets and "in_flight" not in status:
            self._ask("remember", dict(self._secrets))
        if status["said"]:
            self._after = status["said"][-1][0]
        return status

    def stop(self, *, drain: bool) -> None:
        """Claim no more."""
        self._ask("stop", drain)

    def gone(self) -> bool:
        """Whether its actor has ended for good."""
        try:
            ray.get_actor(PREFIX + self.name, namespace=NAMESPACE)
        except ValueError:
            return True
        return False

    def kill(self) -> None:
        """End the actor at once; the queue gives its tasks to others when their leases lapse."""
        with suppress(RayError, ValueError):
            ray.kill(self._actor, no_restart=True)

    def _ask(self, method: str, *args: Any, timeout: float = ANSWER_S) -> Any:
        try:
            return ray.get(getattr(self._actor, method).remote(*args), timeout=timeout)
        except ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, PeagenError):
                raise cause from error
            raise
        except (RayError, ConnectionError) as error:
            words = str(error).strip().partition("\n")[0] or type(error).__name__
            raise BrokerUnavailable(f"does not answer: {words}", subject=f"dispatcher {self.name}") from error
