"""Objects: rows that are the objects themselves (F79)."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.config.parsers.objects import Objects
from chalicelib.core.descriptions import Description
from chalicelib.core.objects import ObjectRef
from chalicelib.records.formats.objects import object_rows
from tests.records.reading import Read, read_rows

REF = ObjectRef("acme", "in/2024/a b.csv", "abc", 12, datetime(2024, 1, 2, 3, 4, 5, 678, UTC), version_id="v1")
MODIFIED = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOWN = Description(
    REF,
    size=13,
    last_modified=MODIFIED,
    storage_class="GLACIER",
    content_type="text/csv",
    metadata={"who": "é"},
    sse="aws:kms",
    kms_key="arn:aws:kms:k",
)


def rows_of(shown: Description, **settings: Any) -> Read:
    return read_rows(object_rows(lambda: shown, Objects.model_validate({"type": "objects", **settings})))


def test_an_object_is_a_row() -> None:
    result = rows_of(SHOWN)
    assert result.rejects == []
    assert result.rows == [
        {
            "bucket": "acme",
            "key": "in/2024/a b.csv",
            "name": "a b.csv",
            "version_id": "v1",
            "etag": "abc",
            "size": 13,
            "last_modified": MODIFIED,
            "storage_class": "GLACIER",
            "content_type": "text/csv",
            "content_encoding": None,
            "metadata": '{"who":"é"}',
            "sse": "aws:kms",
            "kms_key": "arn:aws:kms:k",
            "restore": None,
            "archive_status": None,
        }
    ]
    assert (result.types["size"], result.types["last_modified"], result.types["metadata"]) == (
        "long",
        "timestamp",
        "json",
    )


def test_tags_are_a_column_if_they_are_asked_for() -> None:
    tagged = Description(REF, 1, MODIFIED, tags={"team": "blue"})
    assert rows_of(tagged, tags=True).rows[0]["tags"] == '{"team":"blue"}'
    assert "tags" not in rows_of(tagged).rows[0]


def test_declared_columns_are_met_by_name_type_and_place() -> None:
    columns = [
        {"name": "file", "src": "key", "type": "string"},
        {"name": "bytes", "src": "size", "type": "string"},
        {"name": "when", "src": "last_modified", "type": "date"},
        {"name": "other", "type": "long"},
    ]
    result = rows_of(SHOWN, columns=columns[:2] + columns[3:])
    assert result.rows == [{"file": "in/2024/a b.csv", "bytes": "13", "other": None}]
    assert [reject.record for reject in rows_of(SHOWN, columns=columns).rejects] == [0]


def test_the_object_is_asked_for_once_and_only_when_its_row_is_needed() -> None:
    asked: list[int] = []

    def describe() -> Description:
        asked.append(1)
        return SHOWN

    rows = object_rows(describe, Objects(type="objects"))
    columns = rows.infer()
    assert asked == []
    assert rows.head(columns).batch.num_rows == 1
    assert len(read_rows(rows, columns).rows) == 1
    assert asked == [1]
