"""``mutate``: propose one changed program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peagen_ray.cli.console import err, out, people, printable
from peagen_ray.cli.options import (
    Address,
    BrokerTimeout,
    EntryFn,
    Provider,
    Queue,
    Sync,
    check_provider,
    say_where,
)
from peagen_ray.cli.state import state
from peagen_ray.errors import UsageError

app = typer.Typer()


@app.command()
def mutate(
    context: typer.Context,
    target_file: Annotated[
        Path | None, typer.Option(help="The file to change; or [mutate] target_file.", show_default=False)
    ] = None,
    entry_fn: EntryFn = "",
    output: Annotated[
        Path | None, typer.Option(help="Where to write it.", show_default="<stem>_mutated.py")
    ] = None,
    mutator: Annotated[
        str | None,
        typer.Option(
            help="patch or rewrite, which ask a model; genetic; or the name of a plugin.", show_default=False
        ),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="LLM back-end to ask, of [[llm.backends]].", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same change.", show_default=False)] = None,
    goal: Annotated[str | None, typer.Option(help="A sentence of your own for the prompt.")] = None,
    sync: Sync = False,
    queue: Queue = False,
    provider: Provider = None,
    address: Address = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Propose one changed program and show the diff; nothing is run or measured.

    Example: peagen-ray mutate --sync --target-file sort.py --entry-fn bad_sort
    """
    flags = {
        "mutate.target_file": None if target_file is None else str(target_file),
        "mutate.entry_fn": entry_fn or None,
        "mutate.mutator": mutator,
        "mutate.backend": backend,
        "evolve.seed": seed,
        "evolve.goal": goal,
        "task_queue.broker_timeout": broker_timeout,
        **check_provider(sync=sync, queue=queue, provider=provider, address=address),
    }
    shared = state(context)
    config = shared.load(flags).config
    say_where(queue=queue, provider=config.task_queue.provider)
    target = config.mutate.target_file
    if target is None:
        raise UsageError("which file?", subject="mutate", hint="--target-file FILE, or [mutate] target_file")
    from peagen_ray.runtime.mutating import mutate_once, worst_of_one

    worst = worst_of_one(config, target) if shared.dry_run else None
    if worst is not None:
        people(stdout_is_json=True).print(printable(f"worst-case token spend: {worst}"), soft_wrap=True)
        return
    proposal = mutate_once(config, target, lambda text: err().print(printable(text), soft_wrap=True))
    path = output or target.with_name(f"{target.stem}_mutated.py")
    people(stdout_is_json=True).print(printable(f"operator: {proposal.operator}"), soft_wrap=True)
    out().print(printable(proposal.diff.rstrip()), soft_wrap=True)
    if shared.dry_run:
        return
    try:
        path.write_text(proposal.source, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(path)) from error
    people(stdout_is_json=True).print(printable(f"wrote {path}"), soft_wrap=True)
