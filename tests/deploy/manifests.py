"""Reads the files that are deployed, and says what is wrong with each; the tests plant errors to see that it does."""

import copy
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonpatch
import jsonschema
import referencing
import referencing.jsonschema
import yaml
from kubernetes_validate.utils import schema_contents
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "tests" / "data" / "kuberay"
NAMESPACE = "peagen"
KUBERNETES = ("1.31", "1.37")
"""The oldest and the newest version that manifests are checked against."""

Document = dict[str, Any]


class Wrong(Exception):
    """A file is not what its reader accepts."""


class _NoDoubles(yaml.SafeLoader):
    """Refuses a mapping with one key twice, which YAML readers take the last of in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if doubles := {key for key in keys if keys.count(key) > 1}:
            raise Wrong(f"{sorted(doubles)} twice in one mapping {node.start_mark}")
        return super().construct_mapping(node, deep)


def documents(path: str | Path) -> list[Document]:
    """The documents of a YAML file; raises Wrong."""
    return list(yaml.load_all((ROOT / path).read_text(), Loader=_NoDoubles))


def manifests() -> list[str]:
    """Every YAML file for Kubernetes, kustomizations left out."""
    every = sorted(path for path in (ROOT / "deploy").rglob("*.yaml") if path.name != "kustomization.yaml")
    ours = [path for path in every if path.parent.name in {"kuberay", "k8s"} or path.name == "server.yaml"]
    return [str(path.relative_to(ROOT)) for path in ours]


def kustomizations() -> list[Path]:
    return sorted((ROOT / "deploy").rglob("kustomization.yaml"))


def with_engines() -> Document:
    """The RayCluster of deploy/kuberay as deploy/kuberay-docker changes it."""
    folder = ROOT / "deploy" / "kuberay-docker"
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    (patch,) = said["patches"]
    (base,) = documents("deploy/kuberay/raycluster.yaml")
    group, _, version = base["apiVersion"].partition("/")
    wanted = {"group": group, "version": version, "kind": base["kind"], "name": base["metadata"]["name"]}
    if patch["target"] != wanted:
        raise Wrong(f"the patch is for another object: {patch['target']}")
    (steps,) = documents(f"deploy/kuberay-docker/{patch['path']}")
    return dict(jsonpatch.apply_patch(json.loads(json.dumps(base)), steps))


# ---- what is accepted ----------------------------------------------------------------------------


def check(document: Document) -> None:
    """Raises Wrong if the API server, an operator or Ray would refuse it or drop a part of it."""
    if missing := {"apiVersion", "kind", "metadata"} - document.keys():
        raise Wrong(f"no {sorted(missing)}")
    checks: dict[str, Callable[[Document], None]] = {
        "RayCluster": _check_ray_cluster,
        "RayJob": _check_ray_job,
        "ScaledObject": _check_keda,
        "TriggerAuthentication": _check_keda,
    }
    checks.get(document["kind"], _check_kubernetes)(document)


def _check_kubernetes(document: Document) -> None:
    for version in KUBERNETES:
        _raise_first(_kubernetes(document["kind"], document["apiVersion"], version), document)


@cache
def _kubernetes(kind: str, api: str, version: str) -> Any:
    """What validates one kind of document, unknown fields refused."""
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    group, _, number = api.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)
    try:
        schema = schema_contents(f"{folder}/{name}.json", version)
    except FileNotFoundError as error:
        raise Wrong(f"Kubernetes {version} knows no {kind} of {api}") from error
    known = referencing.Resource.from_contents(schema_contents(f"{folder}/_definitions.json", version))
    return jsonschema.Draft202012Validator(schema, registry=known @ referencing.Registry())


def _raise_first(validator: Any, document: Any) -> None:
    for error in validator.iter_errors(document):
        raise Wrong(f"{list(error.path)}: {error.message}")


def _check_ray_cluster(document: Document) -> None:
    _raise_first(_operator("rayclusters"), document)
    _check_metadata(document)
    for template in (group["template"] for group in _groups(document)):
        _check_kubernetes(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": template["spec"]}
        )
    for group in _groups(document):
        if unknown := group.get("rayStartParams", {}).keys() - _start_options():
            raise Wrong(f"no options of ray start: {sorted(unknown)}")
    autoscaling(document)


@cache
def _start_options() -> frozenset[str]:
    return frozenset(name.removeprefix("--") for option in start.params for name in option.opts)


def autoscaling(document: Document) -> Document:
    """What the autoscaler makes of a RayCluster; raises Wrong."""
    placed = copy.deepcopy(document)
    placed["metadata"].setdefault("namespace", NAMESPACE)
    try:
        return _derive_autoscaling_config_from_ray_cr(placed)
    except Exception as error:
        raise Wrong(f"Ray cannot read it: {error}") from error


def _check_ray_job(document: Document) -> None:
    _raise_first(_operator("rayjobs"), document)
    _check_metadata(document)
    spec = document["spec"]
    if ("clusterSelector" in spec) == ("rayClusterSpec" in spec):
        raise Wrong("a RayJob names a cluster or describes one")
    if "clusterSelector" in spec and spec.get("shutdownAfterJobFinishes"):
        raise Wrong("the operator does not stop a cluster that a RayJob did not start")


def _check_metadata(document: Document) -> None:
    _check_kubernetes({"apiVersion": "v1", "kind": "ConfigMap", "metadata": document["metadata"]})


def _groups(document: Document) -> list[Document]:
    return [document["spec"]["headGroupSpec"], *document["spec"]["workerGroupSpecs"]]


def _validate(document: Any, schema: Document) -> None:
    _raise_first(jsonschema.Draft202012Validator(schema), document)


@cache
def _crd(name: str) -> Document:
    schema = json.loads((CRDS / f"{name}.json").read_text())
    if name == "rayjobs":
        schema["properties"]["spec"]["properties"]["rayClusterSpec"] = _crd("rayclusters")["properties"][
            "spec"
        ]
    return schema


@cache
def _operator(name: str) -> Any:
    """What validates a document of KubeRay's, unknown fields refused."""
    schema = {**_closed(_crd(name)), "required": ["apiVersion", "kind", "metadata", "spec"]}
    constants = {"kind": {"rayclusters": "RayCluster", "rayjobs": "RayJob"}[name], "apiVersion": "ray.io/v1"}
    for key, value in constants.items():
        schema["properties"][key] = {"const": value}
    return jsonschema.Draft202012Validator(schema)


