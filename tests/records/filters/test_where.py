"""where: conditions over rows, with SQL's three truth values."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.filters.predicate import parse
from chalicelib.records.filters.rows import batch_of
from tests.records.filters.running import columns, page, refusal, run

TYPES = {"n": "long", "x": "double", "s": "string", "b": "boolean"}
ROWS: list[tuple[Any, ...]] = [
    (1, 1.5, "abc", True),
    (2, 2.0, "a%c", False),
    (3, None, None, None),
    (None, -1.0, "", True),
]


def stays(condition: str) -> list[int]:
    """The places of the rows that stay, from 1."""
    ran = run([{"type": "where", "condition": condition}], TYPES, ROWS, counted=True)
    return [number for each in ran.pages for number in each.records.to_pylist()]


@pytest.mark.parametrize(
    "condition, places",
    [
        ("n = 1", [1]),
        ("1 = n", [1]),
        ("n <> 1", [2, 3]),
        ("n != 1", [2, 3]),
        ("2 <= n", [2, 3]),
        ("n < 1.5", [1]),
        ("n <= 1.5", [1]),
        ("n > 1.5", [2, 3]),
        ("n >= -1.5", [1, 2, 3]),
        ("n = 1.5", []),
        ("n <> 1.5", [1, 2, 3]),
        ("n < 1e30", [1, 2, 3]),
        ("n > 1e30", []),
        ("n < 1e99999999999999999999", [1, 2, 3]),
        ("n > 1e-99999999999999999999", [1, 2, 3]),
        ("n > -9223372036854775809", [1, 2, 3]),
        ("n in (1, 3, 7.5)", [1, 3]),
        ("n not in (1, 3)", [2]),
        ("s in ('abc', '')", [1, 4]),
        ("s not in ('abc')", [2, 4]),
        ("n is null", [4]),
        ("n is not null", [1, 2, 3]),
        ("n between 2 and 3", [2, 3]),
        ("n not between 2 and 3", [1]),
        ("x between n and 2", [1, 2]),
        ("s like 'a%'", [1, 2]),
        ("s like 'a\\%c'", [2]),
        ("s like '_b_'", [1]),
        ("s not like 'a%'", [4]),
        ("s matches '^a[b%]'", [1, 2]),
        ("s matches 'B'", []),
        ("s matches '(?i)B'", [1]),
        ("s not matches 'b'", [2, 4]),
        ("b", [1, 4]),
        ("not b", [2]),
        ("b = true", [1, 4]),
        ("b <> TRUE", [2]),
        ("true", [1, 2, 3, 4]),
        ("false or n = 1", [1]),
        ("n = x", [2]),
        ("n < x", [1]),
        ("s = 'it''s'", []),
        ('"n" = 1', [1]),
        ("n = 1 or n = 2 and b", [1]),
        ("(n = 1 or n = 2) and not b", [2]),
        ("NOT (n = 1) AND x IS NULL", [3]),
        ("x > 1 or n > 0", [1, 2, 3]),
    ],
)
def test_a_row_stays_if_the_condition_is_true(condition: str, places: list[int]) -> None:
    assert stays(condition) == places


@pytest.mark.parametrize(
    "kind, values, condition, places",
    [
        ("timestamp", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)], "a > '2026-01-01'", [2]),
        ("timestamp", [datetime(2026, 1, 1, tzinfo=UTC)], "a = timestamp '2026-01-01T09:00:00+09:00'", [1]),
        ("timestamp", [datetime(2026, 1, 1, tzinfo=UTC)], "a in (date '2026-01-01')", [1]),
        ("date", [date(2026, 1, 1), date(2026, 1, 2)], "a >= date '2026-01-02'", [2]),
        ("time", [time(1), time(2)], "a < time '01:30:00'", [1]),
        ("decimal(5,2)", [Decimal("1.10"), Decimal("1.20")], "a > 1.105", [2]),
        ("decimal(5,2)", [Decimal("1.10"), Decimal("1.20")], "a in (1.1, 1.105)", [1]),
        ("decimal(5,2)", [Decimal("1.10"), Decimal("1.20")], "a < 1000000", [1, 2]),
        ("json", ['{"a":1}', "[]"], "a = '[]'", [2]),
        ("long", [1 << 53, (1 << 53) + 1], "a = 9007199254740993", [2]),
        ("long", [1 << 53, (1 << 53) + 1], "a > 9007199254740992.5", [2]),
        ("string", ["x\ny", "xy"], "a like 'x%y'", [1, 2]),
    ],
)
def test_every_type_is_compared_exactly(kind: str, values: list[Any], condition: str, places: list[int]) -> None:
    ran = run([{"type": "where", "condition": condition}], {"a": kind}, [(v,) for v in values], counted=True)
    assert [number for each in ran.pages for number in each.records.to_pylist()] == places


@pytest.mark.parametrize(
    "left, right, values, truth",
    [
        ("long", "double", ((1 << 53) + 1, float(1 << 53)), True),
        ("long", "decimal(5,2)", (1, Decimal("1.00")), True),
        ("decimal(5,2)", "decimal(9,4)", (Decimal("1.10"), Decimal("1.1000")), True),
        ("decimal(38,0)", "decimal(38,38)", (Decimal(1), Decimal("0.5")), False),
        ("date", "timestamp", (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)), True),
        ("string", "json", ("[]", "[]"), True),
    ],
)
def test_columns_of_kindred_types_are_compared(left: str, right: str, values: tuple[Any, ...], truth: bool) -> None:
    ran = run("[{type: where, condition: a = b}]", {"a": left, "b": right}, [values])
    assert len(ran.rows) == truth


@pytest.mark.parametrize(
    "condition, words",
    [
        ("nn = 1", "no column nn (did you mean n?)"),
        ("s = 1", "s is a string and cannot be compared with the number 1"),
        ("n = '1'", "n is a long and cannot be compared with the text 1"),
        ("n in (1, 'a')", "n is a long and cannot be compared with the text a"),
        ("b > true", "> is not for booleans"),
        ("n", "n is a long; compare it with something"),
        ("n like 'a'", "n is a long, and like is for text"),
        ("n = s", "n is a long and s a string"),
        ("1 = 2", "two values"),
        ("'x'", "alone is no condition"),
        ("at > 'yesterday'", "at: 'yesterday' is not a timestamp"),
        ("1 is null", "a column is needed here"),
    ],
)
def test_what_cannot_be_compared_is_refused(condition: str, words: str) -> None:
    error = refusal([{"type": "where", "condition": condition}], TYPES | {"at": "timestamp"})
    assert words in error.what
    assert error.where == "filters.0 (where)"


@pytest.mark.parametrize(
    "condition, words",
    [
        ("a =", "a column or a value is needed at character 4, where it ends"),
        ("a == 1", "at character 4, where '=' stands there"),
        ("a = null", "of NULL say: is null"),
        ("a ? 1", "'? 1' cannot be understood, at character 3"),
        ("a = 'x", '"\'x" cannot be understood, at character 5'),
        ("a in ()", "is needed at character 7"),
        ("a in (b)", "is needed at character 7, where 'b' stands there"),
        ("a = 1 b = 2", "and, or, or the end is needed at character 7"),
        ("(a = 1", "')' is needed at character 7, where it ends"),
        ("a matches '('", "is not an RE2 pattern"),
        ("a like b", "a 'text' is needed"),
        ("a not = 1", "in, between, like or matches is needed"),
        ("(" * 1000 + "a" + ")" * 1000, "deeper than 50"),
        ("not " * 1000 + "a", "deeper than 50"),
        ("1x = 1", "cannot be understood, at character 1"),
    ],
)
def test_a_condition_that_cannot_be_understood_says_where(condition: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(condition)


NUMBERS = st.sampled_from(["-1", "0", "1", "1.5", "2"])
COMPARISONS = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from("nm"),
        st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
        NUMBERS | st.just("n"),
    ),
    st.builds("{} is {}null".format, st.sampled_from("nms"), st.sampled_from(["", "not "])),
    st.builds("{} {}in ({}, {})".format, st.sampled_from("nm"), st.sampled_from(["", "not "]), NUMBERS, NUMBERS),
    st.builds("m {}between {} and n".format, st.sampled_from(["", "not "]), NUMBERS),
    st.builds("s {}like '{}'".format, st.sampled_from(["", "not "]), st.text("ab%_", max_size=3)),
    st.builds("s {} '{}'".format, st.sampled_from(["=", "<", ">="]), st.text("ab", max_size=2)),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("{} and {} or {}".format, inner, inner, inner),
    ).map("({})".format),
    max_leaves=6,
)
LONGS = st.none() | st.integers(-2, 3)


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@settings(max_examples=100, deadline=None)
@given(
    condition=CONDITIONS,
    rows=st.lists(st.tuples(LONGS, LONGS, st.none() | st.text("ab", max_size=3)), max_size=8),
)
def test_rows_stay_as_in_a_database(database: Any, condition: str, rows: list[tuple[Any, ...]]) -> None:
    types = {"n": "long", "m": "long", "s": "string"}
    given_columns = columns(**types)
    table = pa.Table.from_batches([batch_of(given_columns, page(given_columns, rows).batch.columns)])
    database.register("given", table)
    expected = database.execute(f"select n, m, s from given where {condition}").fetchall()
    ran = run([{"type": "where", "condition": condition}], types, rows)
    assert ran.tuples == expected
