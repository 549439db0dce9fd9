"""Small objects read together: nothing differs from reading each of them alone."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.aws.customers.ahead import ahead
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome
from chalicelib.errors import LeaseLost, SourceUnavailable
from chalicelib.flows.ports import Ahead
from chalicelib.flows.read import Reader
from chalicelib.flows.together import Together, in_turn
from tests.examples import BUCKET, START, grant
from tests.fakes.buckets import FakeBuckets
from tests.fakes.destination import FakeStaging, FakeTable
from tests.fakes.stores import FakePipelines

COLUMNS = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}, {"name": "at", "type": "timestamp"}]
HEADS = [
    b"id,name,at\n",
    b"id,name,at\n",
    b"id,name,at\n",
    b"id,name,at\r\n",
    b"id,other,at\n",
    b'"id",name,at\n',
    b"id\n",
]
ROWS = [
    b"1,ann,2026-01-02 03:04:05\n", b"2,bob,\n", b'3,"x, y",2026-01-02T03:04:05Z\n', b",,\n",
    b"4,b\xc3\xa9a,2026-01-02\r\n", b'5,"a ""b""",\n', b'6,"two\nlines",\n', b"\n", b"7,5\" disk,\n",
    b"8,\xef\xbb\xbfx,\n", b'9,"",\n', b"NULL,NULL,NULL\n",
]  # fmt: skip
ODD = [
    b"x,bad,\n",
    b"1,short\n",
    b"1,a,b,c\n",
    b'1,"open,\n',
    b"1,\xff,\n",
    b"1,a,never\n",
    b'"',
    b"# note\n",
    b"1,a\r",
    b'\\"\n',
]
CASES: dict[str, dict[str, Any]] = {
    "declared": {"columns": COLUMNS, "skip_header_lines": 1},
    "inferred": {},
    "no header": {"columns": COLUMNS},
    "numbered": {"skip_header_lines": 0},
    "by name": {"columns": COLUMNS, "columns_by": "name", "allow_optional_columns": True},
    "two lines": {"columns": COLUMNS, "skip_header_lines": 2},
    "patience": {"columns": COLUMNS, "skip_header_lines": 1, "max_bad_rows": 1},
    "none": {"columns": COLUMNS, "skip_header_lines": 1, "stop_on_invalid_record": True},
    "percent": {"columns": COLUMNS, "skip_header_lines": 1, "max_bad_percent": 40},
    "lax": {"allow_optional_columns": True, "allow_extra_columns": True},
    "capture": {"allow_extra_columns": "capture"},
    "nulls": {"null_string": "NULL"},
    "signs": {"columns": COLUMNS, "skip_header_lines": 1, "escape": "\\", "comment_line_marker": "#"},
    "stray": {"quotes_in_quoted_fields": "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"},
    "trim": {"trim_if_not_quoted": True},
    "no quotes": {"quote": None},
    "only LF": {"line_delimiter_recognized": "LF"},
    "replaced": {"charset_errors": "replace"},
    "latin": {"charset": "latin-1"},
}
FILTERS: dict[str, list[dict[str, Any]]] = {
    "": [],
    "where": [{"type": "where", "condition": "id >= 2"}],
    "facts": [{"type": "file_metadata", "columns": [{"name": "file", "value": "file_name"}]}],
    "counted": [
        {"type": "add_time", "to_column": {"name": "t"}, "from_value": {"mode": "incremental_time", "from": 0, "to": 9}}
    ],
    "uploaded": [{"type": "add_time", "to_column": {"name": "t"}, "from_value": {"mode": "upload_time"}}],
    "refusing": [{"type": "add_time", "to_column": {"name": "t"}, "from_column": {"name": "name"}}],
}


@dataclass(frozen=True)
class Made:
    """An object, and what is wrong with it."""

    content: bytes
    packed: str = ""
    fate: str = ""


