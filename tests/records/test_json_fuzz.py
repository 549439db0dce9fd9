"""JSON in any layout, whole and broken, however the stream is cut."""

import io
import json as stdlib_json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.errors import ParseError
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.jsontext.batches import batches
from chalicelib.records.jsontext.split import Splitter
from chalicelib.records.text.lookahead import Lookahead
from tests.records.bodies import Trickle
from tests.records.reading import Read, json, read_rows

WHOLE = [{"name": "r", "type": "json", "element_at": ""}]
FAST = [{"name": "a", "type": "json"}, {"name": "b", "type": "string"}, {"name": "c", "type": "long", "src": "a"}]

texts = st.text(alphabet='aé"\\\n{}[],:0 \x1e', max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=12)
records = st.dictionaries(st.sampled_from(["a", "b", "c", 'd"']), values, max_size=3)
finite = records.filter(lambda record: "Infinity" not in stdlib_json.dumps(record))


def rows_of(data: bytes, settings: dict[str, Any], *, block: int = 1 << 21, step: int = 1 << 30) -> Read:
    rows = JsonRows(Trickle(data, step), json(**settings), block=block)
    return read_rows(rows)


def comparable(found: Read) -> str:
    return repr((found.rows, [(r.reason, r.text, r.line, r.offset) for r in found.rejects]))


@st.composite
def layouts(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """Records, dumped in a random layout."""
    wanted = draw(st.lists(finite, max_size=6))
    dumps = [
        stdlib_json.dumps(
            record,
            indent=draw(st.sampled_from([None, 0, 2, "\t"])),
            ensure_ascii=draw(st.booleans()),
            separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (",", " :\t")])),
        )
        for record in wanted
    ]
    start, between, end = draw(
        st.sampled_from(
            [("", "\n", "\n"), ("", "", ""), ("\n ", " \r\n\r\n ", ""), ("\x1e", "\n\x1e", "\n"), ("", ",\n", ",")]
            + [("[", ",", "]"), (" [\n  ", ",\n  ", "\n]\n"), ("[[]", ", ", "]")] * bool(wanted)
        )
    )
    return (start + between.join(dumps) + end).encode("utf-8"), wanted


