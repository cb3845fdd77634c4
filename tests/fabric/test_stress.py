"""Tasks that try to leave something behind, and the next that looks for it."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fabric_bench import leftovers, task

from peagen_ray.task import Status

DOER = "fabric_handlers:Doer"
TASKS = 200


@pytest.fixture
def isolated(runner):
    if "private-tmp" not in runner.run(DOER, task(), timeout=60).data["provenance"]["layers"]:
        pytest.skip("the kernel allows no private temporary directories here")


@pytest.mark.parametrize("threads", [1, 4])
def test_of_200_tasks_that_litter_none_sees_what_another_left(isolated, runner, launcher, threads):
    nap = f"1000.{os.getpid()}"

    def litter(_):
        return runner.run(DOER, task("litter", nap=nap), timeout=60)

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(litter, range(TASKS // threads)))
    assert {result.status for result in results} == {Status.OK}, results[0].data
    if threads == 1:
        assert [result.data["found"] for result in results] == [[]] * len(results)
    else:
        # Those that run at the same time are in one process table, which hides nothing.
        found = [one for result in results for one in result.data["found"]]
        assert [one for one in found if not one.startswith("process")] == []
    assert len({result.data["state"] for result in results}) == len(results)
    assert not any(Path("/proc", str(result.data["daemon"])).exists() for result in results)
    assert leftovers(launcher) == []
    for place in ("/tmp", "/var/tmp", "/dev/shm", Path.home()):
        assert [path.name for path in Path(place).iterdir() if path.name.startswith("litter-")] == []
