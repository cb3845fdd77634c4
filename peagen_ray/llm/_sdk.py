"""What the adapters of official SDKs share: what is sent, how much is read, and what becomes of failures.

The SDK builds requests and keeps connections. Its own retries are off, its reading of answers is left to
:mod:`peagen_ray.llm._reading`, and whatever it would add from its own environment variables is taken off again:
only the headers below and the key leave.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from abc import abstractmethod
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.errors import KeyRefused, LLMError, LLMRefused, LLMTimeout, LLMUnavailable
from peagen_ray.llm._reading import bad_answer, failure, parsed, without
from peagen_ray.llm.base import Completion, FinishReason, LLMBackend, Prompt

MOST_BYTES: Final = 8 * 2**20
"""Of one answer; what is longer is no answer."""

_SENT: Final = frozenset(
    {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "user-agent",
        "content-type",
        "content-length",
        "transfer-encoding",
        "anthropic-version",
        "x-stainless-raw-response",  # which the SDK looks for in its own request, to hand over the bytes
    }
)
_CREDENTIALS: Final = ("authorization", "x-api-key")
_NEVER_SENT: Final = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
        "LocalProtocolError",
    }
)
"""Of the HTTP client's exceptions, those that come before a request has left."""

_HTTP: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "anyio", "ssl", "h11", "zlib"})
"""Modules whose exceptions are about a connection and what came over it."""

PLACEHOLDER: Final = "none"
"""A key for an SDK that wants one, where there is none; it never leaves."""


_LOGGERS: Final = (
    "anthropic",
    "anthropic._base_client",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.proxy",
    "httpx2",
    "openai",
    "openai._base_client",
)
"""Those that repeat what an endpoint sends, such as its headers, in which it may have repeated a key."""


class _Redaction(logging.Filter):
    """Takes keys out of what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: set[str] = set()

    def add(self, key: str) -> None:
        """Take this one out from here on."""
        self._keys.add(key)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)  # which changes nothing where it is there already

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with no key in it."""
        said = clean = record.getMessage()
        for key in self._keys:
            clean = without(key, clean)
        if clean != said:
            record.msg, record.args = clean, ()
        return True


_REDACTION: Final = _Redaction()


