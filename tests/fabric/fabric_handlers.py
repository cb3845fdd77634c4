"""Handlers that the fabric's tests run."""

import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from peagen_ray.errors import BrokerUnavailable, LaunchError, SandboxError, SandboxUnavailable
from peagen_ray.handler import TaskHandler, current
from peagen_ray.launcher.client import SpawnSpec
from peagen_ray.task import Result, Status, Task, TaskKind

STARTED, RELEASE = threading.Event(), threading.Event()
PLACES = ("/tmp", "/var/tmp", "/dev/shm", ".", "~")


def channel() -> socket.socket:
    """The socket to the worker, which no handler should touch."""
    return socket.socket(fileno=os.dup(3))


def names(place: str) -> list[str]:
    return [path.name for path in Path(place).iterdir()]


def daemonise() -> int:
    """Leave a process with a session of its own behind; returns its pid."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.write(writing, str(os.getpid()).encode())
            while True:
                signal.pause()
        os._exit(0)
    os.waitpid(pid, 0)
    return int(os.read(reading, 20))


def sleep_forever() -> None:
    while True:
        signal.pause()


class Doer(TaskHandler):
    """Does what the payload's ``do`` says."""

    KIND = TaskKind.MUTATE
    VERSION = "7"

    def dispatch(self, task: Task) -> bool:
        if task.payload.get("do") == "raise in dispatch":
            raise LookupError("no dispatch")
        return True

    def handle(self, task: Task) -> Result:
        answer = getattr(self, "do_" + (task.payload["do"] or "nothing").replace(" ", "_"))(task)
        return answer if isinstance(answer, Result) else Result.success(task, answer or {})

    def do_nothing(self, task: Task):
        return {"pid": os.getpid()}

    def do_context(self, task: Task):
        context = current()
        return {
            "scratch": str(context.scratch),
            "cwd": str(Path.cwd()),
            "found": names("."),
            "worker": context.worker,
            "offered": sorted(context.offered),
            "timeout": context.timeout,
            "task": task.id,
        }

    def do_environment(self, task: Task):
        return {"environment": dict(os.environ)}

    def do_gpus(self, task: Task):
        return {"gpus": current().gpus}

    def do_see(self, task: Task):
        return {"seen": Path(task.payload["path"]).exists()}

    def do_print(self, task: Task):
        sys.stdout.write("to stdout\n")
        sys.stderr.write("to stderr\n")

    def do_print_much(self, task: Task):
        for stream in (sys.stdout, sys.stderr):
            for _ in range(50):
                stream.write("x" * (1 << 20))

    def do_raise(self, task: Task):
        errors = {kind.__name__: kind for kind in (ValueError, OSError, MemoryError, LaunchError, SystemExit)}
        errors |= {
            kind.__name__: kind
            for kind in (BrokerUnavailable, SandboxError, SandboxUnavailable, RecursionError)
        }
        raise errors[task.payload["error"]]("because")

    def do_return_rubbish(self, task: Task):
        return Result(task_id="another", status=Status.OK)

    def do_return_what_is_no_json(self, task: Task):
        return {"value": object()}

    def do_return_much(self, task: Task):
        return {"value": "x" * (33 << 20)}

    def do_return_a_lot(self, task: Task):
        return {"value": "x" * (20 << 20)}

    def do_return_surrogates(self, task: Task):
        return {"value": "\ud800"}

    def do_exit(self, task: Task):
        os._exit(task.payload.get("code", 3))

    def do_segfault(self, task: Task):
        ctypes.string_at(0)

    def do_kill_self(self, task: Task):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_write_and_die(self, task: Task):
        with Path(task.payload["path"]).open("a") as diary:
            diary.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    def do_send_rubbish(self, task: Task):
        channel().sendall(b"\0\0\0\5junk!")
        sleep_forever()

    def do_send_false_length(self, task: Task):
        channel().sendall(b"\xff\xff\xff\xffjunk")
        sleep_forever()

    def do_send_half(self, task: Task):
        channel().sendall(b"\0\0\1\0half of it")
        os._exit(0)

    def do_send_anothers_result(self, task: Task):
        wire = json.dumps({"task_id": "another", "status": "ok"}).encode()
        channel().sendall(len(wire).to_bytes(4, "big") + wire)
        sleep_forever()

    def do_hang(self, task: Task):
        Path(task.payload["started"]).write_text(f"{os.getpid()} {daemonise()}")
        sleep_forever()

    def do_close_channel_and_hang(self, task: Task):
        os.close(3)
        sleep_forever()

    def do_leave_thread(self, task: Task):
        threading.Thread(target=sleep_forever).start()

    def do_wait_for(self, task: Task):
        if "started" in task.payload:
            Path(task.payload["started"]).write_text("")
        Path(task.payload["path"]).read_text()  # a FIFO: until somebody writes to it

    def do_make_hard_to_remove(self, task: Task):
        inner = Path("a/b")
        inner.mkdir(parents=True)
        (inner / "file").touch()
        inner.chmod(0o000)
        Path("a").chmod(0o000)
        Path().absolute().chmod(0o000)

    def do_spawn_candidate(self, task: Task):
        Path("candidate").mkdir()
        spec = SpawnSpec("fabric_handlers:candidate", Path("candidate").absolute())
        with current().launcher.spawn(spec) as child:
            return {"said": child.receive(100).decode(), "exit": child.wait(20).reason}

    def do_fail_until(self, task: Task):
        if task.attempts < task.payload["attempt"]:
            return Result.failure(task, "not yet", retryable=True)
        return {"attempt": task.attempts}

    def do_skip(self, task: Task):
        return Result(task_id=task.id, status=Status.SKIP, data={"msg": "not mine"})

    def do_follow_up(self, task: Task):
        spawn = [{"kind": "mutate", "id": letter * 16, "payload": {"do": ""}} for letter in "ab"]
        return {"spawn": spawn, "kept": 1}

    def do_follow_up_rubbish(self, task: Task):
        return {"spawn": task.payload["rubbish"]}

    def do_litter(self, task: Task):
        """Say what another task has left, and leave something everywhere."""
        places = list(map(os.path.expanduser, PLACES))
        found = [f"{place}: {name}" for place in places for name in names(place) if "litter" in name]
        found += [name for name in os.environ if "LITTER" in name]
        found += [name for name in ("LITTER",) if hasattr(json, name)]
        found += ["dumps"] if json.dumps is not DUMPS else []
        found += [f"module {name}" for name in sys.modules if "litter" in name]
        found += [f"process {name}" for name in names("/proc") if sleeps(name, task.payload["nap"])]
        mark = f"litter-{random.getrandbits(64):x}"
        for number, place in enumerate(places):
            mark = f"{mark}-{number}"
            Path(place, mark).write_text(mark)
            Path(place, f"{mark}-dir").mkdir()
            Path(place, f"{mark}-link").symlink_to("/")
        os.environ["LITTER"] = mark
        json.LITTER = json.dumps = mark
        TaskHandler.LITTER = Result.LITTER = mark
        sys.modules["litter"] = sys
        sys.path.append("/litter")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.umask(0)
        os.chdir("/")
        threading.Thread(target=sleep_forever, daemon=True).start()
        subprocess.Popen(["sleep", task.payload["nap"]], start_new_session=True)
        return {"found": found, "mark": mark, "daemon": daemonise(), "state": random.random()}


