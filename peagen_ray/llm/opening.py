"""From the settings of back-ends to back-ends: which adapter, which key, which price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peagen_ray import plugins
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.model import LLMTable
from peagen_ray.config.secrets import secret
from peagen_ray.errors import ConfigError, PluginError
from peagen_ray.llm.base import LLMBackend


def adapter(table: BackendTable) -> type[LLMBackend]:
    """The class that speaks with a back-end.

    Raises:
        PluginNotFound: no installed wheel registers the adapter; says which names there are.
        MissingExtra: the adapter's own module wants something that is not installed.
        PluginError: what is registered is no back-end.
    """
    name = table.adapter or table.name
    found: Any = plugins.load(plugins.Group.LLM_BACKENDS, name)
    if not (isinstance(found, type) and issubclass(found, LLMBackend)):
        raise PluginError(
            "is no subclass of peagen_ray.llm.base.LLMBackend", subject=f"peagen.llm_backends {name!r}"
        )
    return found


def key_variable(table: BackendTable) -> str:
    """The environment variable that holds the key of a back-end; "" where it has none.

    An adapter's own variable counts only at the adapter's own address: a key is sent nowhere else unless
    the settings say so.
    """
    return table.api_key_env or ("" if table.base_url else adapter(table).KEY_ENV)


def open_backend(table: BackendTable, key_of: Callable[[str], str | None] = secret) -> LLMBackend:
    """A back-end, ready to be asked.

    Args:
        table: its settings.
        key_of: finds a key by the name of its variable.

    Raises:
        PluginError: as :func:`adapter` does, MissingExtra included.
        ConfigError: it has no model, and its adapter finds none by itself.
        KeyRefused: there is no key.
    """
    kind = adapter(table)
    if not table.model and kind.NEEDS_KEY:
        raise ConfigError("has no model", subject=f"[[llm.backends]] {table.name}", hint="name one as model")
    variable = key_variable(table)
    if variable and not table.api_key_env:
        table = table.model_copy(update={"api_key_env": variable})
    return kind(table, key_of(variable) if variable else None)


def price(table: BackendTable) -> tuple[float, float] | None:
    """USD per million tokens, of prompts and of answers; None where it is not known."""
    if table.price_in is None and table.price_out is None and adapter(table).FREE:
        return 0.0, 0.0
    if table.price_in is None or table.price_out is None:
        return None
    return table.price_in, table.price_out


def chosen(table: LLMTable, backend: str = "auto") -> tuple[BackendTable, ...]:
    """The back-ends that may be asked.

    Args:
        table: the settings.
        backend: the name of one; auto means ``default_backend``, and where that is auto too, all that have a weight.

    Raises:
        ConfigError: there is none, or none of that name.
    """
    wanted = backend if backend != "auto" else table.default_backend
    if wanted == "auto":
        weighed = tuple(each for each in table.backends if each.weight > 0)
        if not weighed:
            raise ConfigError("no back-end has a weight", subject="llm", hint="add [[llm.backends]]")
        return weighed
    named = tuple(each for each in table.backends if each.name == wanted)
    if not named:
        known = ", ".join(each.name for each in table.backends) or "none"
        raise ConfigError(
            f"there is no back-end {wanted!r}", subject="llm.backends", hint=f"configured: {known}"
        )
    return named
