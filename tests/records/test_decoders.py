import gzip
import io
import random
import subprocess
import sys
import zlib
from dataclasses import dataclass

import pytest

from chalicelib.config.decoders import Brotli, Bzip2, CommonsCompress, Gzip, Lz4, Snappy, Xz, Zstd
from chalicelib.errors import DecodeError, SourceUnavailable
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
from tests.records.bodies import SAMPLES, Trickle
from tests.records.packing import PACK, SKIPPABLE, TOLD, arrow, cuts, everything, one

TEXT = b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000))
SHORT = b"id,name\n1,a\n2,b\n"
NOISE = random.Random(1).randbytes(40_000)
DECLARED = {
    "gzip": Gzip(type="gzip"),
    "bzip2": Bzip2(type="bzip2"),
    "xz": Xz(type="xz"),
    "zstd": Zstd(type="zstd"),
    "lz4": Lz4(type="lz4"),
    "snappy": Snappy(type="snappy"),
    "brotli": Brotli(type="brotli"),
}
GZIP = DECLARED["gzip"]
MEMBERS = {
    "one": (lambda pack: pack(TEXT), TEXT),
    "several": (lambda pack: pack(TEXT) + pack(NOISE) + pack(b"") + pack(TEXT), TEXT + NOISE + TEXT),
    "hundreds": (lambda pack: pack(SHORT) * 300, SHORT * 300),
    "an empty one": (lambda pack: pack(b""), b""),
    "an empty one first": (lambda pack: pack(b"") + pack(SHORT), SHORT),
    "nothing": (lambda pack: b"", b""),
}


@pytest.mark.parametrize("step, size", [(1, 1 << 20), (7, 999), (1 << 20, 1), (1 << 20, 1 << 22)])
@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("name", PACK)
def test_all_of_a_stream_is_read_however_it_is_cut_into_members_and_reads(name, case, step, size):
    packed, text = MEMBERS[case][0](PACK[name]), MEMBERS[case][1]
    assert one(Trickle(packed, step), (DECLARED[name],), size) == text


@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("name", TOLD)
def test_content_tells_what_it_is_packed_in(name, case):
    assert one(Trickle(MEMBERS[case][0](PACK[name]), 7)) == MEMBERS[case][1]


