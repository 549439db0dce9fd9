"""Avro: types, logical types, codecs, and broken files (F72)."""

import contextlib
import io
import zlib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import cramjam
import fastavro
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import Avro
from chalicelib.errors import DataError, DecodeError, ObjectChanged, ParseError
from chalicelib.records.columnar.container import MAGIC, number
from chalicelib.records.formats.avro import AvroRows
from tests.records.reading import Read, Trickle, read, read_rows
from tests.records.tables import EXAMPLE, KINDS, Table, record, tables
from tests.records.test_parquet import Watched

SYNC = bytes(16)


def parser(**settings: Any) -> Avro:
    return Avro.model_validate({"type": "avro", **settings})


def written(schema: Any, rows: list[Any], **how: Any) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, schema, rows, **how)
    return file.getvalue()


def column_of(kind: Any, *values: Any) -> Read:
    """An object whose one column `a` has this type and these values."""
    return read(written(record("r", ("a", kind)), [{"a": value} for value in values]), parser())


def logical(kind: str, meaning: str, /, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": meaning, **more}


def test_each_type_comes_as_its_column_and_each_value_as_it_was() -> None:
    result = read(written(EXAMPLE.avro, EXAMPLE.rows), parser())
    assert [column.type.value for column in result.columns] == [kind.column for kind in KINDS]
    assert EXAMPLE.same(result.rows)
    assert result.rejects == []


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(1, 5), st.integers(1, 200), st.integers(1, 50))
def test_any_table_comes_back_whatever_its_blocks_and_lots(table: Table, lot: int, block: int, step: int) -> None:
    data = written(table.avro, table.rows, sync_interval=block)
    result = read_rows(AvroRows(Trickle(data, step=step), parser(), lot_rows=lot))
    assert table.same(result.rows)
    assert result.rejects == []


AT = datetime(2024, 2, 29, 1, 2, 3, 4000, UTC)


@pytest.mark.parametrize(
    ("kind", "value", "type_", "expected"),
    [
        ("int", -5, "long", -5),
        ("float", 0.5, "double", 0.5),
        (["null", "string"], None, "string", None),
        (["string"], "x", "string", "x"),
        (["int", "long"], 1 << 40, "long", 1 << 40),
        (["null", "long", "double"], 2, "double", 2.0),
        ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, "B", "string", "B"),
        ({"type": "fixed", "name": "f", "size": 2}, b"\xff\0", "binary", b"\xff\0"),
        (["null", "int", "string"], "x", "json", '"x"'),
        (["int", "bytes"], b"\xff", "json", '"/w=="'),
        ({"type": "map", "values": "int"}, {"k": 1}, "json", '{"k":1}'),
        (record("s", ("x", logical("int", "date"))), {"x": date(2024, 2, 29)}, "json", '{"x":"2024-02-29"}'),
        (logical("int", "date"), date(1, 1, 1), "date", date(1, 1, 1)),
        (logical("int", "time-millis"), time(1, 2, 3), "time", time(1, 2, 3)),
        (logical("long", "time-micros"), time(1, 2, 3, 4), "time", time(1, 2, 3, 4)),
        (logical("long", "timestamp-millis"), AT, "timestamp", AT),
        (logical("long", "timestamp-micros"), AT, "timestamp", AT),
        (logical("long", "timestamp-nanos"), 1_709_168_523_004_000_999, "timestamp", AT),
        (logical("long", "local-timestamp-micros"), AT.replace(tzinfo=None), "timestamp", AT),
        (logical("bytes", "decimal", precision=5, scale=2), Decimal("-1.50"), "decimal", Decimal("-1.50")),
        (logical("bytes", "decimal", precision=40), Decimal(10**39), "string", str(10**39)),
        (logical("fixed", "decimal", name="d", size=4, precision=5), Decimal(12), "decimal", Decimal(12)),
        (logical("string", "uuid"), UUID(int=5), "string", str(UUID(int=5))),
        (logical("fixed", "uuid", name="u", size=16), UUID(int=5).bytes, "string", str(UUID(int=5))),
        (logical("string", "nobody-knows"), "x", "string", "x"),
    ],
)
def test_each_type_of_avro(kind: Any, value: Any, type_: str, expected: Any) -> None:
    result = column_of(kind, value)
    assert (result.types, result.rows, result.rejects) == ({"a": type_}, [{"a": expected}], [])


def test_what_python_or_a_table_has_no_value_for_costs_its_row() -> None:
    moments = column_of(logical("long", "timestamp-micros"), 0, 1 << 62, 1)
    assert [row["a"].microsecond for row in moments.rows] == [0, 1]
    assert [(reject.record, reject.text) for reject in moments.rejects] == [(2, '{"a":"?"}')]
    decimals = column_of(logical("bytes", "decimal", precision=3, scale=1), b"\x01", b"\x7f\xff\xff")
    assert decimals.rows == [{"a": Decimal("0.1")}]
    assert "838860.7" in decimals.rejects[0].reason


