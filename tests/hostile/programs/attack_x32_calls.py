# tries: asks the kernel by the numbers of the x32 kind
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
ESCAPED = libc.syscall(0x40000000 + 41, 2, 1, 0) >= 0


def total(numbers):
    return sum(numbers) + ESCAPED