PADDED = {
    "gzip, many": ("gzip", 511, True),
    "gzip, more than is read at once": ("gzip", 600_000, True),
    "bzip2": ("bzip2", 3, True),
    "xz, fours": ("xz", 8, True),
    "xz, not fours": ("xz", 3, False),
    "zstd": ("zstd", 4, False),
    "lz4": ("lz4", 4, False),
    "snappy": ("snappy", 4, False),
}


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("name, zeros, fine", PADDED.values(), ids=PADDED)
def test_zeros_behind_a_stream_are_taken_as_the_reference_tools_do(name, zeros, fine, step):
    step = max(step, zeros // 1000)
    packed = PACK[name](SHORT)
    between = packed + b"\0" * zeros + packed
    if fine:
        assert one(Trickle(packed + b"\0" * zeros, step)) == SHORT
        assert one(Trickle(between, step)) == SHORT * 2
    else:
        for broken in (packed + b"\0" * zeros, between):
            with pytest.raises(DecodeError):
                one(Trickle(broken, step))


@pytest.mark.parametrize("name", PACK)
def test_anything_else_behind_a_stream_is_an_error(name):
    for tail in (b"x", b"and some garbage here", PACK["gzip"](b"") if name != "gzip" else PACK["xz"](b"")):
        with pytest.raises(DecodeError, match=f"the {name} data .* at or before compressed byte "):
            one(PACK[name](SHORT) + tail, (DECLARED[name],))


def seen_cuts(name: str) -> list[bytes]:
    """Where a cut shows; snappy has no end, so that nobody can see one between its chunks."""
    return [cut for cut in cuts(PACK[name](SHORT)) if name != "snappy" or len(cut) != 10]


@pytest.mark.parametrize("name", PACK)
def test_a_stream_cut_anywhere_is_an_error_and_gives_no_wrong_byte(name):
    for cut in seen_cuts(name):
        body = next(decoded(Trickle(cut), (DECLARED[name],))).body
        given = b""
        with pytest.raises(
            DecodeError, match=f"the {name} data ends too soon, at or before compressed byte {len(cut)}"
        ):
            while data := body.read(1):
                given += data
        assert SHORT.startswith(given)


@pytest.mark.parametrize("name", PACK)
def test_a_cut_in_the_second_member_is_an_error_after_the_first_was_given(name):
    whole = PACK[name](SHORT)
    for cut in seen_cuts(name):
        body = next(decoded(Trickle(whole + cut), (DECLARED[name],))).body
        with pytest.raises(DecodeError, match="ends too soon"):
            everything(body, 16)


@pytest.mark.parametrize("name", TOLD)
def test_what_comes_before_a_cut_is_given_before_the_error(name):
    text = NOISE * 60
    body = next(decoded(io.BytesIO(PACK[name](text)[:-100]), None)).body
    given = 0
    with pytest.raises(DecodeError):
        while data := body.read(1 << 20):
            given += len(data)
    assert given > len(text) // 4


BROKEN = {
    "crc of gzip": ("gzip", -8),
    "length of gzip": ("gzip", -1),
    "crc of bzip2": ("bzip2", 12),
    "crc of xz": ("xz", -40),
    "crc of snappy": ("snappy", 14),
    "body of zstd": ("zstd", 10),
    "mark of lz4": ("lz4", 5),
}


@pytest.mark.parametrize("name, at", BROKEN.values(), ids=BROKEN)
def test_corrupt_data_is_an_error_that_names_the_offset(name, at):
    packed = bytearray(PACK[name](TEXT))
    packed[at] ^= 0x55
    with pytest.raises(DecodeError, match=rf"the {name} data .*, at or before compressed byte \d+") as caught:
        one(bytes(packed), (DECLARED[name],))
    assert int(str(caught.value.what).rsplit(" ", 1)[1]) <= len(packed)
    assert caught.value.remedy


def test_the_offset_is_near_where_the_data_broke():
    packed = PACK["gzip"](SHORT) * 50_000
    at = 1_000_000 // len(PACK["gzip"](SHORT)) * len(PACK["gzip"](SHORT))
    broken = packed[:at] + b"#" + packed[at + 1 :]
    with pytest.raises(DecodeError) as caught:
        one(broken)
    assert at <= int(caught.value.what.rsplit(" ", 1)[1]) <= at + (256 << 10)


@pytest.mark.parametrize(
    "text", [TEXT, b"\x1f", b"a", b"", b"BZh9 is no bzip2", b"PK", b"(\xb5/", b"ustar", b"P*M\x17"]
)
def test_content_that_is_not_packed_stays_as_it_is_when_nothing_is_declared(text):
    assert one(Trickle(text, 1)) == text
    assert one(text) == text


def test_no_decoders_leave_everything_as_it_lies():
    assert one(PACK["gzip"](TEXT), ()) == PACK["gzip"](TEXT)


def test_content_that_is_not_packed_can_still_be_read_in_any_order():
    body = next(decoded(io.BytesIO(TEXT), None)).body
    assert (body.seek(0, 2), body.tell(), body.read(5)) == (len(TEXT), len(TEXT), b"")
    assert (body.seek(4), body.read(6)) == (4, TEXT[4:10])
    assert (body.seek(3, 1), body.read(4)) == (13, TEXT[13:17])
    assert (body.seek(0), everything(body, 3)) == (0, TEXT)


def test_a_pipe_has_a_seek_that_does_not_work_and_is_read_as_a_stream():
    reading = subprocess.Popen([sys.executable, "-c", "print('a,b')"], stdout=subprocess.PIPE)
    assert reading.stdout is not None
    assert one(reading.stdout) == b"a,b\n"
    reading.communicate()


@pytest.mark.parametrize("declared", [False, True])
def test_layers_are_undone_one_after_the_other(declared):
    layers = ["bzip2", "gzip", "gzip", "zstd"]
    packed = TEXT
    for name in reversed(layers):
        packed = PACK[name](packed)
    assert one(packed, tuple(DECLARED[name] for name in layers) if declared else None) == TEXT


def test_more_layers_than_anybody_needs_are_refused_unless_declared():
    packed = TEXT
    for _ in range(5):
        packed = PACK["gzip"](packed)
    with pytest.raises(DecodeError, match="more than 4 times over"):
        one(packed)
    assert one(packed, (GZIP,) * 5) == TEXT


@pytest.mark.parametrize("name", [name for name in PACK if name != "brotli"])
def test_declared_decoders_on_other_content_are_refused(name):
    with pytest.raises(DecodeError, match=f"the content is not {name}: it begins with 30 2c .*instead of "):
        one(TEXT, (DECLARED[name],))


def test_declared_brotli_on_other_content_is_refused():
    with pytest.raises(DecodeError, match="the brotli data"):
        one(TEXT, (DECLARED["brotli"],))


SKIPPING = {
    "zstd": PACK["zstd"](SHORT),
    "lz4": PACK["lz4"](SHORT),
}


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("name", SKIPPING)
def test_skippable_frames_are_skipped_also_at_the_start(name, declared):
    packed = SKIPPABLE + SKIPPABLE + SKIPPING[name] + SKIPPABLE + SKIPPING[name] + SKIPPABLE
    assert one(Trickle(packed, 5), (DECLARED[name],) if declared else None) == SHORT * 2


def test_nothing_but_skippable_frames_is_empty():
    assert one(SKIPPABLE * 3) == b""


def chunk(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


def test_snappy_skips_what_may_be_skipped_and_refuses_what_may_not():
    packed = PACK["snappy"](SHORT)
    assert one(packed[:10] + chunk(0xFE, b"\0" * 70_000) + packed[10:] + chunk(0x80, b"?") + packed) == SHORT * 2
    with pytest.raises(DecodeError, match="unknown type 0x02"):
        one(packed + chunk(2, b"?"))
    with pytest.raises(DecodeError, match="stream identifier"):
        one(packed + chunk(0xFF, b"sNaPpy"))
    with pytest.raises(DecodeError, match="a chunk of 16777215 bytes"):
        one(packed + b"\x00\xff\xff\xff")


def test_snappy_chunks_that_are_not_compressed_are_checked_too():
    packed = PACK["snappy"](NOISE)
    assert packed[10] == 1
    assert one(packed) == NOISE
    with pytest.raises(DecodeError, match="is corrupt"):
        one(packed[:5000] + b"##" + packed[5002:])


def test_a_window_that_takes_too_much_memory_is_refused():
    frame = bytearray(PACK["zstd"](TEXT))
    header = b"\x28\xb5\x2f\xfd\x00" + bytes([(28 - 10) << 3])  # no content size, a window of 256 MiB
    with pytest.raises(DecodeError, match="too much memory"):
        one(header + bytes(frame[6:]))


def test_a_dictionary_that_takes_too_much_memory_is_refused():
    import lzma

    packed = bytearray(lzma.compress(SHORT, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]))
    at = packed.index(b"\x21\x01", 12)
    packed[at + 2] = 36  # 1 GiB
    end = (packed[12] + 1) * 4
    packed[12 + end - 4 : 12 + end] = zlib.crc32(packed[12 : 12 + end - 4]).to_bytes(4, "little")
    with pytest.raises(DecodeError, match="Memory usage limit"):
        one(bytes(packed))


@pytest.mark.parametrize(
    "head, name",
    [
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07\x01\x00", "RAR"),
        (b"\x1f\x9d\x90", "compress"),
        (b"\x02\x21\x4c\x18", "legacy"),
    ],
)
def test_what_nobody_here_can_unpack_is_refused_by_its_name(head, name):
    with pytest.raises(DecodeError, match=name):
        one(head + NOISE)
    assert one(head + NOISE, ()) == head + NOISE


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


BR = PACK["brotli"]
LABELLED = {
    "br": ("br", BR(TEXT)),
    "spelled otherwise": (" BR ", BR(TEXT)),
    "deflate as zlib": ("deflate", zlib.compress(TEXT)),
    "deflate bare": ("deflate", raw_deflate(TEXT)),
    "deflate of nothing": ("deflate", b""),
    "gzip": ("gzip", PACK["gzip"](TEXT)),
    "gzip, undone on the way": ("gzip", TEXT),
    "gzip in chunks": ("aws-chunked,gzip", PACK["gzip"](TEXT)),
    "chunks only": ("aws-chunked", TEXT),
    "identity": ("identity", PACK["gzip"](TEXT)),
    "empty": ("", TEXT),
    "unheard of": ("x-rot13", TEXT),
    "br, but gzip": ("br", PACK["gzip"](TEXT)),
    "br in gzip, but bzip2": ("br, gzip", PACK["bzip2"](TEXT)),
    "br undone on the way": ("gzip, br", PACK["gzip"](TEXT)),
    "gzip in br": ("gzip, br", BR(PACK["gzip"](TEXT))),
    "br in gzip": ("br,gzip", PACK["gzip"](BR(TEXT))),
    "gzip for a gzip file in gzip": ("gzip", PACK["gzip"](PACK["gzip"](TEXT))),
}


@pytest.mark.parametrize("case", LABELLED)
def test_the_content_encoding_counts_where_content_cannot_tell(case):
    encoding, packed = LABELLED[case]
    assert one(packed, encoding=encoding) == (TEXT if packed else b"")


@pytest.mark.parametrize("encoding", ["br", "deflate"])
def test_a_wrong_label_is_named(encoding):
    with pytest.raises(DecodeError, match="its Content-Encoding says so") as caught:
        one(TEXT, encoding=encoding)
    assert "decoders: []" in caught.value.remedy


def test_declared_decoders_are_stronger_than_the_content_encoding():
    assert one(BR(TEXT), (), encoding="br") == BR(TEXT)
    assert one(PACK["gzip"](TEXT), (GZIP,), encoding="br") == TEXT


@pytest.mark.parametrize(
    "spelled, packed",
    [
        ("", PACK["gzip"](PACK["bzip2"](TEXT))),
        ("", TEXT),
        ("gzip", PACK["gzip"](TEXT)),
        ("gz", PACK["gzip"](TEXT)),
        ("xz", PACK["xz"](TEXT)),
        ("lz4-framed", PACK["lz4"](TEXT)),
        ("snappy-framed", PACK["snappy"](TEXT)),
        ("gzip", b""),
    ],
)
def test_embulks_commons_compress_means_the_same(spelled, packed):
    decoder = CommonsCompress.model_validate({"type": "commons-compress", "format": spelled})
    assert one(packed, (decoder,)) == (TEXT if packed else b"")


def test_commons_compress_goes_on_with_what_comes_after_it():
    detect = CommonsCompress(type="commons-compress")
    assert one(PACK["gzip"](BR(TEXT)), (detect, DECLARED["brotli"])) == TEXT


class Zeros:
    """A gzip of ever more zeros: as many MiB as there are, made as they are read."""

    def __init__(self, mib: int) -> None:
        self.left = mib
        self.made = zlib.compressobj(9, wbits=31)

    def read(self, size: int, /) -> bytes:
        data = b""
        while not data and self.left:
            self.left -= 1
            data = self.made.compress(bytes(1 << 20)) + (b"" if self.left else self.made.flush())
        return data


def test_gzips_own_best_is_no_bomb():
    assert len(everything(zeros(80))) == 80 << 20


def zeros(mib: int, limits: Limits | None = None):
    return next(decoded(Zeros(mib), None, limits=limits)).body


def test_more_than_the_ratio_allows_is_a_bomb():
    with pytest.raises(DecodeError, match="more than 100 times its size") as caught:
        everything(zeros(80, Limits(expansion_ratio=100)))
    assert "in.max_expansion_ratio" in caught.value.remedy


def test_the_ratio_does_not_count_for_little():
    assert len(everything(zeros(64, Limits(expansion_ratio=2)))) == 64 << 20


def test_a_bomb_in_layers_is_measured_by_the_object_not_by_its_layers():
    outer = gzip.compress(gzip.compress(bytes(100 << 20)))
    assert len(outer) < 2000
    with pytest.raises(DecodeError, match="bomb"):
        everything(next(decoded(io.BytesIO(outer), None)).body)


@pytest.mark.parametrize("name", ["bzip2", "zstd", "brotli", "xz"])
def test_a_bomb_of_any_codec_stops_soon_after_64_mib(name):
    bomb = (SAMPLES / f"bomb.{name}").read_bytes()
    assert len(bomb) < 50_000
    body = next(decoded(io.BytesIO(bomb), (DECLARED[name],))).body
    given = 0
    with pytest.raises(DecodeError, match="bomb"):
        while data := body.read(1 << 20):
            given += len(data)
    assert given <= 64 << 20


MEASURED = """
import io, resource, sys
from chalicelib.config.decoders import Zstd
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
data = open(sys.argv[1], "rb").read()
next(decoded(io.BytesIO(b"a"), None)).body.read(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
body, size = next(decoded(io.BytesIO(data), None, limits=Limits(1 << 40))).body, 0
while piece := body.read(2 << 20):
    size += len(piece)
print(size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize("name", ["bzip2", "zstd", "xz"])
def test_memory_does_not_follow_what_comes_out(name):
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, str(SAMPLES / f"bomb.{name}")], capture_output=True, text=True, check=True
    )
    size, grown = map(int, ran.stdout.split())
    assert size == 200 << 20
    assert grown < 40


@dataclass
class Fails:
    """A body that the network takes away."""

    data: bytes

    def read(self, size: int, /) -> bytes:
        if not self.data:
            raise SourceUnavailable("the line is dead")
        data, self.data = self.data[:size], self.data[size:]
        return data


@pytest.mark.parametrize("name", PACK)
def test_what_fails_below_is_not_blamed_on_the_data(name):
    body = next(decoded(Fails(PACK[name](NOISE)[:20_000]), (DECLARED[name],))).body
    with pytest.raises(SourceUnavailable):
        everything(body)


def test_frames_written_by_arrow_are_read():
    for codec in ("gzip", "bz2", "zstd", "lz4"):
        assert one(arrow(codec)(TEXT)) == TEXT


def test_a_truncated_sample_is_an_error():
    with pytest.raises(DecodeError):
        one((SAMPLES / "truncated.csv.gz").read_bytes())


SAMPLE_TEXT = (SAMPLES / "packed.csv").read_bytes()


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("packed.csv.*")), ids=lambda path: path.name)
def test_samples_written_by_the_reference_tools_are_read(path):
    decoders = (DECLARED["brotli"],) if path.suffix == ".br" else None
    if "truncated" in path.name:
        with pytest.raises(DecodeError, match="ends too soon, at or before compressed byte"):
            one(path.read_bytes(), decoders)
    else:
        assert one(path.read_bytes(), decoders) == SAMPLE_TEXT * (2 if ".two." in path.name else 1)
