"""retain_columns, add_columns, drop_columns, and Embulk's column (F73, E45)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records.filters.running import refusal, run

TYPES = {"id": "long", "name": "string", "at": "timestamp"}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS: list[tuple[Any, ...]] = [(1, "ann", AT), (2, None, None)]


@pytest.mark.parametrize(
    "document, names, rows",
    [
        ("[{type: retain_columns, columns: [{name: name}, {name: id}]}]", ["name", "id"], [("ann", 1), (None, 2)]),
        ("[{type: retain_columns, columns: [{name: who, src: name}]}]", ["who"], [("ann",), (None,)]),
        ("[{type: retain_columns, columns: [{name: name, default: x}]}]", ["name"], [("ann",), ("x",)]),
        ("[{type: retain_columns, columns: [{name: at}, {name: '*'}]}]", ["at", "id", "name"], None),
        ("[{type: retain_columns, columns: [{name: n*}, {name: '?t'}]}]", ["name", "at"], None),
        ("[{type: add_columns, columns: [{name: k, type: string, default: x}]}]", ["id", "name", "at", "k"], None),
        ("[{type: drop_columns, columns: [{name: at}]}]", ["id", "name"], [(1, "ann"), (2, None)]),
        ("[{type: drop_columns, columns: [{name: '?t'}]}]", ["id", "name"], None),
        (
            "[{type: drop_columns, columns: [{name: q}, {name: z*}, {name: at}], ignore_missing: true}]",
            ["id", "name"],
            None,
        ),
        ("[{type: column, columns: [{name: id}]}]", ["id"], [(1,), (2,)]),
        ("[{type: column, add_columns: [{name: j, src: id}]}]", ["id", "name", "at", "j"], None),
        ("[{type: column, drop_columns: [{name: id}, {name: at}]}]", ["name"], None),
    ],
)
def test_columns_come_out_as_told(document: str, names: list[str], rows: Any) -> None:
    ran = run(document, TYPES, ROWS)
    assert ran.names == names
    assert rows is None or ran.tuples == rows
    assert len(ran.rows) == 2
    assert not ran.chain.counts


@pytest.mark.parametrize(
    "kind, default, value",
    [
        ("string", "x", "x"),
        ("string", 5, "5"),
        ("long", 5, 5),
        ("long", "5", 5),
        ("double", 1.5, 1.5),
        ("boolean", True, True),
        ("timestamp", "2026-01-02 03:04:05 UTC", AT),
        ("timestamp", AT, AT),
        ("date", date(2026, 1, 2), date(2026, 1, 2)),
        ("decimal(5,2)", 1.25, Decimal("1.25")),
        ("json", {"a": [1]}, '{"a":[1]}'),
        ("json", None, None),
        ("long", None, None),
    ],
)
def test_a_constant_is_read_like_a_value_of_its_type(kind: str, default: Any, value: Any) -> None:
    document = [{"type": "add_columns", "columns": [{"name": "k", "type": kind, "default": default}]}]
    assert run(document, TYPES, ROWS).column("k") == [value, value]


def test_a_constant_has_the_time_zone_and_format_that_are_told() -> None:
    document = [
        {
            "type": "column",
            "default_timezone": "Asia/Tokyo",
            "default_timestamp_format": "%d/%m/%Y %H:%M",
            "add_columns": [
                {"name": "a", "type": "timestamp", "default": "02/01/2026 09:00"},
                {"name": "b", "type": "timestamp", "default": "2026", "format": "%Y", "timezone": "UTC"},
            ],
        }
    ]
    ran = run(document, TYPES, ROWS[:1])
    assert ran.column("a") == [datetime(2026, 1, 2, tzinfo=UTC)]
    assert ran.column("b") == [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    "document, words",
    [
        ("[{type: drop_columns, columns: [{name: nmae}]}]", "no column nmae (did you mean name?)"),
        ("[{type: retain_columns, columns: [{name: nmae}]}]", "no column nmae (did you mean name?)"),
        ("[{type: retain_columns, columns: [{name: x, src: q}]}]", "no column q (there are id, name, at)"),
        ("[{type: add_columns, columns: [{name: k, type: long}]}]", "no column k"),
        ("[{type: add_columns, columns: [{name: k, type: long, default: x}]}]", "default of k: 'x' is not a long"),
        ("[{type: add_columns, columns: [{name: id, src: name}]}]", "id would stand there twice"),
        ("[{type: drop_columns, columns: [{name: '*'}]}]", "no column is left"),
        ("[{type: drop_columns, columns: [{name: 'z*'}]}]", "no column z*"),
        ("[{type: add_columns, columns: [{name: k, src: $.id.a}]}]", "$.id.a: id is a long"),
    ],
)
def test_what_cannot_be_is_refused_with_filter_and_suggestion(document: str, words: str) -> None:
    error = refusal(document, TYPES)
    assert words in error.what
    assert error.where.startswith("filters.0 (")


def test_the_number_of_the_filter_that_fails_is_told() -> None:
    document = "[{type: drop_columns, columns: [{name: at}]}, {type: drop_columns, columns: [{name: at}]}]"
    assert refusal(document, TYPES).where == "filters.1 (drop_columns)"


@pytest.mark.parametrize(
    "source, value, kind, made",
    [
        ("string", "12", "long", 12),
        ("string", "2026-01-02T03:04:05Z", "timestamp", AT),
        ("long", 12, "string", "12"),
        ("long", 12, "double", 12.0),
        ("long", (1 << 62) + 1, "double", float(1 << 62)),
        ("double", 12.0, "string", "12.0"),
        ("boolean", True, "string", "true"),
        ("timestamp", AT, "date", date(2026, 1, 2)),
        ("timestamp", AT, "string", "2026-01-02 03:04:05 UTC"),
        ("date", date(2026, 1, 2), "timestamp", datetime(2026, 1, 2, tzinfo=UTC)),
        ("string", "1.50", "decimal(4,2)", Decimal("1.50")),
        ("json", "[1]", "string", "[1]"),
        ("string", "[1]", "json", "[1]"),
    ],
)
def test_a_type_changes_through_its_text(source: str, value: Any, kind: str, made: Any) -> None:
    document = [{"type": "retain_columns", "columns": [{"name": "b", "src": "a", "type": kind}]}]
    ran = run(document, {"a": source}, [(value,), (None,)])
    assert ran.tuples == [(made,), (None,)]


def test_a_value_that_does_not_fit_its_new_type_costs_its_row() -> None:
    document = "[{type: retain_columns, columns: [{name: id}, {name: name, type: long, default: 0}]}]"
    ran = run(document, {"id": "long", "name": "string"}, [(1, "5"), (2, "x"), (3, None)])
    assert ran.tuples == [(1, 5), (3, 0)]
    assert ran.reasons == {2: "filters.0 (retain_columns): name: 'x' is not a long"}
    assert ran.rejects[0].text == '{"id":2,"name":"x"}'


def test_values_within_json_become_columns() -> None:
    document = """
      - type: add_columns
        columns:
          - {name: user, src: "$.payload.user.id", type: long}
          - {name: last, src: "$.payload.list[-1]", type: string, default: none}
          - {name: sub, src: "$['payload']['user']"}
    """
    rows = [(1, '{"user":{"id":7},"list":[1,"b"]}'), (2, None), (3, '{"user":{"id":"x"}}'), (4, "{")]
    ran = run(document, {"id": "long", "payload": "json"}, rows)
    assert [row[2:] for row in ran.tuples] == [(7, "b", '{"id":7}'), (None, "none", None)]
    assert ran.types["sub"] == "json"
    assert "user: 'x' is not a long" in ran.reasons[3]
    assert "payload: '{' is not JSON" in ran.reasons[4]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(-5, 5), st.none() | st.text(max_size=3)), max_size=6))
def test_adding_columns_and_dropping_them_changes_nothing(rows: list[tuple[Any, ...]]) -> None:
    document = """
      - {type: add_columns, columns: [{name: x, src: a}, {name: y, type: json, default: {k: 1}}]}
      - {type: drop_columns, columns: [{name: x}, {name: y}]}
    """
    ran = run(document, {"a": "long", "b": "string"}, rows)
    assert ran.tuples == rows
    assert ran.names == ["a", "b"]
