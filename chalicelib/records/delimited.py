"""Reading: how the blocks of one delimited object become pages.

Each block is first given to Arrow with the types already set. If Arrow refuses it, because of one bad value or
more, that block alone is read again as text, and each column is converted with its misfits set aside. Both ways
share one reading of quotes (records.dialect) and of values (records.values), so the rows are the same.

NULL: without null strings, an unquoted empty field; a quoted "" is an empty string. With them, exactly these texts,
quoted or not. In a column that is no string an empty field is NULL in any case: what else could it be (E36).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.blocks import Block, line_ends
from chalicelib.records.dialect import Dialect
from chalicelib.records.pages import Page, Reject
from chalicelib.records.schema import ARROW, arrow_schema
from chalicelib.records.values import FALSE, NAIVE, TRUE, in_calendar, typed

_CASES = (str.lower, str.upper, str.capitalize)
_HUGE_HEX = re2.compile(rb"0[xX][89a-fA-F][0-9a-fA-F]{15}")


@dataclass(frozen=True)
class Reading:
    """What every block of one object is read with."""

    dialect: Dialect
    null_strings: tuple[str, ...] | None  # None: not set
    names: tuple[str, ...]  # the object's fields, by position; all different
    columns: tuple[Column, ...]  # wanted; those that are no field of the object are NULL
    zoned: frozenset[str]  # timestamp columns whose values seem to carry a zone, which Arrow wants to know before

    def page(self, block: Block) -> Page:
        """The block's rows, and its rejects in their order."""
        data = self.dialect.without_escapes(block.data)
        batch = self._at_once(data)
        page = Page(batch, ()) if batch is not None else self._with_misfits(block, data)
        if not block.tail:
            return page
        line = block.line + line_ends(block.data)
        return Page(page.batch, (*page.rejects, Reject.of(line, "a quote is never closed", block.tail.rstrip(b"\r\n"))))

    def texts(self, data: bytes, skipped: dict[int, int] | None = None) -> pa.Table:
        """All fields of the records that have as many as they should, as bytes, by name.

        `skipped` takes the others: the number of the record, from 0, and of its fields.
        """

        def skip(row: arrow_csv.InvalidRow) -> str:
            if skipped is not None:
                skipped[row.number - 1] = row.actual_columns
            return "skip"

        try:
            data.decode()
        except UnicodeDecodeError:  # Arrow shows `skip` only rows that are UTF-8: let each byte be a character
            table = self._read(data.decode("latin-1").encode(), self._as_text, skip)
            return pa.table({name: _bytes_again(table[name]) for name in self.names})
        return self._read(data, self._as_text, skip)

    def without_nulls(self, texts: pa.StringArray, kind: ColumnType) -> pa.StringArray:
        """The texts with NULL for what means NULL in a column of this type and is not NULL yet."""
        nulls = self.null_strings or ()
        if kind is not ColumnType.STRING:
            nulls = (*nulls, "")
        if not nulls:
            return texts
        return pc.if_else(pc.is_in(texts, pa.array(nulls, pa.string())), pa.scalar(None, pa.string()), texts)

    @cached_property
    def _present(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.name in self.names)

    @cached_property
    def _as_typed(self) -> arrow_csv.ConvertOptions:
        return self._conversion({column.name: self._arrow_type(column) for column in self._present})

    @cached_property
    def _as_text(self) -> arrow_csv.ConvertOptions:
        return self._conversion(dict.fromkeys(self.names, pa.binary()))

    def _at_once(self, data: bytes) -> pa.RecordBatch | None:
        """The batch as Arrow reads it; None if there is anything that it cannot read, or not as we mean it."""
        try:
            table = self._read(data, self._as_typed if self._present else self._as_text, None)
        except pa.ArrowInvalid:
            return None
        arrays = {column.name: table[column.name].combine_chunks() for column in self._present}
        if _maybe_wrapped(arrays.values(), data) or not in_calendar(arrays.values()):
            return None
        for column in self._present:
            array = self._settled(arrays[column.name], column)
            if array is None:
                return None
            arrays[column.name] = array
        return self._batch(arrays, table.num_rows)

    def _arrow_type(self, column: Column) -> pa.DataType:
        if column.type is ColumnType.TIMESTAMP and column.format is not None:
            return pa.string()
        if column.type is ColumnType.TIMESTAMP and column.name not in self.zoned:
            return NAIVE
        return ARROW[column.type]

    def _settled(self, array: pa.Array, column: Column) -> pa.Array | None:
        """A column as Arrow read it, brought to its type; None if a value does not fit."""
        if pa.types.is_timestamp(array.type):
            return array.cast(ARROW[column.type])
        if not pa.types.is_string(array.type):
            return array
        if column.type is ColumnType.STRING and self.null_strings is None:
            return array
        result = typed(self.without_nulls(array, column.type), column)
        return None if result.bad else result.array

    def _with_misfits(self, block: Block, data: bytes) -> Page:
        """The slow way: every field as text, then column by column."""
        counts: dict[int, int] = {}
        table = self.texts(data, counts)
        arrays, misfits = self._columns(table)
        reasons = {number: self._miscount(found) for number, found in counts.items()}
        if misfits:
            records = [number for number in islice(count(), table.num_rows + len(counts)) if number not in counts]
            reasons |= {records[row]: "; ".join(whys) for row, whys in misfits.items()}
        batch = self._batch(arrays, table.num_rows)
        if misfits:
            batch = batch.filter(pa.array([row not in misfits for row in range(table.num_rows)]))
        return Page(batch, self._rejects(block, reasons))

    def _miscount(self, found: int) -> str:
        return f"{found} field{'' if found == 1 else 's'}, {len(self.names)} expected"

    def _columns(self, table: pa.Table) -> tuple[dict[str, pa.Array], dict[int, list[str]]]:
        arrays: dict[str, pa.Array] = {}
        misfits: dict[int, list[str]] = defaultdict(list)
        for column in self._present:
            texts, broken = decoded_texts(table[column.name].combine_chunks(), column.name)
            result = typed(self.without_nulls(texts, column.type), column)
            arrays[column.name] = result.array
            for row, why in (broken | result.bad).items():
                misfits[row].append(why)
        return arrays, misfits

    def _rejects(self, block: Block, reasons: dict[int, str]) -> tuple[Reject, ...]:
        if not reasons:
            return ()
        records = islice(self.dialect.records(block.data, block.line), max(reasons) + 1)
        return tuple(
            Reject.of(line, reasons[number], raw) for number, (line, raw) in enumerate(records) if number in reasons
        )

    def _batch(self, arrays: dict[str, pa.Array], rows: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [arrays[c.name] if c.name in arrays else pa.nulls(rows, ARROW[c.type]) for c in self.columns],
            schema=arrow_schema(self.columns),
        )

    def _read(
        self,
        data: bytes,
        conversion: arrow_csv.ConvertOptions,
        on_bad_row: Callable[[arrow_csv.InvalidRow], str] | None,
    ) -> pa.Table:
        quote = self.dialect.quote
        return arrow_csv.read_csv(
            pa.py_buffer(data or b"\n"),  # Arrow refuses to read nothing
            arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self.names),
            arrow_csv.ParseOptions(
                delimiter=self.dialect.delimiter.decode(),
                quote_char=quote.decode() if quote else False,
                newlines_in_values=quote is not None and quote in data,
                invalid_row_handler=on_bad_row,
            ),
            conversion,
        )

    def _conversion(self, types: dict[str, pa.DataType]) -> arrow_csv.ConvertOptions:
        nulls = self.null_strings
        return arrow_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=["", *(nulls or ())],
            strings_can_be_null=nulls is None,
            quoted_strings_can_be_null=nulls is not None,
            true_values=_in_all_cases(TRUE),
            false_values=_in_all_cases(FALSE),
        )


def decoded_texts(raw: pa.Array, name: str) -> tuple[pa.StringArray, dict[int, str]]:
    """Bytes as texts; where they are not UTF-8, NULL and why."""
    try:
        return raw.cast(pa.string()), {}
    except pa.ArrowInvalid:
        texts, broken = [], {}
        for index, value in enumerate(raw.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                texts.append(None)
                broken[index] = f"{name}: the bytes are no text in the charset"
        return pa.array(texts, pa.string()), broken


def _bytes_again(characters: pa.ChunkedArray) -> pa.Array:
    values = (None if value is None else value.decode().encode("latin-1") for value in characters.to_pylist())
    return pa.array(list(values), pa.binary())


def _maybe_wrapped(arrays: Iterable[pa.Array], data: bytes) -> bool:
    """True if a negative long may be one of those that Arrow makes of 0x8000000000000000 and above."""
    if b"x" not in data and b"X" not in data:
        return False
    lowest = pc.min(pa.chunked_array([array for array in arrays if pa.types.is_int64(array.type)], pa.int64())).as_py()
    return lowest is not None and lowest < 0 and _HUGE_HEX.search(data) is not None


def _in_all_cases(words: Iterable[str]) -> list[str]:
    return [case(word) for word in words for case in _CASES]
