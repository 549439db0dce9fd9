"""JSON Lines: one object a line (F69, F70).

Each block is first given to Arrow with the types already set. A block that Arrow refuses, and any block if a
column is of type json, is read line by line: a line that does not fit costs that line and no other (E39).

A string column takes every value: what is no string stands there as its JSON text. A json column holds compact
JSON text. In the other columns a value of another type rejects its row: a long takes no 1.0 and nothing beyond
64 bits, a boolean no text. Of keys that occur twice in one object the last wins. NaN and Infinity are doubles.
A key with null is the same as no key.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.formats import Json
from chalicelib.records.ahead import in_order
from chalicelib.records.blocks import BLOCK, Block, after_last_lf, blocks
from chalicelib.records.guess import guess
from chalicelib.records.lookahead import Lookahead
from chalicelib.records.pages import Page, Readable, Reject
from chalicelib.records.schema import ARROW, arrow_schema
from chalicelib.records.values import in_calendar, misfit, typed

_PIECE = 1 << 16  # bytes whose objects live at the same time: half as much CPU as with whole blocks
_INEXACT = rb"[0-9]{20}|NaN|Infinity"  # orjson makes floats of integers beyond 64 bits, and refuses NaN
_INEXACT_LINE = re.compile(_INEXACT)
_INEXACT_BLOCK = re2.compile(_INEXACT)

_STORED = {kind: pa.string() if kind is ColumnType.TIMESTAMP else ARROW[kind] for kind in ColumnType}
_PLAIN: dict[ColumnType, set[type]] = {
    ColumnType.BOOLEAN: {bool, type(None)},
    ColumnType.LONG: {int, type(None)},
    ColumnType.DOUBLE: {float, int, type(None)},
    ColumnType.STRING: {str, type(None)},
    ColumnType.TIMESTAMP: {str, type(None)},
    ColumnType.JSON: {type(None)},
}


class JsonRows:
    """The rows of one object of JSON Lines (records.pages.Rows).

    Without declared columns, a key that shows up only after the inferred start of the object rejects its row: losing
    the row where people see it is better than losing the value where nobody does.
    """

    def __init__(self, body: Readable, parser: Json, *, block: int = BLOCK) -> None:
        self._parser = parser
        self._body = Lookahead(body)
        self._block = block

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or the keys of the first block's objects, in the order of their first appearance.

        A key without any value in the whole object says nothing of its type, and is left to an object that does.
        """
        if self._parser.columns is not None:
            return self._parser.columns
        if self._first is None:
            return ()
        values: dict[str, list[Any]] = defaultdict(list)
        for record in _Lines.of(self._first).records:
            for key, value in record.items():
                values[key].append(value)
        whole = self._first.last
        return tuple(
            _guess(name, seen)
            for name, seen in values.items()
            if name and not (whole and all(value is None for value in seen))
        )

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        if self._first is None:
            return
        strict = self._parser.columns is None and not self._first.last  # infer has seen all of a small object
        reading = _Reading(columns, strict=strict)
        if self._first.last:
            pages = iter([reading.page(self._first)])
        else:
            pages = in_order(reading.page, chain([self._first], self._blocks))
        yield from (page for page in pages if page.batch.num_rows or page.rejects)

    @cached_property
    def _blocks(self) -> Iterator[Block]:
        self._body.skip_bom()
        return blocks(self._body, after_last_lf, size=self._block)

    @cached_property
    def _first(self) -> Block | None:
        return next(self._blocks, None)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a block that are not blank: those that are objects, side by side, and the others."""

    numbers: list[int]
    raws: list[bytes]
    records: list[dict[str, Any]]
    exact: set[int]  # indices of the records that were read so that no number lost a digit
    rejects: list[Reject]

    @classmethod
    def of(cls, block: Block) -> "_Lines":
        """Every line read on its own."""
        lines = cls([], [], [], set(), [])
        careful = _INEXACT_BLOCK.search(block.data) is not None
        for number, raw in enumerate(block.data.split(b"\n"), block.line):
            if raw and not raw.isspace():
                lines._add(number, raw, exact=careful and _INEXACT_LINE.search(raw) is not None)
        return lines

    def _add(self, number: int, raw: bytes, *, exact: bool) -> None:
        try:
            record = _exact(raw) if exact else orjson.loads(raw)
        except (ValueError, RecursionError) as error:
            self.rejects.append(Reject.of(number, f"no JSON: {error}", raw.strip()))
            return
        if not isinstance(record, dict):
            self.rejects.append(Reject.of(number, "no JSON object", raw.strip()))
            return
        if exact:
            self.exact.add(len(self.records))
        self.numbers.append(number)
        self.raws.append(raw)
        self.records.append(record)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What every block of one object is read with."""

    columns: tuple[Column, ...]
    strict: bool  # a key that is no column rejects its row

    def page(self, block: Block) -> Page:
        batch = None if any(c.type is ColumnType.JSON for c in self.columns) else self._at_once(block.data)
        return Page(batch, ()) if batch is not None else self._in_pieces(block)

    def _at_once(self, data: bytes) -> pa.RecordBatch | None:
        """The batch as Arrow reads it; None if there is anything that it cannot read, or not as we mean it."""
        schema = pa.schema([(c.name, pa.string() if c.format else ARROW[c.type]) for c in self.columns])
        try:
            data.decode()  # Arrow does not look whether strings are UTF-8
            table = arrow_json.read_json(
                pa.py_buffer(data),
                arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
                arrow_json.ParseOptions(
                    explicit_schema=schema, unexpected_field_behavior="error" if self.strict else "ignore"
                ),
            )
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        if table.num_rows != data.count(b"\n") and table.num_rows != sum(
            1 for line in data.split(b"\n") if line.strip()
        ):
            return None  # two objects on a line, or one on two
        arrays = [_settled(table[column.name].combine_chunks(), column) for column in self.columns]
        if any(array is None for array in arrays):
            return None
        return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(self.columns))

    def _in_pieces(self, block: Block) -> Page:
        pieces = blocks(Lookahead(io.BytesIO(block.data)), after_last_lf, line=block.line, size=_PIECE)
        pages = [self._line_by_line(piece) for piece in pieces]
        batch = pa.concat_batches([page.batch for page in pages])
        return Page(batch, tuple(chain.from_iterable(page.rejects for page in pages)))

    def _line_by_line(self, block: Block) -> Page:
        lines = _Lines.of(block)
        misfits: dict[int, list[str]] = defaultdict(list)
        if self.strict:
            self._find_unknown(lines.records, misfits)
        arrays = [_column(lines, column, misfits) for column in self.columns]
        batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(self.columns))
        rejects = lines.rejects
        if misfits:
            batch = batch.filter(pa.array([row not in misfits for row in range(len(lines.records))]))
            rejects += [
                Reject.of(lines.numbers[row], "; ".join(whys), lines.raws[row].strip()) for row, whys in misfits.items()
            ]
        return Page(batch, tuple(sorted(rejects, key=lambda reject: reject.line or 0)))

    def _find_unknown(self, records: list[dict[str, Any]], misfits: dict[int, list[str]]) -> None:
        known = {column.name for column in self.columns}
        for row, record in enumerate(records):
            if not known.issuperset(record):
                names = ", ".join(sorted(record.keys() - known))
                misfits[row].append(f"{names}: not among the columns; declare it in parser.columns to load it")


