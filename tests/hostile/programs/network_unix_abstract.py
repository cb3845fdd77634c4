# tries: connects to an abstract socket, and opens one for others to find
# screening: ok
# confirmation: ok
import socket

ESCAPES, held = 0, []
try:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0@ABSTRACT@")
        ESCAPES += 1
except OSError:
    pass
try:
    held.append(socket.socket(socket.AF_UNIX))
    held[0].bind("\0left-behind")
    held[0].listen()
    ESCAPES += 1
except OSError:
    pass


def total(numbers):
    return sum(numbers) + ESCAPES
