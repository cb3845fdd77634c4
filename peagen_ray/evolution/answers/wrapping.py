"""Answers whose code is wrapped up: as strings of JSON, in tags, or escaped for HTML."""

from __future__ import annotations

import html
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_ENTITY: Final = re.compile(r"&(?:lt|gt|amp|quot|apos|#39|#x27|#34);")
_OLD: Final = (
    "search",
    "old",
    "old_str",
    "old_string",
    "old_code",
    "original",
    "original_code",
    "find",
    "before",
)
_NEW: Final = (
    "replace",
    "new",
    "new_str",
    "new_string",
    "new_code",
    "updated",
    "updated_code",
    "modified",
    "replacement",
    "after",
)
_TAG: Final = re.compile(r"[ \t]*<(/?)(\w+)>[ \t]*", re.IGNORECASE)
_PRE: Final = re.compile(r"[ \t]*(?:<pre\b[^<>]{0,80}>[ \t]*)?<code\b[^<>]{0,80}>")
_BLANK: Final = re.compile("([-+]?)([ \\t]*[\u00a0\u200b\ufeff][ \\t\u00a0\u200b\ufeff]*)")
_NESTED: Final = 8
"""Depth of JSON that is looked into."""


def unwrapped(lines: Sequence[str]) -> list[str]:
    """The lines with what JSON holds in the place of JSON, blocks in tags as marked blocks, and plain indentation."""
    plain = [_plain(line) for line in lines]
    if not any("```" in line or "~~~" in line for line in plain):
        plain = [_PRE.sub("", line, count=1) if _PRE.match(line) else line for line in plain]
    return _marked(_from_json(plain))


def is_escaped(text: str, *, code: bool = False) -> bool:
    """Whether there are escapes of HTML in a text; of a program, outside strings and comments."""
    if not code or _ENTITY.search(text) is None:
        return _ENTITY.search(text) is not None
    try:
        tokens = [each.string for each in tokenize.generate_tokens(io.StringIO(text).readline)]
    except (tokenize.TokenError, SyntaxError):
        return False
    names = ("lt", "gt", "amp", "quot", "apos")
    return any(
        a == "&" and b in names and c == ";" for a, b, c in zip(tokens, tokens[1:], tokens[2:], strict=False)
    )


def unescaped(answer: str) -> str:
    """An answer without the escapes of HTML."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), answer)


def _plain(line: str) -> str:
    """A line with nothing but blanks and tabs where it is indented."""
    blank = None if line.isascii() else _BLANK.match(line)
    if blank is None:
        return line
    inner = blank[2].replace("\u200b", "").replace("\ufeff", "").replace("\u00a0", " ")
    return f"{blank[1]}{inner}{line[blank.end() :]}"


def _from_json(lines: list[str]) -> list[str]:
    """JSON is looked for as the whole answer, as a line of it, and in fences that say so."""
    whole = _texts_of(lines)
    if whole is not None:
        return whole
    kept: list[str] = []
    start: int | None = None
    for line in lines:
        word = line.strip().lower()
        if start is None and word in ("```json", "~~~json"):
            start = len(kept)
        elif start is not None and word in ("```", "~~~"):
            inner = _texts_of(kept[start + 1 :])
            if inner is not None:
                kept[start:], start = inner, None
                continue
            start = None
        inner = _texts_of([line]) if start is None and line[:1] == "{" else None
        kept += [line] if inner is None else inner
    return kept


def _texts_of(lines: Sequence[str]) -> list[str] | None:
    text = "\n".join(lines).strip()
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return None
    try:
        held = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    found = [line for part in _strings(held, _NESTED) for line in ("", *part)]
    return found or None


def _strings(held: Any, depth: int) -> Iterator[list[str]]:
    """The strings of several lines in JSON, each in a fence unless it has one; what replaces what, as a block."""
    if isinstance(held, str):
        lines = held.replace("\r\n", "\n").split("\n")
        if len(lines) > 1:
            has_form = any(line.lstrip().startswith(("```", "~~~", "<<<", "***", "---")) for line in lines)
            yield lines if has_form else ["```", *lines, "```"]
    elif isinstance(held, Mapping) and depth:
        old = next((held[key] for key in _OLD if isinstance(held.get(key), str)), None)
        new = next((held[key] for key in _NEW if isinstance(held.get(key), str)), None)
        if old is not None and new is not None:
            yield ["<<<<<<< SEARCH", *_body(old), "=======", *_body(new), ">>>>>>> REPLACE"]
            return
        for each in held.values():
            yield from _strings(each, depth - 1)
    elif isinstance(held, list) and depth:
        for each in held:
            yield from _strings(each, depth - 1)


def _body(text: str) -> list[str]:
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _marked(lines: list[str]) -> list[str]:
    """The lines with marks in the place of ``<search>``, ``</search>``, ``<replace>`` and ``</replace>``."""
    tags = [(at, match) for at, line in enumerate(lines) if "<" in line and (match := _TAG.fullmatch(line))]
    gone: set[int] = set()
    for four in zip(tags, tags[1:], tags[2:], tags[3:], strict=False):
        (a, b, c, d), (old, old_end, new, new_end) = zip(
            *((at, match[1] + match[2].lower()) for at, match in four), strict=True
        )
        pairs = old in _OLD and old_end == f"/{old}" and new in _NEW and new_end == f"/{new}"
        if pairs and not any(line.strip() for line in lines[b + 1 : c]):
            lines[a], lines[b], lines[d] = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
            gone.update(range(b + 1, c + 1))
    return [line for at, line in enumerate(lines) if at not in gone]
