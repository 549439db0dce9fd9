"""What is read of an object of which only a part is wanted, and what is still checked."""

import bz2
import io
import random
from dataclasses import dataclass, field, replace
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.parsers.columnar import Avro, Orc, ParquetObjects
from chalicelib.config.source import Source
from chalicelib.core.places import COUNTED, Span
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.bits import Mark, bits
from chalicelib.records.decoders.bzip2 import BLOCK, END, Bunzip2
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
from chalicelib.records.decoders.packed import Packed
from chalicelib.records.decoders.units import Units, jumping
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.stream import open_rows
from tests.records.packing import PACK, everything, zipped
from tests.records.reading import SETTING, columns, csv, json
from tests.records.spans import PACKED, read_span, rows_of

NUMBERS = random.Random(1)
TEXT = b"a,b\n" + b"".join(b"%d,%d\n" % (n, NUMBERS.randrange(10**12)) for n in range(30_000))
SMALL_BLOCKS = bz2.compress(TEXT, 1)  # 100 kB each, at any bit
START = 300 << 10  # bytes that are read of an object's start for its header, at most
AB = columns(a="long", b="long")


@dataclass
class Watched(io.BytesIO):
    """A body that remembers what was read of it."""

    data: bytes
    seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(self.data)

    def read(self, size: int | None = -1, /) -> bytes:
        place = self.tell()
        data = super().read(size)
        self.seen.update(range(place, place + len(data)))
        return data


def blocks_of(packed: bytes) -> list[tuple[int, int]]:
    """Where the blocks of bzip2 data begin, and the decoded bytes before them."""
    (member,) = decoded(io.BytesIO(packed), None)
    body = jumping(member.body)
    assert body is not None
    assert isinstance(body.units, Units)
    body.units.ask(None)
    found: list[tuple[int, int]] = []
    given = 0
    while data := body.read(1000):
        for at in range(given, given + len(data), 100):
            if not found or found[-1] != body.units.at(at):
                found.append(body.units.at(at))
        given += len(data)
    return found


