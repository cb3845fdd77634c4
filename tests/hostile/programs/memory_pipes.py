# tries: fills memory with what waits in pipes and sockets
# screening: ok
# confirmation: ok
import os
import socket

LIMIT = int("@MEMORY_MB@") << 20
written, held = 0, []
try:
    while written < LIMIT:
        ends = socket.socketpair()
        held.extend(ends)
        for end in ends:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
            try:
                while written < LIMIT:
                    written += end.send(bytes(1 << 20))
            except BlockingIOError:
                continue
except OSError:
    pass
for end in held:
    end.close()


def total(numbers):
    return sum(numbers) + (written >= LIMIT)
