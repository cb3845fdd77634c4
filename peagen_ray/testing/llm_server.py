"""A scripted language model behind real HTTP: OpenAI's chat completions, and Anthropic's messages.

In a test::

    with LLMServer(["first answer", Reply(status=429, retry_after=1), Reply(hang=True)]) as server:
        ...  # base_url = server.url

For a person, ``python -m peagen_ray.testing.llm_server --reply 'an answer'`` serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import json
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

_DRIP_S: Final = 0.01


@dataclass(frozen=True)
class Reply:
    """One scripted answer.

    Attributes:
        text: what the model says.
        status: the HTTP status; one other than 200 sends an error object with ``text`` as its message.
        delay: seconds before it answers.
        hang: never answer; the connection is closed when the server stops, or the client leaves.
        retry_after: the header ``Retry-After``, as seconds or as it is to be written.
        finish: why the answer ends, in OpenAI's words; one that is longer than the request's limit ends by length.
        usage: False leaves the usage out.
        tokens_in: prompt tokens of the usage; None counts them.
        tokens_out: answer tokens of the usage; None counts them.
        body: send these bytes, in place of an object of the protocol.
        content_type: of the body.
        headers: further headers.
        cut: close the connection after so many bytes of the body.
        drip: send the body byte by byte, one each 10 ms.
        code: of the error object.
        param: of the error object.
    """

    text: str = "ok"
    status: int = 200
    delay: float = 0.0
    hang: bool = False
    retry_after: float | str | None = None
    finish: str = "stop"
    usage: bool = True
    tokens_in: int | None = None
    tokens_out: int | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: bool = False
    code: str = ""
    param: str = ""


@dataclass(frozen=True)
class Received:
    """A request that came.

    Attributes:
        path: its path.
        headers: its headers, names in lower case.
        body: its JSON; an empty object where there is none.
        number: how many came before it.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    number: int

    @property
    def prompt(self) -> str:
        """The texts of all its messages, the system's first."""
        parts = [self.body.get("system", ""), *(each["content"] for each in self.body.get("messages", ()))]
        return "\n".join(part for part in parts if part)


Script = Callable[[Received], "Reply | str"]


