"""What a job sends back through its log comes out whole, and nothing else of the log is touched."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.runtime.parcel import LIMIT, MARK, MOST_FILES, LeftOut, Parcel, Unwrapper, escaped

FILES = {"winner.py": b"def f(): pass\n", ".peagen/runs/r/ledger.arrow": bytes(range(256)) * 40}
SENT = Parcel(3, FILES, (LeftOut("big.bin", 1 << 30, "too large"),))

lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)
marked = lines.map(lambda text: MARK + text)
names = st.text(
    st.characters(min_codepoint=1, exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=9
)


def fed(log: str, cuts: list[int]) -> tuple[str, Unwrapper]:
    """What is seen of a log that arrives in pieces, and what took it apart."""
    unwrapper = Unwrapper()
    places = [0, *sorted(cut % (len(log) + 1) for cut in cuts), len(log)]
    seen = "".join(unwrapper.feed(log[a:b]) for a, b in itertools.pairwise(places))
    return seen + unwrapper.finish(), unwrapper


def log_of(before: list[str], parcel: Parcel, after: list[str]) -> str:
    return "".join(f"{line}\n" for line in [*before, *parcel.lines(), *after])


def sent_by_hand(archive: bytes, **changes: object) -> str:
    head = {"exit": 0, "size": len(archive), "sha256": hashlib.sha256(archive).hexdigest(), "left_out": []}
    body = base64.b64encode(archive).decode()
    return f"{MARK}parcel {json.dumps(head | changes)}\n{MARK}+ {body}\n{MARK}end\n"


def archived(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@given(st.lists(lines), st.lists(lines), st.lists(st.integers(0, 1 << 20)))
def test_any_split_of_the_stream_gives_the_same_lines_and_the_same_files(before, after, cuts):
    before, after = [escaped(line) for line in before], [escaped(line) for line in after]
    seen, unwrapper = fed(log_of(before, SENT, after), cuts)
    assert seen == "".join(f"{line}\n" for line in before + after)
    assert unwrapper.parcel == SENT
    assert unwrapper.problem == ""


@given(st.dictionaries(names, st.binary(max_size=300), max_size=5), st.integers(0, 255))
def test_files_of_any_name_and_content_survive(files, code):
    _, unwrapper = fed(log_of([], Parcel(code, files), []), [])
    assert unwrapper.parcel == Parcel(code, files)


@given(st.lists(lines | marked, max_size=8), st.lists(st.integers(0, 1 << 12)))
def test_no_output_of_a_command_is_taken_for_a_parcel(said, cuts):
    shown = [escaped(line) for line in said]
    seen, unwrapper = fed("".join(f"{line}\n" for line in shown), cuts)
    assert seen.splitlines() == "".join(f"{line}\n" for line in shown).splitlines()
    assert unwrapper.parcel is None
    assert unwrapper.problem == ""


@given(st.integers(0, 1 << 20), st.lists(st.integers(0, 1 << 20)))
def test_a_log_that_is_cut_off_gives_no_parcel_or_the_whole_one(end, cuts):
    log = log_of(["hello"], SENT, [])
    _, unwrapper = fed(log[: end % len(log)], cuts)
    assert unwrapper.parcel is None or unwrapper.parcel == SENT


def test_a_log_that_ends_within_a_parcel_says_so():
    *most, _ = SENT.lines()
    _, unwrapper = fed("\n".join(most), [])
    assert unwrapper.parcel is None
    assert "ended before" in unwrapper.problem


def test_a_lost_line_is_noticed_and_what_follows_is_still_seen():
    first, _, *rest = SENT.lines()
    seen, unwrapper = fed("\n".join([first, *rest, "and then"]), [])
    assert seen == "and then\n"
    assert unwrapper.parcel is None
    assert "bytes came" in unwrapper.problem


def test_a_changed_byte_is_noticed():
    archive = archived((tarfile.TarInfo("a"), b"abc"))
    _, unwrapper = fed(sent_by_hand(archive, sha256="0" * 64), [])
    assert (unwrapper.parcel, "not those that were sent" in unwrapper.problem) == (None, True)


@pytest.mark.parametrize(
    "text",
    [
        f"{MARK}parcel\n",
        f"{MARK}parcel []\n",
        f"{MARK}parcel {{}}\n",
        f"{MARK}parcel {'[' * 100_000}\n",
        f'{MARK}parcel {{"exit": 0, "size": 1, "sha256": "", "left_out": [1]}}\n',
        sent_by_hand(b"no archive"),
        sent_by_hand(archived((tarfile.TarInfo("a"), b"abc"))[:60]),
        sent_by_hand(b"x").replace(f"{MARK}+ ", f"{MARK}+ \u00e9"),
    ],
)
def test_a_broken_parcel_is_a_problem_and_no_traceback(text):
    seen, unwrapper = fed(text, [])
    assert (seen, unwrapper.parcel) == ("", None)
    assert unwrapper.problem


def test_a_good_parcel_after_a_broken_one_counts():
    _, unwrapper = fed(sent_by_hand(b"no archive") + log_of([], SENT, []), [])
    assert (unwrapper.parcel, unwrapper.problem) == (SENT, "")


def test_pieces_without_a_parcel_are_dropped():
    assert fed(f"{MARK}+ QUJD\n{MARK}end\n{MARK}what\n", [])[0] == ""


def test_links_and_devices_in_an_archive_are_no_files():
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    pipe = tarfile.TarInfo("pipe")
    pipe.type = tarfile.FIFOTYPE
    _, unwrapper = fed(sent_by_hand(archived((link, b""), (pipe, b""), (tarfile.TarInfo("a"), b"x"))), [])
    assert unwrapper.parcel is not None
    assert unwrapper.parcel.files == {"a": b"x"}


@pytest.mark.parametrize("members", [[("a", LIMIT), ("b", 1)], [(str(n), 0) for n in range(MOST_FILES + 1)]])
def test_more_than_a_job_may_send_is_not_unpacked(members):
    archive = archived(*((tarfile.TarInfo(name), bytes(size)) for name, size in members))
    _, unwrapper = fed(sent_by_hand(archive), [])
    assert (unwrapper.parcel, unwrapper.problem) == (None, "it is larger than a job may send")


def test_no_line_is_longer_than_a_page():
    assert max(map(len, Parcel(0, {"a": hashlib.sha256(b"").digest() * 9000}).lines())) <= 4200
