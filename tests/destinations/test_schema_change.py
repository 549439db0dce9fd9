"""Columns that change, from objects to a real Iceberg table: in one commit, and readable by others (F85)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.flows.commit import Commit
from chalicelib.flows.load import Load
from tests.destinations.staged import Place
from tests.examples import pipeline
from tests.flows.test_schema_change import parquet
from tests.flows.world import World


@dataclass
class Real(World):
    """The world with a table that is one."""

    there: Place | None = None

    @property
    def load(self) -> Load:
        assert self.there is not None
        return replace(super().load, stage=self.there.stage)

    @property
    def commit(self) -> Commit:
        there = self.there
        assert there is not None
        return replace(super().commit, table=lambda _: there.tables)


def loaded(there: Place, change: str, *rounds: Iterable[bytes], parser: str = "csv") -> Real:
    """The world after each round of objects was loaded by one task."""
    made = Real(there=there)
    document = pipeline(parser={"type": parser}).document()
    document["out"] |= {"schema_change": change}
    made.pipelines.put(Pipeline.parse(document, where="test"))
    for number, objects in enumerate(rounds):
        refs = [made.put(f"in/{number}-{n}", content, notify=0) for n, content in enumerate(objects)]
        made.notify(*refs)
        made.run()
    return made


def table(there: Place) -> pa.Table:
    return there.catalog().load_table(("travel", "flights")).scan().to_arrow()


def told(there: Place, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.register("flights", table(there)).execute(query).fetchall()


def columns(there: Place) -> list[str]:
    return [field.name for field in there.catalog().load_table(("travel", "flights")).schema().fields]


def test_new_columns_come_in_the_commit_of_their_rows(there: Place) -> None:
    made = loaded(there, "evolve", [b"id\n1\n"], [b"id,new\n2,x\n", b"ID\n3\n", b"id\nbad\n4\n"])
    assert told(there, "select id, new from flights order by id") == [(1, None), (2, "x"), (3, None), (4, None)]
    assert columns(there) == ["id", "_bucket", "_key", "_identity", "_loaded_at", "new"]
    assert len(there.catalog().load_table(("travel", "flights")).snapshots()) == 2
    assert {task.state for task in made.jobs.stored.values()} == {"committed"}


def test_a_decimal_of_more_digits_widens_the_column_in_place(there: Place) -> None:
    narrow, wide = (pa.array([n], pa.int64()).cast(pa.decimal128(digits, 2)) for n, digits in ((1, 21), (2, 38)))
    loaded(there, "evolve", [parquet(d=narrow)], [parquet(d=wide)], parser="parquet")
    assert str(table(there).schema.field("d").type) == "decimal128(38, 2)"
    assert [str(value) for value in sorted(table(there)["d"].to_pylist())] == ["1.00", "2.00"]


def test_what_is_rescued_can_be_queried(there: Place) -> None:
    loaded(there, "rescue", [b"id,n\n1,1\n"], [b"id,n,new\n2,n/a,x\n", b"id,n\n3,3\n"])
    assert columns(there) == ["id", "n", "_rescued", "_bucket", "_key", "_identity", "_loaded_at"]
    query = "select id, n, _rescued::json->>'new', _rescued::json->>'n' from flights order by id"
    assert told(there, query) == [(1, 1, None, None), (2, None, "x", "n/a"), (3, 3, None, None)]


def test_rescue_may_begin_when_the_table_is_there(there: Place) -> None:
    made = loaded(there, "evolve", [b"id\n1\n"])
    document = made.pipelines.stored["flights"].document()
    document["out"] |= {"schema_change": "rescue"}
    made.pipelines.put(Pipeline.parse(document, where="test"))
    made.put("in/later", b"id,new\n2,x\n")
    made.run()
    assert told(there, "select id, _rescued from flights order by id") == [(1, None), (2, '{"new":"x"}')]


@pytest.mark.parametrize("second", [b"id,new\n2,x\n", b"id\nx\n"])
def test_of_a_strict_object_that_differs_nothing_is_written(there: Place, second: bytes) -> None:
    made = loaded(there, "strict", [b"id\n1\n"], [second, b"id\n3\n"])
    assert told(there, "select id from flights order by id") == [(1,), (3,)]
    assert made.state("in/1-0") == "failed"
    assert columns(there)[0] == "id"
    assert "new" not in columns(there)
