"""What models answered in a recorded run, read once more: the programs must come out the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peagen_ray.config.model import Config
from peagen_ray.errors import MutationRejected, ReplayDivergence
from peagen_ray.evolution.answers import Rejected
from peagen_ray.evolution.events import Event
from peagen_ray.evolution.mutators.base import Proposal
from peagen_ray.evolution.mutators.rounds import SPEED, Answer, request_of, rounds
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Mutate
from peagen_ray.llm.base import FinishReason, Prompt
from peagen_ray.llm.recording import Player
from peagen_ray.runtime.models import patch_settings
from peagen_ray.runtime.tasks import SCORE, Stage, task_id
from peagen_ray.workload.fingerprint import fingerprint_of_any


class Rereader:
    """Makes a run's proposals again from its recording; it asks nobody, and needs no key.

    Args:
        recorded: what the run was started with.
        config: its configuration.
        player: its recording.
    """

    def __init__(self, recorded: Mapping[str, Any], config: Config, player: Player) -> None:
        self._run: str = recorded["run"]
        self._entry: str = recorded["subject"]["entry"]
        self._config = config
        self._settings = patch_settings(config)
        self._metric = SCORE if recorded.get("evaluation") else SPEED
        self._player = player

    def made_again(self, event: Event, question: Mutate) -> bool:
        """Whether the proposal was made again; False where no answer had come of the question.

        Raises:
            ReplayDivergence: it came out differently, or a prompt is another one.
        """
        name = task_id(self._run, event.epoch, event.n, Stage.MUTATE)
        if not self._player.knows(name, 0) and event.outcome is Outcome.LOST and not event.source:
            return False
        made = self._made(name, question)
        if made is None:
            return False
        if _agrees(made, event):
            return True
        raise ReplayDivergence(
            f"the recording makes {_words(made)}, and the run had {event.outcome} {event.reason}",
            subject=f"event {event.seq} (question {event.n})",
            hint="the version of peagen-ray or of Python differs from the recorded run's",
        )

    def _made(self, name: str, question: Mutate) -> Proposal | Rejected | str | None:
        """What comes of the recorded answers; a text where no prompt could be made, or it was refused."""
        goal = self._config.evolve.goal
        request = request_of(question, self._entry, goal, self._settings, self._metric)
        talking = rounds(request, frozenset(question.exclude), self._config.llm.repair_rounds)
        try:
            text, number = next(talking), 0
            if (
                not self._player.knows(name, 0)
                and Prompt(text).token_bound > self._config.llm.max_prompt_tokens
            ):
                return "too large"
            while True:
                text = talking.send(self._said(name, number, text))
                number += 1
        except StopIteration as end:
            made: Proposal | Rejected | None = end.value
            return made
        except MutationRejected as error:
            return error.reason

    def _said(self, name: str, number: int, text: str) -> Answer | None:
        if number and not self._player.knows(name, number):
            return None  # its lease did not pay for a repair
        asked = self._player.ask(name, number, Prompt(text))
        if asked.answer is None and asked.fault:
            raise MutationRejected("prompt refused", asked.fault)
        if asked.answer is None:
            return None
        return Answer(asked.answer.text, asked.answer.finish is not FinishReason.LENGTH)


def _agrees(made: Proposal | Rejected | str, event: Event) -> bool:
    if isinstance(made, Proposal):
        if event.source:
            return made.source == event.source
        return event.outcome is not Outcome.REJECTED and fingerprint_of_any(made.source) == event.fingerprint
    reason = made if isinstance(made, str) else str(made.reason)
    return event.outcome is Outcome.REJECTED and event.reason.startswith(reason)


def _words(made: Proposal | Rejected | str) -> str:
    return "another program" if isinstance(made, Proposal) else f"none ({made})"