def tokens_of(text: str) -> int:
    """How this server counts: four bytes to a token."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


class LLMServer:
    """A server on a free port of 127.0.0.1; started and stopped as a context manager.

    Args:
        script: answers in the order of asking, after which each is ``Reply()``; or a function from the request to
            its answer, called by one thread for each connection.
        models: what ``/v1/models`` lists.
        port: the port; 0 takes a free one.
        ready: False answers ``/health`` with 503, as a server does that is loading; may be set at any time.

    Attributes:
        requests: what was asked of the models, in the order of coming.
        tokens_in: prompt tokens in all.
        tokens_out: answer tokens in all.
        abandoned: how often a client left before its answer.
    """

    def __init__(
        self,
        script: Iterable[Reply | str] | Script = (),
        *,
        models: Sequence[str] = ("scripted-1",),
        port: int = 0,
        ready: bool = True,
    ) -> None:
        self._queue: deque[Reply | str] = deque()
        self._answer: Script = script if callable(script) else self._next
        if not callable(script):
            self._queue.extend(script)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self.models = tuple(models)
        self.ready = ready
        self.requests: list[Received] = []
        self.tokens_in = 0
        self.tokens_out = 0
        self.abandoned = 0
        self.stopping = threading.Event()
        self._http = _Listener(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def origin(self) -> str:
        """The address with no path; what Anthropic's client wants."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        """The address that OpenAI's client wants."""
        return f"{self.origin}/v1"

    def add(self, *replies: Reply | str) -> None:
        """Append to the answers."""
        with self._lock:
            self._queue.extend(replies)

    def wait_for(self, count: int, timeout: float = 10.0) -> None:
        """Return when so many requests have come; raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                msg = f"{len(self.requests)} of {count} requests came in {timeout} s"
                raise TimeoutError(msg)

    def wait_abandoned(self, count: int, timeout: float = 10.0) -> None:
        """Return when so many clients have left before their answer; raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.abandoned >= count, timeout):
                msg = f"{self.abandoned} of {count} clients left in {timeout} s"
                raise TimeoutError(msg)

    def start(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and wait for the threads."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _next(self, _: Received) -> Reply | str:
        with self._lock:
            return self._queue.popleft() if self._queue else Reply()

    def receive(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Reply:
        """Note a request and find its answer; called by the threads of connections."""
        with self._changed:
            request = Received(path, headers, body, len(self.requests))
            self.requests.append(request)
            self._changed.notify_all()
        reply = self._answer(request)
        return Reply(text=reply) if isinstance(reply, str) else reply

    def charge(self, tokens_in: int, tokens_out: int) -> None:
        """Count tokens; called by the threads of connections."""
        with self._lock:
            self.tokens_in += tokens_in
            self.tokens_out += tokens_out

    def left(self) -> None:
        """A client left before its answer; called by the threads of connections."""
        with self._changed:
            self.abandoned += 1
            self._changed.notify_all()


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    owner: LLMServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of this server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = (
        True  # head and body are two writes, and the second would wait for an acknowledgement
    )
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.owner = self.server.owner

    def handle_one_request(self) -> None:
        """Wait for a request no longer than the server stands."""
        while not self.owner.stopping.is_set():
            if self._readable(0.02):
                return super().handle_one_request()
        self.close_connection = True
        return None

    def do_GET(self) -> None:
        """The list of models, and whether they are loaded."""
        if self.path == "/v1/models":
            listed = [{"id": name, "object": "model"} for name in self.owner.models]
            self._send(200, _json({"object": "list", "data": listed}))
        elif self.path == "/health":
            ready = self.owner.ready
            self._send(200 if ready else 503, _json({"status": "ok" if ready else "loading model"}))
        else:
            self._send(404, _json({"error": {"message": "no such path", "code": "not_found"}}))

    def do_POST(self) -> None:
        """A chat completion or a message."""
        size = int(self.headers.get("content-length", 0))
        try:
            body = json.loads(self.rfile.read(size) or b"{}")
        except ValueError:
            self._send(400, _json({"error": {"message": "the body is no JSON"}}))
            return
        if self.path not in ("/v1/chat/completions", "/v1/messages"):
            self._send(404, _json({"error": {"message": "no such path", "code": "not_found"}}))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.owner.receive(self.path, headers, body)
        if not self._waited(reply):
            self.owner.left()
            self.close_connection = True
            return
        self._answer(reply, body)

    def _waited(self, reply: Reply) -> bool:
        """Whether the client is still there when it is time to answer."""
        end = float("inf") if reply.hang else time.monotonic() + reply.delay
        while (rest := end - time.monotonic()) > 0 and not self.owner.stopping.is_set():
            if self._readable(min(rest, 0.05)):
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return False
                self.owner.stopping.wait(min(rest, 0.01))  # the next request may come early; it waits
        return not reply.hang

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self.connection], [], [], seconds)[0])

    def _answer(self, reply: Reply, body: Mapping[str, Any]) -> None:
        if reply.status != 200:
            kind = {"message": reply.text, "code": reply.code or None, "param": reply.param or None}
            payload = _json({"error": {**kind, "type": reply.code or "error"}})
        else:
            payload = self._spoken(reply, body)
        self._send(reply.status, reply.body if reply.body is not None else payload, reply)

    def _spoken(self, reply: Reply, body: Mapping[str, Any]) -> bytes:
        """The answer as an object of the protocol that was asked, cut at the limit that was asked for."""
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10**9
        text, finish = reply.text, reply.finish
        if tokens_of(text) > limit:
            text, finish = text.encode()[: 4 * limit].decode("utf-8", "ignore"), "length"
        sent = Received(self.path, {}, body, 0).prompt
        tokens_in = tokens_of(sent) if reply.tokens_in is None else reply.tokens_in
        tokens_out = tokens_of(text) if reply.tokens_out is None else reply.tokens_out
        self.owner.charge(tokens_in, tokens_out)
        form = _message if self.path == "/v1/messages" else _chat
        answer = form(str(body.get("model", "")), text, finish, tokens_in, tokens_out)
        if not reply.usage:
            del answer["usage"]
        return _json(answer)

    def _send(self, status: int, payload: bytes, reply: Reply | None = None) -> None:
        reply = reply or Reply()
        self.send_response(status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(payload)))
        if reply.retry_after is not None:
            self.send_header("Retry-After", str(reply.retry_after))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        part = payload if reply.cut is None else payload[: reply.cut]
        if reply.drip:
            self._drip(part)
        else:
            self.wfile.write(part)
        if reply.cut is not None:
            self.close_connection = True

    def _drip(self, payload: bytes) -> None:
        for byte in payload:
            if self.owner.stopping.wait(_DRIP_S):
                break
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                self.owner.left()
                break
        self.close_connection = True


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _chat(model: str, text: str, finish: str, tokens_in: int, tokens_out: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


def _message(model: str, text: str, finish: str, tokens_in: int, tokens_out: int) -> dict[str, Any]:
    reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": reasons.get(finish, finish),
        "stop_sequence": None,
        "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; prints the address on standard output."""
    parser = argparse.ArgumentParser(prog="python -m peagen_ray.testing.llm_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--reply", action="append", default=[], help="an answer; several take turns")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--status", type=int, default=200, help="HTTP status of each answer")
    parser.add_argument(
        "--retry-after", type=float, default=None, help="seconds that callers are asked to wait"
    )
    parser.add_argument("--no-usage", action="store_true", help="do not say how many tokens it took")
    options = parser.parse_args(arguments)
    texts = options.reply or ["ok"]

    def answer(request: Received) -> Reply:
        return Reply(
            text=texts[request.number % len(texts)],
            status=options.status,
            delay=options.delay,
            retry_after=options.retry_after,
            usage=not options.no_usage,
        )

    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with LLMServer(answer, port=options.port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