def test_text_that_is_not_utf8_costs_its_row() -> None:
    data = written(record("r", ("a", "bytes")), [{"a": b"ok"}, {"a": b"\xff"}]).replace(b'"bytes"', b'"string"')
    head, size, rest = data.partition(b"avro.schema")
    length = rest[0] >> 1 | (rest[1] & 0x7F) << 6  # the schema is a byte longer now
    data = (
        head + size + number(length + 1) + rest[2:]
        if rest[0] > 127
        else head + size + number((rest[0] >> 1) + 1) + rest[1:]
    )
    result = read(data, parser())
    assert result.rows == [{"a": "ok"}]
    assert "\\\\xff" in result.rejects[0].reason


def test_a_record_within_itself_is_json() -> None:
    tree = record("t", ("v", "int"), ("next", ["null", "t"]))
    result = column_of(tree, {"v": 1, "next": {"v": 2, "next": None}})
    assert result.rows == [{"a": '{"v":1,"next":{"v":2,"next":null}}'}]


def test_named_types_are_found_in_their_namespaces() -> None:
    inner = {"type": "enum", "name": "e", "namespace": "n.m", "symbols": ["A"]}
    schema = {**record("r", ("a", inner), ("b", "n.m.e"), ("c", ["null", "n.m.e"])), "namespace": "x"}
    assert read(written(schema, [{"a": "A", "b": "A", "c": "A"}]), parser()).rows == [{"a": "A", "b": "A", "c": "A"}]


def test_a_schema_that_is_no_record_gives_one_column() -> None:
    assert read(written("long", [1, 2]), parser()).rows == [{"value": 1}, {"value": 2}]


def test_declared_columns_are_met_by_name_and_those_that_lack_are_null() -> None:
    data = written(record("r", ("b", "double"), ("a", "string")), [{"b": 1.0, "a": "x"}, {"b": 2.5, "a": "y"}])
    columns = [{"name": "n", "type": "long", "src": "b"}, {"name": "A", "type": "string"}]
    result = read(data, parser(columns=columns))
    assert result.rows == [{"n": 1, "A": None}]
    assert [(reject.record, reject.text) for reject in result.rejects] == [(2, '{"b":2.5}')]
    assert read(data, parser(columns=[{"name": "z", "type": "long"}])).rows == [{"z": None}] * 2


def test_head_consumes_nothing_and_little_is_read_before_it_is_asked_for() -> None:
    body = Watched(written("long", list(range(1000)), sync_interval=100))
    rows = AvroRows(body, parser(), lot_rows=10)
    assert body.reads == []
    columns = rows.infer()
    assert body.bytes_read < 200
    assert rows.head(columns).batch.num_rows == 10
    assert body.bytes_read < 500
    assert [row["value"] for row in read_rows(rows, columns).rows] == list(range(1000))


def test_a_file_without_records_has_columns_and_no_page() -> None:
    rows = AvroRows(io.BytesIO(written(EXAMPLE.avro, [])), parser())
    assert list(rows.pages(rows.infer())) == []
    assert rows.head(rows.infer()).batch.num_rows == 0


