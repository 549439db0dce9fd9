"""Whatever is read: the exact bytes, or a DecodeError; never anything else."""

import contextlib
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.decoders import Decoder
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.content import told
from chalicelib.records.decoders.packed import Start
from tests.records.bodies import Trickle
from tests.records.packing import PACK, everything, members, one, tarred, zipped
from tests.records.test_decoders import DECLARED
from tests.records.test_decoders_archives import METHODS

TEXT = b"".join(b"%d,name of %d,%d\n" % (n, n % 7, n * n) for n in range(400))
ENTRIES = {"a.csv": TEXT, "b.csv": b"id\n3\n", "c.csv.gz": PACK["gzip"](TEXT)}
CHECKED = {"gzip", "bzip2", "xz", "snappy"}  # formats whose every content has a checksum
ARCHIVES = {
    **{name: zipped(ENTRIES, method) for name, method in [("stored", 0), ("deflate", 8), ("bzip2", 12), ("lzma", 14)]},
    "zip in zip": zipped({"x.zip": zipped(ENTRIES)}),
    "tar": tarred(ENTRIES),
    "tar in gzip": PACK["gzip"](tarred(ENTRIES)),
}
edits = st.lists(
    st.tuples(st.sampled_from(["flip", "drop", "add", "cut", "twice"]), st.floats(0, 1), st.integers(1, 255)),
    min_size=1,
    max_size=4,
)
pieces = st.sampled_from([1, 13, 1 << 20])


def edited(data: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    for how, place, number in changes:
        at = int(place * len(data))
        head, tail = data[:at], data[at:]
        match how:
            case "flip":
                data = head + bytes([tail[0] ^ number]) + tail[1:] if tail else head
            case "drop":
                data = head + tail[number:]
            case "add":
                data = head + bytes([number]) * (number % 9) + tail
            case "cut":
                data = head
            case "twice":
                data = head + tail[:number] + tail
    return data


@pytest.mark.parametrize("name", PACK)
@settings(max_examples=150, deadline=None)
@given(changes=edits, piece=pieces)
def test_a_mutated_stream_gives_its_bytes_or_an_error(name, changes, piece):
    packed = PACK[name](TEXT)
    mutated = edited(packed, changes)
    try:
        read = one(Trickle(mutated, piece), (DECLARED[name],))
    except DecodeError:
        return
    if name in CHECKED and mutated and mutated != packed:
        assert len(read) % len(TEXT) == 0
        assert read == TEXT * (len(read) // len(TEXT))


@pytest.mark.parametrize("name", ARCHIVES)
@settings(max_examples=100, deadline=None)
@given(changes=edits, seekable=st.booleans())
def test_a_mutated_archive_gives_entries_or_an_error(name, changes, seekable):
    mutated = edited(ARCHIVES[name], changes)
    body = io.BytesIO(mutated) if seekable else Trickle(mutated)
    try:
        read = members(body)
    except DecodeError:
        return
    if None not in read and "tar" not in name:  # a zip's directory has no checksum, but its entries have
        assert set(read.values()) <= {*ENTRIES.values(), TEXT}


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), piece=pieces)
def test_arbitrary_bytes_are_read_as_they_are_or_refused(data, piece):
    try:
        read = members(Trickle(data, piece))
        packed = told(Start(io.BytesIO(data)))
    except DecodeError:
        return
    assert packed or read == {None: data}


HEADS = [
    packed[:size] for packed in (*(pack(TEXT) for pack in PACK.values()), *ARCHIVES.values()) for size in (6, 12, 30)
]


@settings(max_examples=300, deadline=None)
@given(head=st.sampled_from(HEADS), data=st.binary(max_size=200), decoder=st.sampled_from([None, *DECLARED.values()]))
def test_arbitrary_bytes_behind_a_true_head_are_read_or_refused(head: bytes, data: bytes, decoder: Decoder | None):
    try:
        for member in decoded(io.BytesIO(head + data), None if decoder is None else (decoder,)):
            everything(member.body)
    except DecodeError:
        pass


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, br", "deflate, gzip"])
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_with_a_label_are_read_or_refused(encoding, data):
    with contextlib.suppress(DecodeError):
        members(data, encoding=encoding)


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), mask=st.integers(1, 255))
def test_a_bit_flipped_in_an_entry_never_gives_other_bytes(name, at, mask):
    whole = METHODS[name]
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        size = archive.infolist()[0].compress_size
    flipped = bytearray(whole)
    flipped[30 + len("a.csv") + int(at * (size - 1))] ^= mask
    try:
        read = members(bytes(flipped))
    except DecodeError:
        return
    assert read == members(whole)


@settings(max_examples=60, deadline=None)
@given(
    layers=st.lists(st.sampled_from([name for name in PACK if name != "brotli"]), max_size=4),
    text=st.binary(max_size=300).filter(lambda data: not data.startswith((b"\x1f", b"PK", b"BZh", b"7z", b"Rar"))),
    piece=pieces,
)
def test_any_packing_is_undone(layers, text, piece):
    packed = text
    for name in reversed(layers):
        packed = PACK[name](packed)
    assert one(Trickle(packed, piece)) == text
    assert one(packed, tuple(DECLARED[name] for name in layers)) == (text if layers else packed)
