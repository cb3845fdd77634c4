"""What a worker demands and grants binds every guest, whatever its task asks for."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from peagen_ray.errors import ConfigError, SandboxUnavailable
from peagen_ray.handler import Confinement, HandlerContext, handling
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestFailed, GuestLimits, Profile
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.target import Call

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)

PLANTED = "import os; return ' '.join(sorted(f'{k}={v}' for k, v in os.environ.items() if k.startswith(('CUDA', 'PLANT'))))"
"""What a guest says of its variables."""


def told(
    sandbox: ProcessSandbox, body: str, limits: GuestLimits = LIMITS, wall_s: float | None = None
) -> str:
    source = f"def f(x):\n    {body}\n"
    with sandbox.start(limits) as guest:
        Subject(source, "f").load(guest, "a", source)
        return Observation.read(run(guest, "a", pickle.dumps(Call((1,))), wall_s=wall_s).body).summary()


def test_no_task_gets_more_than_the_workers_ceiling(launcher: Launcher) -> None:
    ceiling = {"memory_mb": 200, "output_kb": 8, "scratch_mb": 1}
    sandbox = ProcessSandbox(launcher, confinement=Confinement(ceiling=ceiling))
    assert "MemoryError" in told(sandbox, "return len(bytearray(300 << 20))")
    fill = "file = open('f', 'wb', 0); file.write(bytes(1 << 20)); file.write(b'more')"
    assert "OSError" in told(sandbox, fill)
    with pytest.raises(GuestFailed) as failure:
        told(sandbox, "return 'x' * 9000")
    assert failure.value.outcome == "violation"


def test_limits_below_the_ceiling_stay_as_they_are() -> None:
    assert LIMITS.within({"memory_mb": 1024, "wall_s": 1.0}) == replace(LIMITS, wall_s=1.0)
    assert LIMITS.within({}) == LIMITS


def test_paths_that_the_worker_lets_in_can_be_read_and_not_written(
    launcher: Launcher, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.write_text("contents")
    for parent in (tmp_path, data):
        parent.chmod(0o755)
    sandbox = ProcessSandbox(launcher, confinement=Confinement(readable=(str(data),)))
    assert told(sandbox, f"return open({str(data)!r}).read()") == "returned 'contents'"
    assert "Error" in told(sandbox, f"return open({str(data)!r}, 'a')")
    assert "FileNotFoundError" in told(ProcessSandbox(launcher), f"return open({str(data)!r}).read()")


def test_a_layer_that_is_demanded_in_vain_is_an_error_that_says_what_to_do(launcher: Launcher) -> None:
    demanding = Confinement(require=("cgroup",))  # a lone process never has one
    with pytest.raises(SandboxUnavailable, match="without cgroup") as refused:
        ProcessSandbox(launcher, confinement=demanding).start(LIMITS)
    assert refused.value.exit_code == 2
    assert refused.value.hint
    lax = Confinement(require=("cgroup",), unsafe=True)
    assert told(ProcessSandbox(launcher, confinement=lax), "return 2") == "returned 2"


def test_a_layer_that_does_not_exist_is_named_with_those_that_do(launcher: Launcher) -> None:
    with pytest.raises(ConfigError, match="require: moat") as refused:
        ProcessSandbox(launcher, confinement=Confinement(require=("moat",))).start(LIMITS)
    assert "seccomp" in refused.value.hint


def test_a_handlers_sandbox_is_confined_as_its_worker_says(launcher: Launcher, tmp_path: Path) -> None:
    context = HandlerContext(tmp_path, launcher=launcher, confinement=Confinement(ceiling={"memory_mb": 200}))
    with handling(context):
        assert "MemoryError" in told(ProcessSandbox(), "return len(bytearray(300 << 20))")


def test_a_fresh_interpreter_is_confined_alike(launcher: Launcher) -> None:
    sandbox = ProcessSandbox(
        launcher, confinement=Confinement(ceiling={"memory_mb": 200}), profile=Profile.THREADS
    )
    with sandbox.fresh(5) as fresh:
        assert isinstance(fresh, ProcessSandbox)
        assert "MemoryError" in told(fresh, "return len(bytearray(300 << 20))")
        threads = "import threading; t = threading.Thread(target=print); t.start(); t.join(); return 'ran'"
        assert told(fresh, threads) == "returned 'ran'"


def test_a_guest_gets_no_gpu_but_its_tasks(launcher: Launcher, tmp_path: Path) -> None:
    sandbox = ProcessSandbox(launcher, profile=Profile.GPU)
    variables = {"CUDA_VISIBLE_DEVICES": "", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "PLANTED": "sk-1"}
    with handling(HandlerContext(tmp_path, environment=variables, gpus=())):
        seen = "return sorted(p for p in __import__('os').listdir('/dev') if p.startswith(('nvidia', 'dri', 'kfd')))"
        assert told(sandbox, seen) == "returned []"
        assert told(sandbox, PLANTED) == "returned 'CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES='"


def test_other_profiles_are_told_nothing_of_gpus(launcher: Launcher, tmp_path: Path) -> None:
    with handling(HandlerContext(tmp_path, environment={"CUDA_VISIBLE_DEVICES": "0"}, gpus=("0",))):
        assert told(ProcessSandbox(launcher), PLANTED) == "returned ''"


def test_a_guest_whose_gpu_cannot_be_told_from_others_is_refused(launcher: Launcher, tmp_path: Path) -> None:
    sandbox = ProcessSandbox(launcher, profile=Profile.GPU)
    with (
        handling(HandlerContext(tmp_path, gpus=("97",))),
        pytest.raises(SandboxUnavailable, match="leads to GPU 97 and to no other"),
    ):
        sandbox.start(LIMITS)
