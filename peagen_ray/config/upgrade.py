"""Bring an older configuration file up to date without touching what its author wrote."""

from __future__ import annotations

from peagen_ray.config.text import FILE_NAME, parse


def upgrade(text: str, name: str = FILE_NAME) -> str:
    """The text with a ``[task_queue]`` section at its end, or unchanged where it has one.

    Everything that was there stays as it is: comments, order, spacing and line endings; and what it means, too:
    a file without the section means the stub, or the queue of the cluster that it names.

    Args:
        text: the file's text, line endings untouched.
        name: what to call the file in an error.

    Raises:
        ConfigError: the text is no TOML.
    """
    found = parse(text, name)
    if "task_queue" in found:
        return text
    fabric = found.get("fabric")
    provider = "ray" if isinstance(fabric, dict) and fabric.get("address") else "stub"
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    ended = text if not text or text.endswith("\n") else text + newline
    gap = newline if ended.strip() else ""
    return f'{ended}{gap}[task_queue]{newline}provider = "{provider}"{newline}'
