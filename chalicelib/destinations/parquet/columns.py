"""The columns of a dataset: which ones its files have, and what they may become."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.parquet.contents import Contents
from chalicelib.errors import SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS
from chalicelib.records.types.schema import arrow_schema, arrow_type


def agreed(
    out: Iceberg | Parquet, known: Sequence[Column], files: Iterable[StagedFile], who: str
) -> tuple[Column, ...]:
    """The known columns and those of the files, each once, in the order they came.

    Decimals of one scale meet in the greater precision. Raises SchemaConflict where types differ otherwise; `who`
    has the known ones.
    """
    columns = {column.name: column for column in known}
    for seen in dict.fromkeys(file.columns for file in files):
        for column in (each.bare for each in seen):
            both = _wider(columns.setdefault(column.name, column), column)
            if both is None:
                raise conflict(out, column.name, _told(column), f"{who} {_told(columns[column.name])}")
            columns[column.name] = both
    return tuple(columns.values())


def conflict(out: Iceberg | Parquet, name: str, new: str, old: str) -> SchemaConflict:
    """A column that is `new` in the rows, where `old` says who has it otherwise."""
    return SchemaConflict(
        f"column {name!r} is {new} in the new rows, but {old}",
        where=out.address,
        remedy=f"Declare {name!r} in the parser's columns so that it fits, rename it, or choose another table",
    )


def schema(contents: Contents) -> pa.Schema:
    """What all rows are read as: a file's missing columns are NULL, its narrower decimals widened."""
    return pa.schema([*arrow_schema(contents.columns), *(ORIGIN_COLUMNS if contents.origin else ())])


def _wider(current: Column, new: Column) -> Column | None:
    if arrow_type(current) == arrow_type(new):
        return current  # json and string are both text
    decimals = current.type is ColumnType.DECIMAL and new.type is ColumnType.DECIMAL
    if decimals and (current.scale or 0) == (new.scale or 0):
        return max(current, new, key=lambda each: each.precision or 0)
    return None


def _told(column: Column) -> str:
    if column.type is ColumnType.DECIMAL:
        return f"decimal({column.precision}, {column.scale or 0})"
    return str(column.type)
