# tries: sends descriptors over the channel, for the host to receive
# screening: ok|error
# confirmation: ok|error
import array
import os
import socket

channel = socket.socket(fileno=os.dup(3))


def total(numbers):
    reading, writing = os.pipe()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reading, writing]))]
    try:
        channel.sendmsg([b""], rights)
    finally:
        os.close(reading)
        os.close(writing)
    return sum(numbers)
