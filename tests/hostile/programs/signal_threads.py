# tries: may send signals past kill(2)
# screening: ok|violation
# confirmation: ok|violation
import ctypes
import os

HOST = int("@HOST_PID@")
libc = ctypes.CDLL(None, use_errno=True)
REACHED = sum(
    libc.syscall(*arguments) == 0
    for arguments in ((234, HOST, HOST, 0), (200, HOST, 0), (234, os.getppid(), os.getppid(), 0))
    if 0 not in arguments[1:2]
)
try:
    import signal

    signal.pidfd_send_signal(os.pidfd_open(HOST), 0)
    REACHED += 1
except OSError:
    pass


def total(numbers):
    return sum(numbers) + REACHED
