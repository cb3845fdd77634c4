# tries: opens sockets of the internet's kinds, and connects to whatever listens here
# screening: ok
# confirmation: ok
import socket

ESCAPES = 0
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind).close()
            ESCAPES += 1
        except OSError:
            continue
try:
    socket.create_connection(("127.0.0.1", int("@PORT@")), 1).close()
    ESCAPES += 1
except OSError:
    pass


def total(numbers):
    return sum(numbers) + ESCAPES
