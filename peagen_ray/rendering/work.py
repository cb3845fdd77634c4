"""A render task: what its payload says, and carrying it out."""

from __future__ import annotations

import gc
import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, Literal

from jinja2 import Template, TemplateError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_ray.errors import EnvelopeError
from peagen_ray.rendering.environment import (
    Environment,
    Problem,
    Settings,
    TooLarge,
    make_environment,
    problem_of,
)
from peagen_ray.rendering.parts import encode, fetch, pack, unpack

MOST_OUTPUT: Final = 64 * 1024 * 1024
"""Characters of one output."""

ENOUGH: Final = 8 * 1024 * 1024
"""Bytes of outputs after which a task leaves the rest to a follow-up task."""

_MOST_PACKED: Final = 20 * 1024 * 1024
"""Characters of one output as it travels."""

_PIECES: Final = 4096
"""Pieces of a template's output that are joined at a time."""

WireUnit = tuple[int, str, dict[str, Any]]
"""An output in a task: its number, its template, its values."""


class RenderJob(BaseModel):
    """Payload of a render task.

    Attributes:
        render: the version of this form.
        templates: the part with the texts of templates, by name.
        data: the parts with what templates know, by name.
        units: the outputs, packed: number, template and values of each.
        settings: see :class:`Settings`.
        limit_s: seconds that one output may take.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    render: Literal[1] = 1
    templates: dict[str, Any]
    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    units: str
    settings: dict[str, bool] = Field(default_factory=dict)
    limit_s: float = Field(default=30.0, gt=0)

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> RenderJob:
        """The job of a payload; raises EnvelopeError."""
        try:
            return cls.model_validate(payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise EnvelopeError(f"{where}: {first['msg']}", subject="payload") from error


@dataclass(frozen=True)
class Rendered:
    """What became of a task's outputs.

    Attributes:
        outputs: number and text of each that was rendered.
        failed: number of each that was not, and why.
        rest: those that were not begun, since there was enough already.
    """

    outputs: tuple[tuple[int, str], ...]
    failed: tuple[tuple[int, Problem], ...]
    rest: tuple[WireUnit, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """As a Result's data has it; the rest is not in it."""
        failed = [[number, problem.to_wire()] for number, problem in self.failed]
        return {"outputs": pack(encode(self.outputs)), "failed": failed}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Rendered:
        """Read what :meth:`to_wire` made; raises EnvelopeError."""
        try:
            outputs = json.loads(unpack(data["outputs"]))
            failed = [(int(number), Problem(**fields)) for number, fields in data["failed"]]
            return cls(tuple((int(number), str(text)) for number, text in outputs), tuple(failed))
        except (KeyError, TypeError, ValueError) as error:
            raise EnvelopeError(f"is no answer of a render task: {error}", subject="result") from error


def carry_out(job: RenderJob, *, enough: int = ENOUGH) -> Rendered:
    """Render the outputs of a job, in order, until there is enough.

    Raises:
        EnvelopeError: the job refers to what is no part.
        OSError: a part cannot be read here.
    """
    with _undisturbed():
        units = _units(job)
        data = {name: json.loads(fetch(reference)) for name, reference in job.data.items()}
        sources = json.loads(fetch(job.templates))
    environment = make_environment(sources, _settings(job))
    environment.globals.update(data)
    outputs: list[tuple[int, str]] = []
    failed: list[tuple[int, Problem]] = []
    size = 0
    for done, (number, template, values) in enumerate(units):
        if size >= enough:
            return Rendered(tuple(outputs), tuple(failed), tuple(units[done:]))
        try:
            with limited(job.limit_s):
                text = render(environment, template, values)
            size += _check_travels(text)
            outputs.append((number, text))
        except Exception as error:  # noqa: BLE001 - a template may raise anything; its output pays
            failed.append((number, problem_of(error, template)))
    return Rendered(tuple(outputs), tuple(failed))


def follow_up(payload: Mapping[str, Any], rest: Sequence[WireUnit]) -> dict[str, Any]:
    """The payload of the task that renders the rest."""
    return {**payload, "units": pack(encode(rest))}


def job_payload(
    templates: dict[str, Any],
    data: Mapping[str, dict[str, Any]],
    units: bytes,
    settings: Settings,
    limit_s: float,
) -> dict[str, Any]:
    """The payload of a task; ``units`` as JSON, see :class:`RenderJob`."""
    return {
        "render": 1,
        "templates": templates,
        "data": dict(data),
        "units": pack(units),
        "settings": asdict(settings),
        "limit_s": limit_s,
    }


def render(environment: Environment, name: str, values: Mapping[str, Any]) -> str:
    """One output; TooLarge, or whatever a template may raise."""
    template: Template = environment.get_template(name)
    pieces = template.generate(values)
    found: list[str] = []
    size = 0
    while batch := list(islice(pieces, _PIECES)):
        found.append("".join(batch))
        size += len(found[-1])
        if size > MOST_OUTPUT:
            raise TooLarge(f"the output has more than {MOST_OUTPUT} characters")
    return "".join(found)


def _check_travels(text: str) -> int:
    """The bytes of an output; raises TooLarge if a Result cannot carry it, ValueError if it is no Unicode."""
    size = len(text.encode())
    if size > ENOUGH and len(pack(encode(text))) > _MOST_PACKED:
        raise TooLarge(f"the output has {size} bytes, more than a Result can carry")
    return size


class TimeUp(TemplateError):
    """An output took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeUp` in the block after so many seconds; only in a process's main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: Any) -> None:  # noqa: ARG001 - a signal handler's arguments
        raise TimeUp(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No search for cyclic garbage while much is made that has none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()


def _units(job: RenderJob) -> list[WireUnit]:
    try:
        return [
            (int(number), str(name), dict(values)) for number, name, values in json.loads(unpack(job.units))
        ]
    except (TypeError, ValueError) as error:
        raise EnvelopeError(f"units: {error}", subject="payload") from error


def _settings(job: RenderJob) -> Settings:
    try:
        return Settings(**job.settings)
    except TypeError as error:
        raise EnvelopeError(f"settings: {error}", subject="payload") from error
