"""Workload: what inputs are, and what correct means, for one entry of one program.

A workload file is Python. It defines ``inputs(rng, size)``, which returns the arguments of one call, and may
define ``check(args, output)``, ``sizes = (smallest, largest)`` and, for a whole module,
``call(module, *args)``. Without a file, inputs are made from the entry's type hints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from peagen_ray.errors import WorkloadError
from peagen_ray.workload.codec import MalformedValue
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.scaling import MAX_SIZE, Scale, size_for
from peagen_ray.workload.target import Call, Drained
from peagen_ray.workload.template import template

__all__ = ["Scale", "Workload", "load_workload", "template"]


class Workload(ABC):
    """Makes calls, and judges outputs where it has a check of its own.

    The same seed and size give the same call, in any process. An object serves one thread.

    Attributes:
        has_check: it decides itself what is correct; otherwise the original does.
        sizes: smallest and largest size that make sense.
    """

    has_check: bool = False
    sizes: tuple[int, int] = (1, MAX_SIZE)

    @staticmethod
    def oracle() -> Workload:
        """A workload for comparing outputs with the original's only: it makes no calls."""
        return _Oracle()

    @abstractmethod
    def call(self, seed: int, size: int) -> Call:
        """The arguments of one call; made anew each time, so that a call may change them.

        Raises:
            WorkloadError: they cannot be made.
        """

    @abstractmethod
    def edges(self, seed: int, count: int) -> list[Call]:
        """At most ``count`` calls on small and unusual inputs."""

    def accepts(self, call: Call, observation: bytes) -> bool:  # noqa: ARG002
        """Whether what the original did shows that the input was a valid one.

        An input that was made blindly, and that the original shows to be none of its own, proves nothing
        about a candidate: leave it out. All inputs that a file makes are valid.

        Args:
            call: the arguments as they were before the call.
            observation: what ``equality.observe`` wrote on the original's call.
        """
        return True

    def check_observation(self, call: Call, observation: bytes) -> str | None:
        """Judge by the workload's own check; only where ``has_check``.

        Args:
            call: the arguments as they were before the call.
            observation: what ``equality.observe`` wrote in the candidate's process.

        Returns:
            None when it is right, else one line of what is wrong.
        """
        try:
            seen = Observation.read(observation)
            if seen.raised:
                return f"raised {seen.raised}"
            output = seen.value
        except MalformedValue as error:
            return f"result: cannot be read, {error}"
        if isinstance(output, Drained):
            if output.truncated or output.error is not None:
                return "the iterator returned has no end" if output.truncated else f"raised {output.error!r}"
            output = output.items
        return self._judge(call, output)

    def size_for(self, seconds: Callable[[int], float | None], target: float) -> Scale:
        """The size, within ``sizes``, whose call takes ``target`` seconds; see ``scaling.size_for``.

        Raises:
            WorkloadError: the call fails on the smallest inputs already.
        """
        scale = size_for(seconds, target, sizes=self.sizes)
        if scale is None:
            raise WorkloadError(
                f"no call of size {self.sizes[0]} works",
                hint="give it inputs that the original accepts, by a workload file: peagen-ray workload init",
            )
        return scale

    def _judge(self, call: Call, output: Any) -> str | None:  # noqa: ARG002
        raise WorkloadError("this workload has no check(args, output)")


class _Oracle(Workload):
    def call(self, seed: int, size: int) -> Call:  # noqa: ARG002
        raise WorkloadError("this workload makes no inputs")

    def edges(self, seed: int, count: int) -> list[Call]:  # noqa: ARG002
        return []


def load_workload(
    text: str | None,
    source: str,
    entry: str,
    *,
    path: str = "<workload>",
    target_path: str = "<source>",
) -> Workload:
    """The workload of a file, or one made from type hints.

    The original may be run, as a module that stays installed as ``__peagen_target__``, so that arguments of
    its classes can be pickled and a workload file can import them.

    Args:
        text: the workload file's source, or None to use type hints.
        source: the original.
        entry: what is called in it; see ``target``.
        path: what to call the workload file in messages.
        target_path: what to call the original in messages.

    Raises:
        TargetError: the original has no such entry, or cannot be loaded.
        WorkloadError: the file cannot be used, or the hints do not say enough; then a file to write is shown.
    """
    if text is None:
        from peagen_ray.workload.hints import HintWorkload

        return HintWorkload(source, entry, target_path)
    from peagen_ray.workload.file import FileWorkload

    return FileWorkload(text, source, entry, path, target_path)
