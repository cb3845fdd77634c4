"""What Kubernetes says to the pod that this process runs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def ray_cluster() -> tuple[str, str] | None:
    """The namespace and the name of KubeRay's RayCluster that the pod belongs to; None outside of one."""
    name = os.environ.get("RAY_CLUSTER_NAME", "")
    try:
        namespace = _NAMESPACE.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return (namespace, name) if name and namespace else None
