# tries: finds variables beyond an allow-list, in Python's copy and in the process's own
# screening: ok
# confirmation: ok
import ctypes
import os

ALLOWED = {"PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "TZ", "PYTHONHASHSEED", "LD_LIBRARY_PATH"}

environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
found, place = set(os.environ), 0
while environ and environ[place]:
    found.add(environ[place].decode().partition("=")[0])
    place += 1
LEAKS = sum(
    name not in ALLOWED and not name.startswith(("LC_", "COV")) and not name.endswith("_NUM_THREADS")
    for name in found
)


def total(numbers):
    return sum(numbers) + LEAKS