def test_reading_begins_at_any_block_of_bzip2() -> None:
    found = blocks_of(SMALL_BLOCKS)
    assert len(found) == 6
    assert any(unit % 8 for unit, _ in found)
    for unit, before in found:
        body = jumping(next(decoded(io.BytesIO(SMALL_BLOCKS), None)).body)
        assert body is not None
        body.go(unit)
        assert everything(body) == TEXT[before:]
        assert body.next_unit(-(-unit // 8)) in [*(each for each, _ in found if each >= unit), 8 * len(SMALL_BLOCKS)]


def test_parts_of_bzip2_whose_blocks_begin_at_any_bit_fit_together() -> None:
    size = len(SMALL_BLOCKS)
    cuts = [0, size // 4, size // 2, size // 2 + 1, size - 10]
    spans = [Span(start, end) for start, end in zip(cuts, [*cuts[1:], None], strict=True)]
    found = [read_span(SMALL_BLOCKS, csv(), AB, span) for span in spans]
    assert [part.end.spot for part in found[:-1]] == [part.begin.spot for part in found[1:] if part.begin]
    assert [row["a"] for part in found for row in part.rows] == list(range(30_000))
    assert sum(bool(part.rows) for part in found) > 2


def test_a_part_that_ended_where_another_block_begins_does_not_go_on_there() -> None:
    packed = PACKED["bzip2"](b"a,b\n1,2\n3,4\n", 1)
    span = Span(0, len(packed) // 2)
    part = read_span(packed, csv(), AB, span)
    assert part.end.offset == 0
    rest = read_span(packed, csv(), AB, replace(span, after=part.end))
    assert (rest.rows, rest.end) == ([], part.end)


def test_what_looks_like_a_mark_within_a_block_is_none() -> None:
    places = [unit + 5000 for unit, _ in blocks_of(SMALL_BLOCKS)]
    false = tuple(Mark(bits(SMALL_BLOCKS, place, 48)) for place in (*places, places[0] + 500))
    assert everything(Bunzip2(Packed(io.BytesIO(SMALL_BLOCKS), "it"), (BLOCK, END, *false))) == TEXT


def test_a_block_that_is_corrupt_is_an_error_wherever_reading_began() -> None:
    unit, _ = blocks_of(SMALL_BLOCKS)[2]
    broken = bytearray(SMALL_BLOCKS)
    broken[unit // 8 + 8] ^= 1  # of the block's checksum
    with pytest.raises(DecodeError, match="corrupt"):
        read_span(bytes(broken), csv(), AB, Span(start=unit // 8))


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 7), st.integers(0, 20))
def test_a_mark_is_found_at_any_bit(noise: bytes, place: int, extra: int, start: int) -> None:
    mark = Mark(0x314159265359)
    digits = f"{int.from_bytes(b'1' + noise, 'big'):b}"
    digits = digits[:place] + f"{mark.number:048b}" + digits[place:] + "0" * extra
    digits += "0" * (-len(digits) % 8)
    data = int(digits, 2).to_bytes(len(digits) // 8, "big")
    assert mark.find(data, start, len(data)) == digits.find(f"{mark.number:048b}", start)


def test_of_plain_text_only_the_part_is_read() -> None:
    body = Watched(TEXT * 3)
    start, end = len(TEXT), 2 * len(TEXT)
    pages = list(CsvRows(body, csv(columns=AB, skip_header_lines=0), span=Span(start, end)).pages(AB))
    assert pages[-1].end is not None
    assert pages[-1].end.offset < end + 100
    wanted = body.seen - set(range(START))
    assert (min(wanted), max(wanted) < end + (1 << 16) + 100) == (start - 1, True)


def test_of_packed_text_nothing_is_read_between_its_start_and_the_last_member() -> None:
    packed = PACKED["gzip"](TEXT * 4, 50_000)
    places = [place for place, _, _ in read_span(packed, csv(), AB, block=20_000).ends]
    place = places[-len(places) // 4]
    body = Watched(packed)
    (member,) = decoded(body, None)
    pages = list(CsvRows(member.body, csv(columns=AB, skip_header_lines=1), span=Span(after=place)).pages(AB))
    assert pages[0].begin is not None
    assert pages[0].begin.spot == place.spot
    assert place.unit > START
    assert min(body.seen - set(range(START))) == place.unit


def test_the_ratio_of_a_part_is_that_of_what_was_read_for_it() -> None:
    noise = PACK["zstd"](random.Random(2).randbytes(1 << 20))
    (member,) = decoded(io.BytesIO(noise + PACK["zstd"](bytes(80 << 20))), None, limits=Limits(expansion_ratio=100))
    body = jumping(member.body)
    assert body is not None
    assert len(everything(body)) == 81 << 20
    (member,) = decoded(io.BytesIO(noise + PACK["zstd"](bytes(80 << 20))), None, limits=Limits(expansion_ratio=100))
    body = jumping(member.body)
    assert body is not None
    body.go(body.next_unit(1))
    with pytest.raises(DecodeError, match="bomb"):
        everything(body)


TABLE = pa.table({"a": range(1000), "b": [f"{n}" if n % 7 else "x" for n in range(1000)]})


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(TABLE, file, row_group_size=300)
    return file.getvalue()


def stripes() -> bytes:
    file = io.BytesIO()
    with orc.ORCWriter(file, batch_size=100, stripe_size=1) as writer:
        for start in range(0, 1000, 100):
            writer.write(TABLE.slice(start, 100))
    return file.getvalue()


def container() -> bytes:
    file = io.BytesIO()
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}],
    }
    fastavro.writer(file, schema, TABLE.to_pylist(), sync_interval=500)
    return file.getvalue()


BY_COUNT = {
    "parquet": (ParquetObjects(type="parquet"), parquet()),
    "orc": (Orc(type="orc"), stripes()),
    "avro": (Avro(type="avro"), container()),
    "avro in gzip": (Avro(type="avro"), PACK["gzip"](container())),
    "json in an array": (json(), b"[" + b",\n".join(b'{"a":%d,"b":"%d"}' % (n, n) for n in range(1000)) + b"]"),
    "json that is mended": (
        json(invalid_string_escapes="SKIP"),
        b"".join(b'{"a":%d,"b":"\\a%d"}\n' % (n, n) for n in range(1000)),
    ),
    "utf-16": (csv(charset="utf-16-le"), ("a,b\n" + "".join(f"{n},{n}\n" for n in range(1000))).encode("utf-16-le")),
}


@pytest.mark.parametrize("parser, data", BY_COUNT.values(), ids=BY_COUNT)
def test_where_places_are_not_known_reading_goes_on_after_so_many_records(parser: Any, data: bytes) -> None:
    wanted = columns(a="long", b="long")

    def read(span: Span) -> tuple[list[Any], list[Any], list[Any]]:
        (entry,) = open_rows(io.BytesIO(data), Source(bucket="bucket", parser=parser), (), SETTING, span=span)
        stretches = [(stretch.end, list(stretch.pages)) for stretch in entry.stretches(wanted)]
        pages = [page for _, found in stretches for page in found]
        rejects = [(bad.record, bad.reason) for page in pages for bad in page.rejects]
        return [row for page in pages for row in page.batch.to_pylist()], rejects, [end for end, _ in stretches]

    rows, rejects, ends = read(Span())
    assert len(rows) + len(rejects) == 1000
    assert all(end is not None for end in ends)
    for record in (0, 1, 299, 300, 301, 999, 1000):
        rest = read(Span(after=replace(COUNTED, record=record)))
        before = sum(number <= record for number, _ in rejects)
        assert rest[0] == rows[record - before :]
        assert rest[1] == rejects[before:]


def test_nobody_goes_on_within_an_archive() -> None:
    source = Source(bucket="bucket", parser=csv(columns=AB))
    body = zipped({"a.csv": TEXT, "b.csv": TEXT})
    for entry in open_rows(io.BytesIO(body), source, (), SETTING):
        assert {stretch.end for stretch in entry.stretches(AB) if list(stretch.pages)} == {None}


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 4000), st.integers(1, 1000))
def test_a_part_without_a_record_says_where_it_is(start: int, length: int) -> None:
    long = b"a,b\n1," + b"2" * 5000 + b"\n"
    page, *others = rows_of(long, csv(), Span(start, start + length)).pages(columns(a="long"))
    assert (page.batch.num_rows, others) == (0, [])
    assert page.begin == page.end
    assert page.end is not None
    assert page.end.spot == (0, len(long))