def _closed(schema: Any) -> Any:
    """The same schema, which refuses what the API server would drop: fields that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: list[str], **properties: Any) -> Document:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_NAMED = _object(["name"], name=_TEXT)
_METADATA = _object(["name"], name=_TEXT, namespace=_TEXT, labels=_TEXTS)
_STREAM = _object(["address", "stream", "streamLength"], address=_TEXT, stream=_TEXT, streamLength=_COUNT)
_TRIGGER = _object(
    ["type", "metadata"], type={"const": "redis-streams"}, metadata=_STREAM, authenticationRef=_NAMED
)
_SCALED = _object(
    ["scaleTargetRef", "triggers"],
    scaleTargetRef=_NAMED,
    minReplicaCount={"type": "integer", "minimum": 0},
    maxReplicaCount={"type": "integer", "minimum": 1},
    cooldownPeriod={"type": "integer", "minimum": 0},
    pollingInterval={"type": "integer", "minimum": 1},
    triggers={"type": "array", "minItems": 1, "items": _TRIGGER},
)
_SECRET = {
    "type": "array",
    "items": _object(["parameter", "name", "key"], parameter=_TEXT, name=_TEXT, key=_TEXT),
}
_KEDA = {"ScaledObject": _SCALED, "TriggerAuthentication": _object([], secretTargetRef=_SECRET)}
"""The part of KEDA's definitions that is used, written from its manual: KEDA itself is not asked."""


def _check_keda(document: Document) -> None:
    frame = _object(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "keda.sh/v1alpha1"},
        kind={"enum": list(_KEDA)},
        metadata=_METADATA,
        spec=_KEDA[document["kind"]],
    )
    _validate(document, frame)


# ---- ray up --------------------------------------------------------------------------------------

