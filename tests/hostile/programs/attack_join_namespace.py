# tries: enters the namespaces of the process that judges it
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
ENTERED = 0
for place in (f"/proc/@HOST_PID@/ns/net", "/proc/1/ns/mnt", "/proc/self/ns/user"):
    try:
        fd = os.open(place, os.O_RDONLY)
    except OSError:
        fd = 3
    ENTERED += libc.setns(fd, 0) == 0


def total(numbers):
    return sum(numbers) + ENTERED
