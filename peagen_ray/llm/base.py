"""The port of a language model: a prompt goes in, a completion comes out."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self

from peagen_ray.config.model import LLMBackend as BackendTable

CHAT_OVERHEAD: Final = 512
"""Tokens that the form of a chat, and a system prompt of the server's own, may add to a prompt."""


class FinishReason(StrEnum):
    """Why an answer ends where it does."""

    STOP = "stop"
    """the model said all it wanted to"""
    LENGTH = "length"
    """it was cut off at the limit"""
    REFUSAL = "refusal"
    """the model, or a filter, declined"""
    EMPTY = "empty"
    """the back-end answered with no text at all"""
    OTHER = "other"
    """for a reason that only this back-end knows"""


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Attributes:
        user: the question.
        system: how the model is to behave; may be empty.
    """

    user: str
    system: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of both texts, in hexadecimal."""
        texts = (text.encode("utf-8", "surrogatepass") for text in (self.system, self.user))
        return hashlib.sha256(b"".join(b"%d:%b" % (len(text), text) for text in texts)).hexdigest()

    @property
    def token_bound(self) -> int:
        """Tokens that the prompt has at most: one for each byte of UTF-8, and :data:`CHAT_OVERHEAD`.

        Every token of a tokenizer that works on bytes, or on characters with bytes as the fallback, stands for
        at least one byte.
        """
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in (self.system, self.user))
        return size + CHAT_OVERHEAD


@dataclass(frozen=True)
class Completion:
    """What a model answered.

    Attributes:
        text: the answer; may be empty.
        tokens_in: tokens of the prompt; None where the back-end does not say.
        tokens_out: tokens of the answer, hidden reasoning included; None where the back-end does not say.
        latency_s: seconds from question to answer.
        backend: the back-end's name.
        finish_reason: why the answer ends.
        model: the model that answered, as the back-end calls it.
    """

    text: str
    tokens_in: int | None
    tokens_out: int | None
    latency_s: float
    backend: str
    finish_reason: FinishReason
    model: str


class LLMBackend(ABC):
    """A language model behind an endpoint. Subclass it and register it in ``peagen.llm_backends``.

    One instance belongs to one event loop, where any number of calls may run at a time. Its key is in no
    message, no representation and no answer of it, and it cannot be pickled.

    Args:
        table: its settings.
        key: the secret that the endpoint wants; None where there is none.

    Attributes:
        KEY_ENV: the environment variable that holds the key where the settings name none.
        NEEDS_KEY: it does not answer without a key.
        BASE_URL: the address where the settings name none.
        FREE: its tokens cost nothing where the settings give no price.
    """

    KEY_ENV: ClassVar[str] = ""
    NEEDS_KEY: ClassVar[bool] = False
    BASE_URL: ClassVar[str] = ""
    FREE: ClassVar[bool] = False

    def __init__(self, table: BackendTable, key: str | None = None) -> None:
        self.table = table
        self._key = key

    @property
    def name(self) -> str:
        """The name that it has in messages and metrics."""
        return self.table.name

    @abstractmethod
    async def generate(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        temperature: float = 0.7,
        max_tokens: int = 4096,
        timeout: float = 30.0,
    ) -> Completion:
        """Ask once; nothing is tried again.

        Args:
            prompt: what is asked.
            model: the model; empty means the one of the settings.
            temperature: 0 (the likeliest answer) to 2.
            max_tokens: limit of the answer, hidden reasoning included.
            timeout: seconds that the call may take in all.

        Raises:
            LLMUnavailable: it may answer later (RateLimited, LLMTimeout, BadAnswer and others).
            LLMRefused: asking again changes nothing (KeyRefused, UnknownModel, PromptRefused).
        """

    async def close(self) -> None:  # noqa: B027 - most adapters have something to close, not all
        """Let go of connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.table.name!r}>"

    def __reduce__(self) -> NoReturn:
        msg = f"{self!r} cannot be pickled, since it may hold a key"
        raise TypeError(msg)
