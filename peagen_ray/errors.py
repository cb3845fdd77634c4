"""Every error that this package raises, in one tree.

::

    PeagenError                    exit 1
    ├── UsageError                 exit 2   a command or call was given the wrong thing
    │   ├── ConfigError                     a configuration file, variable or flag
    │   ├── TargetError                     the file or function to improve
    │   ├── WorkloadError                   the inputs to improve it on
    │   └── ProjectError                    what is to be rendered, its data, or where it should go
    ├── PluginError                exit 2
    │   ├── PluginNotFound                  no wheel registers that name
    │   ├── PluginConflict                  two wheels register that name
    │   └── MissingExtra                    an optional dependency is not installed
    ├── EnvelopeError                       a Task or Result that cannot be read
    │   └── UnsupportedSchema               its schema_v is newer than ours
    ├── QueueError
    │   ├── BrokerUnavailable      exit 3   the broker or cluster does not answer
    │   ├── QueueClosed                     the handle was closed
    │   ├── QueueFull                       too many tasks wait already
    │   ├── ResultExpired                   the result was there and is kept no longer
    │   └── StaleClaim                      the lease lapsed and another worker has the task
    ├── DispatchError                       no handler, or more than one, for a task
    │   ├── Unservable                      a capability tag is missing
    │   └── AmbiguousHandler                two handlers qualify equally
    ├── FabricError                         the dispatcher failed
    ├── ResultBackendError                  a stored record is missing or damaged
    ├── LaunchError                         the launcher cannot start a process, or is gone
    │   └── LackingLayer                    a layer of isolation is not to be had here
    ├── SandboxError                        the sandbox cannot do what was demanded
    │   └── SandboxUnavailable     exit 2   this machine lacks what it needs
    ├── JobError                            a job cannot be started, is gone, or did not send its files
    ├── RenderError                         a template cannot be rendered, or an output not be written
    ├── MutationRejected                    a mutator has no usable change to propose
    ├── LLMError                            a language model gave no usable answer
    │   ├── LLMUnavailable                  it may answer when it is asked again
    │   │   ├── RateLimited                 it asks its callers to wait
    │   │   ├── LLMTimeout                  it did not answer in time
    │   │   └── BadAnswer                   what came is not of its protocol
    │   ├── LLMRefused                      asking again changes nothing
    │   │   ├── KeyRefused         exit 2   the key is missing, or is not accepted
    │   │   ├── UnknownModel                it has no such model
    │   │   └── PromptRefused               it does not take this request
    │   └── BudgetExceeded                  a call might spend more than is left
    └── EvolutionError
        ├── LedgerError                     a run's record cannot be read or continued
        └── ReplayDivergence                a replay asks what the recording did not

Each says what happened, to what (``subject``) and what to do (``hint``); each survives pickling.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PeagenError(Exception):
    """Base of the tree.

    Args:
        what: what happened, one sentence without a full stop.
        subject: the file, key, task or name that it happened to.
        hint: what the reader can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.subject = subject
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.subject}: {self.what}" if self.subject else self.what
        return f"{head} ({self.hint})" if self.hint else head

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[PeagenError], args: tuple[Any, ...], state: dict[str, Any]) -> PeagenError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(PeagenError):
    """A command or call was given the wrong thing."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file, environment variable or flag is wrong."""


class TargetError(UsageError):
    """The file or function to improve cannot be used."""


class WorkloadError(UsageError):
    """The inputs to improve a program on cannot be made or used."""


class ProjectError(UsageError):
    """What is to be rendered, its data, or the place of an output cannot be used."""


class PluginError(PeagenError):
    """A plugin cannot be used."""

    exit_code = 2


class PluginNotFound(PluginError):
    """No installed wheel registers that name."""


class PluginConflict(PluginError):
    """Two installed wheels register one name."""


class MissingExtra(PluginError):
    """An optional dependency is not installed; the hint names the extra."""


class EnvelopeError(PeagenError):
    """A Task or Result cannot be read."""


class UnsupportedSchema(EnvelopeError):
    """A Task or Result was written in a newer version of the envelope.

    Args:
        found: its ``schema_v``.
        spoken: the newest version that this program speaks.
        task_id: the task's id.
    """

    def __init__(self, found: int, spoken: int, task_id: str) -> None:
        super().__init__(
            f"the envelope has schema_v {found}, this worker speaks {spoken}",
            subject=f"task {task_id}",
            hint="upgrade peagen-ray on the workers",
        )
        self.found = found
        self.spoken = spoken
        self.task_id = task_id


class QueueError(PeagenError):
    """A queue cannot do what was asked."""


