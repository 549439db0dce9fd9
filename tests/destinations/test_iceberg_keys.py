"""Equal keys have equal numbers, and no file that has one of them is passed over."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.types import (
    BinaryType,
    DecimalType,
    DoubleType,
    IcebergType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from chalicelib.destinations.iceberg.describing import Describing
from chalicelib.destinations.iceberg.keys import Keys

values = st.one_of(st.none(), st.integers(-2, 2))
texts = st.one_of(st.none(), st.sampled_from(["", "a", "b"]))
numbers = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, float("nan")]))
rows = st.lists(st.tuples(values, texts, numbers), max_size=12)
NAMES = ["a", "b", "c"]
TYPES = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64())])


def same(row: Sequence[Any]) -> tuple[Any, ...]:
    """As Python compares what Keys compares."""
    return tuple("NaN" if isinstance(value, float) and math.isnan(value) else value for value in row)


@settings(max_examples=60, deadline=None)
@given(known=rows, asked=rows, width=st.integers(1, 3))
def test_numbers_are_equal_where_keys_are(known: list[Any], asked: list[Any], width: int) -> None:
    names = NAMES[:width]

    def table(drawn: list[Any]) -> pa.Table:
        return pa.Table.from_pylist([dict(zip(NAMES, row, strict=True)) for row in drawn], TYPES).select(names)

    keys = Keys(table(known), names)
    mine = keys.numbers.to_pylist()
    expected = [same(row[:width]) for row in known]
    assert len({*zip(mine, expected, strict=True)}) == len({*mine}) == len({*expected}) == keys.count
    assert {*mine} == {*range(keys.count)}
    of = dict(zip(expected, mine, strict=True))
    for batch in table(asked).to_batches():
        assert keys.among(batch).to_pylist() == [of.get(same(row[:width])) for row in asked]


def described(
    kind: IcebergType, arrow: pa.DataType, held: list[Any], metrics: str, folder: Any
) -> tuple[DataFile, Schema]:
    path = folder / "file.parquet"
    pq.write_table(pa.table({"k": pa.array(held, arrow)}), path)
    schema = Schema(NestedField(1, "k", kind))
    properties = {"write.metadata.metrics.default": metrics}
    metadata = new_table_metadata(schema, UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER, "file:///t", properties)
    return Describing(metadata).fresh(str(path), 1, pq.read_metadata(path)), metadata.schema()


LONG = "x" * 20
KINDS: dict[str, tuple[IcebergType, pa.DataType, list[Any]]] = {
    "long": (LongType(), pa.int64(), [-(2**63), -1, 0, 7, 2**63 - 1]),
    "string": (StringType(), pa.string(), ["", "a", f"{LONG}a", f"{LONG}é", f"{LONG}\U0001f600", "\U0001f600"]),
    "double": (DoubleType(), pa.float64(), [-1.0, 0.0, -0.0, 2.5, float("nan"), float("inf")]),
    "timestamp": (TimestamptzType(), pa.timestamp("us", tz="UTC"), [-1, 0, 10**15]),
    "decimal": (DecimalType(20, 2), pa.decimal128(20, 2), [Decimal("-1.50"), Decimal("0.00"), Decimal(9) * 10**16]),
    "binary": (BinaryType(), pa.binary(), [b"", b"\x00", b"\xff" * 20, b"\xff" * 21]),
}


@pytest.mark.parametrize("metrics", ["full", "truncate(16)", "counts"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_file_is_passed_over_that_has_a_key(tmp_path: Any, kind: str, metrics: str) -> None:
    iceberg, arrow, known = KINDS[kind]
    candidates: list[Any] = [None, *known]
    for held in candidates:
        for other in candidates:
            file, schema = described(iceberg, arrow, [held, other], metrics, tmp_path)
            for asked in candidates:
                keys = Keys(pa.table({"k": pa.array([asked], arrow)}), ["k"])
                there = same([asked]) in {same([held]), same([other])}
                assert keys.may_be_in(file, schema) or not there
                if keys.are_all_of(file, schema):
                    assert {same([held]), same([other])} == {same([asked])}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "double"])
def test_files_beyond_the_keys_are_passed_over(tmp_path: Any, kind: str) -> None:
    iceberg, arrow, known = KINDS[kind]
    ordered = pa.array(known, arrow)
    file, schema = described(iceberg, arrow, known[:1], "full", tmp_path)
    assert not Keys(pa.table({"k": ordered[1:]}), ["k"]).may_be_in(file, schema)
    assert Keys(pa.table({"k": ordered[:1]}), ["k"]).are_all_of(file, schema)


def test_a_gap_between_keys_is_seen_among_few_and_among_many(tmp_path: Any) -> None:
    file, schema = described(LongType(), pa.int64(), [501, 502], "full", tmp_path)
    for many in (10, 20_000):
        evens = pa.table({"k": pa.array([*range(0, 500, 2), *range(600, 600 + many)])})
        assert not Keys(evens, ["k"]).may_be_in(file, schema)
        assert Keys(pa.concat_tables([evens, pa.table({"k": [502]})]), ["k"]).may_be_in(file, schema)
