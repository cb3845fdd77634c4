"""Node types as a cluster's configuration declares them: a ``cluster.yaml``, or KubeRay's RayCluster or RayJob.

Importing this module does not import Ray; using it does.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peagen_ray.errors import ConfigError
from peagen_ray.fabric.capabilities import NodeType


def node_types(path: Path) -> tuple[NodeType, ...]:
    """The node types of a file; the head's is always there.

    Raises:
        ConfigError: it cannot be read, or Ray does not accept it.
    """
    return types_in(_document(path), path.stem, str(path))


def types_in(document: Mapping[str, Any], name: str, subject: str) -> tuple[NodeType, ...]:
    """The node types of what such a file holds.

    Ray's own code reads and completes it, so that what it says is what the autoscaler does.

    Args:
        document: the configuration for ``ray up``, or a RayCluster or RayJob.
        name: of the cluster, where the document gives it none.
        subject: what errors call it.

    Raises:
        ConfigError: Ray does not accept it.
    """
    try:
        config = _prepared(copy.deepcopy(dict(document)), name, subject)
        head, types = config.get("head_node_type", ""), config["available_node_types"]
        return tuple(_node_type(name, fields, is_head=name == head) for name, fields in types.items())
    except ConfigError:
        raise
    except Exception as error:  # Ray's checks raise anything
        raise _unread(subject, error) from error


def _node_type(name: str, fields: Mapping[str, Any], *, is_head: bool) -> NodeType:
    resources = {key: float(amount) for key, amount in (fields.get("resources") or {}).items()}
    if is_head:
        return NodeType(name, resources, 1, 1)
    return NodeType(name, resources, int(fields.get("min_workers", 0)), int(fields.get("max_workers", 0)))


def _document(path: Path) -> dict[str, Any]:
    import yaml

    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unread(str(path), error) from error
    for document in documents:
        if isinstance(document, dict) and ("available_node_types" in document or "provider" in document):
            return document
        if isinstance(document, dict) and document.get("kind") in {"RayCluster", "RayJob", "RayService"}:
            return document
    raise ConfigError(
        "describes no Ray cluster",
        subject=str(path),
        hint="name a cluster.yaml, or KubeRay's RayCluster or RayJob",
    )


def _prepared(document: dict[str, Any], name: str, subject: str) -> dict[str, Any]:
    with _quiet():
        if "kind" not in document:
            from ray.autoscaler._private.util import prepare_config, validate_config

            config: dict[str, Any] = prepare_config(document)
            for fields in config["available_node_types"].values():
                fields.setdefault(
                    "resources", {}
                )  # a cloud's own code asks the cloud, when nodes are started
            validate_config(config)
            return config
        from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

        spec = document["spec"]
        if document["kind"] != "RayCluster":
            # A job that picks a running cluster by its labels describes none.
            inner = spec.get("rayClusterSpec") or spec.get("rayClusterConfig")
            if inner is None:
                raise ConfigError(
                    "describes no cluster of its own", subject=subject, hint="name its RayCluster"
                )
            spec = inner
        metadata = {"namespace": "default", "name": name, **document.get("metadata", {})}
        config = _derive_autoscaling_config_from_ray_cr({"metadata": metadata, "spec": spec})
    if not spec.get("enableInTreeAutoscaling"):
        _fix(config, spec)
    return config


def _fix(config: dict[str, Any], spec: Mapping[str, Any]) -> None:
    """Without an autoscaler there are as many workers as the file says, and no more are ever started."""
    for group in spec.get("workerGroupSpecs", ()):
        number = int(group.get("replicas", 0))
        config["available_node_types"][group["groupName"]] |= {"min_workers": number, "max_workers": number}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Ray says of every default that it fills in and every old key that it drops."""
    log = logging.getLogger("ray.autoscaler")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _unread(subject: str, error: Exception) -> ConfigError:
    words = str(getattr(error, "message", "") or error).strip().partition("\n")[0]
    return ConfigError(f"cannot be used: {words or type(error).__name__}", subject=subject)
