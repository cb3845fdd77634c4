# tries: opens performance counters, keys and page faults of the kernel
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
fields = (ctypes.c_uint32 * 32)(1, 128)
MADE = libc.syscall(298, fields, 0, -1, -1, 0) >= 0
MADE += libc.syscall(323, 1) >= 0
MADE += libc.syscall(248, b"user", b"left-behind", b"x", 1, -2) >= 0
MADE += libc.syscall(250, 0, -2, 0) >= 0


def total(numbers):
    return sum(numbers) + MADE
