"""The checked-in schemas and golden vectors against the models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from peagen_ray.errors import EnvelopeError, UnsupportedSchema
from peagen_ray.task import Result, Task
from peagen_ray.testing import schemas

ROOT = Path(__file__).parents[2] / "schemas"
MODELS = {"task": Task, "result": Result}
BEYOND_A_SCHEMA = {
    "payload_nan": "Python's parser takes it; it is no JSON",
    "payload_infinity": "the same",
    "data_nan": "the same",
    "payload_half_a_surrogate": "a string to a schema",
    "id_with_newline": "Python's $ matches before a final newline, a schema's does not",
    "created_at_naive": "a schema's format is only a hint",
    "created_at_numeric_string": "the same",
    "created_at_words": "the same",
    "created_at_before_the_calendar": "the same",
}


def vectors(group: str) -> list[pytest.param]:
    paths = sorted(path for kind in MODELS for path in (ROOT / "vectors" / kind / group).glob("*.json"))
    assert paths
    return [
        pytest.param(path.parents[1].name, path, id=f"{path.parents[1].name}-{path.stem}")
        for path in paths
        if not path.name.endswith(".canonical.json")
    ]


def validator(kind: str) -> Draft7Validator:
    return Draft7Validator(schemas.schema(f"{kind}.v1.json"))


@pytest.mark.parametrize("name", schemas.MODELS)
def test_the_schemas_in_the_repository_are_those_of_the_models(name: str, tmp_path: Path) -> None:
    schemas.main(str(tmp_path))
    assert json.loads((tmp_path / name).read_text()) == json.loads((ROOT / name).read_text())


@pytest.mark.parametrize("kind", MODELS)
def test_the_schemas_are_draft_07_and_require_every_field(kind: str) -> None:
    Draft7Validator.check_schema(schemas.schema(f"{kind}.v1.json"))
    assert set(schemas.schema(f"{kind}.v1.json")["required"]) == set(MODELS[kind].model_fields)


@pytest.mark.parametrize(("kind", "path"), vectors("valid"))
def test_a_valid_vector_goes_round_byte_for_byte(kind: str, path: Path) -> None:
    raw = path.read_bytes()
    assert MODELS[kind].from_wire(raw).to_wire() == raw
    assert MODELS[kind].from_wire(raw.decode()).to_wire() == raw
    validator(kind).validate(json.loads(raw))


@pytest.mark.parametrize(("kind", "path"), vectors("lenient"))
def test_a_lenient_vector_is_read_as_its_canonical_form(kind: str, path: Path) -> None:
    read = MODELS[kind].from_wire(path.read_bytes())
    canonical = path.with_suffix(".canonical.json").read_bytes()
    written = json.loads(read.to_wire())
    expected = json.loads(canonical)
    if "created_at" not in json.loads(path.read_bytes()):
        written.pop("created_at"), expected.pop("created_at")
    assert written == expected
    if path.stem != "error_without_a_message":
        validator(kind).validate(json.loads(canonical))


@pytest.mark.parametrize(("kind", "path"), vectors("invalid"))
def test_an_invalid_vector_is_refused(kind: str, path: Path) -> None:
    raw = path.read_bytes()
    with pytest.raises(EnvelopeError) as caught:
        MODELS[kind].from_wire(raw)
    assert not isinstance(caught.value, UnsupportedSchema)
    assert len(str(caught.value)) < 500
    try:
        parsed = json.loads(raw.decode())
    except ValueError:
        return
    assert validator(kind).is_valid(parsed) is (path.stem in BEYOND_A_SCHEMA)


@pytest.mark.parametrize(("kind", "path"), vectors("newer"))
def test_a_newer_vector_is_refused_by_its_version_alone(kind: str, path: Path) -> None:
    with pytest.raises(UnsupportedSchema) as caught:
        MODELS[kind].from_wire(path.read_bytes())
    assert caught.value.spoken == 1
    assert caught.value.found > 1