@st.composite
def objects(draw: st.DrawFn) -> Made:
    rows = draw(st.lists(st.sampled_from(ROWS), max_size=6))
    if draw(st.integers(0, 3)) == 0:
        rows.insert(draw(st.integers(0, len(rows))), draw(st.sampled_from(ODD)))
    text = draw(st.sampled_from(HEADS)) + b"".join(rows)
    how = draw(st.integers(0, 15))
    text = {0: b"\xef\xbb\xbf" + text, 1: text.rstrip(b"\r\n"), 2: b"", 3: b"note\n" + text}.get(how, text)
    packed = draw(st.sampled_from(["", "", "gzip", "gzip", "gzip", "cut", "two", "twice", "zeros", "labelled"]))
    return Made(
        text, packed, draw(st.sampled_from(["", "", "", "", "", "", "changed", "missing", "archived", "bucket"]))
    )


def pack(made: Made) -> bytes:
    once = gzip.compress(made.content, 1, mtime=0)
    return {
        "": made.content,
        "gzip": once,
        "cut": once[:-5],
        "two": once + gzip.compress(b"1,more,\n", mtime=0),
        "twice": gzip.compress(once, mtime=0),
        "zeros": once + bytes(8),
        "labelled": once,
    }[made.packed]


def pipeline(parser: dict[str, Any], filters: Sequence[dict[str, Any]] = (), **out: Any) -> Pipeline:
    document = {
        "name": "flights",
        "connection": "acme",
        "in": {"bucket": BUCKET, "path_prefix": "in/", "parser": {"type": "csv"} | parser},
        "filters": list(filters),
        "out": {"type": "iceberg", "database": "travel", "table": "flights"} | out,
    }
    return Pipeline.parse(document, where="test")


@dataclass
class Side:
    """One way to read the objects, with all that it leaves behind."""

    pipeline: Pipeline
    buckets: FakeBuckets = field(default_factory=FakeBuckets)
    columns: FakePipelines = field(default_factory=FakePipelines)
    table: FakeTable = field(default_factory=FakeTable)
    refs: list[ObjectRef] = field(default_factory=list)
    alive: Callable[[], None] = lambda: None

    def put(self, number: int, made: Made) -> None:
        told = {"content_encoding": "gzip"} if made.packed == "labelled" else {}
        bucket = "other-bucket" if made.fate == "bucket" else BUCKET
        ref = self.buckets.put(bucket, f"in/{number}.csv", pack(made), **told)
        self.refs.append(ref)
        match made.fate:
            case "changed":
                self.buckets.put(bucket, ref.key, b"id\n1\n")
            case "missing":
                self.buckets.delete(ref)
            case "archived":
                self.buckets.archive(ref)
            case "bucket":
                self.buckets.deny(bucket)

    def reader(self) -> Reader:
        self.rows, self.rejects = (
            FakeStaging(self.table, out, str(out.table)) for out in (self.pipeline.out, self.pipeline.out.rejects)
        )
        return Reader(
            grant(),
            self.pipeline,
            "j",
            self.columns,
            self.buckets,
            lambda name: name.encode(),
            self.rows,
            self.rejects,
            self.alive,
            lambda: START,
        )

    def left(self, outcomes: list[Outcome]) -> tuple[Any, ...]:
        return outcomes, self.rows.kept, self.rejects.kept, self.columns.columns("flights")

    def alone(self, *, last: bool = True) -> tuple[Any, ...]:
        reader = self.reader()
        return self.left([reader.member(ref, last=last) for ref in self.refs])

    def together(self, how: Ahead = in_turn, *, last: bool = True) -> tuple[Any, ...]:
        return self.left(list(Together(self.reader(), how).outcomes(self.refs, last=last)))


def sides(pipeline: Pipeline, made: Sequence[Made]) -> tuple[Side, Side]:
    both = Side(pipeline), Side(pipeline)
    for number, each in enumerate(made):
        for side in both:
            side.put(number, each)
    return both


