import os

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.launcher.capture import HEAD, TAIL, Capture


def captured(chunks):
    reading, writing = os.pipe()
    capture = Capture(reading)
    try:
        for chunk in chunks:
            os.write(writing, chunk)
            capture.drain()
    finally:
        os.close(writing)
    capture.drain()
    return capture


@given(st.lists(st.integers(1, 40_000), max_size=12))
def test_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(sizes):
    whole = b"".join(bytes([65 + number]) * size for number, size in enumerate(sizes))
    parts, rest = [], whole
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    capture = captured(parts)
    assert capture.printed == len(whole)
    assert capture.dropped == max(0, len(whole) - HEAD - TAIL)
    if capture.dropped:
        head, tail = whole[:HEAD].decode(), whole[-TAIL:].decode()
        assert capture.text() == f"{head}\n[{capture.dropped} bytes dropped]\n{tail}"
    else:
        assert capture.text() == whole.decode()


def test_a_single_large_chunk_keeps_its_own_tail():
    capture = captured([b"a" * HEAD, b"b" * 60_000])
    assert capture.dropped == 60_000 - TAIL
    assert capture.text().endswith("b" * TAIL)


def test_the_end_of_the_pipe_closes_it():
    capture = captured([b"x"])
    assert capture.fd is None
    capture.drain()
    capture.close()
    assert capture.text() == "x"


def test_draining_an_empty_pipe_does_not_block():
    reading, writing = os.pipe()
    capture = Capture(reading)
    capture.drain()
    assert capture.text() == ""
    capture.close()
    os.close(writing)


def test_one_drain_of_an_endless_writer_ends():
    zero = os.open("/dev/zero", os.O_RDONLY)
    capture = Capture(zero)
    capture.drain()
    assert capture.printed == 64 * 64 * 1024
    capture.close()


def test_bytes_that_are_no_text_are_replaced():
    assert captured([b"a\xff\xfeb"]).text() == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
