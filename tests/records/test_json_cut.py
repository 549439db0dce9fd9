"""Values of json columns that are cut out, shapes that are learned, bad records among good ones."""

import io
from itertools import pairwise

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.jsontext.batches import Batch, batches
from chalicelib.records.jsontext.fast import Fast
from chalicelib.records.jsontext.pointer import path
from chalicelib.records.jsontext.reading import Reading, path_of
from chalicelib.records.jsontext.shapes import Shapes
from chalicelib.records.text.lookahead import Lookahead
from tests.records.reading import json

FLAT = ({"name": "a", "type": "json"}, {"name": "b", "type": "string"}, {"name": "c", "type": "json"})
DEEP = (*FLAT, {"name": "d", "type": "long", "element_at": "/e/d"}, {"name": "x", "type": "json", "element_at": "/e/x"})

NUMBERS = ["0", "-0", "7", "-7", "1.0", "1.50", "-0.0", "0.1", "0.0001", "0.00001", "1e3", "1E+2", "NaN", "Infinity"]
NUMBERS += [
    "123456789012345678",
    "9223372036854775808",
    "1" * 20,
    "1" * 400,
    "0.8444218515250481",
    "-1e400",
    "01",
    "1.",
]
TEXTS = [
    "",
    "a",
    "é",
    r"\u00e9",
    r"\/",
    r"\n",
    r"\u0001",
    r"\u0002",
    r"\"",
    r"\\",
    "}",
    "{",
    "[",
    "]",
    ":{",
    ',"a":',
    ": [",
]
TEXTS += [r"\ud800", "\x7f", "\u2028", "1" * 20, "null", r"\x", "\x01", "NaN"]
KEYS = ["a", "b", "c", "d", "e", "x", r"\u0061", "é", r"a\"", ""]

texts = st.sampled_from(TEXTS).map(lambda text: f'"{text}"')
scalars = st.sampled_from([*NUMBERS, "true", "false", "null"]) | texts
spaces = st.sampled_from(["", "", "", " ", "\t", "\n"])


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(spaces, st.sampled_from(KEYS), spaces, spaces, values, spaces)
    written = members.map(lambda m: f'{m[0]}"{m[1]}"{m[2]}:{m[3]}{m[4]}{m[5]}')
    return st.lists(written, max_size=4).map(lambda found: "{" + ",".join(found) + "}")


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: "[" + ",".join(found) + "]")


values = st.recursive(scalars, lambda inner: objects(inner) | arrays(inner), max_leaves=8)
records = objects(values)
sound = st.sampled_from(["7", "0.5", "-3.25", '"a"', '"é"', '"{"', "true", "null", "[]", "{}"])
plain = st.builds(
    lambda a, b, c: f'{{"a":{{"k":{a},"l":[{b}]}},"b":"s","c":[{c}],"e":{{"d":1,"x":{{"y":{a}}}}}}}',
    sound,
    sound,
    sound,
)


class Slow(Reading):
    """Reads record by record."""

    def _at_once(self, data):
        return None


def declared(columns) -> tuple[Column, ...]:
    return json(columns=list(columns)).columns


def told(kind: type[Reading], data: bytes, columns, block: int = 1 << 21, **how) -> list[str]:
    parser = json(columns=list(columns))
    reading = kind(parser, parser.columns, **how)
    found = batches(Lookahead(io.BytesIO(data)), parser, offset=0, size=block)
    pages = [reading.page(batch) for batch in found]
    rows = [repr(row) for page in pages for row in page.batch.to_pylist()]
    return rows + [repr((r.reason, r.text, r.line, r.offset)) for page in pages for r in page.rejects]


@pytest.mark.parametrize("how", [{}, {"strict": True}, {"rescues": True}], ids=["lenient", "strict", "rescuing"])
@pytest.mark.parametrize("columns", [FLAT, DEEP], ids=["flat", "deep"])
@given(lines=st.lists(plain | records, max_size=6), block=st.sampled_from([40, 200, 1 << 21]))
@example(lines=['{"a":{"k":"}"},"c":["]"]}', '{"a":{"k":"{"},"x":{"b":"}"}}'], block=200)
@example(lines=['{"a":{"k":1,"k":2}}', '{"a":{"k":1},"a":{"k":2}}', '{"a":[1,{"b":1,"c":1,"b":2}]}'], block=200)
@example(lines=['{"b":{"k":1}}', '{"b":[1, 2]}', '{"b":"x:{}"}', r'{"\u0061":{"k":1}}', r'{"a\"":[1]}'], block=200)
@example(lines=['{"a":["x","\\u0002","y"]}', '{"c":[1 ]}'], block=200)
@example(lines=['{"a":{"k":1}}', '{"a":"\\u00010"}'], block=200)
@example(lines=['{"a":{"k":"11111111111111111111","l":1e-7}}'], block=200)
@settings(max_examples=30, deadline=None)
def test_fast_and_record_by_record_are_the_same(columns, how, lines, block):
    data = "\n".join([*lines, ""]).encode("utf-8", "surrogatepass")
    assert told(Reading, data, columns, block, **how) == told(Slow, data, columns, block, **how)


