"""A spawner's pod, as its manifest describes it, in a container of podman: what a cluster would do, without one."""

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from manifests import ROOT, pods

from peagen_ray.errors import SandboxError
from peagen_ray.sandbox.engine import Engine, new_name
from peagen_ray.testing.container_image import image
from peagen_ray.testing.servers import RedisServer, need

PASSWORD = "secret-7"
SOCKET = "/broker/socket"
LIBRARIES = ("/usr", "/lib", "/lib64", "/bin")


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    """A server that wants a password, on a socket that every user may reach."""
    need("valkey")
    with RedisServer("valkey", options=("--requirepass", PASSWORD, "--unixsocketperm", "777")) as server:
        server.folder.chmod(0o755)
        yield server


@pytest.fixture(scope="module")
def engine() -> Engine:
    try:
        found = Engine.find("podman")
    except SandboxError as error:
        (pytest.fail if "CI" in os.environ else pytest.skip)(str(error))
    if shutil.which("runc", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("runc is not installed")
    return found


def confined(pod: dict[str, Any]) -> list[str]:
    """What the pod's security and volumes come to in podman's words; seccomp is the engine's own, as RuntimeDefault is."""
    (container,) = pod["containers"]
    inner = container["securityContext"]
    words = ["--user", f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"]
    words += [f"--cap-drop={capability}" for capability in inner["capabilities"]["drop"]]
    words += ["--security-opt=no-new-privileges"] * (not inner["allowPrivilegeEscalation"])
    words += ["--read-only", "--read-only-tmpfs=false"] * inner["readOnlyRootFilesystem"]
    return words + [
        f"--tmpfs={each['mountPath']}:rw,mode=1777,size=256m" for each in container["volumeMounts"]
    ]


def environment(pod: dict[str, Any]) -> dict[str, str]:
    secrets = {"PEAGEN_QUEUE": f"unix://{SOCKET}", "PEAGEN_REDIS_PASSWORD": PASSWORD}
    (container,) = pod["containers"]
    said = {each["name"]: each.get("value") or secrets[each["name"]] for each in container["env"]}
    return {
        **said,
        "HOME": "/home/peagen",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'handlers'}",
        "PATH": "/usr/bin:/bin",
    }


def mounted(broker: RedisServer) -> list[str]:
    """This interpreter and this checkout in place of the image's own."""
    places = {*LIBRARIES, sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), str(ROOT)}
    options = [f"--volume={place}:{place}:ro" for place in sorted(places) if Path(place).exists()]
    return [*options, f"--volume={broker.folder}:{Path(SOCKET).parent}:ro"]


def limits() -> list[str]:
    """Limits that this process may set, since the engine's own defaults may be higher."""
    every = {"nproc": resource.RLIMIT_NPROC, "nofile": resource.RLIMIT_NOFILE}
    most = {name: resource.getrlimit(number)[1] for name, number in every.items()}
    bounded = {
        name: 4096 if hard == resource.RLIM_INFINITY else min(4096, hard) for name, hard in most.items()
    }
    return [f"--ulimit={name}={bound}:{bound}" for name, bound in bounded.items()]


@contextmanager
def started(engine: Engine, broker: RedisServer, pod: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """The pod's container, which is gone at the end of the block."""
    name = new_name()
    (container,) = pod["containers"]
    program, *words = container["args"]
    assert program == "peagen-ray"
    with image(engine) as made:
        command = engine.command(
            *("run", "--rm", f"--name={name}", "--runtime=runc", "--network=none"),
            *limits(),
            "--workdir=/home/peagen",
            *(f"--env={key}={value}" for key, value in environment(pod).items()),
            *confined(pod),
            *mounted(broker),
            *(made, sys.executable, "-m", "peagen_ray", *words),
        )
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            engine.remove(name)
            process.wait(30)
            assert process.stdout
            process.stdout.close()


@pytest.mark.slow
def test_a_spawners_pod_measures_candidates_as_an_ordinary_user_on_a_read_only_root(engine, broker, tmp_path):
    (pod,) = pods("deploy/k8s/spawner-cpu.yaml")
    with started(engine, broker, pod) as worker:
        assert worker.stdout
        assert any("serves the queue redis" in line for line in worker.stdout)  # after that of the metrics
        step = subprocess.run(
            [
                *(sys.executable, "-m", "peagen_ray", "evolve", "step", "--queue", "--entry-fn", "bad_sort"),
                *("--target-file", str(ROOT / "benchmarks/artifacts/bad_sort.py")),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "PEAGEN_QUEUE": broker.url,
                "PEAGEN_REDIS_PASSWORD": PASSWORD,
                "PEAGEN__EVALUATE__WINNER_S": "1",
                "PEAGEN__EVOLVE__GENERATION_SIZE": "6",
                "PEAGEN__EVOLVE__SEED": "1",
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert step.returncode == 0, step.stderr
        assert "ok" in json.loads(step.stdout)["outcomes"]
        worker.terminate()
        farewell = worker.stdout.read()
        assert worker.wait(60) == 0, farewell
        assert "0 failed, 0 given back" in farewell
