"""A run that goes on in a thread of this process while the program, or the notebook, does something else."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Self

from peagen_ray.errors import EvolutionError
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.recorded import Run
from peagen_ray.runtime.result import RunResult


class Running(Run):
    """A run under way in this process; see :func:`peagen_ray.evolve` with ``wait=False``.

    It ends with the process; what it has found by then is in its directory, and it can be resumed.
    """

    def __init__(self, work: Callable[[Control], RunResult]) -> None:
        """Begin it."""
        self._control = Control()
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), name="evolve", daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Control], RunResult]) -> None:
        try:
            self._result = work(self._control)
        except BaseException as error:  # noqa: BLE001 - raised again by result(), where somebody sees it
            self._error = error
        finally:
            self._control.begun.set()

    @property
    def paths(self) -> RunPaths:  # type: ignore[override]
        """Where everything is. Waits until the original is measured, before which there is nothing to see.

        Raises:
            PeagenError: the run did not begin: why.
        """
        self._control.begun.wait()
        if self._control.paths is None:
            raise self._error or EvolutionError("the run did not begin")
        return self._control.paths

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def result(self, timeout: float | None = None) -> RunResult:
        """What it came to; waits for its end.

        Args:
            timeout: seconds to wait at most; None for as long as it takes.

        Raises:
            TimeoutError: it goes on.
            PeagenError: it failed: why.
        """
        self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        if self._result is None:
            msg = f"the run goes on after {timeout} s"
            raise TimeoutError(msg)
        return self._result

    def stop(self) -> Self:
        """Ask for nothing more, and bring it to its end with the best so far; returns at once."""
        self._control.stopped = True
        return self

    def pause(self) -> Self:
        """Ask for nothing more for now. What is on its way comes back, and time limits go on."""
        self._control.paused = True
        return self

    def go_on(self) -> Self:
        """End a pause."""
        self._control.paused = False
        return self

    def watch(self, every: float = 1.0) -> Self:
        """As :meth:`Run.watch`; raises what the run failed of."""
        super().watch(every)
        self._thread.join(every)  # its ledger says that it has ended a little before it has
        if self._error is not None:
            raise self._error
        return self

    def _repr_html_(self) -> str:
        """What a notebook shows of it; waits for nothing."""
        return html.escape(repr(self)) if self._control.paths is None else super()._repr_html_()

    def __repr__(self) -> str:
        if self._control.paths is None:
            return "<run that begins>" if self._error is None else f"<run that did not begin: {self._error}>"
        return f"<run {self.id}, {'ended' if self.done else 'under way'}>"