class SdkBackend(LLMBackend):
    """A back-end that is reached through an official SDK."""

    def __init__(self, table: BackendTable, key: str | None = None) -> None:
        super().__init__(table, _usable(key, table, required=self.NEEDS_KEY and not table.base_url))
        if self._key:
            _REDACTION.add(self._key)
        self._sdk = self._library()
        self._client: Any = None

    @abstractmethod
    def _library(self) -> ModuleType:
        """The SDK; raises MissingExtra."""

    @abstractmethod
    def _connect(self, http: Any) -> Any:
        """The SDK's client on that HTTP client."""

    @abstractmethod
    def _call(
        self, prompt: Prompt, *, model: str, temperature: float, max_tokens: int, timeout: float
    ) -> Any:
        """The SDK's streaming response, an asynchronous context manager that is not entered yet."""

    @abstractmethod
    def _read(self, told: Any) -> tuple[str, FinishReason, int | None, int | None, str] | None:
        """Text, reason of the end, tokens in, tokens out and model; None if it is not of the protocol."""

    async def generate(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        temperature: float = 0.7,
        max_tokens: int = 4096,
        timeout: float = 30.0,
    ) -> Completion:
        begun = time.perf_counter()
        prompt = Prompt(without(None, prompt.user), without(None, prompt.system))
        failed: LLMError
        try:
            async with asyncio.timeout(timeout):
                asked = model or await self._model(timeout)
                body = await self._exchange(
                    prompt, model=asked, temperature=temperature, max_tokens=max_tokens, timeout=timeout
                )
        except LLMError as error:
            failed = error
        except TimeoutError:
            failed = LLMTimeout(f"did not answer in {timeout:g} s", subject=self._subject, billed=True)
        except Exception as error:  # noqa: BLE001 - an SDK fails in many ways; none may carry a request outside
            failed = self._failure(error, timeout)
        else:
            return self._completion(body, asked, time.perf_counter() - begun)
        raise failed  # outside the handlers: no SDK's error, which holds a request with its key, hangs on it

    async def close(self) -> None:
        """Let go of connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _model(self, timeout: float) -> str:  # noqa: ARG002 - some ask the endpoint
        """The model where none is named."""
        return self.table.model

    async def _exchange(
        self, prompt: Prompt, *, model: str, temperature: float, max_tokens: int, timeout: float
    ) -> bytes:
        """The body of the answer."""
        call = self._call(
            prompt, model=model, temperature=temperature, max_tokens=max_tokens, timeout=timeout
        )
        async with call as response:
            return await self._bounded(response.iter_bytes())

    async def _bounded(self, chunks: Any) -> bytes:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if len(body) > MOST_BYTES:
                raise bad_answer(f"the answer is longer than {MOST_BYTES} bytes", self._subject)
        return bytes(body)

    def _open(self) -> Any:
        """The SDK's client, made at the first call, since it belongs to the event loop."""
        if self._client is None:
            hooks = {"request": [self._strip], "response": [self._check]}
            http = self._sdk.DefaultAsyncHttpxClient(
                follow_redirects=False, event_hooks=hooks, verify=_trust()
            )
            self._client = self._connect(http)
        return self._client

    async def _strip(self, request: Any) -> None:
        """Leave nothing in a request but what is meant to be sent."""
        given = {name: request.headers.get(name, "") for name in _CREDENTIALS}
        for name in set(request.headers.keys()) - _SENT:
            del request.headers[name]
        if self._key is None:
            return
        ours = {name: value for name, value in given.items() if value.removeprefix("Bearer ") == self._key}
        request.headers.update(ours or {"authorization": f"Bearer {self._key}"})

    async def _check(self, response: Any) -> None:
        """Turn every answer but a good one into our error, before the SDK sees it."""
        if 200 <= response.status_code < 300:
            return
        body = await self._bounded(response.aiter_bytes())
        raise failure(response.status_code, response.headers, body, subject=self._subject, key=self._key)

    def _failure(self, error: Exception, timeout: float) -> LLMError:
        cause = error.__cause__ or error
        if isinstance(cause, LLMError):
            return cause
        kind = type(cause).__name__
        sent = kind not in _NEVER_SENT
        if "Timeout" in kind:
            return LLMTimeout(f"did not answer in {timeout:g} s", subject=self._subject, billed=sent)
        if type(cause).__module__.partition(".")[0] not in _HTTP | {self._sdk.__name__}:
            return LLMRefused(f"the adapter failed: {kind}", subject=self._subject, billed=True)
        what = "the connection broke" if sent else "no connection"
        return LLMUnavailable(
            f"{what}: {kind}", subject=self._subject, hint="check base_url, and that it runs", billed=sent
        )

    def _completion(self, body: bytes, asked: str, latency: float) -> Completion:
        try:
            told = parsed(body)
        except ValueError:
            told = None
        read = self._read(told)
        if read is None:
            what = "the answer is no JSON" if told is None else "the answer is not of its protocol"
            raise bad_answer(what, self._subject)
        text, reason, tokens_in, tokens_out, model = read
        return Completion(
            text=without(self._key, text),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            latency_s=latency,
            backend=self.name,
            finish_reason=reason,
            model=without(self._key, model)[:200] or asked,
        )

    @property
    def _subject(self) -> str:
        return f"LLM back-end {self.name}"


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Whom to believe; made once, since that takes ten times as long as a call."""
    from httpx2 import create_ssl_context

    return create_ssl_context()


def _usable(key: str | None, table: BackendTable, *, required: bool) -> str | None:
    """The key without blanks around it; raises KeyRefused if it is missing or can be no header."""
    key = (key or "").strip()
    variable = table.api_key_env or "the key's environment variable"
    if not key and (required or table.api_key_env):
        raise KeyRefused(
            "there is no key",
            subject=f"LLM back-end {table.name}",
            hint=f"set {variable}, or name another in api_key_env",
        )
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise KeyRefused("is no key", subject=f"LLM back-end {table.name}", hint=f"check {variable}")
    return key or None
