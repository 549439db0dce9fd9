"""Parquet: types, columns, what is read of an object and what becomes of a broken one (F72)."""

import base64
import contextlib
import gzip
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import ParquetObjects
from chalicelib.errors import DataError, ObjectChanged, ParseError
from chalicelib.records.formats.parquet import ParquetRows
from tests.records.reading import Trickle, read, read_rows
from tests.records.tables import EXAMPLE, KINDS, Table, tables


def parser(**settings: Any) -> ParquetObjects:
    return ParquetObjects.model_validate({"type": "parquet", **settings})


def written(table: pa.Table, **how: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **how)
    return file.getvalue()


@dataclass
class Watched(io.BytesIO):
    """A body that counts what is read of it, and fails at its `fails`-th read."""

    data: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)
    fails: int = 1 << 30

    def __post_init__(self) -> None:
        super().__init__(self.data)

    def read(self, size: int | None = -1, /) -> bytes:
        if len(self.reads) >= self.fails:
            raise ObjectChanged("overwritten")
        data = super().read(size)
        self.reads.append((self.tell() - len(data), len(data)))
        return data

    @property
    def bytes_read(self) -> int:
        return sum(size for _, size in self.reads)


def test_each_type_comes_as_its_column_and_each_value_as_it_was() -> None:
    result = read(written(EXAMPLE.arrow), parser())
    assert [column.type.value for column in result.columns] == [kind.column for kind in KINDS]
    assert EXAMPLE.same(result.rows)
    assert result.rejects == []


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_any_table_comes_back_whatever_its_row_groups_and_batches(
    table: Table, group: int, batch: int, sparing: bool
) -> None:
    data = written(table.arrow, row_group_size=group, data_page_size=64)
    rows = ParquetRows(io.BytesIO(data), parser(), batch_rows=batch, at_once=0 if sparing else 1 << 20)
    result = read_rows(rows)
    assert table.same(result.rows)
    assert result.rejects == []


def test_declared_columns_are_met_by_name_and_those_that_lack_are_null() -> None:
    data = written(pa.table({"b": [1.0, 2.5], "a": ["x", "y"], "c": [1, 2]}))
    columns = [
        {"name": "n", "type": "long", "src": "b"},
        {"name": "a", "type": "string"},
        {"name": "A", "type": "long"},
    ]
    result = read(data, parser(columns=columns))
    assert result.rows == [{"n": 1, "a": "x", "A": None}]
    assert [(reject.record, reject.text) for reject in result.rejects] == [(2, '{"b":2.5,"a":"y"}')]


def test_columns_of_which_the_object_has_none_are_null_in_as_many_rows() -> None:
    data = written(pa.table({"a": [1, 2, 3]}))
    assert read(data, parser(columns=[{"name": "z", "type": "long"}])).rows == [{"z": None}] * 3


def test_a_name_with_a_dot_is_a_name() -> None:
    table = pa.table({"a.b": [1], "a": [{"b": 2}]})
    assert read(written(table), parser(columns=[{"name": "a.b", "type": "long"}])).rows == [{"a.b": 1}]
    assert read(written(table.select(["a"])), parser(columns=[{"name": "a.b", "type": "long"}])).rows == [{"a.b": None}]


def test_head_shows_the_first_page_and_consumes_nothing() -> None:
    rows = ParquetRows(io.BytesIO(written(pa.table({"a": list(range(5))}))), parser(), batch_rows=2)
    columns = rows.infer()
    assert rows.head(columns).batch.to_pylist() == [{"a": 0}, {"a": 1}]
    assert [row["a"] for row in read_rows(rows).rows] == [0, 1, 2, 3, 4]


def test_a_table_without_rows_has_columns_and_no_page() -> None:
    rows = ParquetRows(io.BytesIO(written(pa.table({"a": pa.array([], pa.int8())}))), parser())
    assert list(rows.pages(rows.infer())) == []
    assert rows.head(rows.infer()).batch.num_rows == 0


