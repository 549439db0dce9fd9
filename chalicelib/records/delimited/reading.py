"""Reading: how the blocks of one delimited object become pages.

Each block is first given to Arrow with the types already set. If Arrow refuses a value, the block is read again with
that column as text, which is then converted with its misfits set aside: a bad value in every 5,000 rows makes a load
a half longer, not four times as long. If Arrow refuses anything else, the block is cut into small pieces, and those
that it refuses again are read as text, column by column. All ways share one reading of records and fields
(records.delimited.dialect and canonical) and of values (records.types.values), so the rows are the same.

NULL: without null strings, an unquoted empty field; a quoted "" is an empty string. With them, exactly these texts,
quoted or not. In a column that is no string an empty field is NULL in any case: what else could it be (E36).

With `shown` no value costs its row: what does not fit, and what no column takes, is rescued (records.rescue).
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import re2

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.parsers.csv import REST
from chalicelib.records.delimited.by_arrow import (
    Nulls,
    Types,
    as_one,
    decoded,
    misfit_in,
    no_text,
    raw_texts,
    typed_table,
)
from chalicelib.records.delimited.canonical import Plain, plain
from chalicelib.records.delimited.dialect import Dialect, Field, Record
from chalicelib.records.merging import MAX_REJECTS, merged, without_columns
from chalicelib.records.pages import Page, Reject
from chalicelib.records.rescue import FIELD, Rescued, text_fields
from chalicelib.records.text.blocks import Block, blocks
from chalicelib.records.text.lookahead import Lookahead
from chalicelib.records.types.schema import NAIVE, arrow_schema, arrow_type
from chalicelib.records.types.values import arrow_reads, in_calendar, looks_zoned, typed

_ZONE_RECORDS = 1000  # of the first block, that show whether timestamps carry a zone; a wrong guess costs time only
_MISFITS = 3  # columns that are found to have misfits in one block; each costs another reading of it
_MANY_ROWS = 1 << 16  # that would be too many misfits to hold, if all of them were
_HUGE_HEX = re2.compile(rb"0[xX][89a-fA-F][0-9a-fA-F]{15}")


@dataclass(frozen=True)
class Texts:
    """The values of some records as bytes, and what became of the other records."""

    columns: dict[str, pa.BinaryArray]
    numbers: Sequence[int]  # of each row its record's place, from 0
    reasons: dict[int, str]  # by record: why it is no row
    rest: dict[int, list[Field]]  # by row: values beyond the last field


@dataclass(frozen=True)
class Reading:
    """What every block of one object is read with."""

    dialect: Dialect
    null_strings: Nulls
    names: tuple[str, ...]  # the object's fields, by position; all different
    columns: tuple[Column, ...]  # wanted; those that are no field of the object are NULL
    zoned: frozenset[str] = frozenset()  # timestamp columns whose values carry a zone, which Arrow wants to know before
    optional: bool = False  # records may lack trailing fields
    extra: bool | Literal["capture"] = False  # records may have more fields
    quoted_limit: int = 1 << 17  # bytes of a quoted value
    shown: tuple[str, ...] | None = None  # the fields' names in the object, if what no column takes is to be rescued
    replaces: bool = False  # bytes that are no text become U+FFFD
    transcoded: bool = False  # the stream's offsets are not the object's
    piece: int = 1 << 17  # bytes that are read the slow way at once: bounds the rejects that live at the same time
    doubtful: set[str] = field(default_factory=set, compare=False)  # columns that had misfits: read as texts from then

    def pages(self, block: Block) -> Iterator[Page]:
        """The block's rows and rejects in order: one page, or several if it has very many rejects."""
        return merged(self._parts(block))

    @property
    def empty(self) -> Page:
        """A page without rows."""
        return Page(self._batch({}, 0), ())

    def texts(self, block: Block) -> Texts:
        """All fields of the records that have as many as they may, as bytes."""
        uneven: dict[int, int] = {}
        columns = raw_texts(self._plain(block.data), self.names, self.null_strings, uneven)
        rows = len(columns[self.names[0]])
        if not uneven:
            return Texts(columns, range(rows), {}, {})
        accepted = {number for number, found in uneven.items() if self._accepts(found)}
        reasons = {number: self._miscount(found) for number, found in uneven.items() if number not in accepted}
        numbers = [number for number in range(rows + len(uneven)) if number not in uneven]
        even = Texts(columns, numbers, reasons, {})
        return self._with_uneven(even, block, accepted) if accepted else even

    def without_nulls(self, values: pa.StringArray, kind: ColumnType) -> pa.StringArray:
        """The texts with NULL for what means NULL in a column of this type and is not NULL yet."""
        nulls = self.null_strings or ()
        if kind is not ColumnType.STRING:
            nulls = (*nulls, "")
        if not nulls:
            return values
        return pc.if_else(pc.is_in(values, pa.array(nulls, pa.string())), pa.scalar(None, pa.string()), values)

    def with_zones(self, block: Block) -> "Reading":
        """The same, knowing which timestamp columns' first values in this block have a zone."""
        missing = {column.name: self.names.index(column.name) for column in self._present if _is_moment(column)}
        zoned = set()
        for record in islice(self.dialect.records(block.data, 1), _ZONE_RECORDS if missing else 0):
            fields = self.dialect.fields(record.raw)
            for name, position in tuple(missing.items()):
                value = fields[position].text.decode("latin-1") if position < len(fields) else ""
                if value and value not in (self.null_strings or ()):
                    del missing[name]
                    if looks_zoned(value):
                        zoned.add(name)
            if not missing:
                break
        return replace(self, zoned=frozenset(zoned))

    def at_once(self, block: Block) -> Page | None:
        """The page as Arrow reads it; None if there is anything that Arrow cannot read, or not as we mean it.

        Columns in which it found misfits are read as texts, so that only the bad values are looked at one by one.
        """
        data, texts = block.data, frozenset(self.doubtful)
        table = self._table(self._plain(data), texts)
        if table is None or (table.num_rows > _MANY_ROWS and self.doubtful):
            return None
        arrays = {column.name: as_one(table[column.name]) for column in self._present}
        if _maybe_wrapped(arrays, data) or not in_calendar(arrays.values()):
            return None
        misfits: dict[int, list[str]] = defaultdict(list)
        rescued = Rescued()
        for column in self._present:
            array = self._settled(arrays[column.name], column, data, misfits, rescued)
            if array is None or len(misfits) > MAX_REJECTS:
                return None
            arrays[column.name] = array
        return self._page(block, Texts({}, range(table.num_rows), {}, {}), arrays, misfits, rescued)

    def _table(self, data: Plain, texts: frozenset[str]) -> pa.Table | None:
        """The columns in their types, but those of `texts` and others that have misfits as strings."""
        for _ in range(_MISFITS + 1):
            try:
                return typed_table(data, self.names, self._types(texts), self.null_strings)
            except pa.ArrowInvalid as error:
                name = misfit_in(error, self.names)
                if name is None or name in texts:
                    return None
                self.doubtful.add(name)
                texts |= {name}
        return None

    def _parts(self, block: Block) -> Iterator[Page]:
        page = self._as_wide_as(block.data).at_once(block)
        if page is not None:
            yield page
        elif len(block.data) <= self.piece:
            yield self.one_by_one(block)
        else:
            yield from map(self._part, self._pieces(block))
        if block.tail:
            yield self._unclosed(block)

    def _part(self, piece: Block) -> Page:
        page = self._as_wide_as(piece.data).at_once(piece)
        return page if page is not None else self.one_by_one(piece)

    def _pieces(self, block: Block) -> Iterator[Block]:
        dialect = self.dialect
        return blocks(
            Lookahead(io.BytesIO(block.data)),
            dialect.boundary,
            line=block.line,
            offset=block.offset,
            size=self.piece,
            ends=dialect.line_ends,
            terminator=dialect.terminator,
        )

    def _unclosed(self, block: Block) -> Page:
        where = Record(
            block.line + self.dialect.line_ends(block.data),
            block.offset + len(block.data),
            block.tail.rstrip(b"\r\n"),
        )
        return Page(self.empty.batch, (self._reject(0, "a quote is never closed", where),))

    def _plain(self, data: bytes) -> Plain:
        return plain(self.dialect, self._clean(data), fields=len(self.names), empty_is_null=self.null_strings is None)

    def _clean(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode() if self.replaces and not _is_text(data) else data

    @cached_property
    def _present(self) -> tuple[Column, ...]:
        there = frozenset(self.names)
        return (*(column for column in self.columns if column.name in there), *self._left)

    @cached_property
    def _left(self) -> tuple[Column, ...]:
        """The fields that no column takes, if they are to be rescued."""
        taken = {column.name for column in self.columns}
        named = zip(self.names, self.shown or (), strict=False)  # some records have more fields or fewer
        return tuple(Column(name=name, type=ColumnType.STRING) for name, _ in named if name not in taken)

    def _shown(self, name: str) -> str:
        return self.shown[self.names.index(name)] if self.shown else name

    def _types(self, texts: frozenset[str]) -> Types:
        present = self._present
        types = tuple((each.name, pa.string() if each.name in texts else self._arrow_type(each)) for each in present)
        return types or ((self.names[0], pa.binary()),)  # rows are counted even if no column is known

    def _arrow_type(self, column: Column) -> pa.DataType:
        if column.name in self.zoned:
            return arrow_type(column)
        if not arrow_reads(column):
            return pa.string()
        return NAIVE if column.type is ColumnType.TIMESTAMP else arrow_type(column)

    def _as_wide_as(self, data: bytes) -> "Reading":
        """The reading for a block whose records all have as many fields as its first, if that may be."""
        if not self.optional and self.extra is not True:
            return self
        first = next(self.dialect.records(data, 1), None)
        found = len(self.names) if first is None else len(self.dialect.fields(first.raw))
        if found == len(self.names) or not (self.optional if found < len(self.names) else self.extra is True):
            return self
        more: tuple[str, ...] = ()
        for position in range(len(self.names), found):
            name = f"\0{position}"
            while name in self.names:
                name = "\0" + name
            more += (name,)
        return replace(self, names=(*self.names[:found], *more))

    def _settled(
        self, array: pa.Array, column: Column, data: bytes, misfits: dict[int, list[str]], rescued: Rescued
    ) -> pa.Array | None:
        """A column as Arrow read it, brought to its type; None if the slow way has to say what is too long."""
        if pa.types.is_timestamp(array.type):
            return array.cast(arrow_type(column))
        if not pa.types.is_string(array.type):
            return array
        if self._is_limited(column, data) and _longest(array) > self.quoted_limit:
            return None
        if column.type is ColumnType.STRING and self.null_strings is None:
            return array
        return self._converted(array, column, misfits, rescued)

    def _converted(
        self, texts: pa.StringArray, column: Column, misfits: dict[int, list[str]], rescued: Rescued
    ) -> pa.Array:
        result = typed(self.without_nulls(texts, column.type), column)
        for row, why in result.bad.items():
            if self.shown is None:
                misfits[row].append(why)
            else:
                rescued.put(row, (self._shown(column.name),), texts[row].as_py())
        return result.array

    def _is_limited(self, column: Column, data: bytes) -> bool:
        """True if quoted values of this column may be too long; numbers, as Arrow reads them, have no limit."""
        return pa.types.is_string(self._arrow_type(column)) and self._may_be_too_long(data)

    def _may_be_too_long(self, data: bytes) -> bool:
        return len(data) > self.quoted_limit and self.dialect.quote is not None and self.dialect.quote in data

    def one_by_one(self, block: Block) -> Page:
        """The slow way: every field as text, then column by column."""
        found = self.texts(block)
        misfits: dict[int, list[str]] = defaultdict(list)
        rescued = Rescued()
        arrays = {column.name: self._column(found, column, block, misfits, rescued) for column in self._present}
        if self._captures:
            arrays[REST] = self._rest(found, misfits)
        elif self.extra == "capture" and self.shown is not None:
            rescued.put_json(REST, self._rest(found, misfits))
        return self._page(block, found, arrays, misfits, rescued)

    def _page(
        self,
        block: Block,
        found: Texts,
        arrays: dict[str, pa.Array],
        misfits: dict[int, list[str]],
        rescued: Rescued,
    ) -> Page:
        """The found rows, of which those with misfits are rejects."""
        batch = self._batch(arrays, len(found.numbers), rescued)
        if misfits:
            bad = pa.array(list(misfits), pa.int64())
            batch = batch.filter(pc.invert(pc.is_in(pa.arange(0, batch.num_rows), bad)))
        reasons = found.reasons | {found.numbers[row]: "; ".join(whys) for row, whys in misfits.items()}
        return Page(batch, self._rejects(block, reasons))

    def _column(
        self, found: Texts, column: Column, block: Block, misfits: dict[int, list[str]], rescued: Rescued
    ) -> pa.Array:
        values, broken = decoded(found.columns[column.name], column.name)
        if self._is_limited(column, block.data):
            broken |= self._too_long(found, column.name, values, block)
        if broken:
            good = pa.array([row not in broken for row in range(len(values))])
            values = pc.if_else(good, values, pa.scalar(None, pa.string()))
        for row, why in broken.items():
            misfits[row].append(why)
        return self._converted(values, column, misfits, rescued)

    def _too_long(self, found: Texts, name: str, values: pa.StringArray, block: Block) -> dict[int, str]:
        """The rows whose quoted value in this column is above the limit, and why."""
        if _longest(values) <= self.quoted_limit:
            return {}
        rows = pc.indices_nonzero(pc.greater(pc.binary_length(values), self.quoted_limit)).to_pylist()
        records = list(self.dialect.records(block.data, block.line))
        position = self.names.index(name)
        quoted = [row for row in rows if self.dialect.fields(records[found.numbers[row]].raw)[position].quoted]
        why = f"{name}: a quoted value of more than {self.quoted_limit} bytes, which max_quoted_size_limit allows"
        return dict.fromkeys(quoted, why)

    def _rest(self, found: Texts, misfits: dict[int, list[str]]) -> pa.StringArray:
        rest: list[str | None] = [None] * len(found.numbers)
        for row, fields in found.rest.items():
            try:
                rest[row] = orjson.dumps([self._text_or_null(field) for field in fields]).decode()
            except UnicodeDecodeError:
                misfits[row].append(no_text(REST))
        return pa.array(rest, pa.string())

    def _text_or_null(self, field: Field) -> str | None:
        text = field.text.decode()
        if self.null_strings is None:
            return None if not text and not field.quoted else text
        return None if text in self.null_strings else text

    def _with_uneven(self, even: Texts, block: Block, accepted: set[int]) -> Texts:
        """The rows again, with those of the accepted records between them: what lacks is NULL, what is more is rest."""
        width = len(self.names)
        records = {n: record for n, record in enumerate(self.dialect.records(block.data, 1)) if n in accepted}
        fields = [self.dialect.fields(self._clean(record.raw)) for record in records.values()]
        numbers = [*even.numbers, *records]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        columns = {}
        for position, name in enumerate(self.names):
            more = pa.array([self._bytes_or_null(row, position) for row in fields], pa.binary())
            columns[name] = pa.concat_arrays([even.columns[name], more]).take(pa.array(order, pa.int64()))
        place = {row: n for n, row in enumerate(order)}
        rest = {place[len(even.numbers) + n]: row[width:] for n, row in enumerate(fields) if len(row) > width}
        return Texts(columns, [numbers[row] for row in order], even.reasons, rest)

    def _bytes_or_null(self, fields: list[Field], position: int) -> bytes | None:
        if position >= len(fields):
            return None
        text, quoted = fields[position]
        return None if not text and not quoted and self.null_strings is None else text

    @property
    def _captures(self) -> bool:
        return self.extra == "capture" and any(column.name == REST for column in self.columns)

    def _accepts(self, found: int) -> bool:
        return self.optional if found < len(self.names) else bool(self.extra)

    def _miscount(self, found: int) -> str:
        return f"{found} field{'' if found == 1 else 's'}, {len(self.names)} expected"

    def _rejects(self, block: Block, reasons: dict[int, str]) -> tuple[Reject, ...]:
        if not reasons:
            return ()
        records = self.dialect.chosen(block.data, reasons, block.line, block.offset)
        return tuple(self._reject(number, reasons[number], record) for number, record in records)

    def _reject(self, number: int, reason: str, record: Record) -> Reject:
        raw = _as_it_was(record.raw) if self.transcoded else record.raw
        return Reject.of(number, reason, raw, line=record.line, offset=None if self.transcoded else record.offset)

    def _batch(self, arrays: dict[str, pa.Array], rows: int, rescued: Rescued | None = None) -> pa.RecordBatch:
        made = [arrays[c.name] if c.name in arrays else pa.nulls(rows, arrow_type(c)) for c in self.columns]
        schema = arrow_schema(self.columns)
        if self.shown is not None:
            rescued = rescued or Rescued()
            for row, path, text in text_fields((self._shown(c.name), arrays[c.name]) for c in self._left if arrays):
                rescued.put(row, path, text)
            made, schema = [*made, rescued.column(rows)], schema.append(FIELD)
        return pa.RecordBatch.from_arrays(made, schema=schema) if made else without_columns(rows)


def _is_moment(column: Column) -> bool:
    return column.type is ColumnType.TIMESTAMP and column.format in (None, "iso8601")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_it_was(raw: bytes) -> bytes:
    """A bad byte of another charset, which records.text.charset made a lone surrogate, as itself."""
    try:
        return raw.decode("utf-8", "surrogatepass").encode("utf-8", "surrogateescape")
    except UnicodeError:
        return raw


def _longest(values: pa.StringArray) -> int:
    return pc.max(pc.binary_length(values)).as_py() or 0


def _maybe_wrapped(arrays: dict[str, pa.Array], data: bytes) -> bool:
    """True if a negative long may be one of those that Arrow makes of 0x8000000000000000 and above."""
    if b"x" not in data and b"X" not in data:
        return False
    longs = [array for array in arrays.values() if pa.types.is_int64(array.type)]
    lowest = pc.min(pa.chunked_array(longs, pa.int64())).as_py()
    return lowest is not None and lowest < 0 and _HUGE_HEX.search(data) is not None
