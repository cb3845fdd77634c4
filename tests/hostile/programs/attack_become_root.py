# tries: becomes root
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import os

GAINED = 0
for become in (
    lambda: os.setuid(0),
    lambda: os.setresuid(0, 0, 0),
    lambda: os.setgid(0),
    lambda: os.setgroups([0]),
):
    try:
        become()
        GAINED += 1
    except OSError:
        continue
libc = ctypes.CDLL(None, use_errno=True)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
everything = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
GAINED += libc.capset(header, everything) == 0
GAINED += libc.capget(header, everything) == 0 and any(everything[:2])


def total(numbers):
    return sum(numbers) + GAINED
