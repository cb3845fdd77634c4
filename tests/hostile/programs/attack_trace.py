# tries: attaches to its parent as a debugger does
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
TRACED = libc.ptrace(0x4206, os.getppid() or int("@HOST_PID@"), 0, 0) == 0


def total(numbers):
    return sum(numbers) + TRACED
