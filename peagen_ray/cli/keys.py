"""Single keys from the terminal while a run goes on, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self


class Keys:
    """Calls what belongs to a key when it is pressed, on a thread of its own.

    As a context manager it takes the terminal over: keys come at once and are not shown, Ctrl-C is still Ctrl-C, and
    Ctrl-Z does nothing, since it would leave the screen as it is. Where stdin is no terminal there are no keys.

    Args:
        actions: by key, a letter; in either case.

    Attributes:
        there: whether there are keys.
    """

    def __init__(self, actions: Mapping[str, Callable[[], None]]) -> None:
        self._actions = actions
        self.there = sys.stdin is not None and sys.stdin.isatty()
        self._thread = threading.Thread(target=self._listen, name="keys", daemon=True)

    def __enter__(self) -> Self:
        if self.there:
            self._input = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._input)
            tty.setcbreak(self._input, termios.TCSADRAIN)
            quiet = termios.tcgetattr(self._input)
            quiet[6][termios.VSUSP] = b"\0"  # no key
            termios.tcsetattr(self._input, termios.TCSADRAIN, quiet)
            self._wake, self._leave = os.pipe2(os.O_CLOEXEC)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.there:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)
            os.close(self._leave)
            self._thread.join()
            os.close(self._wake)

    def _listen(self) -> None:
        while True:
            ready, _, _ = select.select([self._input, self._wake], [], [])
            if self._wake in ready:
                return
            pressed = os.read(self._input, 1)
            if not pressed:
                return  # the terminal is gone
            action = self._actions.get(pressed.decode("latin-1").lower())
            if action is not None:
                action()
