# tries: connects to a socket in the file system
# screening: ok
# confirmation: ok
import socket

ESCAPES = 0
for path in (
    "@WORKSPACE@/socket",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/dbus/system_bus_socket",
    "/dev/log",
):
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            ESCAPES += 1
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + ESCAPES
