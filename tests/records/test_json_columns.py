"""Where the values of JSON columns lie, and what they are (F67, F68, F69)."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.config.filters.columns import AddColumns
from chalicelib.config.parsers.json import Json
from chalicelib.errors import ConfigError
from chalicelib.records.formats.json import JsonRows
from tests.records.bodies import Trickle
from tests.records.reading import entries, json, read, read_rows

RECORD = '{"a":{"b":1,"c":[10,{"d":"x"}],"e/f":true,"~":{}},"key":"k","0":5}'


def one(column: dict[str, Any], line: str, *, slow: bool) -> Any:
    """The only value of a column, read in one of the two ways."""
    result = read((line + "\n" + "oops\n" * slow).encode(), json(columns=[{"name": "v"} | column]))
    assert len(result.rejects) == slow
    return result.rows[0]["v"]


@pytest.mark.parametrize(
    "place, kind, value",
    [
        ({"element_at": "/a/b"}, "long", 1),
        ({"element_at": "/a/c/0"}, "long", 10),
        ({"element_at": "/a/c/1/d"}, "string", "x"),
        ({"element_at": "/a/c/1"}, "json", '{"d":"x"}'),
        ({"element_at": "/a/c"}, "string", '[10,{"d":"x"}]'),
        ({"element_at": "/a/e~1f"}, "boolean", True),
        ({"element_at": "/a/~0"}, "json", "{}"),
        ({"element_at": "/0"}, "long", 5),
        ({"element_at": ""}, "json", RECORD),
        ({"src": "key"}, "string", "k"),
        ({"src": "a", "element_at": "/b"}, "long", 1),
        ({"src": "a", "element_at": ""}, "json", RECORD[5 : RECORD.index(',"key"')]),
        *(
            ({"element_at": nowhere}, "long", None)
            for nowhere in ("/x", "/a/x/y", "/a/b/c", "/a/c/2", "/a/c/-", "/a/c/00", "/key/x")
        ),
        ({"src": "x"}, "json", None),
    ],
)
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_a_column_lies_where_it_is_said_to(place, kind, value, slow):
    assert one({"type": kind} | place, RECORD, slow=slow) == value


def test_two_columns_may_be_made_of_one_value():
    places = [
        {"name": "x", "type": "long", "element_at": "/a/b"},
        {"name": "y", "type": "string", "element_at": "/a/b"},
    ]
    assert read(RECORD.encode(), json(columns=places)).tuples == [(1, "1")]


@pytest.mark.parametrize(
    "kind, text, value",
    [
        ({"type": "decimal(10,2)"}, "12.50", Decimal("12.50")),
        ({"type": "decimal(10,2)"}, '"12.5"', Decimal("12.50")),
        ({"type": "decimal(10,2)"}, "7", Decimal("7.00")),
        ({"type": "decimal(38,20)"}, "0.12345678901234567890", Decimal("0.12345678901234567890")),
        (
            {"type": "decimal(38,0)"},
            "12345678901234567890123456789012345678",
            Decimal("12345678901234567890123456789012345678"),
        ),
        ({"type": "date"}, '"2024-05-01"', date(2024, 5, 1)),
        ({"type": "time"}, '"10:20:30.5"', time(10, 20, 30, 500_000)),
        ({"type": "binary"}, '"é"', "é".encode()),
        ({"type": "binary", "encoding": "hex"}, '"00ff"', b"\x00\xff"),
        ({"type": "timestamp", "format": "epoch_s"}, "1714550400", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        (
            {"type": "timestamp", "format": "epoch_s"},
            "1714550400.25",
            datetime(2024, 5, 1, 8, 0, 0, 250_000, tzinfo=UTC),
        ),
        ({"type": "timestamp", "format": "epoch_ms"}, '"1714550400000"', datetime(2024, 5, 1, 8, tzinfo=UTC)),
        ({"type": "timestamp", "timezone": "Asia/Tokyo"}, '"2024-05-01T09:00:00"', datetime(2024, 5, 1, tzinfo=UTC)),
        (
            {"type": "timestamp", "timezone": "Asia/Tokyo"},
            '"2024-05-01T09:00:00Z"',
            datetime(2024, 5, 1, 9, tzinfo=UTC),
        ),
    ],
)
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_a_value_is_read_as_its_type(kind, text, value, slow):
    assert one(kind, f'{{"v":{text}}}', slow=slow) == value


@pytest.mark.parametrize(
    "kind, text",
    [
        *(({"type": "decimal(4,2)"}, text) for text in ("1.255", "100.5", "true", "[1]", '"x"', "NaN")),
        *(({"type": "date"}, text) for text in ('"2024-13-01"', "20240501", "{}")),
        *(({"type": "time"}, text) for text in ('"25:00:00"', "10")),
        *(({"type": "binary", "encoding": "base64"}, text) for text in ('"*"', "5")),
        *(({"type": "timestamp", "format": "epoch_s"}, text) for text in ("true", "1e300", '"soon"', "[]")),
    ],
)
def test_a_value_of_another_type_costs_its_row(kind, text):
    result = read(f'{{"v":{text}}}\n{{}}\n'.encode(), json(columns=[{"name": "v"} | kind]))
    assert (result.tuples, len(result.rejects)) == ([(None,)], 1)
    assert result.rejects[0].reason.startswith("v: ")


def test_the_parser_says_how_times_are_written_that_do_not_say_it_themselves():
    parser = json(
        columns=[{"name": "t", "type": "timestamp"}], default_timestamp_format="%d.%m.%Y %H", default_timezone="+02:00"
    )
    assert read(b'{"t":"01.05.2024 10"}', parser).tuples == [(datetime(2024, 5, 1, 8, tzinfo=UTC),)]


@pytest.mark.parametrize(
    "line, value",
    [
        ('{"j":{"j":[1, 2],"x":"\\"j\\":5"}}', '{"j":[1,2],"x":"\\"j\\":5"}'),
        ('{"x":{"j":1},"j":"s"}', '"s"'),
        ('{"x":"\\"j\\":1","j" : -1.5e3 }', "-1500.0"),
        ('{"x":"a,","j":true}', "true"),
        ('{"x\\"j":1,"j":[]}', "[]"),
        ('{"\\u006a":"s"}', '"s"'),
        ('{"\\u006a":{"a":1}}', '{"a":1}'),
        ('{"j":"\\u0001{}"}', '"\\u0001{}"'),
        ('{"j":null,"x":[{"j":{"j":null}}]}', None),
        ('{"x":{"j":{}}}', None),
        ('{"j":{"é":"\\u00e9\\n"}}', '{"é":"é\\n"}'),
        ('{"j":{"n":123456789012345678901234}}', '{"n":123456789012345678901234}'),
    ],
)
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_a_json_column_holds_its_own_value_only(line, value, slow):
    assert one({"type": "json", "src": "j"}, line, slow=slow) == value


@pytest.mark.parametrize(
    "line", ['{"x":"abc,"j":{}}', '{"x":"abc"j":{}}', '{"j":{"a":NaN}}', '{"j":{"a":1}', '{"j":{"a":1},}']
)
def test_a_json_column_makes_nothing_sound_that_is_not(line):
    result = read((line + '\n{"j":1}\n').encode(), json(columns=[{"name": "j", "type": "json"}]))
    assert (result.tuples, len(result.rejects)) == ([("1",)], 1)


LOG = b'{"id":1,"who":{"name":"ann","at":{"x":1,"y":null}},"tags":[{"t":1}],"e":{},"m":{"a":1}}\n'
LOG += b'{"id":2,"who":null,"m":5}\n'


@pytest.mark.parametrize(
    "levels, names",
    [
        (0, ["id", "who", "tags", "e", "m"]),
        (1, ["id", "who.name", "who.at", "tags", "e", "m"]),
        (2, ["id", "who.name", "who.at.x", "tags", "e", "m"]),
    ],
)
def test_objects_within_objects_become_columns(levels, names):
    result = read(LOG, json(flatten=levels))
    assert list(result.types) == names
    assert result.rejects == []
    assert result.rows[0][names[1]] == (["ann"] if levels else ['{"name":"ann","at":{"x":1,"y":null}}'])[0]
    assert result.rows[1]["m"] == "5" and result.rows[0]["m"] == '{"a":1}'


def test_a_key_with_a_dot_is_not_confused_with_a_path():
    result = read(b'{"a":{"b":1},"a.b":2}\n', json(flatten=3))
    assert result.rows == [{"a": '{"b":1}', "a.b": 2}]


def test_a_flattened_object_that_is_none_later_costs_its_row():
    early, late = b'{"a":{"b":1}}\n' * 30, b'{"a":7}\n{"a":{"c":1}}\n{"a":null}\n{"a":{"b":2}}\n'
    result = read_rows(JsonRows(Trickle(early + late), json(flatten=1), block=64))
    assert len(result.rows) == 32
    assert [reject.reason.split(":")[0] for reject in result.rejects] == ["a", "a.c"]


def test_charsets_that_json_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="charset"):
        Json.parse({"type": "json", "charset": "Shift_JIS"}, where="test")


def test_flatten_and_columns_exclude_each_other():
    with pytest.raises(ConfigError, match="element_at"):
        Json.parse({"type": "json", "flatten": 1, "columns": [{"name": "a", "type": "long"}]}, where="test")


NOTHING = '{"a":null}\n{}\n'
ADDED = (AddColumns.model_validate({"type": "add_columns", "columns": [{"name": "x", "type": "long", "default": 1}]}),)


@pytest.mark.parametrize(
    "text, rows, rejects",
    [
        (NOTHING, 2, []),
        (NOTHING + "oops\n{}", 3, [3]),
        ('[{"a":null},7,{},{"b":null}]', 3, [2]),
        ("{}", 1, []),
        ("{}\n" * 5 + "[]\n" + "{}oops\n", 6, [7]),
    ],
)
def test_records_without_any_value_are_rows_without_columns(text, rows, rejects):
    (entry,) = entries(io.BytesIO(text.encode()), json())
    assert entry.infer() == ()
    assert entry.rows.head(()).batch.num_rows == rows
    pages = list(entry.pages(()))
    assert sum(page.batch.num_rows for page in pages) == rows
    assert [reject.record for page in pages for reject in page.rejects] == rejects


def test_records_without_any_value_take_what_filters_add():
    result = read((NOTHING + "oops\n{}").encode(), json(), filters=ADDED)
    assert (result.rows, [reject.record for reject in result.rejects]) == ([{"x": 1}] * 3, [3])


@pytest.mark.parametrize("block", [1, 9, 40])
def test_blocks_without_any_value_are_counted_beside_others(block):
    text = "{}\n" * 20 + '{"a":1}\n' + "{}\n" * 20
    result = read_rows(JsonRows(Trickle(text.encode()), json(), block=block))
    assert len(result.rows) + len(result.rejects) == 41