@given(taught=st.lists(values, max_size=5), raws=st.lists(values, min_size=1, max_size=4))
@example(taught=['{"a":1}'], raws=['{"a":1,"a":1}'])
@example(taught=['{"a":1,"b":1}'], raws=['{"b":1}'])
@example(taught=['{"a":1,"b":1}'], raws=['{"a":1"b":1}'])
@example(taught=['{"a":1}'], raws=['{"a":-0}'])
@example(taught=["[]", "[1]"], raws=["[1,]"])
@settings(max_examples=100, deadline=None)
def test_a_value_of_a_known_shape_is_its_own_compact_text(taught, raws):
    shapes = Shapes()
    lessons = [orjson.loads(text) for text in (*taught, *raws) if is_json(text.encode())]
    for _ in range(2):
        shapes.learn(lessons)
    encoded = [raw.encode() for raw in raws]
    if shapes.know(encoded):
        assert [orjson.dumps(orjson.loads(raw)) for raw in encoded] == encoded


def is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def test_shapes_are_learned_once_there_is_more_than_one_batch():
    raws = [b'{"k":%d,"l":["x"],"m":{"n":0.25}}' % number for number in range(20)]
    others = [b'{"k":1,"o":true,"l":[]}', b'{"o":1}', b"[]"]
    shapes = Shapes()
    seen = [shapes.know(raws)]
    for _ in range(2):
        shapes.learn([orjson.loads(raw) for raw in raws])
        seen.append(shapes.know(raws))
    seen.append(shapes.know(others))
    shapes.learn([orjson.loads(raw) for raw in others])
    assert [*seen, shapes.know(raws + others)] == [False, False, True, False, True]


def test_objects_that_are_keyed_by_ids_have_no_shape():
    raws = [b'{"id%d":1}' % number for number in range(1000)]
    shapes = Shapes()
    for _ in range(3):
        shapes.learn([orjson.loads(raw) for raw in raws])
    assert not shapes.know(raws[:1])


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":{"k":[1,{"l":"x"}]},"b":"s","c":[],"z":{"k":1}}',
        b'{ "a": {"k": 1.50}, "b": null, "c": [1, 2] }',
        b'{"a":7,"b":"x","c":true}',
        b'{"a":"text","c":{"k":"[ ("}}',
        b'{"a":{"k":"\\u00e9\\/"},"b":"\\"quoted\\""}',
    ],
)
def test_the_fast_way_takes(line):
    columns = declared(FLAT)
    fast = Fast(columns, [path_of(column) for column in columns], (), strict=False)
    rows = [fast(line + b"\n" + line + b"\n") for _ in range(4)]
    assert [row and row.num_rows for row in rows] == [2] * 4


@pytest.mark.parametrize("line", [b"{}\n", b'{"a":{}}\r\n', b'{"a":[1],\n "b":"x"}\n'], ids=repr)
@pytest.mark.parametrize("levels, taken", [(400, True), (1100, False)])
def test_the_fast_way_leaves_what_is_too_deep(line, levels, taken):
    column = Column(name="b", type=ColumnType.STRING)
    deep = b'{"z":' + b"[" * levels + b"]" * levels + b"}\n"
    fast = Fast((column,), [path("/b")], (), strict=False)
    assert (fast(line * 2000 + deep + line * 2000) is not None) == taken


@given(
    lines=st.lists(st.sampled_from(["{}", '{"a":1}', '{"a":\n{"b":[1]}}', "}", "x", '{"a":"'])),
    size=st.integers(1, 40),
)
def test_the_parts_of_a_batch_are_the_batch(lines, size):
    data = "\n".join(lines).encode()
    parts = list(Batch(data, 10, 100, last=True).parts(size))
    assert b"".join(part.data for part in parts) == data
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (parts[0].line, parts[0].offset) == (10, 100)
    for before, after in pairwise(parts):
        assert after.offset == before.offset + len(before.data)
        assert after.line == before.line + before.data.count(b"\n")


@pytest.mark.parametrize("known", [False, True], ids=["lines", "array"])
def test_around_a_bad_record_the_others_are_read_as_if_it_were_not_there(known):
    lines = [b'{"a":{"k":%d},"b":"x","c":[%d]}' % (number, number) for number in range(12_000)]
    lines[5000] = b'{"a":{"k":1},"b":"x","c":[oops]}'
    lines[9000] = b'{"a":{"k":1},"b":"x"'
    data = b"[" + b",\n".join(lines) + b"]" if known else b"\n".join(lines)
    assert told(Reading, data, FLAT) == told(Slow, data, FLAT)
    assert len(told(Reading, data, FLAT)) == 12_000


def test_values_that_are_too_many_to_be_cut_out_at_once_are_read_in_parts():
    data = (b'{"a":[1],"c":{}}' * 100 + b"\n") * 400
    assert told(Reading, data, FLAT) == ["{'a': '[1]', 'b': None, 'c': '{}'}"] * 40_000