@pytest.mark.parametrize("how", [in_turn, ahead], ids=["in turn", "ahead"])
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(CASES)), st.sampled_from(sorted(FILTERS)), st.booleans(), st.lists(objects(), max_size=12)
)
def test_what_is_read_together_is_what_is_read_alone(
    how: Ahead, case: str, filters: str, origin: bool, made: list[Made]
) -> None:
    alone, together = sides(pipeline(CASES[case], FILTERS[filters], origin_columns=origin), made)
    assert together.together(how) == alone.alone()


def written(side: Side) -> list[int]:
    """How many rows each write to the table had."""
    sizes: list[int] = []
    write = FakeStaging.write

    class Counting(FakeStaging):
        def write(self, batch: Any, columns: Any, at: Any = None) -> None:
            sizes.append(batch.num_rows)
            write(self, batch, columns, at)

    reader = replace(side.reader(), rows=Counting(side.table, side.pipeline.out, "rows"))
    outcomes = list(Together(reader).outcomes(side.refs, last=True))
    assert [outcome.kind for outcome in outcomes] == ["loaded"] * len(side.refs)
    return sizes


PLAIN = [Made(b"id,name,at\n%d,a,\n%d,b,\n" % (number, number)) for number in range(5)]


@pytest.mark.parametrize("case", ["declared", "by name", "nulls", "signs", "trim", "no quotes", "patience", "replaced"])
def test_objects_that_begin_alike_are_written_as_one(case: str) -> None:
    side, _ = sides(pipeline(CASES[case] | {"columns": COLUMNS, "skip_header_lines": 1}), PLAIN)
    assert written(side) == [10]


def test_the_first_object_says_the_columns_of_the_others() -> None:
    side, _ = sides(pipeline({}), PLAIN)
    assert written(side) == [2, 8]


def test_a_column_without_values_keeps_no_object_from_the_others_until_one_has_a_value() -> None:
    made = [*PLAIN, Made(b"id,name,at\n1,a,2026-01-01\n"), *PLAIN]
    side, alone = sides(pipeline({}), made)
    assert side.together() == alone.alone()
    assert [column.name for column in side.columns.columns("flights")] == ["id", "name", "at"]


def test_bad_rows_and_lines_within_quotes_do_not_part_objects_that_are_read_together() -> None:
    made = [Made(b'id,name,at\n1,"two\nlines",\nx,a,\n'), Made(b"id,name,at\n\n2,b,\n3,short\n"), *PLAIN]
    side, alone = sides(pipeline(CASES["declared"]), made)
    assert written(side) == [12]
    assert side.together() == alone.alone()
    assert [(row["_key"], row["record"], row["line"], row["byte_offset"]) for row in side.rejects.kept] == [
        ("in/0.csv", 2, 4, 26),
        ("in/1.csv", 2, 4, 17),
    ]


@pytest.mark.parametrize("filters", FILTERS)
def test_what_filters_know_of_an_object_is_of_that_object(filters: str) -> None:
    together, alone = sides(pipeline(CASES["declared"], FILTERS[filters]), PLAIN)
    assert together.together() == alone.alone()


def test_a_byte_order_mark_is_no_part_of_the_first_value_where_there_is_no_header() -> None:
    made = [Made(mark + b"1,a,\n") for mark in (b"", b"", b"\xef\xbb\xbf", b"")]
    together, alone = sides(pipeline(CASES["no header"]), made)
    assert together.together() == alone.alone()
    assert len(together.rows.kept) == 4


def test_patience_is_that_with_each_object() -> None:
    bad = Made(b"id,name,at\nx,a,\n1,a,\ny,b,\n")
    together, alone = sides(pipeline(CASES["patience"]), [*PLAIN, bad, *PLAIN])
    assert together.together() == alone.alone()
    assert (len(together.rows.kept), len(together.rejects.kept)) == (20, 2)