def test_json_and_uuid_say_what_they_are() -> None:
    table = pa.table(
        {"j": pa.array(['{"a":1}'], pa.json_()), "u": pa.array([b"\0" * 15 + b"\5"], pa.uuid()), "n": pa.nulls(1)}
    )
    result = read(written(table, store_schema=False), parser())
    assert (result.types["j"], result.types["u"]) == ("json", "string")
    assert result.rows[0]["u"] == "00000000-0000-0000-0000-000000000005"
    assert result.rows[0]["j"] == '{"a":1}'


@pytest.mark.parametrize("year", [1, 1600, 2300, 9999])
def test_old_moments_of_96_bits_keep_their_year(year: int) -> None:
    moment = datetime(year, 5, 6, 7, 8, 9, 10, UTC)
    table = pa.table({"t": pa.array([moment], pa.timestamp("us", "UTC"))})
    assert read(written(table, use_deprecated_int96_timestamps=True), parser()).rows == [{"t": moment}]


BIG = pa.table({f"c{index}": [f"{index} {row}" for row in range(20_000)] for index in range(10)})


@pytest.mark.parametrize("sparing", [True, False])
def test_only_what_is_asked_for_is_read(sparing: bool) -> None:
    data = written(BIG, compression="none", use_dictionary=False, row_group_size=5_000)
    body = Watched(data)
    rows = ParquetRows(body, parser(), at_once=0 if sparing else 1 << 30)
    result = read_rows(rows, (Column(name="c3", type="string"),))
    assert [row["c3"] for row in result.rows] == BIG["c3"].to_pylist()
    assert body.bytes_read < len(data) / 10 + 70_000  # Arrow looks for the footer in the last 64 KiB
    assert len(body.reads) < 12


def test_the_columns_of_a_row_group_take_few_reads() -> None:
    data = written(BIG, row_group_size=10_000)
    body = Watched(data)
    assert len(read_rows(ParquetRows(body, parser())).rows) == 20_000
    assert len(body.reads) <= 6


@pytest.mark.parametrize("fails", range(5))
def test_what_goes_wrong_with_the_body_is_told_as_it_is(fails: int) -> None:
    data = written(BIG, row_group_size=5_000)
    with pytest.raises(ObjectChanged, match="overwritten"):
        read_rows(ParquetRows(Watched(data, fails=fails), parser()))


def test_a_packed_object_is_unpacked_to_disk() -> None:
    assert read(gzip.compress(written(pa.table({"a": [1]}))), parser()).rows == [{"a": 1}]


def test_a_body_that_cannot_seek_or_gives_little_at_a_time_reads_the_same() -> None:
    data = written(pa.table({"a": list(range(100))}))
    rows = ParquetRows(Trickle(data, step=7), parser())
    assert [row["a"] for row in read_rows(rows).rows] == list(range(100))


GOOD = written(EXAMPLE.arrow, compression="zstd", write_page_checksum=True)


@pytest.mark.parametrize("length", [0, 1, 4, 11, 12, len(GOOD) // 2, len(GOOD) - 9, len(GOOD) - 1])
def test_a_cut_object_is_set_aside(length: int) -> None:
    with pytest.raises(ParseError, match="Parquet file cannot be read"):
        read_rows(ParquetRows(io.BytesIO(GOOD[:length]), parser()))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_flipped_byte_never_does_worse_than_set_the_object_aside(place: int, flip: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= flip
    with contextlib.suppress(DataError):
        read_rows(ParquetRows(io.BytesIO(bytes(data)), parser()))


class Keys(encryption.KmsClient):  # type: ignore[misc]
    """A key store that keeps no secrets."""

    def wrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, name: str) -> bytes:
        return base64.b64decode(wrapped)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_an_encrypted_object_is_called_so(plaintext_footer: bool) -> None:
    how = encryption.EncryptionConfiguration("key", column_keys={"c": ["a"]}, plaintext_footer=plaintext_footer)
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), how)
    data = written(pa.table({"a": [1], "b": [2]}), encryption_properties=properties)
    with pytest.raises(ParseError, match="the Parquet file is encrypted"):
        read(data, parser())


def test_a_damaged_page_is_seen_by_its_check_sum() -> None:
    table = pa.table({"a": list(range(10_000))})
    data = bytearray(written(table, compression="none", use_dictionary=False, write_page_checksum=True))
    data[4_000] ^= 1
    with pytest.raises(ParseError, match=r"(?i)crc|checksum"):
        read(bytes(data), parser())
