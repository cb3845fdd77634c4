"""The connection to a server: addresses, scripts, and going on through outages; the only user of redis-py."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha1
from importlib import resources
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from peagen_ray.config.load import mask
from peagen_ray.errors import BrokerUnavailable, ConfigError, MissingExtra, QueueClosed, QueueError, QueueFull

try:
    import redis as server
    from redis import exceptions as broker
    from redis.backoff import NoBackoff
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError as error:
    raise MissingExtra(
        "redis-py is not installed", subject="queue redis", hint="pip install 'peagen-ray[redis]'"
    ) from error

SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel")
BLOCK_S: Final = 1.0
"""Seconds of one blocking read: how long a closed handle may go unnoticed by whoever waits on it."""

ACL_RULE: Final = "~peagen.* -@all +@hash +@sortedset +@stream +get +set +del +exists +time +eval +evalsha"
"""What a user of the server must be allowed; with ``replicas`` also ``+wait``, in a cluster also
``+cluster|slots``, with a database's number also ``+select``."""

_SILENCE_S: Final = 10.0
"""Seconds after which a server that does not answer is taken to be away."""

_REPLICA_S: Final = 1.0
"""Seconds that replicas are waited for, before the call is repeated."""

_HEARD: Final = 4
"""Entries that a wait fetches at most."""

_SLACK_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_SENTINEL_PORT: Final = 26379

_AWAY: Final = ("READONLY", "LOADING", "NOREPLICAS", "BUSY", "UNBLOCKED", "MISCONF")
_AWAY_KINDS: Final = (
    broker.ReadOnlyError,
    broker.ClusterDownError,
    broker.MasterDownError,
    broker.TryAgainError,
    broker.AskError,
)
"""Answers of a server that will serve later, or of one that is no longer the master."""

_REFUSALS: Final = (broker.AuthenticationError, broker.AuthorizationError, broker.NoPermissionError)
_REFUSED: Final = ("The user executing the script can't", "ACL failure in script")
"""What Redis 7.0 and later servers say where a script does what the user may not."""

_ELSEWHERE: Final = ("slot", "non local key")
"""What the node of a cluster says of a script whose keys are not all its own."""

_DEFINES: Final = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
_WORD: Final = re.compile(r"\w+")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


_REFUSED_WHEN_FULL: Final = frozenset({"enqueue", "admit"})
"""Scripts that a server without memory refuses; the others make room, or take little."""


class Script:
    """One of the scripts in ``queues/lua``, with what it uses of ``lib.lua``."""

    def __init__(self, name: str) -> None:
        folder = resources.files("peagen_ray.queues") / "lua"
        self.name = name
        first = "" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
        self.text = first + linked((folder / f"{name}.lua").read_text())
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def linked(script: str) -> str:
    """A script after the paragraphs of ``lib.lua`` that it needs, in their order.

    A server makes every function anew each time a script runs, so that those which are not needed cost time.
    """
    parts = (resources.files("peagen_ray.queues") / "lua" / "lib.lua").read_text().strip().split("\n\n")
    defined = [{name for names in _DEFINES.findall(part) for name in _WORD.findall(names)} for part in parts]
    words, needed = set(_WORD.findall(script)), set[int]()
    while found := {n for n, names in enumerate(defined) if n not in needed and names & words}:
        needed |= found
        words.update(word for n in found for word in _WORD.findall(parts[n]))
    return "\n\n".join([*(parts[n] for n in sorted(needed)), script])


