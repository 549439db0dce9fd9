"""Which partition each row belongs to: hour, day or month of its time column, and the values of further columns.

An Iceberg table has hidden partitions wherever its own transforms can say them: by timestamps in UTC, and by dates.
For longs, and for the hours, days and months of other time zones, they cannot: a column `<time_column>_<transform>`
is added to the rows then, and the table is partitioned by its value. That is the local date, or the first of its
month; for hours the instant at which the local hour began, so that the hour which a clock shows twice, as summer
time ends, is two hours.

A Parquet dataset has a folder `<time_column>_<transform>=<value>`, and one `<column>=<value>` for each further
column, which stays in the files as well. Hours of other zones carry their offset: `2026-10-25-02+0200`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import UNFIT, Iceberg, Parquet, Transform
from chalicelib.destinations.moments import ahead, instants, is_utc, later, written
from chalicelib.destinations.paths import NULL, SEGMENT, escaped, partition_field
from chalicelib.destinations.timecolumn import appended
from chalicelib.errors import PipelineMismatch

_LABELS = {Transform.HOUR: "%Y-%m-%d-%H", Transform.DAY: "%Y-%m-%d", Transform.MONTH: "%Y-%m"}
_NAIVE = pa.timestamp("us")
_TEXTS: Mapping[ColumnType, Callable[[object], str]] = {
    ColumnType.BOOLEAN: lambda value: str(value).lower(),
    ColumnType.LONG: str,
    ColumnType.STRING: str,
    ColumnType.DATE: str,
    ColumnType.DECIMAL: lambda value: format(value, "f"),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """Rows with the number of each one's partition, or the one number of them all."""

    batch: pa.RecordBatch
    columns: tuple[Column, ...]
    numbers: pa.Array | int

    @property
    def array(self) -> pa.Array:
        """The number of each row."""
        if isinstance(self.numbers, int):
            return pa.repeat(pa.scalar(self.numbers, pa.int32()), self.batch.num_rows)
        return self.numbers

    @property
    def used(self) -> frozenset[int]:
        """The partitions that have rows."""
        return frozenset({self.numbers} if isinstance(self.numbers, int) else self.numbers.unique().to_pylist())


@dataclass(frozen=True, slots=True)
class _Part:
    """What one column adds to the folder's name: for each row the index of a text."""

    indices: pa.Array
    texts: Sequence[str]


