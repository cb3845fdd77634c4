# tries: may send signals to the others here
# screening: ok|violation
# confirmation: ok|violation
import os
import signal

REACHED = 0
for pid in (-1, 1, os.getppid(), int("@HOST_PID@"), *range(2, 200)):
    if pid in (0, os.getpid()):
        continue
    try:
        os.kill(pid, 0)
        REACHED += 1
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + REACHED
