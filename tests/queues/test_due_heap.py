"""The heap of due keys against sorting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.queues._due import DueHeap

KEYS = st.sampled_from("abcde")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("discard"), KEYS, st.just(0)),
        st.tuples(st.just("take"), st.just(""), st.integers(0, 9)),
    ),
    max_size=200,
)


@given(STEPS)
def test_keys_surface_when_due_whatever_happened_before(steps: list[tuple[str, str, int]]) -> None:
    heap, naive = DueHeap(), {}
    for n, (step, key, due) in enumerate(steps):
        if step == "set":
            heap.set(key, due)
            naive[key] = (due, n)
        elif step == "discard":
            heap.discard(key)
            naive.pop(key, None)
        else:
            taken = [k for k in sorted(naive, key=naive.__getitem__) if naive[k][0] <= due]
            assert list(heap.take(due)) == taken
            naive = {k: v for k, v in naive.items() if k not in taken}
        assert heap.next() == min((due for due, _ in naive.values()), default=None)
        assert list(heap) == sorted(naive, key=naive.__getitem__)
        assert len(heap) == len(naive)


def test_what_was_overtaken_does_not_pile_up() -> None:
    heap = DueHeap()
    for n in range(10_000):
        heap.set("renewed", n)
        heap.set(f"finished {n}", 10**9)
        heap.discard(f"finished {n}")
    assert len(heap._heap) < 100
    assert list(heap.take(10**9)) == ["renewed"]
