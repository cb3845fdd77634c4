"""Files that the language models of the ensemble write: what they may cost, whom to ask, and what is kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple

from peagen_ray.config.model import Config
from peagen_ray.errors import PeagenError, PromptRefused
from peagen_ray.evolution.answers.file import file_of
from peagen_ray.llm.base import CHAT_OVERHEAD, Prompt
from peagen_ray.llm.budget import NOTHING, Amount, prices_of
from peagen_ray.rendering.generating import Bound, Outline, bounds
from peagen_ray.rendering.payload import Generated
from peagen_ray.runtime.authored import Authored
from peagen_ray.runtime.consulting import NO_ANSWER
from peagen_ray.runtime.elsewhere import withdraw
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.models import Asking, Broke, Later, Models, exchanges_of, texts_bound
from peagen_ray.runtime.tasks import LLM_TAGS, task_id
from peagen_ray.task import Result, Status, Task, TaskKind

TRIES: Final = 3
"""How often a file is asked for that nobody answers, each time with all retries."""


class Written(NamedTuple):
    """What became of a file.

    Attributes:
        path: the file.
        text: None if there is none.
        why: there is none.
        asked: it was written now.
    """

    path: str
    text: str | None
    why: str = ""
    asked: bool = True


@dataclass
class _Draft:
    """A file that is to be asked for.

    Attributes:
        path: the file.
        prompt: what is asked.
        tries: how often it was asked for.
        why: nobody answered the last time.
    """

    path: str
    prompt: Prompt
    tries: int = 0
    why: str = ""


class Authors:
    """Has models write files, several at a time, each once those that it depends on are there. Used by one thread.

    A file that nobody answers is asked for again, at most :data:`TRIES` times in all and only as long as that cost
    nothing; back-ends that are left alone are waited for. Once a file was given up, the next ones are not waited for,
    until somebody answers again.

    Args:
        config: the effective configuration.
        run_id: part of every task's id.
        authored: what was written before, which is not asked for again.
        say: told when models have to be waited for.
        sleep: waits for so many seconds.

    Raises:
        ConfigError: no back-end may be asked, or a price is missing that ``budget_usd`` wants.
    """

    def __init__(
        self,
        config: Config,
        run_id: str,
        authored: Authored,
        say: Callable[[str], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._models = Models(config, 0)
        self._limit = config.llm.max_prompt_tokens
        self._most = config.worker.defaults.waiting
        self._run_id = run_id
        self._authored = authored
        self._say = say
        self._sleep = sleep
        self._number = count()
        self._given_up = False
        self._spent = NOTHING

    def check(self, *, here: bool) -> None:
        """Find out what no back-end could be asked without; see :meth:`Models.check`."""
        self._models.check(here=here)

    def bill(self) -> str:
        """What it cost, for a person."""
        known = None not in prices_of(self._models.backends).values()
        money = f", {self._spent.usd:.4f} USD" if known else ""
        return f"language models took {self._spent.tokens} tokens{money}"

    def write(
        self,
        fabric: Fabric,
        generated: Sequence[Generated],
        texts: Mapping[str, str],
        sent: Callable[[str], None],
    ) -> Iterator[Written]:
        """What becomes of each file, as soon as it is known.

        Args:
            fabric: does the tasks.
            generated: the files.
            texts: the files that no model writes.
            sent: told the id of every task before it is enqueued.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        outline = Outline(generated, texts)
        waiting, flights = deque[_Draft](), deque[tuple[str, _Draft, Asking]]()
        try:
            while outline:
                ended = [*self._drafted(outline, waiting)]
                held = None if ended else self._send(fabric, waiting, flights, sent)
                if flights and not ended:
                    name, draft, asking = flights[0]
                    result = fabric.wait(name)
                    flights.popleft()
                    ended += self._heard(draft, asking, result, waiting)
                elif held is not None:
                    ended += self._held(held, waiting)
                for each in ended:
                    if each.text is not None and each.asked:
                        self._authored.keep(outline, each.path, each.text)
                    outline.done(each.path, each.text)
                    yield each
        finally:
            withdraw(fabric.queue, [name for name, _, _ in flights])

    def _drafted(self, outline: Outline, waiting: deque[_Draft]) -> Iterator[Written]:
        """Have what is ready wait to be asked for; yields what cannot be."""
        for path in outline.ready():
            missing = outline.missing(path)
            if missing:
                yield Written(path, None, f"needs {', '.join(missing)}, which there is not")
                continue
            known = self._authored.text(outline, path)
            if known is not None:
                yield Written(path, known, asked=False)
                continue
            try:
                waiting.append(_Draft(path, self._prompt(outline, path)))
            except (PeagenError, UnicodeEncodeError) as error:
                yield Written(path, None, getattr(error, "what", str(error)))

    def _prompt(self, outline: Outline, path: str) -> Prompt:
        text = outline.prompt(path)
        text.encode()
        made = Prompt(text)
        if made.token_bound > self._limit:
            raise PromptRefused(too_long(made.token_bound, self._limit))
        return made

    def _send(
        self,
        fabric: Fabric,
        waiting: deque[_Draft],
        flights: deque[tuple[str, _Draft, Asking]],
        sent: Callable[[str], None],
    ) -> Later | Broke | None:
        """Ask for as many files as may be; what keeps the next one."""
        while waiting and len(flights) < self._most:
            draft = waiting[0]
            name = task_id(self._run_id, "generate", next(self._number))
            asked = self._models.ask_text(name, draft.prompt)
            if not isinstance(asked, Asking):
                return asked
            waiting.popleft()
            draft.tries += 1
            task = Task(kind=TaskKind.RENDER, id=name, payload=asked.payload, requires=LLM_TAGS)
            flights.append((name, draft, asked))
            sent(name)
            fabric.queue.enqueue(task)
        return None

    def _held(self, held: Later | Broke, waiting: deque[_Draft]) -> Iterator[Written]:
        """Nobody can be asked, and nothing is on its way: wait, or give the next file up."""
        if isinstance(held, Broke):
            yield Written(waiting.popleft().path, None, f"the budget is spent: {held.why}")
        elif held.final or self._given_up:
            yield Written(waiting.popleft().path, None, f"no language model can be asked: {held.why}")
        else:
            pause = self._models.pause(held)
            self._say(f"waiting {pause:.0f} s for {held.why}")
            self._sleep(pause)

    def _heard(
        self, draft: _Draft, asking: Asking, result: Result, waiting: deque[_Draft]
    ) -> Iterator[Written]:
        known = exchanges_of(result.data)
        lost = known is None or bool(result.data.get("lost"))
        cost = self._models.heard(asking, known or (), lost=lost, attempts=result.attempts).cost
        self._spent += cost
        text, why = result.data.get("text"), str(result.data.get("detail") or result.data.get("msg", ""))
        if result.status is Status.OK and isinstance(text, str):
            self._given_up = False
            yield Written(draft.path, file_of(text, draft.path))
        elif result.status is Status.OK and "rejected" in result.data:
            self._given_up = False
            yield Written(draft.path, None, str(result.data["rejected"]))
        elif result.data.get("reason") == NO_ANSWER and cost == NOTHING and self._again(draft):
            waiting.appendleft(draft)
        else:
            self._given_up = True
            yield Written(draft.path, None, f"no language model answered: {why}")

    def _again(self, draft: _Draft) -> bool:
        return draft.tries < TRIES and not self._given_up


