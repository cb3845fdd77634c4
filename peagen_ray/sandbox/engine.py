"""Docker-compatible engines: finding one, and the few commands beside ``run`` that are given to it."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from peagen_ray.errors import SandboxError, SandboxUnavailable

_KNOWN: Final = ("docker", "podman")
_INSTALL: Final = "apt-get install podman runc, or start the Docker daemon"
_PATIENCE: Final = 60.0
_UNKNOWN: Final = ("no such image", "image not known", "not found")
"""What Docker, Podman and nerdctl say of an image that is not there."""

_PREFIX: Final = "peagen"
_NAME = re.compile(rf"{_PREFIX}-([0-9a-f]+)-([0-9]+)-([0-9]+)-[0-9a-f]+")


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    Attributes:
        argv: the command, with its global options.
    """

    argv: tuple[str, ...]

    @classmethod
    def find(cls, command: str = "") -> Self:
        """The engine of that command line, or the first of docker and podman that answers.

        What containers of ours were left by processes that are gone is removed on the way.

        Raises:
            SandboxError: says what to install.
        """
        reasons = []
        for words in [shlex.split(command)] if command else [[name] for name in _KNOWN]:
            if not words or shutil.which(words[0]) is None:
                reasons.append(f"{' '.join(words) or 'nothing'} is not installed")
                continue
            engine = cls(tuple(words))
            try:
                engine.sweep()
            except SandboxError as error:
                reasons.append(error.what)
            else:
                return engine
        raise SandboxUnavailable(
            f"no engine: {'; '.join(reasons)}", subject="sandbox container", hint=_INSTALL
        )

    @property
    def is_podman(self) -> bool:
        """Whether it is podman, by its name: the two differ in a few options."""
        return Path(self.argv[0]).name.startswith("podman")

    def command(self, *words: str) -> tuple[str, ...]:
        """A command of the engine, for a process whose environment may have been scrubbed."""
        runtime = Path(f"/run/user/{os.geteuid()}")
        variables = [f"HOME={_home()}", *([f"XDG_RUNTIME_DIR={runtime}"] if runtime.is_dir() else [])]
        return ("env", *variables, *self.argv, *words)

    def ask(self, *words: str) -> str:
        """What a command prints; raises SandboxError if it fails."""
        try:
            done = subprocess.run(
                self.command(*words), capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SandboxError(f"{self.argv[0]} {words[0]}: {error}") from error
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
            raise SandboxError(f"{self.argv[0]} {words[0]}: {reason[:300]}")
        return done.stdout

    def removal(self, name: str) -> tuple[str, ...]:
        """The command that removes a container, running or not; that there is none is no error to it."""
        return self.command("rm", "--force", name)

    def remove(self, name: str) -> None:
        """Remove a container, running or not; raises SandboxError if it is still there."""
        try:
            self.ask("rm", "--force", name)
        except SandboxError:
            if name in self._names():
                raise

    def demand_image(self, image: str) -> None:
        """Raise SandboxError if the image is not there, and say how to get it, or if the engine cannot tell."""
        try:
            self.ask("image", "inspect", "--format", "{{.Id}}", image)
        except SandboxError as error:
            if not any(words in str(error).lower() for words in _UNKNOWN):
                raise
            raise SandboxUnavailable(
                "there is no such image here, and none is pulled while candidates run",
                subject=f"image {image}",
                hint=f"{' '.join(self.argv)} pull {image}, or name another in [execute.container] image",
            ) from error

    def main_pid(self, name: str) -> int:
        """Process id of a container's first process, as the engine sees it."""
        return int(self.ask("inspect", "--format", "{{.State.Pid}}", name))

    def sweep(self) -> None:
        """Remove what owners on this machine left behind that are gone; raises SandboxError if it cannot."""
        for name in self._names():
            if _is_forsaken(name):
                self.remove(name)

    def _names(self) -> list[str]:
        listing = self.ask("ps", "--all", "--filter", f"name={_PREFIX}-", "--format", "{{.Names}}")
        return listing.split()


def _home() -> str:
    """Our user's home as the system knows it; a user that it does not know has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"


def new_name() -> str:
    """A name for a container that tells whose it is: ``peagen-<place>-<pid>-<start>-<random>``."""
    pid = os.getpid()
    return f"{_PREFIX}-{_place()}-{pid}-{_started(pid)}-{secrets.token_hex(8)}"


def _is_forsaken(name: str) -> bool:
    """Whether a container was made here by a process that is gone; of other places nothing can be said."""
    told = _NAME.fullmatch(name)
    if told is None or told[1] != _place():
        return False
    return _started(int(told[2])) != int(told[3])


def _place() -> str:
    """What tells one machine, and one process-id namespace on it, from others: until the next boot."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return f"{boot}{Path('/proc/self/ns/pid').stat().st_ino:x}"


def _started(pid: int) -> int:
    """When a process was started, in ticks since the boot; 0 if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(status.rpartition(b")")[2].split()[19])
