"""The liars' corpus: every program gets its verdict, harms nobody, and leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest
from corpus import LIARS, Liar
from host import Host
from sandboxes import SANDBOXES

from peagen_ray.sandbox.base import Profile

USERS = ("root", "ordinary") if os.geteuid() == 0 else ("own",)
HOSTS = [
    f"{sandbox}-{user}"
    for sandbox in SANDBOXES
    for user in USERS
    if (sandbox, user) != ("container", "ordinary")  # an engine needs a home and a session
]
FIRST = f"process-{USERS[0]}"

REPRESENTATIVE = frozenset(
    [
        "clock_stopwatch",
        "harness_early",
        "harness_late",
        "harness_baseline",
        "memory_on_disk",
        "wrong_in_confirmation",
        "value_pickle",
        "place_destructor",
        "place_child",
        "channel_forged_answers",
        "print_flood",
        "end_exit",
        "hang_deaf",
        "hang_stopped",
        "memory_without_end",
        "leak_environment",
        "leak_home",
        "write_outside",
        "disk_elsewhere",
        "process_fork_bomb_tree",
        "process_daemon_tree",
        "signal_everybody",
        "attack_trace",
        "attack_old_calls",
        "network_internet",
    ]
)
"""Of each topic the hardest, for where the whole corpus would take too long."""

FEW = frozenset(["harness_late", "wrong_in_confirmation", "end_exit", "hang_deaf"])
"""For confirmations where a single one takes half a minute, or which are second ones of their kind."""

ANYBODY_CAN = frozenset(
    [
        "attack_limits_of_others",
        "disk_many_files",
        "disk_memory_files",
        "disk_one_file",
        "leak_proc_environ",
        "leak_proc_list",
        "leak_system",
        "leak_workspace",
        "network_internet",
        "network_kernel",
        "network_unix_abstract",
        "network_unix_path",
        "process_daemon",
        "process_execute",
        "process_fork_bomb",
        "process_threads",
        "signal_everybody",
        "signal_threads",
    ]
)
"""What needs no privilege, and can be undone: as good as any proof that a verdict of ``ok`` means that it was stopped."""

OPEN = {
    "container/disk_inodes": "an engine bounds no number of files, but counts each as the container's memory",
}
"""What one sandbox does not stop, and why."""


def tried(host: str, mode: str) -> Iterable[Liar]:
    """Which liars: all of them in the default sandbox; where guests take long to start, the hardest of each topic.

    At night all of them are screened there too. A confirmation measures in every sandbox alike: all of them are confirmed
    in the default one, a few elsewhere, and at night the hardest. An ordinary user's bubblewrap, whose jail is that of
    root's in a user namespace, gets the hardest.
    """
    sandbox, _, user = host.partition("-")
    night = "PEAGEN_NIGHTLY" in os.environ
    whole = sandbox == "process" or (night and user == USERS[0])
    everything = host == FIRST or (mode == "screening" and whole)
    few = mode == "confirmation" and (sandbox == "container" or not night)
    for liar in LIARS:
        if mode == "confirmation" and Profile(liar.profile).forks:
            continue  # a tree has no clock of its own: it is never confirmed
        if everything or liar.name in (FEW if few else REPRESENTATIVE):
            yield liar


def cases() -> list[Any]:
    """Host by host, since changing takes a while."""
    return [
        pytest.param(host, mode, liar, id=f"{host}-{mode}-{liar.name}", marks=[*marks(host, liar), *extra])
        for host in HOSTS
        for mode, extra in (("screening", []), ("confirmation", [pytest.mark.slow]))
        for liar in tried(host, mode)
    ]


def marks(host: str, liar: Liar) -> list[pytest.MarkDecorator]:
    """What is known to be open is run all the same, and has to be said to be mended when it is."""
    reason = OPEN.get(f"{host.partition('-')[0]}/{liar.name}")
    return [pytest.mark.xfail(strict=True, reason=reason)] if reason else []


@pytest.mark.parametrize(("host", "mode", "liar"), cases(), indirect=["host"])
def test_nobody_is_fooled_beyond_what_is_promised(host: Host, mode: str, liar: Liar) -> None:
    convict(mode, host, liar)


def convict(mode: str, host: Host, liar: Liar) -> None:
    """The verdict is one that it deserves, the next candidate is served, and the machine is as it was."""
    before = host.traces()
    verdict = host.judge.verdict(mode, liar.subject, liar.profile, liar.source)
    expected = liar.screening if mode == "screening" else liar.confirmation
    assert expected.met_by(verdict), f"it {liar.tries}: {verdict}"
    if not host.name.startswith("container") or liar.name in REPRESENTATIVE:
        assert (
            host.next_is_served()
        )  # the next liar's verdict says as much, where a guest takes long to start
    assert host.left_since(before) == {}


@pytest.mark.parametrize("host", [f"none-{USERS[-1]}"], indirect=True)
@pytest.mark.parametrize("name", sorted(ANYBODY_CAN))
def test_what_it_tries_can_be_done_where_nothing_stops_it(host: Host, name: str) -> None:
    (liar,) = (liar for liar in LIARS if liar.name == name)
    verdict = host.judge.verdict("screening", liar.subject, liar.profile, liar.source)
    assert (verdict.outcome, verdict.reason[:9]) == ("incorrect", "result: e"), verdict


def test_there_are_enough_of_them_and_the_chosen_ones_are_among_them() -> None:
    assert len(LIARS) >= 55
    assert {liar.name for liar in LIARS} >= REPRESENTATIVE | FEW | ANYBODY_CAN | {
        name.rpartition("/")[2] for name in OPEN
    }
    assert len({liar.topic for liar in LIARS}) >= 15


def test_no_liar_is_ever_granted_a_gain() -> None:
    """What it may get in a confirmation beside ``no-gain`` is no gain either, or it is honest about its work."""
    for liar in LIARS:
        if "def slow(" in liar.source or liar.source.count("for j in range(len(numbers))"):
            assert "ok" not in liar.confirmation.words, liar.name
