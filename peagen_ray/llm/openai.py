"""Endpoints that speak OpenAI's chat completions: OpenAI itself, Groq, and servers of one's own."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.errors import MissingExtra, PromptRefused, UnknownModel
from peagen_ray.llm._reading import count, dig, parsed, words
from peagen_ray.llm._sdk import PLACEHOLDER, SdkBackend
from peagen_ray.llm.base import FinishReason, Prompt

_OPENAI: Final = "https://api.openai.com/v1"
_REASONS: Final = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSAL,
}


class OpenAIBackend(SdkBackend):
    """Any endpoint that speaks OpenAI's chat completions; without ``base_url`` it is OpenAI's own."""

    KEY_ENV = "OPENAI_API_KEY"
    NEEDS_KEY = True
    BASE_URL = _OPENAI

    def __init__(self, table: BackendTable, key: str | None = None) -> None:
        super().__init__(table, key)
        self._limit = (
            "max_tokens" if (table.base_url or self.BASE_URL) != _OPENAI else "max_completion_tokens"
        )
        self._heated = True

    def _library(self) -> ModuleType:
        try:
            import openai
        except ImportError as error:
            raise MissingExtra(
                "OpenAI's SDK is not installed",
                subject=f"LLM back-end {self.name}",
                hint="pip install 'peagen-ray[llm]'",
            ) from error
        return openai

    def _connect(self, http: Any) -> Any:
        return self._sdk.AsyncOpenAI(
            api_key=self._key or PLACEHOLDER,
            base_url=self.table.base_url or self.BASE_URL,
            max_retries=0,
            http_client=http,
        )

    async def _exchange(
        self, prompt: Prompt, *, model: str, temperature: float, max_tokens: int, timeout: float
    ) -> bytes:
        """The body of the answer. A parameter that the model does not know by that name is sent in another way."""
        while True:
            before = (self._limit, self._heated)
            try:
                return await super()._exchange(
                    prompt, model=model, temperature=temperature, max_tokens=max_tokens, timeout=timeout
                )
            except PromptRefused as error:
                if not self._adapt(error.param, before):
                    raise

    def _adapt(self, param: str, before: tuple[str, bool]) -> bool:
        """Whether to ask again, in another way than ``before``; each is changed once at most."""
        limit, heated = before
        if param == "temperature" and heated:
            self._heated = False
        elif param == limit == "max_tokens":
            self._limit = "max_completion_tokens"
        return (self._limit, self._heated) != before

    def _call(
        self, prompt: Prompt, *, model: str, temperature: float, max_tokens: int, timeout: float
    ) -> Any:
        system = [{"role": "system", "content": prompt.system}] if prompt.system else []
        return self._open().chat.completions.with_streaming_response.create(
            model=model,
            messages=[*system, {"role": "user", "content": prompt.user}],
            timeout=timeout,
            **({"temperature": temperature} if self._heated else {}),
            **{self._limit: max_tokens},
        )

    def _read(self, told: Any) -> tuple[str, FinishReason, int | None, int | None, str] | None:
        if not isinstance(dig(told, "choices"), list):
            return None
        message = dig(told, "choices", 0, "message")
        reason = words(dig(told, "choices", 0, "finish_reason"))
        text = words(dig(message, "content"))
        finish = _REASONS.get(reason, FinishReason.OTHER)
        if words(dig(message, "refusal")):
            finish = FinishReason.REFUSAL
        elif not text and finish in (FinishReason.STOP, FinishReason.OTHER):
            finish = FinishReason.EMPTY
        usage = dig(told, "usage")
        tokens = count(dig(usage, "prompt_tokens")), count(dig(usage, "completion_tokens"))
        return text, finish, *tokens, words(dig(told, "model"))


class GroqBackend(OpenAIBackend):
    """Groq, which speaks OpenAI's protocol."""

    KEY_ENV = "GROQ_API_KEY"
    BASE_URL = "https://api.groq.com/openai/v1"


class LocalBackend(OpenAIBackend):
    """A server of one's own: llama.cpp's, Ollama, vLLM, Ray Serve LLM. It wants no key and costs nothing."""

    KEY_ENV = ""
    NEEDS_KEY = False
    BASE_URL = "http://127.0.0.1:8080/v1"
    FREE = True

    def __init__(self, table: BackendTable, key: str | None = None) -> None:
        super().__init__(table, key)
        self._found = ""

    async def _model(self, timeout: float) -> str:
        """The model of the settings, or the first one that the server lists."""
        if self.table.model:
            return self.table.model
        if not self._found:
            async with self._open().models.with_streaming_response.list(timeout=timeout) as response:
                body = await self._bounded(response.iter_bytes())
            self._found = _first_model(body)
        if not self._found:
            raise UnknownModel("lists no model", subject=self._subject, hint="name one as model")
        return self._found


def _first_model(body: bytes) -> str:
    try:
        return words(dig(parsed(body), "data", 0, "id"))
    except ValueError:
        return ""
