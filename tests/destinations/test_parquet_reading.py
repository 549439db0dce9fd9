"""How rows of Parquet datasets are read: files whose columns differ, and many files."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from chalicelib.config.columns import Column
from chalicelib.destinations.parquet.reading import Files, found, readable
from chalicelib.destinations.wanted import ALL, Wanted
from chalicelib.errors import AccessDenied, SchemaConflict, SourceUnavailable
from tests.destinations.runs import documents_of
from tests.destinations.staged import ID, NOTE, Place, place, sql_catalog


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def decimal(precision: int) -> Column:
    return Column.model_validate({"name": "price", "type": f"decimal({precision},2)"})


def test_a_decimal_that_grew_is_read_and_counted(there: Place) -> None:
    small, large = Decimal("1234567.89"), Decimal("9876543210123.45")
    there.tables.commit(there.out(), [there.staged(0, (small,), columns=(decimal(9),))])
    there.tables.commit(there.out(), [there.staged(1, (large,), columns=(decimal(18),))])
    there.tables.commit(there.out(), [there.staged(2, (small,), columns=(decimal(9),))])
    assert there.tables.count("db", "t") == 3
    rows = there.tables.rows("db", "t", 9)
    assert rows.schema.field("price").type == pa.decimal128(18, 2)
    assert sorted(rows["price"].to_pylist()) == [small, small, large]
    assert sorted(there.read("price")) == [small, small, large]  # DuckDB, with union_by_name


def test_decimals_of_another_scale_are_refused(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (None,), columns=(decimal(9),))])
    other = Column.model_validate({"name": "price", "type": "decimal(9,3)"})
    with pytest.raises(SchemaConflict, match=r"decimal\(9, 3\) in the new rows, but the dataset has decimal\(9, 2\)"):
        there.tables.commit(there.out(), [there.staged(1, (None,), columns=(other,))])
    assert there.tables.count("db", "t") == 1


def test_a_dataset_without_a_document_is_read_by_its_footers(there: Place) -> None:
    there.tables.commit(there.out(), [there.staged(0, (1,))])
    there.tables.commit(there.out(), [there.staged(1, (2, "x"), columns=(ID, NOTE))])
    documents_of(there).kept.clear()
    rows = there.tables.rows("db", "t", 9).select(["id", "note"]).to_pylist()
    assert sorted((row["id"], row["note"]) for row in rows) == [(1, None), (2, "x")]
    assert there.tables.count("db", "t") == 2


def test_files_that_do_not_agree_say_so(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    pq.write_table(pa.table({"id": [1]}), paths[0])
    pq.write_table(pa.table({"id": ["x"]}), paths[1])
    with pytest.raises(SchemaConflict, match="do not agree"):
        Files(LocalFileSystem(), paths).schema()


def test_only_as_many_files_are_read_as_the_rows_take(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    for number in range(100):
        pq.write_table(pa.table({"id": [number, number + 1000]}), tmp_path / f"{number:03}.parquet")
    for number in range(50, 100):
        (tmp_path / f"{number:03}.parquet").write_bytes(b"nothing that anybody could read")
    files = Files(LocalFileSystem(), found(LocalFileSystem(), str(tmp_path)))
    assert files.head(3, ALL, schema)["id"].to_pylist() == [0, 1000, 1]
    assert files.head(40, ALL, schema).num_rows == 40


def test_wanted_rows_are_found_in_the_order_of_the_files(tmp_path: Path) -> None:
    schema = pa.schema([("_key", pa.string()), ("_bucket", pa.string())])
    for number in range(60):
        pq.write_table(
            pa.table({"_key": [f"k/{number}", "other"], "_bucket": ["b", "b"]}), tmp_path / f"{number:03}.parquet"
        )
    files = Files(LocalFileSystem(), found(LocalFileSystem(), str(tmp_path)))
    keys = [f"k/{number}" for number in range(60)]
    assert files.head(99, Wanted({"_bucket": "b"}, "k/"), schema)["_key"].to_pylist() == keys
    assert files.head(20, Wanted(prefix="k/"), schema)["_key"].to_pylist() == keys[:20]


def test_files_without_origin_columns_tell_of_no_keys(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    origin = {"_bucket": ["b", "b"], "_key": ["k", "k"], "_identity": ["e:1", "e:1"]}
    pq.write_table(pa.table(origin), tmp_path / "b.parquet")
    pq.write_table(pa.table(origin), tmp_path / "c.parquet")
    files = Files(LocalFileSystem(), found(LocalFileSystem(), str(tmp_path)))
    assert files.by_key("b", "") == {("k", "e:1"): 4}
    assert files.by_key("b", "other") == {}


def test_what_engines_pass_over_is_no_file_of_the_dataset(tmp_path: Path) -> None:
    for path in ("a.parquet", "x=1/b.parquet", "_runs/r/c.parquet", "x=1/.d.parquet", "_e.parquet", "x=1/f.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    names = [path.removeprefix(f"{tmp_path}/") for path in found(LocalFileSystem(), str(tmp_path))]
    assert names == ["a.parquet", "x=1/b.parquet"]
    assert found(LocalFileSystem(), str(tmp_path / "nothing")) == []


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (FileNotFoundError("gone"), SourceUnavailable),
        (OSError("When reading: AWS Error ACCESS_DENIED during HeadObject"), AccessDenied),
        (OSError("curl: timeout"), SourceUnavailable),
    ],
)
def test_what_the_storage_says_becomes_an_error_of_ours(error: OSError, ours: type[Exception]) -> None:
    with pytest.raises(ours, match=r"parquet:db\.t"), readable("parquet:db.t"):
        raise error


def test_a_file_that_goes_away_while_it_is_counted_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="Read again"), readable("parquet:db.t"):
        Files(LocalFileSystem(), [str(tmp_path / "gone.parquet")]).rows()