DUMPS = json.dumps


def sleeps(process: str, nap: str) -> bool:
    """Whether that is a process, and one that sleeps for that long."""
    try:
        return nap.encode() in Path("/proc", process, "cmdline").read_bytes()
    except OSError:
        return False


def candidate(channel: socket.socket) -> None:
    channel.sendall(b"\0\0\0\2hi")


class Shared(TaskHandler):
    """Runs in the worker."""

    KIND = TaskKind.EVALUATE
    SHARED = True

    def handle(self, task: Task) -> Result:
        if task.payload["do"] == "exit":
            raise SystemExit("leaving")
        if task.payload["do"] == "wait":
            STARTED.set()
            RELEASE.wait(20)
        context = current()
        facts = {"told": dict(context.environment), "gpus": context.gpus}
        facts["own"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        return Result.success(task, {"pid": os.getpid(), "scratch": str(context.scratch), **facts})


class Twin(Shared):
    """Serves what ``Shared`` serves."""


class NeedsGpu(TaskHandler):
    """Cannot run where nobody offers a GPU."""

    KIND = TaskKind.EXECUTE
    PROVIDES = frozenset({"cpu", "gpu"})

    def handle(self, task: Task) -> Result:
        return Result.success(task, {})


class CannotBeMade(TaskHandler):
    """Raises when made where tasks are run."""

    KIND = TaskKind.MUTATE

    def __init__(self) -> None:
        raise ValueError("not today")

    def handle(self, task: Task) -> Result:
        raise AssertionError


class Marked(TaskHandler):
    """Says what a variable was when it was made."""

    KIND = TaskKind.MUTATE

    def __init__(self) -> None:
        self.made = os.environ.get("MARK")

    def handle(self, task: Task) -> Result:
        return Result.success(task, {"made": self.made, "told": dict(current().environment)})


class NoHandler:
    """Not a handler at all."""
