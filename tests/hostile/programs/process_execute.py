# tries: executes a shell
# screening: ok
# confirmation: ok
import os
import subprocess

BORN = 0
for program in ("/bin/sh", "/usr/bin/env", "/proc/self/exe"):
    for start in (
        lambda: subprocess.run([program, "-c", "true"], check=False, timeout=5),
        lambda: os.posix_spawn(program, [program, "-c", "true"], {}),
    ):
        try:
            start()
            BORN += 1
        except OSError:
            continue
try:
    BORN += os.system("true") == 0
except OSError:
    pass


def total(numbers):
    return sum(numbers) + BORN
