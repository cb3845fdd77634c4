"""Anthropic's messages, whose interface takes no temperature since its version 2026-10-21."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from peagen_ray.errors import MissingExtra
from peagen_ray.llm._reading import count, dig, total, words
from peagen_ray.llm._sdk import PLACEHOLDER, SdkBackend
from peagen_ray.llm.base import FinishReason, Prompt

_REASONS: Final = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSAL,
}


class AnthropicBackend(SdkBackend):
    """Anthropic's messages. The temperature is not sent, since the interface refuses any."""

    KEY_ENV = "ANTHROPIC_API_KEY"
    NEEDS_KEY = True
    BASE_URL = "https://api.anthropic.com"

    def _library(self) -> ModuleType:
        try:
            import anthropic
        except ImportError as error:
            raise MissingExtra(
                "Anthropic's SDK is not installed",
                subject=f"LLM back-end {self.name}",
                hint="pip install 'peagen-ray[llm]'",
            ) from error
        return anthropic

    def _connect(self, http: Any) -> Any:
        return self._sdk.AsyncAnthropic(
            api_key=self._key or PLACEHOLDER,
            base_url=self.table.base_url or self.BASE_URL,
            max_retries=0,
            http_client=http,
        )

    def _call(
        self,
        prompt: Prompt,
        *,
        model: str,
        temperature: float,  # noqa: ARG002
        max_tokens: int,
        timeout: float,
    ) -> Any:
        return self._open().messages.with_streaming_response.create(
            model=model,
            messages=[{"role": "user", "content": prompt.user}],
            max_tokens=max_tokens,
            timeout=timeout,
            **({"system": prompt.system} if prompt.system else {}),
        )

    def _read(self, told: Any) -> tuple[str, FinishReason, int | None, int | None, str] | None:
        blocks = dig(told, "content")
        if not isinstance(blocks, list):
            return None
        text = "".join(words(dig(block, "text")) for block in blocks if dig(block, "type") == "text")
        finish = _REASONS.get(words(dig(told, "stop_reason")), FinishReason.OTHER)
        if not text and finish in (FinishReason.STOP, FinishReason.OTHER):
            finish = FinishReason.EMPTY
        usage = dig(told, "usage")
        cached = (count(dig(usage, f"cache_{way}_input_tokens")) or 0 for way in ("creation", "read"))
        tokens_in = total(count(dig(usage, "input_tokens")), *cached)
        return text, finish, tokens_in, count(dig(usage, "output_tokens")), words(dig(told, "model"))
