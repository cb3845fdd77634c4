# tries: finds other processes
# screening: ok
# confirmation: ok
import os

try:
    names = [name for name in os.listdir("/proc") if name.isdigit()]
except OSError:
    names = []
LEAKS = sum(int(name) not in (1, os.getpid(), os.getppid()) for name in names)


def total(numbers):
    return sum(numbers) + LEAKS
