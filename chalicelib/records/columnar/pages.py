"""Batches as a format's own library gives them, made pages of the columns that were asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column
from chalicelib.core.places import COUNTED
from chalicelib.errors import ParseError
from chalicelib.records.columnar.casts import cast
from chalicelib.records.columnar.plain import column_of, plain
from chalicelib.records.columnar.texts import NO_JSON, texts, tokens
from chalicelib.records.merging import without_columns
from chalicelib.records.pages import Page, Reject
from chalicelib.records.rescue import Rescued, asked, beside
from chalicelib.records.types.schema import arrow_schema, arrow_type
from chalicelib.records.types.values import misfit


def inferred(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of these fields; raises ParseError if two fields share a name."""
    check_names(schema, schema.names)
    found = (column_of(each.name, each.type) for each in schema)
    return tuple(column for column in found if column is not None)


def check_names(schema: pa.Schema, names: list[str]) -> None:
    """Raises ParseError if more than one field has one of these names: which of them was meant?"""
    twice = sorted({name for name in names if len(schema.get_all_field_indices(name)) > 1})
    if twice:
        raise ParseError(
            f"more than one column is named {', '.join(twice)}",
            remedy="Have the object written with a name for each column, or declare columns without this one",
        )


def wanted(schema: pa.Schema, columns: tuple[Column, ...]) -> list[str]:
    """The names of the fields that these columns are read from; raises ParseError if one is there twice.

    Where what no column takes is to be rescued, they are all that there are.
    """
    columns, rescues = asked(columns)
    if rescues:
        check_names(schema, schema.names)
        return list(schema.names)
    names = list(dict.fromkeys(source(column)[0] for column in columns))
    check_names(schema, names)
    return [name for name in names if name in schema.names]


def source(column: Column) -> tuple[str, list[str]]:
    """The field that a column is read from, and the way into it (`src`, `element_at`)."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in (column.element_at or "").split("/")[1:]]
    if column.src is None and steps:
        return steps[0], steps[1:]
    return column.src or column.name, steps


def counted(pages: Iterable[Page]) -> Iterator[Page]:
    """The pages, between any two of which reading can go on if the records before are counted."""
    return (replace(page, begin=COUNTED, end=COUNTED) for page in pages)


def rows_after(batches: Iterable[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """The batches without so many rows at their start."""
    for batch in batches:
        if count < batch.num_rows:
            yield batch.slice(count) if count else batch
        count = max(0, count - batch.num_rows)


def page(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> Page:
    """The rows with exactly these columns; a field that is not there is NULL, a value that does not fit a reject."""
    if not columns:
        return Page(without_columns(batch.num_rows), ())
    columns, rescues = asked(columns)
    bad = _Bad(batch, Rescued() if rescues else None)
    made = without_columns(batch.num_rows)
    if columns:
        arrays = [_column(batch, column, bad) for column in columns]
        made = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(columns))
    if bad.rescued is not None:
        bad.keep_others({source(column)[0] for column in columns})
        return Page(beside(made, bad.rescued.column(batch.num_rows)), ())
    if not bad.whys:
        return Page(made, ())
    return Page(made.filter(pa.array([row not in bad.whys for row in range(batch.num_rows)])), bad.rejects())


@dataclass(slots=True)
class _Bad:
    """The rows of a batch that are set aside, or what is rescued of them."""

    batch: pa.RecordBatch
    rescued: Rescued | None
    whys: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, array: pa.Array, made: pa.Array, column: Column) -> None:
        """Remember the rows whose value was lost on the way."""
        if made.null_count == array.null_count:
            return
        for row in pc.indices_nonzero(pc.and_(array.is_valid(), made.is_null())).to_pylist():
            if self.rescued is None:
                self.whys[row].append(misfit(column, _shown(array[row : row + 1])))
            else:
                name, steps = source(column)
                self.rescued.put(row, (name, *steps), _rescuable(tokens(array[row : row + 1])[0], array, row))

    def keep_others(self, taken: set[str]) -> None:
        """Rescue the values of the fields that no column is read from."""
        assert self.rescued is not None
        for name, array in zip(self.batch.schema.names, self.batch.columns, strict=True):
            if name not in taken and array.null_count < len(array):
                written = tokens(array)
                for row in pc.indices_nonzero(array.is_valid()).to_pylist():
                    if written[row] != "null":  # as a text of JSON may be
                        self.rescued.put(row, (name,), _rescuable(written[row], array, row))

    def rejects(self) -> tuple[Reject, ...]:
        """In order, each with its row as JSON."""
        rows = sorted(self.whys)
        struct = pa.StructArray.from_arrays(self.batch.columns, self.batch.schema.names)
        written = tokens(struct.take(pa.array(rows, pa.int64())))
        return tuple(
            Reject.of(row, "; ".join(self.whys[row]), text.replace(NO_JSON, "").encode())
            for row, text in zip(rows, written, strict=True)
        )


def _column(batch: pa.RecordBatch, column: Column, bad: _Bad) -> pa.Array:
    name, steps = source(column)
    index = batch.schema.get_field_index(name)
    array = _reached(batch.column(index), steps) if index >= 0 else None
    if array is None:
        return pa.nulls(batch.num_rows, arrow_type(column))
    made = cast(array, column)
    bad.note(plain(array), made, column)
    return made


def _rescuable(token: str, array: pa.Array, row: int) -> Any:
    """A value's JSON as records.rescue keeps it; as a text what JSON cannot say."""
    return orjson.Fragment(token) if NO_JSON not in token else str(_shown(array[row : row + 1]))


def _reached(array: pa.Array, steps: list[str]) -> pa.Array | None:
    """What lies behind these steps through structs, maps and lists; NULL where there is nothing, None if nowhere."""
    for step in steps:
        array = plain(array)
        kind = array.type
        if pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
            array = array.flatten()[kind.get_field_index(step)]
        elif pa.types.is_map(kind) and pa.types.is_string(kind.key_type):
            array = pc.map_lookup(array, pa.scalar(step), "last")
        elif (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and step.isdecimal():
            there = pc.add(pc.cast(array.offsets[:-1], pa.int64()), int(step))
            known = pc.and_(array.is_valid(), pc.less(there, pc.cast(array.offsets[1:], pa.int64())))
            array = array.values.take(pc.if_else(known, there, pa.scalar(None, pa.int64())))
        else:
            return None
    return array


def _shown(value: pa.Array) -> object:
    """One value for a message."""
    value = plain(value)
    kind = value.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        number = value.view(pa.int64() if kind.bit_width == 64 else pa.int32())[0]
        return texts(value)[0].as_py() or f"{number} in {kind}"
    if pa.types.is_string(kind):
        value = value.cast(pa.binary())
    if pa.types.is_binary(value.type):
        raw = value[0].as_py()
        return raw.decode("utf-8", "backslashreplace") if pa.types.is_string(kind) else raw
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return value[0].as_py()
    return tokens(value)[0].replace(NO_JSON, "")