@given(layout=layouts(), block=st.integers(1, 80), step=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_every_layout_gives_the_records_that_were_written(layout, block, step):
    data, wanted = layout
    if data.startswith(b"[[]"):
        data = data.replace(b"[[]", b"[", 1)
    found = rows_of(data, {"columns": WHOLE}, block=block, step=step)
    assert found.rejects == []
    assert [stdlib_json.loads(row["r"]) for row in found.rows] == wanted


@given(wanted=st.lists(finite, min_size=1, max_size=5), indent=st.sampled_from([None, 0, 2]), block=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_the_records_at_a_root_are_those_that_were_written(wanted, indent, block):
    document = {"head": {"x": ["]", {}]}, "a/b": [1, {"records": wanted, "next": None}], "tail": [{}]}
    data = (stdlib_json.dumps(document, indent=indent) + "\n") * 2
    parser = {"columns": WHOLE, "root": "/a~1b/1/records", "flatten_json_array": True}
    found = rows_of(data.encode(), parser, block=block)
    assert found.rejects == []
    assert [stdlib_json.loads(row["r"]) for row in found.rows] == wanted * 2


broken = st.lists(
    st.sampled_from(
        ['{"a":1}', '{"a":"x"', '"', "{", "}", "[", "]", ",", "\n", "\n{", "}\n{", "  {", "\r\n", "x", ":", "\\"]
    )
    | finite.map(stdlib_json.dumps)
    | finite.map(lambda record: stdlib_json.dumps(record, indent=2)),
    max_size=12,
).map(lambda parts: "".join(parts).encode())
SETTINGS: list[dict[str, Any]] = [
    {"columns": FAST},
    {"columns": FAST, "flatten_json_array": True},
    {"columns": FAST, "flatten_json_array": True, "root": "/a"},
    {"columns": FAST, "root": "/a"},
    {"columns": FAST, "invalid_string_escapes": "SKIP"},
]


@pytest.mark.parametrize("parser", SETTINGS, ids=lambda parser: "-".join(list(parser)[1:]) or "plain")
@given(data=broken, block=st.integers(1, 40), step=st.integers(1, 40))
@example(data=b'[{"a":1}\n{"a":2}]', block=3, step=3)
@example(data=b'{"a":[1}\n{"a":"x,\n{"a":3}\n', block=4, step=4)
@example(data=b"[\n[\n[]{\n]]", block=3, step=3)
@example(data=b"[[1\r[2}\n]]", block=3, step=3)
@example(data=b" " * 100 + b'{"a":1\n' + b" " * 70 + b'{"a":2}\n', block=20, step=20)
@example(data=b'[{"a":NaN},{"a":1},{"a":oops},{"a":2},\n[],{"a":[}},{"a":3}]', block=5, step=40)
@settings(max_examples=60, deadline=None)
def test_broken_text_is_read_the_same_however_it_is_cut(parser, data, block, step):
    assert comparable(rows_of(data, parser, block=block, step=step)) == comparable(rows_of(data, parser))


@given(data=broken, block=st.integers(1, 40), most=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_batches_of_few_values_have_the_same_ones(data, block, most):
    assert values_of(data, block, most) == values_of(data, 1 << 20, 1 << 20)


def values_of(data: bytes, block: int, most: int) -> list[tuple[int, bytes, str | None]]:
    found = batches(Lookahead(Trickle(data)), json(), offset=0, size=block, most=most)
    return [
        (batch.offset + piece.start, batch.data[piece.start : piece.end].strip(), piece.why)
        for batch in found
        for piece in batch.pieces(json())
    ]


@pytest.mark.parametrize(
    "text, values",
    [
        *((text, 5_000) for text in (b"1\n", b"{}", b"{1}", b"[1]", b'{"v":1}\n', b'{"v":\n1}\n', b'"')),
        (b"{}\nx\n", 10_000),
    ],
)
def test_a_batch_of_tiny_values_has_not_too_many(text, values):
    found = list(batches(Lookahead(Trickle(text * 5_000)), json(), offset=0, size=1 << 20, most=1_000))
    counts = [len(batch.pieces(json())) for batch in found]
    assert (sum(counts), max(counts) <= 1_100) == (values if text != b'"' else 1, True)
    assert [batch.last for batch in found] == [False] * (len(found) - 1) + [True]


@given(data=broken)
@settings(max_examples=60, deadline=None)
def test_what_is_in_no_piece_is_blank_or_a_comma_or_a_bracket_of_an_array(data):
    pieces, end = Splitter(json()).split(data, final=True)
    assert end == len(data)
    for before, after in pairwise([0, *(edge for piece in pieces for edge in piece[:2]), end]):
        assert before <= after
    between = [data[a:b] for a, b in zip([0, *(p.end for p in pieces)], [*(p.start for p in pieces), end], strict=True)]
    assert set(b"".join(between)) <= set(b" \t\r\n,\x1e[]")


@given(data=st.binary(max_size=200) | broken)
@settings(max_examples=60, deadline=None)
def test_bytes_of_any_kind_are_read_to_their_end(data):
    for parser in ({}, *SETTINGS):
        try:
            rows_of(data, parser, block=16)
        except ParseError as error:
            pytest.fail(str(error))


@given(record=finite, kind=st.sampled_from(["boolean", "long", "double", "string", "json", "timestamp"]))
@settings(max_examples=60, deadline=None)
def test_a_column_is_the_same_read_fast_and_record_by_record(record, kind):
    line = stdlib_json.dumps(record).encode() + b"\n"
    columns = [{"name": "a", "type": kind}, {"name": "x", "type": "json", "element_at": "/b/a"}]
    alone = rows_of(line, {"columns": columns})
    beside = rows_of(line + b"oops\n", {"columns": columns})
    assert repr(alone.rows) == repr(beside.rows)
    assert alone.rejects == beside.rejects[:-1]


@pytest.mark.parametrize(
    "text",
    [
        *(b"[" * 1_000_000, b'{"a":' * 200_000, b'{"a":\n' * 50_000, b"[\n" * 50_000, b'{"a":[\n{}\n' * 20_000),
        *(b"{}" * 100_000, b"[" + b'{"a":[1},' * 50_000, b'[{"a":"x},' + b'{"a":1},' * 50_000, b'[{"a":NaN},' * 20_000),
        *(b'{"a":{"b":1}\n' * 20_000, b'[{"a":{"b":1},\n' * 20_000, b"[\n" + b'{"a":{"b":1},\n' * 20_000),
    ],
    ids=lambda text: text[:14].decode(),
)
def test_brackets_that_never_close_end_soon(text):
    found = read_rows(JsonRows(io.BytesIO(text), json(columns=FAST)))
    assert found.rejects or set(text) == set(b"{}")