class Link:
    """A server, reached again whenever it was away.

    Calls are repeated until the server answers or ``broker_timeout`` is over; they must be such that a
    repetition changes nothing more. Concurrency: any thread.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://host:port,…/service``.
        broker_timeout: seconds that the server may stay away before a call gives up.
        username: ACL user, if not the address's.
        password: if not the address's.
        replicas: replicas that must have a task, or its completion, before the call returns.

    Raises:
        ConfigError: the address is none of these.
    """

    def __init__(
        self,
        url: str,
        *,
        broker_timeout: float,
        username: str | None = None,
        password: str | None = None,
        replicas: int = 0,
    ) -> None:
        self.name = mask(url)
        self._timeout = broker_timeout
        self._closed = threading.Event()
        self._away = threading.Lock()
        self._since: float | None = None
        secrets = {"username": username, "password": password}
        given = {name: value for name, value in secrets.items() if value is not None}
        # Short enough that a lost reply is asked for again before the time is over.
        silence = min(_SILENCE_S, max(0.2, broker_timeout / 3)) + (_REPLICA_S if replicas else 0.0)
        self._replicas = replicas
        self._open: Callable[[str], list[Any]] = lambda node: [
            _connect(_at(url, node), seconds, given) for seconds in (silence, BLOCK_S + _SLACK_S)
        ]
        self._node, self._nodes = "", [""]
        self._moving = threading.Lock()
        self._client, self._waiting = self._open(self._node)
        self._scripts: dict[str, Script] = {}

    def run(self, name: str, key: str, args: Sequence[Any]) -> Any:
        """What a script answers.

        A script that may be told so is told by "1" for "0" that an earlier attempt of the call may have reached
        the server.

        Raises:
            BrokerUnavailable: the server stayed away.
            QueueFull: it has no memory left.
            ConfigError: it refuses us.
            QueueError: anything else that it says; or the handle is closed.
        """
        script = self._scripts.get(name) or self._scripts.setdefault(name, Script(name))
        flag = _REPEATABLE.get(name)

        def evaluate(repeated: bool) -> Any:
            sent = list(args)
            if repeated and flag is not None:
                sent[flag] = f"1{sent[flag][1:]}"
            try:
                return self._evaluate("EVALSHA", script.sha, key, sent, kept=name in _KEPT)
            except broker.NoScriptError:
                return self._evaluate("EVAL", script.text, key, sent, kept=name in _KEPT)

        return self._persist(evaluate)

    def _evaluate(self, command: str, script: str, key: str, args: Sequence[Any], *, kept: bool) -> Any:
        if not (kept and self._replicas):
            return _ask(self._client, command, script, 1, key, *args)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(command, script, 1, key, *args)
        pipeline.execute_command("WAIT", self._replicas, int(_REPLICA_S * 1000))
        answer, reached = pipeline.execute()
        if reached < self._replicas:
            msg = f"{reached} of {self._replicas} replicas have it"
            raise broker.TimeoutError(msg)
        return answer

    def command(self, *words: Any) -> Any:
        """What a command answers that may be repeated; errors as of :meth:`run`."""
        return self._persist(lambda _: self._client.execute_command(*words))

    def wait(self, streams: dict[str, str], seconds: float) -> list[bytes]:
        """Return when something is after those entries of the streams, or in ``seconds``, at most BLOCK_S.

        Returns early, after a pause, if the server is away; whoever looks next learns of it.

        Returns:
            What the first few of them hold under ``data``.
        """
        block = max(1, int(min(seconds, BLOCK_S) * 1000))
        try:
            words = ("COUNT", _HEARD, "BLOCK", block, "STREAMS", *streams, *streams.values())
            heard = _ask(self._waiting, "XREAD", *words) or []
        except broker.RedisError:
            self._closed.wait(min(seconds, _FIRST_PAUSE_S))
            return []
        by_stream = heard.values() if isinstance(heard, dict) else (entries for _, entries in heard)
        return [data for entries in by_stream for data in _data_of(entries)]

    def _persist(self, call: Callable[[bool], _T]) -> _T:
        end, pause, repeated = time.monotonic() + self._timeout, _FIRST_PAUSE_S, False
        while True:
            if self._closed.is_set():
                raise QueueClosed("the queue is closed")
            try:
                answer = call(repeated)
            except (
                broker.ConnectionError,
                broker.TimeoutError,
                broker.ResponseError,
                broker.InvalidResponse,
                OSError,
            ) as error:
                self._judge(error)
                repeated = True
                if time.monotonic() + pause >= end:
                    raise BrokerUnavailable(
                        f"the broker does not answer: {_words(error)}",
                        subject=self.name,
                        hint=f"it was asked for {self._timeout:g} s; is the server up?",
                    ) from error
                self._tell_away(error)
                self._closed.wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                if self._since is not None:
                    self._tell_back()
                return answer

    def _judge(self, error: Exception) -> None:
        """Raise what no repetition mends; find the server anew where that may help."""
        text = str(error)
        if isinstance(error, broker.MovedError):
            self._follow(error)
            return
        if isinstance(error, _REFUSALS) or any(words in text for words in _REFUSED):
            hint = (
                "check [task_queue] username and password_env, and the rule for ACL users in docs/queues.md"
            )
            raise ConfigError(f"the broker refuses us: {text}", subject=self.name, hint=hint) from error
        if isinstance(error, broker.OutOfMemoryError):
            hint = "let workers catch up, or raise its maxmemory"
            raise QueueFull("the broker has no memory left", subject=self.name, hint=hint) from error
        if isinstance(error, broker.ResponseError):
            if not isinstance(error, _AWAY_KINDS) and not any(word in text for word in _AWAY):
                elsewhere = any(words in text for words in _ELSEWHERE)
                hint = (
                    "set [task_queue] prefix to one with a hash tag, such as {peagen}." if elsewhere else ""
                )
                raise QueueError(f"the broker says: {text}", subject=self.name, hint=hint) from error
            # It may have become a replica: whoever is the master now is found anew.
            self._client.connection_pool.disconnect()
        elif len(self._nodes) > 1:
            self._move(self._nodes[(self._nodes.index(self._node) + 1) % len(self._nodes)])

    def _follow(self, moved: broker.MovedError) -> None:
        """Go on at the node of a cluster that has our keys, which all lie in one slot."""
        known = list(self._nodes)
        with suppress(broker.RedisError, OSError, TypeError, ValueError):
            # Whoever may not ask knows the nodes that it has met.
            for _, _, *nodes in self._client.execute_command("CLUSTER", "SLOTS"):
                known += [_node(*node[:2]) for node in nodes if node[0]]
        there = _node(moved.host, moved.port) if moved.host else ""
        self._nodes = list(dict.fromkeys([*known, there]))
        self._move(there)

    def _move(self, node: str) -> None:
        with self._moving:
            if node == self._node or self._closed.is_set():
                return
            left = self._client, self._waiting
            self._client, self._waiting = self._open(node)
            self._node = node
        for client in left:
            client.close()

    def _tell_away(self, error: Exception) -> None:
        with self._away:
            if self._since is None:
                self._since = time.monotonic()
                _log.warning("%s: the broker does not answer (%s); asking again", self.name, _words(error))

    def _tell_back(self) -> None:
        with self._away:
            if self._since is not None:
                gone, self._since = time.monotonic() - self._since, None
                _log.warning("%s: the broker answers again, after %.1f s", self.name, gone)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed.is_set()

    def close(self) -> None:
        """Let go of the connections; whoever waits notices within BLOCK_S."""
        self._closed.set()
        self._client.close()
        self._waiting.close()


