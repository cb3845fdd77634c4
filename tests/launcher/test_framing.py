import socket
import struct
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import framing


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_messages_arrive_whole_and_in_order(messages):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in messages:
            framing.send(ours, message)
        assert [framing.receive(theirs, 300) for _ in messages] == messages


@given(st.binary(max_size=50), st.lists(st.integers(1, 9), max_size=60))
def test_a_message_may_arrive_in_any_pieces(message, sizes):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = struct.pack(">I", len(message)) + message

        def dribble():
            rest = wire
            for size in [*sizes, len(wire)]:
                ours.sendall(rest[:size])
                rest = rest[size:]

        thread = threading.Thread(target=dribble)
        thread.start()
        assert framing.receive(theirs, 50, time.monotonic() + 10) == message
        thread.join()


def test_a_large_message_passes_while_the_other_side_reads(pair):
    ours, theirs = pair
    message = bytes(range(256)) * (1 << 14)
    thread = threading.Thread(target=framing.send, args=(ours, message, time.monotonic() + 20))
    thread.start()
    assert framing.receive(theirs, len(message), time.monotonic() + 20) == message
    thread.join()


def test_a_message_over_the_limit_is_refused_unread(pair):
    ours, theirs = pair
    framing.send(ours, b"12345")
    with pytest.raises(framing.MessageTooLong, match="5 bytes, where 4"):
        framing.receive(theirs, 4)
    assert theirs.recv(10) == b"12345"


def test_a_false_length_allocates_nothing_and_is_refused(pair):
    ours, theirs = pair
    ours.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(framing.MessageTooLong):
        framing.receive(theirs, 1 << 20)


def test_the_end_between_two_messages_is_closed(pair):
    ours, theirs = pair
    framing.send(ours, b"last")
    ours.close()
    assert framing.receive(theirs, 10) == b"last"
    with pytest.raises(framing.ChannelClosed):
        framing.receive(theirs, 10)


@pytest.mark.parametrize("part", [b"\0", b"\0\0\0\5", b"\0\0\0\5abcd"])
def test_the_end_within_a_message_is_closed(pair, part):
    ours, theirs = pair
    ours.sendall(part)
    ours.close()
    with pytest.raises(framing.ChannelClosed, match="short"):
        framing.receive(theirs, 10)


def test_sending_to_nobody_is_closed(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(framing.ChannelClosed):
        framing.send(ours, b"x")


def test_a_reset_is_closed(pair):
    ours, theirs = pair
    ours.sendall(b"unread")
    theirs.sendall(b"\0\0")
    theirs.close()  # with something unread: the other side gets ECONNRESET
    with pytest.raises(framing.ChannelClosed):
        framing.receive(ours, 10)


def test_silence_until_the_deadline_is_a_timeout(pair):
    with pytest.raises(framing.ChannelTimeout):
        framing.receive(pair[1], 10, time.monotonic() + 0.01)


def test_a_deadline_that_has_passed_still_takes_what_is_there(pair):
    ours, theirs = pair
    framing.send(ours, b"there", time.monotonic() - 1)
    assert framing.receive(theirs, 10, time.monotonic() - 1) == b"there"


def test_half_a_message_at_the_deadline_is_a_timeout(pair):
    ours, theirs = pair
    ours.sendall(b"\0\0\0\5ab")
    with pytest.raises(framing.ChannelTimeout):
        framing.receive(theirs, 10, time.monotonic() + 0.01)


def test_a_reader_that_does_not_read_is_a_timeout(pair):
    with pytest.raises(framing.ChannelTimeout, match="stuck"):
        framing.send(pair[0], b"x" * (1 << 24), time.monotonic() + 0.01)


def test_all_failures_are_launch_errors():
    for kind in (framing.ChannelClosed, framing.MessageTooLong, framing.ChannelTimeout):
        assert issubclass(kind, LaunchError)
