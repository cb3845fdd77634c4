"""``--sync``, ``--queue`` and ``--provider`` agree, or are refused."""

from __future__ import annotations

import pytest

from peagen_ray.cli.options import check_provider
from peagen_ray.errors import UsageError


@pytest.mark.parametrize(
    ("sync", "queue", "provider", "wanted"),
    [
        (False, False, None, None),
        (False, True, None, None),
        (False, True, "redis", "redis"),
        (False, False, "redis://host", "redis://host"),
        (True, False, None, "stub"),
        (True, False, "stub", "stub"),
        (False, False, "stub", "stub"),
    ],
)
def test_what_the_flags_stand_for(sync: bool, queue: bool, provider: str | None, wanted: str | None) -> None:
    assert check_provider(sync=sync, queue=queue, provider=provider)["task_queue.provider"] == wanted


@pytest.mark.parametrize(
    ("queue", "provider"), [(True, None), (True, "stub"), (False, "redis"), (True, "ray")]
)
def test_sync_contradicts_a_queue(queue: bool, provider: str | None) -> None:
    with pytest.raises(UsageError, match="without a queue") as refused:
        check_provider(sync=True, queue=queue, provider=provider)
    assert "drop --sync" in refused.value.hint
