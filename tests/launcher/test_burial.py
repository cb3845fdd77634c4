import os
import signal

from peagen_ray.launcher import burial
from peagen_ray.launcher.burial import Sweeper, bury


def forked(then):
    pid = os.fork()
    if pid == 0:
        try:
            then()
        finally:
            os._exit(0)
    return pid


def test_a_living_child_is_killed_and_reaped():
    pid = forked(signal.pause)
    pidfd = os.pidfd_open(pid)
    assert bury(pid, pidfd).reason == "killed by SIGKILL"
    os.close(pidfd)


def test_a_child_that_does_not_die_is_given_up(monkeypatch):
    monkeypatch.setattr(burial, "PATIENCE", 0.0)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)
    pid = forked(signal.pause)
    pidfd = os.pidfd_open(pid)
    assert bury(pid, pidfd) is None
    os.close(pidfd)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_known_children_are_left_alone_and_others_are_not():
    known, orphan = forked(signal.pause), forked(signal.pause)
    before = set(Sweeper()._own_children()) - {orphan}
    Sweeper().sweep(before)
    assert os.waitpid(known, os.WNOHANG) == (0, 0)
    os.kill(known, signal.SIGKILL)
    os.waitpid(known, 0)


def test_an_orphan_that_does_not_die_delays_one_sweep_only(monkeypatch):
    monkeypatch.setattr(burial, "PATIENCE", 0.0)
    killed = []
    monkeypatch.setattr(burial, "_kill", killed.append)
    stuck = forked(signal.pause)
    sweeper = Sweeper()
    known = set(sweeper._own_children()) - {stuck}
    sweeper.sweep(known)
    assert killed == [stuck]
    sweeper.sweep(known)
    assert killed == [stuck]
    os.kill(stuck, signal.SIGKILL)
    os.waitid(os.P_PID, stuck, os.WEXITED | os.WNOWAIT)
    sweeper.sweep(known)
    assert sweeper._hopeless == set()
