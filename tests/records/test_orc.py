"""ORC: the same as Parquet, stripe by stripe (F72)."""

import io
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import Orc
from chalicelib.core.places import Place, Span
from chalicelib.errors import ObjectChanged, ParseError
from chalicelib.records.formats.orc import OrcRows
from tests.records.reading import Trickle, read, read_rows
from tests.records.tables import EXAMPLE, KINDS, Table, tables
from tests.records.test_parquet import BIG, Watched


def parser(**settings: Any) -> Orc:
    return Orc.model_validate({"type": "orc", **settings})


def written(table: pa.Table, **how: Any) -> bytes:
    file = io.BytesIO()
    orc.write_table(table, file, **how)
    return file.getvalue()


def test_each_type_comes_as_its_column_and_each_value_as_it_was() -> None:
    result = read(written(EXAMPLE.arrow), parser())
    assert [column.type.value for column in result.columns] == [kind.column for kind in KINDS]
    assert EXAMPLE.same(result.rows)


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(1, 5))
def test_any_table_comes_back_whatever_its_pages(table: Table, page: int) -> None:
    result = read_rows(OrcRows(io.BytesIO(written(table.arrow)), parser(), page_rows=page))
    assert table.same(result.rows)
    assert result.rejects == []


def test_declared_columns_are_met_by_name_and_those_that_lack_are_null() -> None:
    data = written(pa.table({"b": [1.0, 2.5], "a": ["x", "y"]}))
    result = read(data, parser(columns=[{"name": "n", "type": "long", "src": "b"}, {"name": "A", "type": "long"}]))
    assert result.rows == [{"n": 1, "A": None}]
    assert [reject.record for reject in result.rejects] == [2]
    assert read(data, parser(columns=[{"name": "z", "type": "long"}])).rows == [{"z": None}] * 2


def test_only_what_is_asked_for_is_read() -> None:
    data = written(BIG, compression="uncompressed", dictionary_key_size_threshold=0)
    body = Watched(data)
    result = read_rows(OrcRows(body, parser()), (Column(name="c3", type="string"),))
    assert [row["c3"] for row in result.rows] == BIG["c3"].to_pylist()
    assert body.bytes_read < len(data) / 5


def test_head_consumes_nothing() -> None:
    rows = OrcRows(io.BytesIO(written(pa.table({"a": [1, 2, 3]}))), parser(), page_rows=2)
    assert rows.head(rows.infer()).batch.to_pylist() == [{"a": 1}, {"a": 2}]
    assert len(read_rows(rows).rows) == 3


def test_a_body_that_cannot_seek_is_put_on_disk() -> None:
    assert read_rows(OrcRows(Trickle(written(pa.table({"a": [1]})), step=7), parser())).rows == [{"a": 1}]


@pytest.mark.parametrize("fails", range(3))
def test_what_goes_wrong_with_the_body_is_told_as_it_is(fails: int) -> None:
    with pytest.raises(ObjectChanged, match="overwritten"):
        read_rows(OrcRows(Watched(written(BIG), fails=fails), parser()))


GOOD = written(EXAMPLE.arrow, compression="zstd")


@pytest.mark.parametrize("length", [0, 1, 3, *range(10, len(GOOD), 7), len(GOOD) - 1])
def test_a_cut_object_is_set_aside(length: int) -> None:
    with pytest.raises(ParseError, match="ORC file cannot be read"):
        read_rows(OrcRows(io.BytesIO(GOOD[:length]), parser()))


def test_a_moment_beyond_arrows_reach_sets_the_object_aside_only_where_it_is_asked_for() -> None:
    data = written(pa.table({"t": pa.array([-62_135_596_800], pa.timestamp("s")), "a": [1]}))
    with pytest.raises(ParseError, match="out of range"):
        read(data, parser())
    assert read(data, parser(columns=[{"name": "a", "type": "long"}])).rows == [{"a": 1}]


def test_a_stripe_is_read_page_by_page_and_reading_goes_on_within_it() -> None:
    data = written(pa.table({"n": list(range(10_000))}))
    pages = list(OrcRows(io.BytesIO(data), parser(), page_rows=1000).pages((Column(name="n", type="long"),)))
    assert [page.batch.num_rows for page in pages] == [1000] * 10
    span = Span(after=Place(-1, record=2500))
    rest = OrcRows(io.BytesIO(data), parser(), page_rows=1000, span=span).pages((Column(name="n", type="long"),))
    assert [n for page in rest for n in page.batch["n"].to_pylist()] == list(range(2500, 10_000))


def test_more_buffers_than_memory_are_refused_with_what_helps() -> None:
    columns = tuple(Column(name=f"c{number}", type="long") for number in range(50))
    data = written(pa.table({column.name: [1] for column in columns}), compression="zlib")
    with pytest.raises(ParseError, match="50 columns in compression blocks of 64 KiB"):
        read_rows(OrcRows(io.BytesIO(data), parser(), buffers=49 << 16), columns)
    assert read_rows(OrcRows(io.BytesIO(data), parser(), buffers=49 << 16), columns[:2]).rows == [{"c0": 1, "c1": 1}]
