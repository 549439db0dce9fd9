"""Delimited text as Arrow reads it: with types set, or every value as its bytes."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from functools import lru_cache

import pyarrow as pa
import pyarrow.csv as arrow_csv

from chalicelib.records.delimited.canonical import Plain
from chalicelib.records.types.values import FALSE, TRUE

Types = tuple[tuple[str, pa.DataType], ...]
Nulls = tuple[str, ...] | None
"""The null strings; None: an unquoted empty value."""

_MISFIT = re.compile(r"In CSV column #([0-9]+): ")
_CASES = (str.lower, str.upper, str.capitalize)


def typed_table(data: Plain, names: tuple[str, ...], types: Types, nulls: Nulls) -> pa.Table:
    """The columns in `types`. Raises pa.ArrowInvalid if there is anything that does not fit."""
    return _read(data, names, _conversion(types, nulls), None)


def raw_texts(data: Plain, names: tuple[str, ...], nulls: Nulls, uneven: dict[int, int]) -> dict[str, pa.BinaryArray]:
    """The values, by name, of the records that have as many as there are names.

    `uneven` takes the others: the number of the record, from 0, and of its values.
    """

    def skip(row: arrow_csv.InvalidRow) -> str:
        uneven[row.number - 1] = row.actual_columns
        return "skip"

    conversion = _conversion(tuple((name, pa.binary()) for name in names), nulls)
    try:
        data.data.decode()
    except UnicodeDecodeError:  # Arrow shows `skip` only rows that are UTF-8: let each byte be a character
        characters = Plain(data.data.decode("latin-1").encode(), data.delimiter, data.quote, data.keeps_empty)
        table = _read(characters, names, conversion, skip)
        return {name: _bytes_again(table[name]) for name in names}
    table = _read(data, names, conversion, skip)
    return {name: as_one(table[name]) for name in names}


def as_one(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; Arrow would copy the only chunk there is, which takes a twentieth of a load."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def decoded(raw: pa.BinaryArray, name: str) -> tuple[pa.StringArray, dict[int, str]]:
    """Bytes as texts; where they are not UTF-8, NULL and why."""
    try:
        return raw.cast(pa.string()), {}
    except pa.ArrowInvalid:
        values, broken = [], {}
        for index, value in enumerate(raw.to_pylist()):
            try:
                values.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                values.append(None)
                broken[index] = no_text(name)
        return pa.array(values, pa.string()), broken


def misfit_in(error: pa.ArrowInvalid, names: tuple[str, ...]) -> str | None:
    """The field of which Arrow says that a value is not of its type; None if it says anything else."""
    found = _MISFIT.match(str(error))
    return names[int(found[1])] if found is not None else None


def no_text(name: str) -> str:
    """Why a value of bytes that are no text costs its row."""
    return f"{name}: the bytes are no text in the charset"


def _read(
    data: Plain,
    names: tuple[str, ...],
    conversion: arrow_csv.ConvertOptions,
    on_bad_row: Callable[[arrow_csv.InvalidRow], str] | None,
) -> pa.Table:
    content = data.data or b"\n"  # Arrow refuses to read nothing
    if content.startswith(BOM_UTF8):
        content = BOM_UTF8 + content  # Arrow drops one, but this one is data: the stream's own is gone (E42)
    return arrow_csv.read_csv(
        pa.py_buffer(content),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
        arrow_csv.ParseOptions(
            delimiter=data.delimiter.decode(),
            quote_char=data.quote.decode() if data.quote else False,
            newlines_in_values=data.quote is not None,
            ignore_empty_lines=not (data.keeps_empty and data.data),
            invalid_row_handler=on_bad_row,
        ),
        conversion,
    )


@lru_cache(maxsize=256)
def _conversion(types: Types, nulls: Nulls) -> arrow_csv.ConvertOptions:
    """Made once for all objects of a kind: it takes longer than to read a small one."""
    return arrow_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=[name for name, _ in types],
        null_values=["", *(nulls or ())],
        strings_can_be_null=nulls is None,
        quoted_strings_can_be_null=nulls is not None,
        true_values=_in_all_cases(TRUE),
        false_values=_in_all_cases(FALSE),
    )


def _in_all_cases(words: Iterable[str]) -> list[str]:
    return [case(word) for word in words for case in _CASES]


def _bytes_again(characters: pa.ChunkedArray) -> pa.Array:
    values = (None if value is None else value.decode().encode("latin-1") for value in characters.to_pylist())
    return pa.array(list(values), pa.binary())