def test_a_quote_that_is_never_closed_takes_nothing_from_the_next_object() -> None:
    made = [PLAIN[0], Made(b'id,name,at\n1,"open,\n'), Made(b'id,name,at\n2,b,\n3,"c",\n'), PLAIN[1]]
    for rotated in range(len(made)):
        side, alone = sides(pipeline(CASES["declared"]), made[rotated:] + made[:rotated])
        assert side.together() == alone.alone()
        assert len(side.rejects.kept) == 1


def test_a_bundle_holds_no_more_than_its_room() -> None:
    rows = b"".join(b"%d,%s,\n" % (number, b"x" * 90) for number in range(9000))
    side, _ = sides(pipeline(CASES["declared"]), [Made(b"id,name,at\n" + rows)] * 7)
    assert sum(sizes := written(side)) == 7 * 9000
    assert max(sizes) <= 3 * 9000, "two blocks a bundle"


class Gate:
    """Buckets that fail at will."""

    def __init__(self, side: Side, fails: Callable[[str], Exception | None]) -> None:
        self.buckets, self.fails = side.buckets, fails

    def open(self, grant: Any, ref: ObjectRef, *, prefix: str) -> Any:
        error = self.fails(ref.key)
        if error is not None:
            raise error
        return self.buckets.open(grant, ref, prefix=prefix)


@pytest.mark.parametrize("how", [in_turn, ahead])
def test_what_may_pass_fails_the_attempt_at_the_object_that_it_befell(how: Ahead) -> None:
    side, _ = sides(pipeline(CASES["declared"]), PLAIN)
    side.buckets = Gate(side, lambda key: SourceUnavailable("away") if "3" in key else None)  # type: ignore[assignment]
    done: list[Outcome] = []
    with pytest.raises(SourceUnavailable):
        done.extend(Together(side.reader(), how).outcomes(side.refs, last=False))
    assert len(side.rows.kept) == 6, "what came before it was read"
    outcomes, rows, *_ = side.together(how, last=True)
    assert [outcome.reason for outcome in outcomes] == [None, None, None, "gave_up", None]
    assert len(rows) == 8


def test_a_failure_to_keep_rows_ends_the_attempt_since_some_of_them_may_be_in_files() -> None:
    side, _ = sides(pipeline(CASES["declared"]), PLAIN)

    class Full(FakeStaging):
        def keep(self) -> None:
            first = not self.kept
            super().keep()
            if first:  # whoever went on from here would have these rows twice
                raise SourceUnavailable("the lake does not answer")

    reader = replace(side.reader(), rows=Full(side.table, side.pipeline.out, "rows"))
    with pytest.raises(SourceUnavailable, match="lake"):
        list(Together(reader).outcomes(side.refs, last=True))


def test_a_way_in_that_is_shut_is_tried_once() -> None:
    side, _ = sides(pipeline(CASES["declared"]), PLAIN)
    side.buckets.refused.add("acme")
    outcomes, *_ = side.together(ahead)
    assert {outcome.reason for outcome in outcomes} == {"denied"}
    assert len(side.buckets.opened) == 1


def test_the_lease_is_renewed_while_objects_are_gathered_and_while_they_are_read() -> None:
    calls: list[int] = []
    side, _ = sides(pipeline(CASES["declared"]), PLAIN)
    side.alive = lambda: calls.append(1)
    side.together()
    assert len(calls) == len(PLAIN) + 1

    def lost() -> None:
        raise LeaseLost("somebody else has it")

    side.alive = lost
    with pytest.raises(LeaseLost):
        side.together()


def test_an_object_outside_of_what_the_connection_is_for_is_not_opened() -> None:
    side, _ = sides(pipeline(CASES["declared"]), PLAIN)
    reader = replace(side.reader(), grant=grant(buckets=["others-data"]))
    outcomes = list(Together(reader, ahead).outcomes(side.refs, last=True))
    assert {outcome.reason for outcome in outcomes} == {"denied"}
    assert side.buckets.opened == []