_PROVIDER = _object(
    ["type", "region"],
    type={"const": "aws"},
    region=_TEXT,
    availability_zone=_TEXT,
    cache_stopped_nodes={"type": "boolean"},
)
_NODE_CONFIG = _object(
    ["InstanceType", "ImageId"],
    InstanceType={"type": "string", "pattern": r"^[a-z0-9-]+\.[a-z0-9]+$"},
    ImageId={"type": "string", "pattern": "^ami-[0-9a-f]{17}$"},
    InstanceMarketOptions=_object(["MarketType"], MarketType={"const": "spot"}),
)
"""What Ray's validator does not look into: the provider's keys, and what is passed to RunInstances."""


def cluster() -> Document:
    """What ``ray up`` reads."""
    (document,) = documents("cluster.yaml")
    return document


def check_cluster(document: Document) -> Document:
    """What Ray makes of a configuration for ``ray up``; raises Wrong."""
    try:
        prepared = prepare_config(copy.deepcopy(document))
        validate_config(prepared)
    except Exception as error:
        raise Wrong(str(error)) from error
    _validate(document["provider"], _PROVIDER)
    for name, node_type in document["available_node_types"].items():
        try:
            _validate(node_type["node_config"], _NODE_CONFIG)
        except Wrong as error:
            raise Wrong(f"{name}: {error}") from error
    return prepared


# ---- what is inside ------------------------------------------------------------------------------


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value below a value, with the keys that lead to it."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from walk(each, (*path, key))


def containers(path: str) -> list[Document]:
    """The containers of every pod that a file describes."""
    found = (
        value
        for document in documents(path)
        for where, value in walk(document)
        if where[-1:] == ("containers",)
    )
    return [container for group in found for container in group]


def pods(path: str) -> list[Document]:
    """What a file says of each sort of pod."""
    every = (value for document in documents(path) for _, value in walk(document))
    return [value for value in every if isinstance(value, dict) and "containers" in value]


def commands(text: str) -> list[list[str]]:
    """The calls of peagen-ray in a shell's text, comments left out, one list of words each.

    What `peagen-ray submit` is given to run is a call as well.
    """
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if not line.lstrip().startswith("#")]
    lines = [re.sub(r"(peagen-ray submit\b.*?\s--\s)", r"\1peagen-ray ", line) for line in lines]
    parts = [part.strip() for line in lines for part in re.split(r"&&|\|\||[;|]|\s--\s", line)]
    calls = [part.removeprefix("$ ") for part in parts]
    return [shlex.split(call, comments=True)[1:] for call in calls if call.startswith("peagen-ray ")]


# ---- the image -----------------------------------------------------------------------------------

_INSTRUCTIONS = {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their words; raises Wrong."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in re.sub(r"\\\n\s*", " ", plain).splitlines() if line.strip()]
    found = [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[-1]) for line in lines]
    if unknown := {name for name, _ in found} - _INSTRUCTIONS:
        raise Wrong(f"no instruction of a Dockerfile: {sorted(unknown)}")
    return found


def check_dockerfile(text: str) -> None:
    """Raises Wrong unless every file that is copied is there, every stage is known, and the last is no root."""
    stages: list[str] = []
    user = ""
    for name, words in instructions(text):
        if name == "FROM":
            stages.append(words.partition(" AS ")[2])
            user = ""
        elif name == "COPY":
            _check_copy(words.split(), stages)
        elif name == "USER":
            user = words
        elif name in {"ENTRYPOINT", "CMD"}:
            _check_words(words)
    if not re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user):
        raise Wrong(f"the user is {user or 'root'}")


def _check_words(words: str) -> None:
    try:
        _validate(json.loads(words), {"type": "array", "items": _TEXT, "minItems": 1})
    except json.JSONDecodeError as error:
        raise Wrong(f"no list of words: {words}") from error


def _check_copy(words: list[str], stages: list[str]) -> None:
    if words[0].startswith("--from="):
        if words[0].removeprefix("--from=") not in stages[:-1]:
            raise Wrong(f"no such stage: {words[0]}")
        return
    for source in words[:-1]:
        if not (ROOT / source).exists():
            raise Wrong(f"no such file: {source}")
        if not _reaches_builder(source):
            raise Wrong(f".dockerignore holds {source} back")


def _reaches_builder(source: str) -> bool:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return any(source == each or source.startswith(f"{each}/") for each in kept)
