"""From a plan to tasks: outputs in groups, each with what its templates need and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from peagen_ray.errors import ProjectError
from peagen_ray.rendering.parts import Parts, encode
from peagen_ray.rendering.plan import Plan
from peagen_ray.rendering.work import job_payload
from peagen_ray.task import Task, TaskKind

_MOST_VALUES: Final = 4 * 1024 * 1024
"""Bytes of the values of one task's outputs."""

_MOST_TASK: Final = 24 * 1024 * 1024
"""Bytes of one task's parts that travel in it."""

_MOST_CARRIED: Final = 64 * 1024 * 1024
"""Bytes of parts that travel in all tasks together, as far as fewer tasks can keep them below."""

_GRACE_S: Final = 60.0
_LONGEST_S: Final = 3600.0


@dataclass
class Chunks:
    """Makes the tasks of a plan.

    Attributes:
        plan: what is to be rendered.
        parts: where shared parts are kept.
        run_id: part of every task's id.
        spread: into how many tasks the outputs go, about.
        requires: tags that a worker must offer.
    """

    plan: Plan
    parts: Parts
    run_id: str
    spread: int
    requires: frozenset[str] = frozenset()
    _references: dict[str, dict[str, Any]] = field(default_factory=dict)
    _bundles: dict[frozenset[str], dict[str, Any]] = field(default_factory=dict)

    def tasks(self) -> Iterator[tuple[Task, range]]:
        """The tasks in order, each with the numbers of its outputs.

        Raises:
            ProjectError: the data cannot travel.
        """
        for number, (chunk, units) in enumerate(self._groups()):
            yield self._task(number, chunk, units), chunk

    def _groups(self) -> Iterator[tuple[range, bytes]]:
        most = self._most_units()
        start, texts, size = 0, list[bytes](), 0
        for number, unit in enumerate(self.plan.units):
            text = self._unit(number, unit.template, unit.values, unit.owner)
            if texts and (len(texts) >= most or size + len(text) > _MOST_VALUES):
                yield range(start, number), b"[" + b",".join(texts) + b"]"
                start, texts, size = number, [], 0
            texts.append(text)
            size += len(text)
        if texts:
            yield range(start, len(self.plan.units)), b"[" + b",".join(texts) + b"]"

    def _unit(self, number: int, template: str, values: Mapping[str, Any], owner: str) -> bytes:
        try:
            return encode([number, template, values])
        except ValueError as error:
            raise ProjectError(f"the data cannot travel: {error}", subject=owner) from error

    def _most_units(self) -> int:
        """Outputs of one task: fewer, larger tasks where each has to carry much."""
        names = set[str]().union(*(self._names(template) for template in self._templates()))
        carried = sum(len(self._reference(name).get("packed", "")) for name in names)
        spread = max(1, min(self.spread, _MOST_CARRIED // max(1, carried)))
        return -(-len(self.plan.units) // spread) or 1

    def _templates(self) -> list[str]:
        return sorted({unit.template for unit in self.plan.units})

    def _names(self, template: str) -> set[str]:
        needs = self.plan.library.needs(template).names
        known = set(self.plan.data)
        return known if needs is None else known & needs

    def _task(self, number: int, chunk: range, units: bytes) -> Task:
        templates = {self.plan.units[each].template for each in chunk}
        names = sorted(set[str]().union(*(self._names(name) for name in templates)))
        data = {name: self._reference(name) for name in names}
        self._check_size(data)
        plan = self.plan
        payload = job_payload(self._bundle(templates), data, units, plan.library.settings, plan.timeout)
        payload["timeout"] = min(_LONGEST_S, _GRACE_S + plan.timeout * len(chunk))
        task_id = hashlib.blake2b(f"{self.run_id}/{number}".encode(), digest_size=16).hexdigest()
        return Task(kind=TaskKind.RENDER, id=task_id, payload=payload, requires=self.requires)

    def _reference(self, name: str) -> dict[str, Any]:
        if name not in self._references:
            try:
                self._references[name] = self.parts.reference(encode(self.plan.data[name]))
            except ValueError as error:
                raise ProjectError(f"cannot travel: {error}", subject=f"data {name!r}") from error
        return self._references[name]

    def _bundle(self, templates: set[str]) -> dict[str, Any]:
        every = frozenset[str]().union(*(self.plan.library.needs(name).templates for name in templates))
        if every not in self._bundles:
            self._bundles[every] = self.parts.reference(encode(self.plan.library.bundle(every)))
        return self._bundles[every]

    def _check_size(self, data: Mapping[str, dict[str, Any]]) -> None:
        size = sum(len(reference.get("packed", "")) for reference in data.values())
        if size > _MOST_TASK:
            largest = max(data, key=lambda name: len(data[name].get("packed", "")))
            hint = "give [result_backend] root an absolute path or an address that workers can read, or use --sync"
            raise ProjectError(
                f"{size} bytes are too many for a task to carry", subject=f"data {largest!r}", hint=hint
            )
