"""A parent selector by its name and options, as a run's record has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peagen_ray.evolution.selectors.base import ParentSelector, build
from peagen_ray.plugins import Group, load


@dataclass(frozen=True)
class Choice:
    """Which selector chooses the parents.

    Attributes:
        selector: its name in ``peagen.parent_selectors``.
        options: its own, by name.
    """

    selector: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def made(self) -> ParentSelector:
        """The selector, fresh; raises PluginError, or ConfigError if its options are not its own."""
        found: type[ParentSelector] = load(Group.PARENT_SELECTORS, self.selector)
        return build(found, self.options)
