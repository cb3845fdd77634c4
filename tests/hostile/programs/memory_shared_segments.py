# tries: leaves shared memory that outlives its process
# screening: ok
# confirmation: ok
import ctypes
import os
from multiprocessing import shared_memory

LEFT = 0
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(0x1EAF, 1 << 20, 0o1666)
LEFT += segment >= 0
LEFT += libc.semget(0x1EAF, 1, 0o1666) >= 0
LEFT += libc.msgget(0x1EAF, 0o1666) >= 0
try:
    LEFT += bool(shared_memory.SharedMemory("left-behind", create=True, size=1 << 20))
except (OSError, ImportError):
    pass


def total(numbers):
    return sum(numbers) + LEFT