def _exact(raw: bytes) -> Any:
    value = json.loads(raw.decode(), parse_float=_finite)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text: UnicodeEncodeError
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is beyond a double")
    return value


def _settled(array: pa.Array, column: Column) -> pa.Array | None:
    if pa.types.is_timestamp(array.type):
        return array if in_calendar([array]) else None
    if column.type is ColumnType.DOUBLE and pc.any(pc.is_inf(array)).as_py():
        return None  # an integer of 400 digits, perhaps
    if column.format is None:
        return array
    result = typed(array, column)
    return None if result.bad else result.array


def _column(lines: _Lines, column: Column, misfits: dict[int, list[str]]) -> pa.Array:
    """One column; a row whose value does not fit is NULL there and noted in `misfits`."""
    values = [record.get(column.name) for record in lines.records]
    array = _of_one_kind(values, column.type)
    if array is None:
        array = _one_by_one(values, lines.exact, column, misfits)
    if column.type is not ColumnType.TIMESTAMP:
        return array
    result = typed(array, column)
    for row, why in result.bad.items():
        misfits[row].append(why)
    return result.array


def _of_one_kind(values: list[Any], kind: ColumnType) -> pa.Array | None:
    """The column where every value is of its type, which is soon seen; None elsewhere."""
    if not set(map(type, values)) <= _PLAIN[kind]:
        return None
    try:
        return pa.array(values, _STORED[kind])
    except (pa.ArrowInvalid, OverflowError):
        return None


def _one_by_one(values: list[Any], exact: set[int], column: Column, misfits: dict[int, list[str]]) -> pa.Array:
    taken: list[Any] = []
    for row, value in enumerate(values):
        try:
            taken.append(None if value is None else _taken(value, column.type, exact=row in exact))
        except (ValueError, OverflowError):
            taken.append(None)
            misfits[row].append(misfit(column, value))
    return pa.array(taken, _STORED[column.type])


def _taken(value: Any, kind: ColumnType, *, exact: bool) -> Any:
    """The value as a column of this type stores it. Raises ValueError if it is of another type."""
    match kind, value:
        case ColumnType.JSON, _:
            return _text(value, exact=exact)
        case (ColumnType.STRING | ColumnType.TIMESTAMP, str()) | (ColumnType.BOOLEAN, bool()):
            return value
        case ColumnType.STRING, _:
            return _text(value, exact=exact)
        case (ColumnType.LONG | ColumnType.DOUBLE, bool()):
            raise ValueError(value)
        case ColumnType.LONG, int() if -(1 << 63) <= value < 1 << 63:
            return value
        case ColumnType.DOUBLE, int() | float():
            return float(value)
    raise ValueError(value)


def _text(value: Any, *, exact: bool) -> str:
    """Compact JSON text. Raises ValueError for NaN and Infinity, which JSON has no text for."""
    if exact:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return orjson.dumps(value).decode()


def _guess(name: str, values: list[Any]) -> Column:
    """The column that these values fit; text that is ISO-8601 throughout is a timestamp."""
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {ColumnType.STRING}:
        column = guess(name, pa.array([value for value in values if isinstance(value, str)], pa.string()))
        return column if column.type is ColumnType.TIMESTAMP else Column(name=name, type=ColumnType.STRING)
    if ColumnType.JSON in kinds:
        return Column(name=name, type=ColumnType.JSON)
    if kinds == {ColumnType.LONG, ColumnType.DOUBLE}:
        return Column(name=name, type=ColumnType.DOUBLE)
    return Column(name=name, type=kinds.pop() if len(kinds) == 1 else ColumnType.STRING)


def _kind(value: Any) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int() if -(1 << 63) <= value < 1 << 63:
            return ColumnType.LONG
        case float():
            return ColumnType.DOUBLE
        case dict() | list():
            return ColumnType.JSON
    return ColumnType.STRING  # an integer beyond 64 bits too: its digits matter more than its arithmetic
