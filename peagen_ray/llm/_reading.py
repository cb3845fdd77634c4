"""Reading what an endpoint sends: of any shape, from anybody, with nothing taken for granted."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from peagen_ray.errors import (
    BadAnswer,
    KeyRefused,
    LLMError,
    LLMUnavailable,
    PromptRefused,
    RateLimited,
    UnknownModel,
)

_MOST_TOKENS: Final = 10**9
_MOST_WAIT_S: Final = 86_400.0
_TOLD: Final = 300
"""Characters of the endpoint's own words that an error repeats."""

_SHORTEST_KEY: Final = 8
"""Characters below which a key is no secret, and taking it out of a text would only spoil the text."""


def without(key: str | None, text: str) -> str:
    """The text with the key taken out, should the endpoint have repeated it, and fit to be written as UTF-8."""
    if key and len(key) >= _SHORTEST_KEY:
        text = text.replace(key, "[key]")
    return text.encode("utf-8", "replace").decode("utf-8")


def parsed(body: bytes) -> Any:
    """The JSON in it; raises ValueError where there is none, or it is too deep to read."""
    try:
        return json.loads(body)
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error


def dig(value: Any, *path: str | int) -> Any:
    """What is found along keys and indices; None where a step leads nowhere."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def words(value: Any) -> str:
    """A text; "" for anything else."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """A number of tokens; None for anything that cannot be one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST_TOKENS else None


def total(*counts: int | None) -> int | None:
    """The sum; None where a part is not known."""
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None


def retry_after(headers: Mapping[str, str], clock: Callable[[], float] = time.time) -> float | None:
    """Seconds that the endpoint asks its callers to wait, a day at most; None where it says nothing sensible."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(milliseconds / 1000, _MOST_WAIT_S)
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None:
        try:
            seconds = max(0.0, parsedate_to_datetime(text).timestamp() - clock())
        except (TypeError, ValueError, OverflowError):
            return None
    return min(seconds, _MOST_WAIT_S)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, subject: str, key: str | None
) -> LLMError:
    """The error that an answer other than 2xx stands for.

    An answer that says that nothing was done (4xx, 503, 529) costs nothing; any other may have cost tokens.
    """
    try:
        told = parsed(body)
    except ValueError:
        told = None
    said = _said(told, key)
    code = words(dig(told, "error", "code")) or words(dig(told, "error", "type"))
    what = f"answered {status}{': ' if said else ''}{said}"
    about: dict[str, Any] = {"subject": subject, "status": status}
    if 300 <= status < 400:
        return LLMUnavailable(what, hint="it moved; check base_url", **about)
    if status in (401, 402, 403) or code == "insufficient_quota":
        return KeyRefused(what, hint="check the key in the variable that api_key_env names", **about)
    if status == 404 or code == "model_not_found":
        return UnknownModel(what, hint="check model and base_url", **about)
    if status == 429:
        return RateLimited(what, retry_after=retry_after(headers), **about)
    if 400 <= status < 500 and status not in (408, 409, 425):
        return PromptRefused(what, param=_param(told), **about)
    billed = status not in (409, 425, 503, 529)
    return LLMUnavailable(what, billed=billed, retry_after=retry_after(headers), **about)


def bad_answer(what: str, subject: str) -> BadAnswer:
    """The error for a 2xx answer that is not of the protocol; it may have cost tokens."""
    return BadAnswer(what, subject=subject, hint="check base_url", billed=True)


def _said(told: Any, key: str | None) -> str:
    """The endpoint's own words, on one line; none of an answer that is no JSON, such as a page of HTML."""
    said = words(dig(told, "error", "message")) or words(dig(told, "error")) or words(dig(told, "message"))
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in without(key, said)).split())
    return line if len(line) <= _TOLD else f"{line[:_TOLD]}…"


def _param(told: Any) -> str:
    """The parameter that was refused, of those that can be left out or renamed."""
    named = words(dig(told, "error", "param"))
    return named if named in ("temperature", "max_tokens", "max_completion_tokens") else ""
