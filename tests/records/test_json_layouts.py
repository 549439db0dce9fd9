"""Where JSON records begin and end, and what a broken one costs (F69, F70, E39, E40)."""

import json as stdlib_json
from typing import Any

import pytest

from chalicelib.errors import ParseError
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.jsontext.batches import batches
from chalicelib.records.text.lookahead import Lookahead
from tests.records.bodies import Trickle
from tests.records.reading import Read, columns, json, read, read_rows

V = [{"name": "v", "type": "long"}]


def found(text: str | bytes, **settings: Any) -> Read:
    data = text.encode() if isinstance(text, str) else text
    return read(data, json(**{"columns": V, **settings}))


def rejects(result: Read) -> list[tuple[int, int | None, str]]:
    return [(reject.record, reject.line, reject.text) for reject in result.rejects]


@pytest.mark.parametrize(
    "text",
    [
        '{"v":1}\n{"v":2}\n{"v":3}\n',
        '{"v":1}\r\n\r\n{"v":2}\r\n{"v":3}',
        '{"v":1}{"v":2} {"v":3}',
        '{"v":1}{"v":2}\n{"v":3}',
        '{\n  "v": 1\n}\n{\n  "v": 2\n}{"v":3}',
        '{"v":1},\n{"v":2},\n{"v":3},\n',
        '\x1e{"v":1}\n\x1e{"v":2}\n\x1e{"v":3}\n',
        '[{"v":1},{"v":2},{"v":3}]',
        '[\n  {\n    "v": 1\n  },\n  {\n    "v": 2\n  },\n  {\n    "v": 3\n  }\n]\n',
        '[{"v":1},\n{"v":2},\n{"v":3}]\n',
        '[{"v":1}]\n[]\n[{"v":2},{"v":3}]\n',
        '{"v":1}\n[{"v":2},{"v":3}]\n',
        '\ufeff[{"v":1},{"v":2},{"v":3}]',
        '{"v":1,"s":"}\\n{"}{"v":2,"s":"[\\""}\n{"v":3}',
        '{"v":1}\r{"v":2}\r{"v":3}\r',
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 21])
def test_records_stand_on_lines_or_not(text, block):
    result = read_rows(JsonRows(Trickle(text.encode()), json(columns=V), block=block))
    assert (result.tuples, result.rejects) == ([(1,), (2,), (3,)], [])


@pytest.mark.parametrize("text", ["", " \n", "[]", "[ ]\n[\n]", "\ufeff", "\x1e"])
def test_nothing_has_no_records(text):
    assert (found(text).rows, found(text).rejects) == ([], [])