class Partitions:
    """The partitions of one attempt's rows, numbered as they appear; `folders` has the name of each.

    The destination's `time_column` is known: see destinations.timecolumn.
    """

    def __init__(self, out: Iceberg | Parquet, room: int) -> None:
        """`room`: the bytes that a folder's name may have, of the 1,024 of a key."""
        self.folders: list[str] = []
        self._out = out
        self._room = room
        self._numbers: dict[str, int] = {}

    def place(self, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> Placed:
        """The rows, with the derived column if the table needs one.

        Raises PipelineMismatch where the rows do not have what the partitions need: that object is set aside, the
        others go on (P6).
        """
        out = self._out
        parts: list[_Part] = []
        if out.transform is not Transform.NONE:
            batch, columns, parts = self._timed(batch, columns)
        for name in out.partition_by:
            parts.append(self._identity(batch, columns, name, first=not parts))
        return Placed(batch, columns, self._numbered(parts))

    def _numbered(self, parts: Sequence[_Part]) -> pa.Array | int:
        if not parts:
            return self._number("")
        indices, texts = parts[0].indices, list(parts[0].texts)
        for part in parts[1:]:
            count = len(part.texts)
            both = pc.add(pc.multiply(indices.cast(pa.int64()), count), part.indices.cast(pa.int64()))
            encoded = both.dictionary_encode()
            pairs = [divmod(code, count) for code in encoded.dictionary.to_pylist()]
            indices, texts = encoded.indices, [texts[left] + part.texts[right] for left, right in pairs]
        used = indices.unique().to_pylist()
        if len(used) == 1:
            return self._number(texts[used[0]])
        numbers = {index: self._number(texts[index]) for index in used}
        return pa.array([numbers.get(index, 0) for index in range(len(texts))], pa.int32()).take(indices)

    def _number(self, folder: str) -> int:
        number = self._numbers.get(folder)
        if number is None:
            self._check(folder)
            number = self._numbers[folder] = len(self.folders)
            self.folders.append(folder)
        return number

    def _check(self, folder: str) -> None:
        segments = [len(segment.encode()) for segment in folder.split("/")]
        if max(segments) > SEGMENT or sum(segments) + len(segments) > self._room:
            raise PipelineMismatch(
                f"a value is too long to name a partition: {folder[:100]}…",
                where=self._out.address,
                remedy=f"A folder's name has {SEGMENT} bytes. Take it out of partition_by, or shorten the values",
            )

    def _timed(
        self, batch: pa.RecordBatch, columns: tuple[Column, ...]
    ) -> tuple[pa.RecordBatch, tuple[Column, ...], list[_Part]]:
        out, field = self._out, partition_field(self._out)
        assert field is not None, "the time column is known"
        if field.lower() in (name.lower() for name in batch.schema.names):
            raise PipelineMismatch(
                f"the rows have a column {field!r}, which is the name of the partition",
                where=out.address,
                remedy="Rename that column, or choose another time_column or transform",
            )
        times = _times(batch, out)
        zoned = not is_utc(out.storage_timezone) and not _is_date(batch, out)
        offsets = ahead(times, out.storage_timezone) if zoned else None
        starts = pc.floor_temporal(times if offsets is None else later(times, offsets), unit=str(out.transform))
        encoded = _encoded(starts)
        labels = pc.strftime(encoded.dictionary, format=_LABELS[out.transform]).fill_null(NULL).to_pylist()
        parts = [_Part(encoded.indices, [f"{field}={label}" for label in labels])]
        if offsets is not None and out.transform is Transform.HOUR:
            parts.append(_offset_part(offsets))
        if isinstance(out, Iceberg) and not is_hidden(out, columns):
            batch, columns = appended(batch, columns, _derived(out, field), _values(out, starts, offsets))
        return batch, columns, parts

    def _identity(self, batch: pa.RecordBatch, columns: tuple[Column, ...], name: str, *, first: bool) -> _Part:
        kind = _identity_type(batch, columns, name, self._out.address)
        encoded = _encoded(batch.column(name))
        start = f"{'' if first else '/'}{escaped(name)}="
        empty = NULL if isinstance(self._out, Parquet) else ""  # Hive knows no empty text
        write = _TEXTS[kind]

        def text(value: object) -> str:
            return NULL if value is None else escaped(write(value)) or empty

        return _Part(encoded.indices, [start + text(value) for value in encoded.dictionary.to_pylist()])


def is_hidden(out: Iceberg | Parquet, columns: Sequence[Column]) -> bool:
    """True if Iceberg's own transforms say the time partition: by timestamps in UTC, and by dates."""
    kind = next((column.type for column in columns if column.name == out.time_column), ColumnType.TIMESTAMP)
    return kind is ColumnType.DATE or (kind is ColumnType.TIMESTAMP and is_utc(out.storage_timezone))


def _derived(out: Iceberg, field: str) -> Column:
    return Column(name=field, type=ColumnType.TIMESTAMP if out.transform is Transform.HOUR else ColumnType.DATE)


def _values(out: Iceberg, starts: pa.Array, offsets: pa.Array | None) -> pa.Array:
    if out.transform is not Transform.HOUR:
        return starts.cast(pa.date32())
    begun = starts if offsets is None else later(starts, pc.negate(offsets))
    return begun.cast(pa.timestamp("us", tz="UTC"))


def _times(batch: pa.RecordBatch, out: Iceberg | Parquet) -> pa.Array:
    """The time column as UTC without its name, so that no zone database is needed."""
    index = batch.schema.get_field_index(out.time_column)
    kind = batch.schema.field(index).type if index >= 0 else None
    if kind is not None and pa.types.is_int64(kind):
        return instants(batch.column(index), out.unix_timestamp_unit)
    if kind is not None and (
        pa.types.is_timestamp(kind) or (pa.types.is_date(kind) and out.transform is not Transform.HOUR)
    ):
        return batch.column(index).cast(_NAIVE)
    found = "is missing" if kind is None else f"is of type {kind}"
    either = "" if out.transform is Transform.HOUR else ", date"
    raise PipelineMismatch(
        f"the rows cannot be partitioned by {out.transform}: their column {out.time_column!r} {found}",
        where=out.address,
        remedy=f"Declare {out.time_column!r} as a timestamp{either} or long column in the parser, or choose another "
        "time_column" + (", or transform: day" if kind is not None and pa.types.is_date(kind) else ""),
    )


def _is_date(batch: pa.RecordBatch, out: Iceberg | Parquet) -> bool:
    """A date is a day everywhere: no time zone moves it."""
    return bool(pa.types.is_date(batch.schema.field(out.time_column).type))


def _identity_type(batch: pa.RecordBatch, columns: Sequence[Column], name: str, where: str) -> ColumnType:
    column = next((column for column in columns if column.name == name), None)
    if column is None and name in batch.schema.names and pa.types.is_string(batch.schema.field(name).type):
        return ColumnType.STRING  # an origin column
    if column is None:
        raise PipelineMismatch(
            f"the rows cannot be partitioned by {name!r}: they have no such column",
            where=where,
            remedy="Declare it in the parser's columns, or take it out of partition_by",
        )
    if column.type not in _TEXTS:
        raise PipelineMismatch(
            f"the rows cannot be partitioned by {name!r}, a {column.type}: {UNFIT[column.type]}",
            where=where,
            remedy="Partition by strings, longs, booleans, dates or decimals",
        )
    return column.type


def _offset_part(offsets: pa.Array) -> _Part:
    encoded = _encoded(offsets)
    texts = ["" if value is None else written(value) for value in encoded.dictionary.to_pylist()]
    return _Part(encoded.indices, texts)


def _encoded(values: pa.Array) -> pa.DictionaryArray:
    return pc.dictionary_encode(values, null_encoding="encode")
