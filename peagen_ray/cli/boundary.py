"""Where errors become messages and exit codes: 0 done, 1 failed, 2 wrong use, 3 no broker or cluster."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence

from peagen_ray.cli.app import app
from peagen_ray.cli.console import err, printable
from peagen_ray.cli.state import State
from peagen_ray.errors import PeagenError, UsageError

_SWITCHES = ("-v", "--verbose", "--dry-run")
_INTERRUPTED = 130


def run(args: Sequence[str]) -> int:
    """Run one command line; every error ends here, as one message on stderr and an exit code."""
    state = State()
    try:
        app(args=hoist(args), obj=state)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except PeagenError as error:
        _report(error, state, error.what, error.subject, error.hint)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost boundary: nobody is shown a bare traceback
        hint = "" if state.verbose else "this should not happen; -v shows the traceback"
        _report(error, state, str(error), f"unexpected {type(error).__name__}", hint)
        return 1
    return 0


def hoist(args: Iterable[str]) -> list[str]:
    """The arguments with the global options in front, so that they may be written anywhere before ``--``.

    Raises:
        UsageError: the last argument is ``--config``, with no file after it.
    """
    options: list[str] = []
    others: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            others += [arg, *rest]
        elif arg in _SWITCHES or arg.startswith("--config="):
            options.append(arg)
        elif arg == "--config":
            value = next(rest, None)
            if value is None:
                raise UsageError("names no file", subject=arg, hint="write --config PATH")
            options += [arg, value]
        else:
            others.append(arg)
    return options + others


def _report(error: Exception, state: State, what: str, subject: str, hint: str) -> None:
    """Say what happened, to what, and what to do; with ``-v`` also how it came to it."""
    console = err()
    if state.verbose:
        trace = "".join(traceback.format_exception(error))
        console.print(printable(trace.rstrip()), style="dim", soft_wrap=True)
    head = f"{subject}: {what}" if subject else what
    console.print(printable(f"Error: {head}"), style="red", soft_wrap=True)
    if hint:
        console.print(printable(f"Hint: {hint}"), soft_wrap=True)
