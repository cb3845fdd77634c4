# tries: loads a program into the kernel
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
fields = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
MADE = libc.syscall(321, 0, fields, ctypes.sizeof(fields)) >= 0


def total(numbers):
    return sum(numbers) + MADE
