# tries: moves its root directory away
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
MOVED = libc.syscall(155, b".", b".") == 0


def total(numbers):
    return sum(numbers) + MOVED
