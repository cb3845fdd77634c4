# tries: mounts a file system over its own directory
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
MOUNTED = libc.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None) == 0
if MOUNTED:
    libc.umount2(os.getcwd().encode(), 2)


def total(numbers):
    return sum(numbers) + MOUNTED
