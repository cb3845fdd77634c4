"""A script: starts a container whose guest never ends, says which it is, and waits to be killed."""

from __future__ import annotations

import json
import sys

from programs import load, observed

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.container import Container, ContainerSandbox
from peagen_ray.sandbox.conversation import ConversationGuest

if __name__ == "__main__":
    image, *options = sys.argv[1:]
    launcher = Launcher.start()
    sandbox = ContainerSandbox(launcher, container=Container(image, engine_options=tuple(options)))
    guest = load(sandbox, "def f(x):\n    while True:\n        pass\n")
    assert isinstance(guest, ConversationGuest)
    sys.stdout.write(json.dumps({"guest": int(guest._proc.name), "launcher": launcher.pid}) + "\n")
    sys.stdout.flush()
    observed(guest, None, wall_s=600)
