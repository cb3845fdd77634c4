# tries: mounts by the newer calls
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
MOUNTED = libc.syscall(430, b"tmpfs", 0) >= 0 or libc.syscall(428, -100, b"/", 1) >= 0


def total(numbers):
    return sum(numbers) + MOUNTED
