"""Columns from Python's view of JSON records, one value at a time where it must be."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.jsontext.pointer import Path, at
from chalicelib.records.rescue import Rescued
from chalicelib.records.types.schema import arrow_type
from chalicelib.records.types.values import misfit, typed

TEXTUAL = frozenset(
    {ColumnType.TIMESTAMP, ColumnType.DATE, ColumnType.TIME, ColumnType.DECIMAL, ColumnType.BINARY}
)  # their values are made of text by records.types.values
_SAFE_DIGITS = 15  # a double gives back as many digits as were written

_PLAIN: dict[ColumnType, set[type]] = {
    **{kind: {str, type(None)} for kind in (ColumnType.STRING, *TEXTUAL)},
    ColumnType.BOOLEAN: {bool, type(None)},
    ColumnType.LONG: {int, type(None)},
    ColumnType.DOUBLE: {float, int, type(None)},
    ColumnType.JSON: {type(None)},
}


@dataclass(slots=True)
class Records:
    """JSON objects side by side."""

    raws: list[bytes] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    exact: set[int] = field(default_factory=set)  # indices of those read so that no number lost a digit
    misfits: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))  # why rows cannot be loaded
    rescued: Rescued | None = None  # takes what does not fit, so that it costs no row

    def add(self, raw: bytes, value: dict[str, Any], *, exact: bool) -> None:
        """One more record."""
        if exact:
            self.exact.add(len(self.values))
        self.raws.append(raw)
        self.values.append(value)

    def column(self, column: Column, root: Path, path: Path) -> pa.Array:
        """The column of what lies at this path in each record, which itself lies at `root` in its text.

        A row whose value does not fit is NULL there and noted in `misfits`, or rescued.
        """
        if len(path) == 1:
            values = [record.get(path[0]) for record in self.values]
        else:
            values = [at(record, path) for record in self.values]
        array = _of_one_kind(values, column)
        if array is None:
            array = self._one_by_one(values, column, root, path)
        if column.type not in TEXTUAL:
            return array
        result = typed(array, column)
        for row, why in result.bad.items():
            if self.rescued is None:
                self.misfits[row].append(why)
            else:
                self.rescue(row, path, values[row])
        return result.array

    def rescue(self, row: int, path: Path, value: Any) -> None:
        """Keep a value that no column takes; one that is too deep to be written costs its row."""
        assert self.rescued is not None
        try:
            self.rescued.put(row, path, rescuable(value, exact=row in self.exact))
        except (ValueError, RecursionError):
            self.misfits[row].append(f"{'.'.join(path)}: too many levels")

    def _one_by_one(self, values: Sequence[Any], column: Column, root: Path, path: Path) -> pa.Array:
        taken: list[Any] = []
        for row, value in enumerate(values):
            try:
                if value is not None and column.type in TEXTUAL:
                    taken.append(_written(value, column, self.raws[row], root + path))
                else:
                    taken.append(None if value is None else _taken(value, column.type, exact=row in self.exact))
            except (ValueError, OverflowError, RecursionError):
                taken.append(None)
                if self.rescued is None:
                    self.misfits[row].append(_why(column, value))
                else:
                    self.rescue(row, path, value)
        return pa.array(taken, _stored(column))


def is_epoch(column: Column) -> bool:
    """True if numbers make times of this column."""
    return column.format is not None and column.format.startswith("epoch_")


def _of_one_kind(values: list[Any], column: Column) -> pa.Array | None:
    """The column where every value is of its type, which is soon seen; None elsewhere."""
    if not set(map(type, values)) <= _PLAIN[column.type]:
        return None
    try:
        return pa.array(values, _stored(column))
    except (pa.ArrowInvalid, OverflowError):
        return None


def rescuable(value: Any, *, exact: bool) -> Any:
    """The value as records.rescue keeps it; NaN and Infinity, which JSON has no number for, as texts.

    Raises ValueError or RecursionError if it is too deep.
    """
    if isinstance(value, str):
        return value
    try:
        text = text_of(value, exact=exact)
    except ValueError:
        text = text_of(_without_nan(value), exact=exact)
    return orjson.Fragment(text)


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nan(inner) for key, inner in value.items()}
        case list():
            return [_without_nan(inner) for inner in value]
        case float() if value - value != 0:
            return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, "NaN")
    return value


def _why(column: Column, value: Any) -> str:
    try:
        return misfit(column, value)
    except RecursionError:
        return f"{column.name}: too many levels"


def _stored(column: Column) -> pa.DataType:
    return pa.string() if column.type in TEXTUAL else arrow_type(column)


def _written(value: Any, column: Column, raw: bytes, path: Path) -> str:
    """The value as text, a number in its own digits. Raises ValueError if it is of another type."""
    if isinstance(value, str):
        return value
    takes_numbers = column.type is ColumnType.DECIMAL or is_epoch(column)
    if type(value) not in (int, float) or not takes_numbers:
        raise ValueError(value)
    text = repr(value)
    if isinstance(value, float) and sum(map(str.isdigit, text)) > _SAFE_DIGITS:
        return str(at(json.loads(raw, parse_float=Decimal), path))
    return text


def _taken(value: Any, kind: ColumnType, *, exact: bool) -> Any:
    """The value as a column of this type stores it. Raises ValueError if it is of another type."""
    match kind, value:
        case ColumnType.JSON, _:
            return text_of(value, exact=exact)
        case (ColumnType.STRING, str()) | (ColumnType.BOOLEAN, bool()):
            return value
        case ColumnType.STRING, _:
            return text_of(value, exact=exact)
        case (ColumnType.LONG | ColumnType.DOUBLE, bool()):
            raise ValueError(value)
        case ColumnType.LONG, int() if -(1 << 63) <= value < 1 << 63:
            return value
        case ColumnType.DOUBLE, int() | float():
            return float(value)
    raise ValueError(value)


def text_of(value: Any, *, exact: bool) -> str:
    """Compact JSON text. Raises ValueError for NaN and Infinity, which JSON has no text for, and if it is too deep."""
    if not exact:
        try:
            return orjson.dumps(value).decode()
        except TypeError:  # more than 254 levels
            pass
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError(value) from None