class BrokerUnavailable(QueueError):
    """The broker or cluster does not answer."""

    exit_code = 3


class QueueClosed(QueueError):
    """The handle on the queue was closed."""


class QueueFull(QueueError):
    """As many tasks wait as the queue allows; nothing was enqueued."""


class ResultExpired(QueueError):
    """A result was published, and is kept no longer."""


class StaleClaim(QueueError):
    """The claim is no longer valid: its lease lapsed, or the task is finished."""


class DispatchError(PeagenError):
    """A task cannot be matched with a handler."""


class Unservable(DispatchError):
    """No handler here can serve the task.

    Args:
        task: what to call the task in the message.
        missing: the tags or handler kind that are missing, sorted.
    """

    def __init__(self, task: str, missing: tuple[str, ...], hint: str = "") -> None:
        super().__init__(f"nothing here offers {', '.join(missing)}", subject=task, hint=hint)
        self.missing = missing


class AmbiguousHandler(DispatchError):
    """Two handlers qualify equally for one task."""


class FabricError(PeagenError):
    """What carries tasks to a cluster failed."""


class ResultBackendError(PeagenError):
    """A stored record is missing or damaged."""


class LaunchError(PeagenError):
    """The launcher cannot start a process, or is gone."""


class LackingLayer(LaunchError):
    """A process was not started, since a layer of isolation that is demanded is not to be had here."""


class SandboxError(PeagenError):
    """The sandbox cannot do what was demanded."""


class SandboxUnavailable(SandboxError):
    """This machine lacks what the sandbox needs; the hint says what to install, or which other one to use."""

    exit_code = 2


class JobError(PeagenError):
    """A job on a cluster cannot be started, is gone, or did not send its files."""


class RenderError(PeagenError):
    """A template cannot be rendered, or an output cannot be written."""


class MutationRejected(PeagenError):
    """A mutator has no usable change to propose.

    Args:
        reason: one of the recorded reasons, such as ``identical`` or ``syntax``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LLMError(PeagenError):
    """A language model gave no usable answer. No key is ever in the text of one.

    Args:
        what: what happened, one sentence without a full stop.
        subject: the back-end that it happened to.
        hint: what the reader can do about it.
        status: the HTTP status of the answer; None where there was none.
        billed: the call may have cost tokens although there is no answer.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self, what: str, *, subject: str = "", hint: str = "", status: int | None = None, billed: bool = False
    ) -> None:
        super().__init__(what, subject=subject, hint=hint)
        self.status = status
        self.billed = billed


class LLMUnavailable(LLMError):
    """The back-end may answer when it is asked again.

    Args:
        what: what happened, one sentence without a full stop.
        subject: the back-end that it happened to.
        hint: what the reader can do about it.
        status: the HTTP status of the answer; None where there was none.
        billed: the call may have cost tokens although there is no answer.
        retry_after: seconds that it asks its callers to wait; None where it says nothing.
    """

    retryable = True

    def __init__(
        self,
        what: str,
        *,
        subject: str = "",
        hint: str = "",
        status: int | None = None,
        billed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, subject=subject, hint=hint, status=status, billed=billed)
        self.retry_after = retry_after


class RateLimited(LLMUnavailable):
    """The back-end asks its callers to wait."""


class LLMTimeout(LLMUnavailable):
    """The back-end did not answer in time."""


class BadAnswer(LLMUnavailable):
    """What came back is not of the back-end's protocol."""


class LLMRefused(LLMError):
    """Asking the back-end again changes nothing."""


class KeyRefused(LLMRefused):
    """The key is missing, or the back-end does not accept it."""

    exit_code = 2


class UnknownModel(LLMRefused):
    """The back-end has no such model."""


class PromptRefused(LLMRefused):
    """The back-end does not take this request.

    Args:
        what: what happened, one sentence without a full stop.
        subject: the back-end that it happened to.
        hint: what the reader can do about it.
        status: the HTTP status of the answer; None where there was none.
        billed: the call may have cost tokens although there is no answer.
        param: the parameter that it objects to; "" where it does not say.
    """

    def __init__(
        self,
        what: str,
        *,
        subject: str = "",
        hint: str = "",
        status: int | None = None,
        billed: bool = False,
        param: str = "",
    ) -> None:
        super().__init__(what, subject=subject, hint=hint, status=status, billed=billed)
        self.param = param


class BudgetExceeded(LLMError):
    """A call might spend more than is left of the budget."""


class EvolutionError(PeagenError):
    """A run cannot go on."""


class LedgerError(EvolutionError):
    """A run's record cannot be read or continued."""


class ReplayDivergence(EvolutionError):
    """A replay asks what the recording did not."""
