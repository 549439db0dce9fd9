"""Conditions: a predicate made ready for batches with known columns."""

from collections.abc import Callable
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import ColumnType
from chalicelib.config.filters.predicate import (
    And,
    Compare,
    In,
    IsNull,
    Like,
    Literal,
    Matches,
    Name,
    Not,
    Operand,
    Or,
    Predicate,
    Truth,
)
from chalicelib.records.filters.comparisons import Test, between_columns, comparable, compared, literal_of
from chalicelib.records.filters.setting import Given
from chalicelib.records.types.schema import arrow_type

_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LISTED = (ColumnType.STRING, ColumnType.JSON, ColumnType.TIMESTAMP, ColumnType.DATE)


def condition(predicate: Predicate, given: Given) -> Callable[[pa.RecordBatch], pa.BooleanArray]:
    """True, false or NULL by row. Raises ConfigError for names and types that do not fit."""
    match predicate:
        case And(parts):
            return _joined(pc.and_kleene, [condition(part, given) for part in parts])
        case Or(parts):
            return _joined(pc.or_kleene, [condition(part, given) for part in parts])
        case Not(inner):
            test = condition(inner, given)
            return lambda batch: pc.invert(test(batch))
        case Compare(operator, left, right):
            return _comparison(operator, left, right, given)
        case IsNull(operand):
            index = _index(operand, given)
            return lambda batch: pc.is_null(batch.column(index))
        case In(operand, values):
            return _within(operand, values, given)
        case Like(operand, pattern):
            return _matching(operand, "like", lambda array: pc.match_like(array, pattern), given)
        case Matches(operand, pattern):
            return _matching(operand, "matches", lambda array: pc.match_substring_regex(array, pattern), given)
        case Truth(operand):
            return _truth(operand, given)


def _joined(kernel: Callable[[pa.Array, pa.Array], pa.Array], tests: list[Test]) -> Test:
    return lambda batch: reduce(kernel, (test(batch) for test in tests))


def _index(operand: Operand, given: Given) -> int:
    if isinstance(operand, Literal):
        raise given.error(f"{operand.text!r} is a value; a column is needed here")
    return given.index(operand.name)


def _comparison(operator: str, left: Operand, right: Operand, given: Given) -> Test:
    match left, right:
        case Literal(), Literal():
            raise given.error(f"{left.text!r} and {right.text!r} are two values; a column is needed on one side")
        case Literal(), Name():
            return _comparison(_FLIPPED[operator], right, left, given)
        case Name(), Literal():
            index = given.index(left.name)
            return compared(operator, index, given.columns[index], right, given)
        case Name(), Name():
            return between_columns(operator, given.index(left.name), given.index(right.name), given)
    raise AssertionError


def _within(operand: Operand, values: tuple[Literal, ...], given: Given) -> Test:
    index = _index(operand, given)
    column = given.columns[index]
    for value in values:
        comparable(column, value, given)
    if column.type not in _LISTED:
        return _joined(pc.or_kleene, [compared("=", index, column, value, given) for value in values])
    known = pa.array([literal_of(column, value, given).as_py() for value in values], arrow_type(column))

    def test(batch: pa.RecordBatch) -> pa.Array:
        array = batch.column(index)
        return pc.if_else(array.is_null(), pa.scalar(None, pa.bool_()), pc.is_in(array, known))

    return test


def _matching(operand: Operand, word: str, kernel: Callable[[pa.Array], pa.Array], given: Given) -> Test:
    index = _index(operand, given)
    column = given.columns[index]
    if column.type not in (ColumnType.STRING, ColumnType.JSON):
        raise given.error(f"{column.name} is a {column.type}, and {word} is for text")
    return lambda batch: kernel(batch.column(index))


def _truth(operand: Operand, given: Given) -> Test:
    if isinstance(operand, Name):
        index = given.index(operand.name)
        column = given.columns[index]
        if column.type is not ColumnType.BOOLEAN:
            raise given.error(f"{column.name} is a {column.type}; compare it with something")
        return lambda batch: batch.column(index)
    if operand.kind != "boolean":
        raise given.error(f"{operand.text!r} alone is no condition")
    return lambda batch: pa.repeat(pa.scalar(operand.text == "true"), batch.num_rows)
