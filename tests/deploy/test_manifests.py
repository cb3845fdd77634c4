"""Everything under deploy/ is what its reader accepts, and errors planted in it are found."""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import (
    ROOT,
    Wrong,
    autoscaling,
    check,
    containers,
    documents,
    kustomizations,
    manifests,
    pods,
    walk,
    with_engines,
)

from peagen_ray._version import __version__
from peagen_ray.config.model import ContainerTable, FabricTable
from peagen_ray.fabric.capabilities import PLENTY, tags_offered
from peagen_ray.task import check_tag
from peagen_ray.testing.servers import need, server_program

OTHERS = {
    "redis": "valkey/valkey:8.1",
    "prometheus": "prom/prometheus:v2.53.3",
    "grafana": "grafana/grafana:11.4.0",
}
MONITORING = {"prometheus", "grafana", "monitoring"}
"""Folders with no image of ours."""

RAY_OWN = {"CPU", "GPU", "memory"}
FILES = manifests()


@pytest.mark.parametrize("path", FILES)
def test_every_document_is_accepted_whole(path):
    for document in documents(path):
        check(document)


def test_the_files_that_the_roll_out_names_are_there():
    assert {
        "deploy/k8s/spawner-cpu.yaml",
        "deploy/k8s/spawner-gpu.yaml",
        "deploy/kuberay/raycluster.yaml",
        "deploy/kuberay/rayjob.yaml",
        "deploy/kuberay/redis.yaml",
    } <= set(FILES)


# ---- planted errors ------------------------------------------------------------------------------

FREE = {"labels", "matchLabels", "clusterSelector", "requests", "limits"}
"""Mappings whose keys may be the writer's own."""