ROWS = [{"a": f"{index} and more"} for index in range(2000)]
TEXTS = record("r", ("a", "string"))


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "snappy", "xz"])
def test_each_codec_is_read_and_its_damage_is_seen(codec: str) -> None:
    data = written(TEXTS, ROWS, codec=codec)
    assert read(data, parser()).rows == ROWS
    if codec != "null":
        damaged = bytearray(data)
        for place in range(len(data) // 2, len(data) // 2 + 8):
            damaged[place] ^= 0xFF
        with pytest.raises(DataError):
            read(bytes(damaged), parser())


def rebuilt(codec: bytes, *blocks: tuple[int, bytes]) -> bytes:
    """A file of TEXTS with these blocks."""
    schema = fastavro.schema.parse_schema(TEXTS)
    text = str({key: value for key, value in schema.items() if not key.startswith("__")}).replace("'", '"').encode()
    meta = [b"avro.schema", text, b"avro.codec", codec]
    head = MAGIC + number(2) + b"".join(number(len(each)) + each for each in meta) + number(0) + SYNC
    return head + b"".join(number(count) + number(len(data)) + data + SYNC for count, data in blocks)


def test_lz4_is_read_and_its_damage_is_seen() -> None:
    plain = b"\x02x\x02y" * 1000
    packed = bytes(cramjam.lz4.compress_block(plain))
    data = rebuilt(b"lz4", (2000, packed))
    assert read(data, parser()).rows == [{"a": "x"}, {"a": "y"}] * 1000
    with pytest.raises(DataError):
        read(rebuilt(b"lz4", (2000, packed[:-3] + b"\xff\xff\xff")), parser())


def test_zstandard_is_read() -> None:
    packed = zstandard.compress(b"\x02x\x02y")
    assert read(rebuilt(b"zstandard", (2, packed)), parser()).rows == [{"a": "x"}, {"a": "y"}]


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(DecodeError, match=r"codec 'brotli' is not known\. Have it written with one of bzip2, deflate"):
        read(rebuilt(b"brotli", (1, b"x")), parser())


@pytest.mark.parametrize("codec", ["deflate", "zstandard"])
def test_a_block_that_expands_without_end_is_refused(codec: str) -> None:
    bomb = bytes(80 << 20)
    pack = {"deflate": lambda: zlib.compress(bomb, 1)[2:-4], "zstandard": lambda: zstandard.compress(bomb)}[codec]
    with pytest.raises(DecodeError, match="more than 64 MiB"):
        read(rebuilt(codec.encode(), (1, pack())), parser())


@pytest.mark.parametrize(
    ("blocks", "match"),
    [
        ([(1 << 40, b"\x02x")], "claims 1099511627776 records in 2 bytes"),
        ([(-1, b"\x02x")], "claims -1 records"),
        ([(2, b"\x02x")], "does not hold what the Avro schema says"),
        ([(1, b"\x01x")], "does not hold what the Avro schema says"),
    ],
)
def test_a_block_that_lies_is_seen(blocks: list[tuple[int, bytes]], match: str) -> None:
    with pytest.raises(DataError, match=match):
        read(rebuilt(b"null", *blocks), parser())


@pytest.mark.parametrize("size", [-1, 1 << 40])
def test_a_block_of_an_impossible_size_is_refused_before_it_is_read(size: int) -> None:
    data = rebuilt(b"null") + number(1) + number(size) + b"x"
    with pytest.raises(DecodeError, match="claims a block of"):
        read(data, parser())


def test_a_cut_object_tells_how_far_it_was_whole() -> None:
    data = written(TEXTS, ROWS, sync_interval=1000)
    with pytest.raises(DecodeError, match=r"ends too soon, within a block, at byte \d+, after \d\d whole blocks"):
        read(data[:-30], parser())


def test_what_is_no_avro_is_told() -> None:
    with pytest.raises(DecodeError, match="begins with 69 64 2c 61 instead of 4f 62 6a 01"):
        read(b"id,a\n1,2\n", parser(columns=[{"name": "a", "type": "long"}]))


@pytest.mark.parametrize("schema", [b"{", b'"nothing"', b'{"type":"record","name":"r"}', b"[]", b"{}", b"7"])
def test_a_schema_that_makes_no_sense_is_told(schema: bytes) -> None:
    data = MAGIC + number(1) + number(11) + b"avro.schema" + number(len(schema)) + schema + number(0) + SYNC
    with pytest.raises(ParseError, match="Avro schema"):
        read_rows(AvroRows(io.BytesIO(data + number(1) + number(1) + b"x" + SYNC), parser()))


def test_a_schema_that_doubles_at_each_level_is_refused() -> None:
    kind: Any = "int"
    for level in range(20):
        kind = record(f"l{level}", ("a", kind), ("b", f"l{level - 1}" if level else "int"))
    with pytest.raises(ParseError, match="types within types"):
        AvroRows(io.BytesIO(written(kind, [])), parser()).infer()


@pytest.mark.parametrize("fails", range(8))
def test_what_goes_wrong_with_the_body_is_told_as_it_is(fails: int) -> None:
    data = written(TEXTS, ROWS, sync_interval=1000)
    with pytest.raises(ObjectChanged, match="overwritten"):
        read_rows(AvroRows(Watched(data, fails=fails * 12), parser()))


GOOD = written(EXAMPLE.avro, EXAMPLE.rows, codec="deflate")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_cut_or_flipped_byte_never_does_worse_than_set_the_object_aside(place: int, flip: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= flip
    with contextlib.suppress(DataError):
        read_rows(AvroRows(io.BytesIO(bytes(data if flip else data[:place])), parser()))


def test_a_whole_row_of_the_example_is_a_record() -> None:
    rows = AvroRows(io.BytesIO(GOOD), parser())
    wanted = (Column(name="c1", type="long"),)
    assert read_rows(rows, wanted).rows == [{"c1": None}, {"c1": 1 << 62}]