_REPEATABLE: Final = {"claim": 9, "complete": 3, "fail": 3, "give_back": 3, "release": 3}
"""Scripts that want to know that a call is repeated, and the index of the argument that says so."""


_KEPT: Final = frozenset({"enqueue", "complete"})
"""Scripts whose effect replicas must have, where that is asked for."""


def _node(host: bytes | str, port: int) -> str:
    name = host.decode() if isinstance(host, bytes) else host
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _at(url: str, node: str) -> str:
    """The address of another node of the cluster that the address is one of."""
    if not node:
        return url
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{node}").geturl()


def _connect(url: str, silence: float, secrets: dict[str, str]) -> Any:
    options: dict[str, Any] = {
        "socket_timeout": silence,
        "socket_connect_timeout": silence,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        **secrets,
    }
    try:
        parts = urlsplit(url)
        if parts.scheme == "redis+sentinel":
            return _by_sentinel(parts, options)
        if parts.scheme in SCHEMES:
            if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d+/?", parts.path):
                msg = "what follows the host is the number of a database, such as /0"
                raise ValueError(msg)
            client: Any = server.Redis.from_url(url, **options)
            pool = client.connection_pool
            pool.connection_kwargs["decode_responses"] = (
                False  # which an address of another program may ask for
            )
            pool.connection_class(
                **pool.connection_kwargs
            )  # which an unknown option shows in; it connects later
            return client
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(url, error) from None  # it quotes the address
    raise ConfigError(
        "is no address of a redis queue",
        subject=mask(url) or "[task_queue] url",
        hint=f"write {'://, '.join(SCHEMES)}://…",
    )


def _unusable(url: str, error: Exception) -> ConfigError:
    """What is wrong with an address, without the parts of a password that the parser took for something else."""
    host, *rest = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)
    if ":" in host and "@" in "".join(rest):
        return ConfigError(
            "is no address of a broker",
            subject=mask(url),
            hint="in a password write / as %2F, ? as %3F and # as %23, or use [task_queue] password_env",
        )
    return ConfigError(f"is no address of a broker: {error}", subject=mask(url))


def _by_sentinel(parts: SplitResult, options: dict[str, Any]) -> Any:
    user, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    addresses = [_host_port(each) for each in hosts.split(",") if each]
    if not service or not addresses:
        msg = "write redis+sentinel://HOST:PORT,HOST:PORT/SERVICE"
        raise ValueError(msg)
    name, _, word = user.partition(":")
    given = {"username": unquote(name) or None, "password": unquote(word) or None}
    options = {**{key: value for key, value in given.items() if value}, **options}
    quick = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": Retry(NoBackoff(), 0)}
    sentinel: Any = Sentinel(addresses, sentinel_kwargs=quick, **options)  # type: ignore[no-untyped-call]
    return sentinel.master_for(service, db=int(db or 0))


def _host_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "", parts.port or _SENTINEL_PORT


def _ask(client: Any, *words: Any) -> Any:
    """What ``execute_command`` would answer, without its metrics and callbacks, which take half of its time."""
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_command(*words))
        return connection.read_response()
    except broker.ResponseError:
        raise
    except BaseException:
        connection.disconnect()  # the reply may still come
        raise
    finally:
        pool.release(connection)


def _data_of(entries: Any) -> Iterator[bytes]:
    """The field ``data`` of entries as the server sends them: each its id, then names and values in turn."""
    for _, flat in entries:
        named = flat or []
        if b"data" in named[::2]:
            yield named[named[::2].index(b"data") * 2 + 1]


def _words(error: Exception) -> str:
    return mask(str(error).strip().rstrip(".")) or type(error).__name__
