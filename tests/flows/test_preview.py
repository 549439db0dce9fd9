"""Preview: the load's own rows, rejects and columns, bounded, and nothing written."""

import gzip
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError, DecodeError, ParseError
from chalicelib.flows.admin import Admin
from chalicelib.flows.preview import OBJECTS, Preview, Previewing, placeholders
from tests.examples import BUCKET, START, grant
from tests.fakes.buckets import FakeBuckets
from tests.fakes.stores import FakeConnections, FakePipelines

CSV = b"id,name\n1,a\n2,b\n"
COLUMNS = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
TYPED = {"type": "csv", "skip_header_lines": 1, "columns": COLUMNS}


def buckets(*contents: bytes) -> FakeBuckets:
    made = FakeBuckets()
    made.create(BUCKET)
    for number, data in enumerate(contents):
        made.put(BUCKET, f"in/{number:02}", data)
    return made


def document(parser: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    source = {"bucket": BUCKET, "path_prefix": "in/", "parser": parser or {"type": "csv"}} | more.pop("source", {})
    return {"connection": "acme", "in": source} | more


def previewed(
    there: FakeBuckets, written: dict[str, Any], *, prefixes: tuple[str, ...] = (), **options: Any
) -> Preview:
    connections, pipelines = FakeConnections(), FakePipelines()
    connections.add(grant(prefixes=prefixes))
    admin = Admin(connections, pipelines, lambda _: None, lambda _: None)
    flow = Previewing(admin, there, there, lambda name: name.encode(), lambda: START)
    found = flow.preview(Pipeline.parse(placeholders(written), where="test"), **options)
    assert pipelines.all() == []
    return found


def test_rows_columns_and_objects_are_shown() -> None:
    found = previewed(buckets(CSV), document())
    assert found.rows == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    assert [(column.name, column.type.value) for column in found.columns] == [("id", "long"), ("name", "string")]
    assert found.sampled == [f"s3://{BUCKET}/in/00"]
    assert (found.rejects, found.findings) == ([], [])


def test_filters_are_the_loads_own() -> None:
    filters = [{"type": "drop_columns", "columns": [{"name": "name"}]}]
    found = previewed(buckets(CSV), document(filters=filters))
    assert found.rows == [{"id": 1}, {"id": 2}]
    assert [column.name for column in found.columns] == ["id"]
    with pytest.raises(ConfigError, match="nome"):
        previewed(buckets(CSV), document(filters=[{"type": "drop_columns", "columns": [{"name": "nome"}]}]))


def test_bad_rows_are_shown_with_their_line_and_reason() -> None:
    found = previewed(buckets(b"id,name\n1,a\nx,b\n3,c,d\n4,e\n"), document(TYPED))
    assert [row["id"] for row in found.rows] == [1, 4]
    assert [(bad.reject.line, bad.reject.record) for bad in found.rejects] == [(3, 2), (4, 3)]
    assert "'x'" in found.rejects[0].reject.reason
    assert found.rejects[0].name == f"s3://{BUCKET}/in/00"


def test_no_more_rows_than_asked_for() -> None:
    many = b"id,name\n" + b"".join(b"%d,a\n" % number for number in range(1000))
    assert len(previewed(buckets(many), document()).rows) == 15
    assert len(previewed(buckets(many), document(), rows=40).rows) == 40
    bad = b"id,name\n" + b"x,a\n" * 1000
    found = previewed(buckets(bad, bad, bad, bad), document(TYPED))
    assert (len(found.rows), len(found.rejects), len(found.sampled)) == (0, 15, OBJECTS)


def test_further_objects_are_read_until_there_are_rows_enough() -> None:
    there = buckets(b"id,name\n", CSV, CSV, CSV)
    found = previewed(there, document(TYPED), rows=3)
    assert [row["id"] for row in found.rows] == [1, 2, 1]
    assert len(found.sampled) == 3


def test_reading_is_bounded() -> None:
    rows = b"id,name\n" + b"x,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 600_000
    there = buckets(rows, CSV)
    there.part = 1 << 20
    found = previewed(there, document(TYPED))
    assert found.rows == []
    assert there.ranges < 20, "of 34"


def test_an_error_after_rows_is_a_finding_and_before_them_the_error() -> None:
    rows = b"id,name\n" + b"".join(b"%d,%x\n" % (number, number * 7919) for number in range(200_000))
    packed = gzip.compress(rows)
    found = previewed(buckets(packed[: len(packed) - 9]), document(TYPED), rows=10_000_000)
    assert len(found.rows) > 1000
    assert len(found.findings) == 1
    assert "in/00" in found.findings[0]
    with pytest.raises(DecodeError):
        previewed(buckets(packed[:30]), document(TYPED))
    with pytest.raises(ParseError):
        previewed(buckets(b'"a\xff",b\n1,2\n'), document())


def test_a_limit_of_bad_rows_is_a_finding_beside_the_bad_rows() -> None:
    found = previewed(buckets(b"id,name\nx,a\n1,b\n"), document(TYPED | {"max_bad_rows": 0}))
    assert len(found.rejects) == 1
    assert "max_bad_rows" in found.findings[0]


def test_one_key_is_shown_whatever_the_selection_says() -> None:
    there = buckets(CSV, CSV)
    there.put(BUCKET, "other/x.txt", b"id,name\n9,z\n")
    there.put(BUCKET, "other/x.txt.bak", CSV)
    narrow = document(source={"suffix": ".csv"})
    found = previewed(there, narrow, key="other/x.txt")
    assert found.rows == [{"id": 9, "name": "z"}]
    assert found.sampled == [f"s3://{BUCKET}/other/x.txt"]
    with pytest.raises(ConfigError, match="no such object"):
        previewed(there, document(), key="in/99")


def test_nothing_to_preview_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such object"):
        previewed(buckets(), document())
    with pytest.raises(ConfigError, match="for keys under"):
        previewed(buckets(CSV), document(), prefixes=("elsewhere/",))
    there = buckets(CSV)
    there.deny(BUCKET)
    with pytest.raises(ConfigError, match="refused"):
        previewed(there, document())


def test_objects_themselves_can_be_previewed() -> None:
    found = previewed(buckets(CSV), document({"type": "objects"}))
    assert found.rows[0]["key"] == "in/00"
    assert found.rows[0]["size"] == len(CSV)


def test_a_document_may_lack_what_a_preview_does_not_need() -> None:
    filled = placeholders({"in": {}, "out": {"mode": "append"}})
    assert (filled["name"], filled["connection"]) == ("preview", "preview")
    assert filled["out"] == {"type": "iceberg", "database": "tidegate", "table": "preview", "mode": "append"}
    assert placeholders({"name": "n", "out": {"table": "t"}})["out"]["table"] == "t"
    with pytest.raises(ConfigError):
        Pipeline.parse(placeholders({"in": {}, "out": "x"}), where="test")