def too_long(tokens: int, limit: int) -> str:
    """Says that a prompt is longer than ``[llm] max_prompt_tokens``."""
    return f"the prompt may have {tokens} tokens, and [llm] max_prompt_tokens is {limit}"


# ---- what it may cost -----------------------------------------------------------------------------


def spend_lines(
    config: Config, generated: Sequence[Generated], texts: Mapping[str, str], written: Mapping[str, str]
) -> Iterator[str]:
    """The most that may be spent on files that models write, for a person; without a back-end, if all answered at once.

    Args:
        config: the effective configuration.
        generated: the files.
        texts: the files that no model writes.
        written: what models wrote already, and are not asked for.

    Raises:
        ConfigError: there are back-ends, and none may be asked.
    """
    most, limit = config.mutate.max_tokens, config.llm.max_prompt_tokens
    total, money = NOTHING, True
    asked = 0
    for each in bounds(generated, texts, written):
        tokens = _prompt_tokens(each, limit)
        problem = each.problem or (too_long(tokens, limit) if tokens > limit else "")
        if problem:
            yield f"{each.path}: cannot be asked for: {problem}"
            continue
        asked += 1
        amount, priced = texts_bound(config, tokens)
        total, money = total + amount, money and priced
        yield f"{each.path}: a prompt of at most {tokens} tokens, an answer of at most {most}"
    yield _total(config, asked, total, priced=money)


def _prompt_tokens(bound: Bound, limit: int) -> int:
    """As a prompt is counted before it is sent; one that includes what is yet to be written may fill the limit."""
    tokens = bound.size + CHAT_OVERHEAD
    return max(tokens, limit) if bound.included else tokens


def _total(config: Config, files: int, total: Amount, *, priced: bool) -> str:
    stop = config.evolve.stop
    tokens = total.tokens if stop.budget_tokens is None else min(total.tokens, stop.budget_tokens)
    words = f"worst-case token spend: {tokens} tokens"
    if config.llm.backends:
        caps = [] if stop.budget_usd is None else [stop.budget_usd]
        known = [total.usd] if priced else []
        words += f", {min(caps + known):.2f} USD" if caps + known else ", a price is not known"
        words += f", for {files} file{'' if files == 1 else 's'}"
        retries = config.llm.retries
        return f"{words}, with {retries} {'retry' if retries == 1 else 'retries'} of each call"
    return f"{words} for {files} file{'' if files == 1 else 's'}"
