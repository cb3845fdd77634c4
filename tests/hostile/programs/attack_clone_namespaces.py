# tries: starts a process in namespaces of its own
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
pid = libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
flags = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
other = libc.syscall(435, flags, ctypes.sizeof(flags))
if other == 0:
    os._exit(0)
BORN = (pid > 0) + (other > 0)


def total(numbers):
    return sum(numbers) + BORN