@pytest.mark.parametrize("charset", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32"])
def test_other_charsets_are_read_and_tell_no_offset(charset):
    result = found('{"v":1,"s":"é"}\noops\n{"v":2}\n'.encode(charset), charset=charset)
    assert result.tuples == [(1,), (2,)]
    assert [(reject.line, reject.offset) for reject in result.rejects] == [(2, None)]


@pytest.mark.parametrize("charset", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("said", ["UTF-8", "UTF-16BE", "utf-32-le"])
def test_a_byte_order_mark_outweighs_the_charset_that_is_said(charset, said):
    result = found('{"v":1,"s":"é"}\noops\n{"v":2}\n'.encode(charset), charset=said)
    assert result.tuples == [(1,), (2,)]
    assert [(reject.line, reject.offset, reject.text) for reject in result.rejects] == [(2, None, "oops")]


@pytest.mark.parametrize("charset", ["utf-16-le", "UTF-16BE", "utf_32_le", "utf-32-be"])
def test_wide_text_without_a_mark_is_read_in_the_order_that_is_said(charset):
    assert found('{"v":1}'.encode(charset), charset=charset).tuples == [(1,)]


@pytest.mark.parametrize(
    "broken, cost",
    [
        ('{"v":2', ['{"v":2']),
        ('{"v":2,', ['{"v":2,']),
        ('{"v":', ['{"v":']),
        ('{"v":[', ['{"v":[']),
        ("{", ["{"]),
        ("}", ["}"]),
        ("]", ["]"]),
        ('{"v":"x', ['{"v":"x']),
        ('{"v":"x, {', ['{"v":"x, {']),
        ('{"v":2,}', ['{"v":2,}']),
        ("{'v':2}", ["{'v':2}"]),
        ('{"v":2}}', ["}"]),
        ('{"v":[2}', ['{"v":[2}']),
        ("2024-01-01 [INFO] {", ["2024-01-01 [INFO] {"]),
        ("id,name", ["id,name"]),
        ('{"v":2\n{"v":3\n{"v":4', ['{"v":2', '{"v":3', '{"v":4']),
        ('{\n  "v": 2,\n  "w": {"x": 1\n}', ['{\n  "v": 2,\n  "w": {"x": 1\n}']),
        ('{\n  "v": oops\n}', ['{\n  "v": oops\n}']),
        ('{\n  "v": "oops\n}', ['{\n  "v": "oops\n}']),
        ('{"type":"list","of":[\n{"v":2},\n{"v":oops},\n{"v":3}\n]}', None),
    ],
)
def test_a_broken_value_between_lines_costs_itself_alone(broken, cost):
    result = found(f'{{"v":1}}\n{broken}\n{{"v":8}}\n{{"v":9}}\n')
    assert [row for row in result.tuples if row != (2,)] == [(1,), (8,), (9,)]
    assert [reject.text for reject in result.rejects] == (cost or [broken])
    assert result.rejects[0].line == 2


@pytest.mark.parametrize(
    "broken, cost",
    [
        ('{"v":oops}', ['{"v":oops}']),
        ("5", ["5"]),
        ("[6]", ["[6]"]),
        ('"x"', ['"x"']),
        ("oops", ["oops"]),
        ('{"v":1', ['{"v":1,']),
        ('{"v":"x}', ['{"v":"x},']),
        ('{"v":[}', ['{"v":[},']),
    ],
)
@pytest.mark.parametrize("between", [",\n", ",\n  "])
def test_a_broken_element_between_lines_of_an_array_costs_itself_alone(broken, cost, between):
    elements = ['{"v":1}', broken, '{"v":8}', '{"v":9}']
    result = found("[" + between[1:] + between.join(elements) + "\n]\n")
    assert result.tuples == [(1,), (8,), (9,)]
    assert rejects(result) == [(2, 3, text) for text in cost]


def test_a_broken_element_on_the_one_line_of_an_array_ends_before_the_next_object():
    result = found('[{"v":1},{"v":oops},{"v":[2},{"v":8}]')
    assert result.tuples == [(1,), (8,)]
    assert len(result.rejects) == 2


def test_an_array_that_is_cut_off_says_so():
    result = found('[{"v":1},\n{"v":2}')
    assert result.tuples == [(1,), (2,)]
    assert [(reject.reason, reject.record) for reject in result.rejects] == [
        ("the array before this is never closed: the object may be cut off", 3)
    ]


def test_an_array_that_is_cut_off_within_a_record_costs_that_record():
    result = found('[{"v":1},\n{"v":2},\n{"v":')
    assert (result.tuples, rejects(result)) == ([(1,), (2,)], [(3, 3, '{"v":')])


def test_rejects_know_where_in_the_object_they_stand():
    text = '\ufeff[\n{"v":1},\n{"v":"é"},\n  7,\n{"v":3}]\n'
    result = read_rows(JsonRows(Trickle(text.encode()), json(columns=V), block=8))
    assert [(reject.line, reject.text) for reject in result.rejects] == [(3, '{"v":"é"}'), (4, "7")]
    for reject in result.rejects:
        assert text.encode()[reject.offset :].startswith(reject.text.encode())


NESTED = '{"n":2,"data":{"list":[{"v":1},{"v":2}],"one":{"v":3}},"last":[{"v":9}]}'


def test_a_root_is_where_the_record_lies_in_each_value():
    result = found(f'{NESTED}\n{{"data":null}}\n{{"data":{{"one":4}}}}\n', root="/data/one")
    assert result.tuples == [(3,)]
    assert [reject.reason for reject in result.rejects] == [
        "nothing at root /data/one",
        "no JSON object at root /data/one",
    ]


def test_a_root_may_be_read_at_once_or_record_by_record():
    assert found(f"{NESTED}\n{NESTED}", root="/data/one").tuples == [(3,), (3,)]
    assert found(f"{NESTED}\n{NESTED}oops", root="/data/one").tuples == [(3,), (3,)]
    assert read((NESTED + "\n").encode(), json(root="/data/one")).types == {"v": "long"}


@pytest.mark.parametrize("block", [1, 1 << 21])
def test_the_array_at_a_root_has_the_records(block):
    parser = json(columns=V, root="/data/list", flatten_json_array=True)
    data = (
        f'{NESTED}\n{{"v":4}}\n{{"data":{{"list":5}}}}\n[1]\n{stdlib_json.dumps(stdlib_json.loads(NESTED), indent=1)}'
    )
    result = read_rows(JsonRows(Trickle(data.encode()), parser, block=block))
    assert result.tuples == [(1,), (2,), (1,), (2,)]
    assert [(reject.line, reject.reason) for reject in result.rejects] == [
        (line, "no array at root /data/list") for line in (2, 3, 4)
    ]


@pytest.mark.parametrize("rest", ['],"x":}', ']],"x":1}', ']\n{"v":7}'])
def test_what_is_broken_after_the_array_at_a_root_is_seen(rest):
    result = found('{"r":[{"v":1}' + rest, root="/r", flatten_json_array=True)
    assert result.tuples == [(1,)]
    assert result.rejects[0].reason == "no JSON: what follows the records is broken"


def test_flattening_takes_arrays_only():
    result = found('[{"v":1},{"v":2}]\n{"v":3}\n4\n[{"v":5}]', flatten_json_array=True)
    assert result.tuples == [(1,), (2,), (5,)]
    assert [(reject.line, reject.text) for reject in result.rejects] == [(2, '{"v":3}'), (3, "4")]


def test_an_array_is_not_held_in_memory():
    """The reader asks for little more than it has given."""

    class Endless:
        asked = 0

        def read(self, size: int, /) -> bytes:
            Endless.asked += size
            return (b'{"v":1},' * (size // 8 + 1))[: size // 8 * 8] if Endless.asked > size else b"[" + b" " * 7

    pages = JsonRows(Endless(), json(columns=V), block=1 << 12).pages(columns(v="long"))
    given = sum(next(pages).batch.num_rows for _ in range(200))
    assert given * 8 > Endless.asked - 6 * (1 << 12)


def test_a_value_that_never_ends_sets_the_object_aside():
    body = Trickle(b'{"v":[' + b"1," * (1 << 17))
    with pytest.raises(ParseError, match="longer than"):
        list(batches(Lookahead(body), json(columns=V), offset=0, size=1 << 10, longest=1 << 16))


def test_a_value_that_has_gone_wrong_is_not_waited_for():
    lines = b'{"v":[{"a":1},\n' + b'{"v":2}\n' * 200_000
    result = read_rows(JsonRows(Trickle(lines), json(columns=V), block=1 << 16))
    assert (len(result.rows), [reject.text for reject in result.rejects]) == (200_000, ['{"v":[{"a":1},'])


def test_deep_nesting_costs_its_row_also_where_nobody_reads_it():
    deep = "[" * 1500 + "]" * 1500
    result = found(f'{{"w":{deep}}}\n{{"v":2}}\n{{"v":3,"w":{"[" * 20 + "]" * 20}}}\n')
    assert (result.tuples, len(result.rejects)) == ([(2,), (3,)], 1)


@pytest.mark.parametrize("kind", ["json", "string", "long", "decimal(5,2)"])
@pytest.mark.parametrize("levels", [255, 500, 900, 1010])
@pytest.mark.parametrize("layout", ["{0}\n", "[{0}]", "{0}\n5"])
def test_deep_values_are_read_or_cost_their_row(kind, levels, layout):
    value = "[" * levels + "]" * levels
    result = found(layout.format('{"v":' + value + "}"), columns=[{"name": "v", "type": kind}])
    texts = kind in ("json", "string")
    assert result.tuples == ([(value,)] if texts and levels < 1000 else [])
    assert [reject.text for reject in result.rejects if reject.text.startswith("{")] == [
        reject.text for reject in result.rejects if reject.reason.startswith("v: ")
    ]
    assert len(result.rows) + len(result.rejects) == 1 + layout.count("5")


@pytest.mark.parametrize(
    "text, rows, cost",
    [
        ("null", [], ["null"]),
        ("\n null\n ]\n}", [], ["null", "]", "}"]),
        ('{"v":1}\nnull\n', [(1,)], ["null"]),
        ('{"v":1} null', [(1,)], ["null"]),
        ("null\nnull\n", [], ["null", "null"]),
        ("[null]", [], ["null"]),
        ('{"v":1}null{"v":2}', [(1,)], ['null{"v":2}']),
    ],
)
def test_null_instead_of_a_record_is_a_reject(text, rows, cost):
    result = found(text)
    assert (result.tuples, [reject.text for reject in result.rejects]) == (rows, cost)
    assert {reject.text: reject.reason for reject in result.rejects}.get("null", "no JSON object") == "no JSON object"