def _keys(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Where the keys are that some definition names."""
    every = (path for path, _ in walk(document) if path and isinstance(path[-1], str))
    return [path for path in every if not _own(path)]


def _own(path: tuple[Any, ...]) -> bool:
    """Whether the writer chose the key: a label, a resource, or a tag of a group of workers."""
    group = path[:1] == ("spec",) and path[1:2] == ("workerGroupSpecs",) and path[3:4] == ("resources",)
    return "/" in path[-1] or bool(FREE.intersection(path[:-1])) or (group and len(path) == 5)


def _replaced(document: dict[str, Any], path: tuple[Any, ...], key: str) -> dict[str, Any]:
    planted = copy.deepcopy(document)
    inside: Any = planted
    for step in path[:-1]:
        inside = inside[step]
    inside[key] = inside.pop(path[-1])
    return planted


@pytest.mark.parametrize("path", FILES)
def test_a_key_that_is_misspelt_anywhere_is_found(path):
    for document in documents(path):
        missed = [
            where for where in _keys(document) if not _found(_replaced(document, where, f"{where[-1]}x"))
        ]
        assert missed == []


def _found(document: dict[str, Any]) -> bool:
    try:
        check(document)
    except Wrong:
        return True
    return False


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("deploy/kuberay/raycluster.yaml", 'num-cpus: "0"', "num-cpus: 0"),
        ("deploy/kuberay/raycluster.yaml", "minReplicas: 0", "minReplicas: none"),
        ("deploy/kuberay/raycluster.yaml", "upscalingMode: Default", "upscalingMode: Fast"),
        ("deploy/kuberay/raycluster.yaml", "memory: 8Gi", "memory: 8Gig"),
        ("deploy/kuberay/rayjob.yaml", "activeDeadlineSeconds: 7200", "activeDeadlineSeconds: 2h"),
        ("deploy/kuberay/redis.yaml", "replicas: 1", "replicas: one"),
        ("deploy/kuberay/redis.yaml", "policyTypes: [", "policyTypes: 1 #["),
        ("deploy/k8s/spawner-cpu.yaml", "apps/v1", "apps/v2"),
        ("deploy/k8s/spawner-gpu.yaml", "replicas: 0", "replicas: few"),
        ("deploy/k8s/keda.yaml", 'streamLength: "2"', 'streamLength: "two"'),
    ],
)
def test_a_value_of_the_wrong_sort_is_found(path, old, new):
    text = (ROOT / path).read_text()
    assert old in text
    planted = list(yaml.safe_load_all(text.replace(old, new)))
    assert any(_found(document) for document in planted)


def test_a_key_that_stands_twice_is_found(tmp_path):
    text = (ROOT / "deploy/k8s/spawner-cpu.yaml").read_text()
    planted = tmp_path / "spawner.yaml"
    planted.write_text(text.replace("  replicas: 2\n", "  replicas: 2\n  replicas: 3\n"))
    with pytest.raises(Wrong, match="twice"):
        documents(planted)


# ---- the Ray cluster -----------------------------------------------------------------------------


def _ray_cluster() -> dict[str, Any]:
    (document,) = documents("deploy/kuberay/raycluster.yaml")
    return document


def test_kuberays_workers_start_from_zero_beside_a_head_without_cpus():
    seen = autoscaling(_ray_cluster())
    types = seen["available_node_types"]
    assert types.pop("headgroup")["resources"]["CPU"] == 0
    assert set(types) == {"cpu", "gpu"}
    assert all(each["min_workers"] == 0 and each["max_workers"] > 0 for each in types.values())
    assert all(group["replicas"] == 0 for group in _ray_cluster()["spec"]["workerGroupSpecs"])
    assert seen["idle_timeout_minutes"] == 5
    assert _ray_cluster()["spec"]["enableInTreeAutoscaling"] is True


def test_the_head_may_read_its_raycluster_and_workers_may_read_nothing():
    spec = _ray_cluster()["spec"]
    head = spec["headGroupSpec"]["template"]["spec"]
    assert head.get("automountServiceAccountToken", True) is True
    assert "serviceAccountName" not in head  # KubeRay names its own, which may
    for group in spec["workerGroupSpecs"]:
        assert group["template"]["spec"]["automountServiceAccountToken"] is False


def test_no_variable_overrules_the_queue_that_a_command_names():
    for container in containers("deploy/kuberay/raycluster.yaml"):
        assert "PEAGEN_QUEUE" not in {each["name"] for each in container.get("env", [])}


def test_the_autoscaler_sees_tags_with_the_capacity_of_their_sort():
    types = autoscaling(_ray_cluster())["available_node_types"]
    slots = FabricTable().consumable
    for node_type in types.values():
        for name, amount in node_type["resources"].items():
            if name not in RAY_OWN:
                assert check_tag(name) == name
                assert amount == slots.get(name, PLENTY)
    assert {"cpu", "llm"} <= tags_offered(types["cpu"]["resources"])
    assert {"cpu", "gpu", "cuda12"} <= tags_offered(types["gpu"]["resources"])


def test_the_broker_is_found_by_its_service_and_guarded_by_its_policy():
    service, broker, policy = documents("deploy/kuberay/redis.yaml")
    labels = broker["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert broker["spec"]["serviceName"] == service["metadata"]["name"]
    (admitted,) = [each["podSelector"]["matchLabels"] for each in policy["spec"]["ingress"][0]["from"][:1]]
    clients = ["deploy/kuberay/raycluster.yaml", "deploy/k8s/spawner-cpu.yaml", "deploy/k8s/spawner-gpu.yaml"]
    templates = [value for path in clients for document in documents(path) for _, value in walk(document)]
    templates = [
        each for each in templates if isinstance(each, dict) and "containers" in each.get("spec", {})
    ]
    assert templates
    assert all(admitted.items() <= each["metadata"]["labels"].items() for each in templates)


def test_the_job_runs_on_that_cluster():
    (job,) = documents("deploy/kuberay/rayjob.yaml")
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": _ray_cluster()["metadata"]["name"]}


# ---- pods ----------------------------------------------------------------------------------------

WITH_PODS = [path for path in FILES if pods(path)]


@pytest.mark.parametrize("path", WITH_PODS)
def test_no_pod_runs_as_root_or_can_become_it_or_writes_to_its_image(path):
    for pod in pods(path):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False
            assert inner["readOnlyRootFilesystem"] is True
            assert inner["capabilities"] == {"drop": ["ALL"]}
            assert {"/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("path", WITH_PODS)
def test_every_mount_has_its_volume(path):
    claims = {
        claim["metadata"]["name"]
        for document in documents(path)
        for claim in document.get("spec", {}).get("volumeClaimTemplates", [])
    }
    for pod in pods(path):
        volumes = {volume["name"] for volume in pod["volumes"]} | claims
        assert {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]} == volumes


@pytest.mark.parametrize("path", ["deploy/k8s/spawner-cpu.yaml", "deploy/k8s/spawner-gpu.yaml"])
def test_a_spawner_selects_its_own_pods_and_gives_them_time_to_finish(path):
    (document,) = documents(path)
    template = document["spec"]["template"]
    selector = document["spec"]["selector"]["matchLabels"]
    assert selector.items() <= template["metadata"]["labels"].items()
    assert template["spec"]["terminationGracePeriodSeconds"] >= 120


def test_gpus_are_asked_for_where_they_are_offered():
    (spawner,) = containers("deploy/k8s/spawner-gpu.yaml")
    assert spawner["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert autoscaling(_ray_cluster())["available_node_types"]["gpu"]["resources"]["GPU"] == 1


def test_keda_scales_the_spawners_on_streams_that_the_queue_has():
    from peagen_ray.config.model import TaskQueueTable
    from peagen_ray.queues.model import lane_of, tags_of

    for document in documents("deploy/k8s/keda.yaml"):
        if document["kind"] != "ScaledObject":
            continue
        name = document["spec"]["scaleTargetRef"]["name"]
        (spawner,) = containers(f"deploy/k8s/{name}.yaml")
        caps = {each["name"]: each.get("value", "") for each in spawner["env"]}["WORKER_CAPS"].split(",")
        for trigger in document["spec"]["triggers"]:
            stream = trigger["metadata"]["stream"]
            door = f"{TaskQueueTable().prefix}tasks"
            lane = stream.removeprefix(door).removeprefix(".")
            assert stream.startswith(door)
            assert lane_of(tags_of(lane)) == lane
            assert tags_of(lane) <= set(caps)


# ---- engines -------------------------------------------------------------------------------------


def _engine_groups() -> dict[str, dict[str, Any]]:
    groups = {group["groupName"]: group for group in with_engines()["spec"]["workerGroupSpecs"]}
    return {name: group for name, group in groups.items() if "docker" in group["resources"]}


def test_the_cluster_with_engines_is_accepted_whole_and_errors_in_it_are_found():
    document = with_engines()
    check(document)
    missed = [where for where in _keys(document) if not _found(_replaced(document, where, f"{where[-1]}x"))]
    assert missed == []


def test_engines_are_added_and_nothing_else_is_changed():
    base, changed = _ray_cluster()["spec"], with_engines()["spec"]
    assert {**changed, "workerGroupSpecs": 0} == {**base, "workerGroupSpecs": 0}
    assert changed["workerGroupSpecs"][0] == base["workerGroupSpecs"][0]
    assert set(_engine_groups()) == {"gpu", "docker"}
    assert all(group["minReplicas"] == group["replicas"] == 0 for group in _engine_groups().values())


def test_only_the_engine_is_privileged_and_only_it_sees_more_than_the_worker():
    for group in _engine_groups().values():
        pod = group["template"]["spec"]
        *others, engine = pod["initContainers"]
        assert engine["securityContext"]["privileged"] is True
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in [*others, *pod["containers"]]:
            inner = container["securityContext"]
            assert "privileged" not in inner
            assert inner["allowPrivilegeEscalation"] is False
            assert inner["readOnlyRootFilesystem"] is True
            assert inner["capabilities"] == {"drop": ["ALL"]}
        assert not any("hostPath" in volume for volume in pod["volumes"])
        assert "hostPID" not in pod


def test_the_worker_and_its_engine_share_processes_a_socket_and_our_code():
    for group in _engine_groups().values():
        pod = group["template"]["spec"]
        (worker,) = pod["containers"]
        copy_, engine = pod["initContainers"]
        assert pod["shareProcessNamespace"] is True
        assert engine["restartPolicy"] == "Always"
        mounts = {each["mountPath"]: each["name"] for each in engine["volumeMounts"]}
        assert mounts["/run"] == {each["mountPath"]: each["name"] for each in worker["volumeMounts"]}["/run"]
        packages = "/opt/peagen/lib/python3.11/site-packages"
        assert [mounts[packages]] == [each["name"] for each in copy_["volumeMounts"]]
        assert f"cp -r {packages}/peagen_ray " in copy_["command"][-1]
        assert f"--group={pod['securityContext']['runAsGroup']}" in engine["args"]
        volumes = {each["name"] for each in pod["volumes"]}
        used = [each["name"] for one in (copy_, engine, worker) for each in one["volumeMounts"]]
        assert set(used) == volumes


def test_the_image_of_candidates_is_pulled_before_the_worker_starts():
    image = ContainerTable().image.replace(f"{sys.version_info.major}.{sys.version_info.minor}", "3.11")
    for group in _engine_groups().values():
        engine = group["template"]["spec"]["initContainers"][-1]
        assert engine["lifecycle"]["postStart"]["exec"]["command"][-1].endswith(f"pull --quiet {image}")
        assert engine["startupProbe"]["exec"]["command"][-1] == image


def test_ray_counts_the_cpus_and_gpus_of_the_engine():
    types = autoscaling(with_engines())["available_node_types"]
    for name, group in _engine_groups().items():
        limits = group["template"]["spec"]["initContainers"][-1]["resources"]["limits"]
        assert types[name]["resources"]["CPU"] == int(limits["cpu"])
        assert types[name]["resources"].get("GPU", 0) == int(limits.get("nvidia.com/gpu", 0))


def test_images_of_engines_are_named_in_the_kustomization():
    said = yaml.safe_load((ROOT / "deploy/kuberay-docker/kustomization.yaml").read_text())
    named = {each["name"] for each in said["images"]}
    pods_ = [group["template"]["spec"] for group in _engine_groups().values()]
    used = {each["image"].partition(":")[0] for pod in pods_ for each in pod["initContainers"]}
    assert used == named


# ---- what files say of each other ----------------------------------------------------------------


def test_images_and_versions_agree():
    ray = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert ray
    assert _ray_cluster()["spec"]["rayVersion"] == ray[1]
    ours = {container["image"] for path in FILES for container in containers(path)}
    assert ours == {f"peagen-ray:{__version__}", *OTHERS.values()}
    for path in kustomizations():
        if path.parent.name in MONITORING:
            continue
        images = yaml.safe_load(path.read_text())["images"]
        assert {"name": "peagen-ray", "newName": "peagen-ray", "newTag": __version__} in images


def test_kustomizations_name_files_that_are_there():
    for path in kustomizations():
        said = yaml.safe_load(path.read_text())
        optional = {"configMapGenerator"} if path.parent.name in MONITORING else {"images", "patches"}
        assert set(said) - optional == {"apiVersion", "kind", "namespace", "resources"}
        bases = [path.parent / name for name in said["resources"] if name.startswith("../")]
        files = [path.parent / name for name in said["resources"] if not name.startswith("../")]
        files += [path.parent / patch["path"] for patch in said.get("patches", [])]
        files += [base / "kustomization.yaml" for base in bases]
        generated = [name for each in said.get("configMapGenerator", []) for name in each["files"]]
        files += [path.parent / name.rpartition("=")[2] for name in generated]
        assert all(each.is_file() for each in files)


def test_secrets_are_only_referred_to_and_the_guide_makes_each():
    guide = (ROOT / "docs/clusters.md").read_text()
    for path in FILES:
        for document in documents(path):
            assert document["kind"] != "Secret"
            for where, value in walk(document):
                if where[-1:] == ("secretKeyRef",):
                    assert f"generic {value['name']}" in guide
                    assert f"--from-literal={value['key']}=" in guide


# ---- the broker ----------------------------------------------------------------------------------


def test_the_brokers_command_starts_a_server_that_wants_the_password_and_keeps_everything(tmp_path):
    import redis

    need("valkey")
    (container,) = containers("deploy/kuberay/redis.yaml")
    line = tmp_path / "socket"
    (script,) = container["args"]
    script = script.replace("--dir /data", f"--dir {tmp_path}")
    script = script.replace("--port 6379", f"--port 0 --unixsocket {line}")
    environment = {
        "PATH": f"{server_program('valkey').parent}:{os.environ['PATH']}",
        "PEAGEN_REDIS_PASSWORD": "secret-7",
    }
    process = subprocess.Popen([*container["command"], script], env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert any(b"Ready to accept connections" in said for said in process.stdout)
        with redis.Redis(unix_socket_path=str(line)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis(unix_socket_path=str(line), password="secret-7", decode_responses=True) as client:
            kept = client.config_get("appendonly", "appendfsync", "maxmemory-policy")
        assert kept == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        assert not any("secret-7" in word for word in _command_line(process.pid))
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def _command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
