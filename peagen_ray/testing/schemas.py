"""The JSON Schemas of the envelope, generated from its models.

Run as ``python -m peagen_ray.testing.schemas DIRECTORY`` to write them.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from peagen_ray.task import Result, Task

DRAFT: Final = "http://json-schema.org/draft-07/schema#"

MODELS: Final[Mapping[str, type[BaseModel]]] = {"task.v1.json": Task, "result.v1.json": Result}
"""The models by the file names of their schemas."""

_MEANING = re.compile(r"^    (\w+): (.+)$", re.MULTILINE)


def schema(name: str) -> dict[str, Any]:
    """The Draft-07 schema of what a producer writes: every field is there, and others may be.

    Args:
        name: a file name, one of ``MODELS``.
    """
    model = MODELS[name]
    generated = model.model_json_schema(mode="serialization", ref_template="#/definitions/{model}")
    generated["definitions"] = generated.pop("$defs")
    generated["required"] = list(model.model_fields)
    _strip(generated)
    for field, meaning in _MEANING.findall(inspect.getdoc(model) or ""):
        generated["properties"][field]["description"] = meaning
    return {"$schema": DRAFT, "$id": name, "title": model.__name__, **generated}


def _strip(part: dict[str, Any]) -> None:
    """Remove what says nothing, or differs between pydantic's versions; keep the head of a docstring."""
    for word in ("title", "default", "additionalProperties"):
        part.pop(word, None)
    if "description" in part:
        part["description"] = part["description"].partition("\n")[0]
    for inner in (*part.get("properties", {}).values(), *part.get("definitions", {}).values()):
        _strip(inner)


def render(name: str) -> str:
    """The text of a schema file."""
    return json.dumps(schema(name), indent=2) + "\n"


def main(directory: str) -> None:
    """Write the schema files into a directory."""
    for name in MODELS:
        (Path(directory) / name).write_text(render(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
