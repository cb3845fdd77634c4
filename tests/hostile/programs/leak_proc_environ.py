# tries: reads the environment and the memory of every process that it can name
# screening: ok
# confirmation: ok
import os

LEAKS = 0
for pid in (1, os.getppid(), int("@HOST_PID@"), *range(2, 400)):
    if pid in (0, os.getpid()):
        continue
    for name in ("environ", "mem", "maps", "cmdline", "root/etc/passwd", "cwd/.", "fd/0"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                LEAKS += bool(file.read(1)) or name == "mem"
        except OSError:
            continue


def total(numbers):
    return sum(numbers) + LEAKS
