"""`rejects`: bad rows, from a table in a catalogue in SQLite."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from chalicelib import wiring
from chalicelib.core.objects import ObjectRef
from chalicelib.records.pages import Reject
from chalicelib.records.rejected import rejected
from tests.cli.conftest import Run
from tests.cli.test_rows import catalog  # noqa: F401
from tests.examples import pipeline

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def bad(key: str, name: str, job: str, *rejects: Reject, entry: str | None = None, counted: bool = True) -> pa.Table:
    ref = ObjectRef("acme-exports", key, "e", 1, NOW)
    rows = pa.table(rejected(rejects, ref, pipeline=name, job=job, entry=entry, at=NOW, counted=counted))
    plain = (f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in rows.schema)
    return rows.cast(pa.schema(plain))  # as it is in files


@pytest.fixture
def filled(catalog: SqlCatalog, tidegate: Run, tmp_path: Path) -> Run:  # noqa: F811
    for name in ("flights", "others"):
        wiring.pipelines().put(pipeline(name))
    late = Reject(7, "id: 'x' is not a long", "x,1", line=8, offset=90)
    early = Reject(2, "id: 'y' is not a long", "y,1", line=3, offset=20)
    few = Reject(1, "1 field, 2 expected", "z", line=2)
    tables = [bad("in/b.csv", "flights", "j1", late, early), bad("in/a.zip", "flights", "j2", few, entry="a.csv")]
    made = catalog.create_table("travel.flights_rejects", tables[0].schema)
    for table in (*tables, bad("in/c.csv", "others", "j3", few)):
        made.append(table)
    return tidegate


def keys(run: Run, *options: str) -> list[tuple[str, int | None]]:
    shown = run("rejects", "flights", "--json", *options)
    assert shown.code == 0, shown.err
    return [(row["_key"], row["record"]) for row in map(json.loads, shown.out.splitlines())]


def test_the_bad_rows_of_a_pipeline_are_shown_in_the_order_of_their_objects(filled: Run) -> None:
    assert keys(filled) == [("in/a.zip", 1), ("in/b.csv", 2), ("in/b.csv", 7)]
    table = filled("rejects", "flights").out
    assert "'x' is not a long" in table
    assert "a.csv" in table


def test_those_of_later_parts_of_a_large_object_follow_with_their_bytes(catalog: SqlCatalog, filled: Run) -> None:  # noqa: F811
    assert "byte_offset" not in filled("rejects", "flights").out
    later = (Reject(4, "too short", "q", offset=9000), Reject(9, "too long", "p", offset=800))
    catalog.load_table("travel.flights_rejects").append(bad("in/b.csv", "flights", "j1", *later, counted=False))
    assert keys(filled, "--key", "in/b.csv") == [
        ("in/b.csv", 2),
        ("in/b.csv", 7),
        ("in/b.csv", None),
        ("in/b.csv", None),
    ]
    table = filled("rejects", "flights").out
    assert table.index("800") < table.index("9000")


def test_they_can_be_chosen_by_key_by_prefix_and_by_job(filled: Run) -> None:
    assert keys(filled, "--key", "in/a.zip") == [("in/a.zip", 1)]
    assert keys(filled, "--prefix", "in/b") == [("in/b.csv", 2), ("in/b.csv", 7)]
    assert keys(filled, "--job", "j2") == [("in/a.zip", 1)]
    assert len(keys(filled, "--limit", "2")) == 2


def test_they_are_counted_by_reason_whatever_the_value(filled: Run) -> None:
    counted = [json.loads(line) for line in filled("rejects", "flights", "--count", "--json").out.splitlines()]
    assert counted == [{"rows": 2, "reason": "id: '…' is not a long"}, {"rows": 1, "reason": "1 field, 2 expected"}]


def test_a_pipeline_without_bad_rows_says_so(catalog: SqlCatalog, tidegate: Run) -> None:  # noqa: F811
    wiring.pipelines().put(pipeline("flights"))
    assert tidegate("rejects", "flights").out == "No bad rows.\n"


def test_an_unknown_pipeline_is_an_error(catalog: SqlCatalog, tidegate: Run) -> None:  # noqa: F811
    assert tidegate("rejects", "flihgts").code == 2
