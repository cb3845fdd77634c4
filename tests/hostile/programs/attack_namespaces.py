# tries: enters namespaces of its own
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
ENTERED = libc.unshare(0x10000000) == 0 or libc.unshare(0x00020000) == 0


def total(numbers):
    return sum(numbers) + ENTERED
