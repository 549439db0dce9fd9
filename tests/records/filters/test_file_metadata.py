"""file_metadata (F79)."""

from dataclasses import replace
from datetime import UTC, datetime

from chalicelib.core.objects import UNKNOWN_TIME
from tests.records.filters.running import refusal, run
from tests.records.reading import SETTING

ALL = ["file_name", "key", "bucket", "version_id", "etag", "identity", "size", "last_modified", "entry", "row_number"]
DOCUMENT = [
    {"type": "file_metadata", "columns": [{"name": f"_{value}", "value": value} for value in [*ALL, "ingested_at"]]}
]


def test_every_fact_is_a_column() -> None:
    ran = run(DOCUMENT, {"a": "long"}, [(7,), (8,)], replace(SETTING, entry="inner.csv"))
    assert ran.rows[1] == {
        "a": 8,
        "_file_name": "a.csv",
        "_key": "in/a.csv",
        "_bucket": "bucket",
        "_version_id": "v1",
        "_etag": "etag",
        "_identity": "v:v1",
        "_size": 100,
        "_last_modified": datetime(2026, 1, 2, tzinfo=UTC),
        "_entry": "inner.csv",
        "_row_number": 2,
        "_ingested_at": datetime(2026, 1, 3, tzinfo=UTC),
    }
    assert ran.types["_row_number"] == ran.types["_size"] == "long"


def test_what_nobody_told_is_null() -> None:
    ref = replace(SETTING.ref, key="plain", version_id=None, created_at=UNKNOWN_TIME)
    row = run(DOCUMENT, {"a": "long"}, [(7,)], replace(SETTING, ref=ref)).rows[0]
    assert (row["_file_name"], row["_version_id"], row["_last_modified"], row["_entry"]) == ("plain", None, None, None)


def test_row_numbers_count_the_records_of_the_object_also_those_that_are_gone() -> None:
    document = "[{type: where, condition: a <> 2}, {type: file_metadata, columns: [{name: n, value: row_number}]}]"
    assert run(document, {"a": "long"}, [(1,), (2,), (3,)]).tuples == [(1, 1), (3, 3)]


def test_records_are_counted_only_for_row_numbers() -> None:
    document = "[{type: file_metadata, columns: [{name: n, value: key}]}]"
    assert not run(document, {"a": "long"}, [(1,)]).chain.counts


def test_a_name_that_is_taken_is_refused() -> None:
    document = "[{type: file_metadata, columns: [{name: a, value: key}]}]"
    assert refusal(document, {"a": "long"}).what == "a would stand there twice"
