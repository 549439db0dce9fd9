"""Which column tells the time partition, where nobody said it (F83).

The first long or timestamp column of the rows, in their order; else `upload_time`, a timestamp column that is added
to every row and tells when its object was read. The choice is made once for a table, by the first task that stages
rows for it, and remembered beside the settled columns: a column that appears later changes nothing.
"""

from datetime import datetime

import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.core.columns import UPLOAD_TIME, time_agreement, time_by_rule
from chalicelib.destinations.ports import Agreed
from chalicelib.errors import PipelineMismatch
from chalicelib.records.types.schema import MOMENT, arrow_type


def chosen(out: Iceberg | Parquet, columns: tuple[Column, ...], agreed: Agreed | None) -> Column | None:
    """The column by the rule; None where the document names one, or needs none.

    Without `agreed` nobody else stages into the table.
    """
    if out.transform is Transform.NONE or out.time_column is not None:
        return None
    first = time_by_rule(columns)
    if agreed is None:
        return first
    name = time_agreement(out.address)
    return (agreed.columns(name) or agreed.settle(name, (first,)))[0]


def with_chosen(
    batch: pa.RecordBatch, columns: tuple[Column, ...], choice: Column, read_at: datetime
) -> tuple[pa.RecordBatch, tuple[Column, ...]]:
    """Rows and columns that surely have the chosen column: if it is added, `upload_time` is `read_at`, another NULL.

    Rows may bring an `upload_time` themselves, and it stays as it is; raises PipelineMismatch where it is no timestamp
    or is written with capitals, which most engines do not see.
    """
    given = next((column for column in columns if column.name.lower() == choice.name.lower()), None)
    if given is not None and choice == UPLOAD_TIME and given.bare != UPLOAD_TIME:
        raise PipelineMismatch(
            f"the rows have a {given.type} called {given.name}; Tidegate adds a timestamp upload_time to partition by",
            remedy="Set out.time_column to the column to partition by, or rename this one",
        )
    if given is not None:
        return batch, columns
    if choice == UPLOAD_TIME:
        return appended(batch, columns, choice, pa.repeat(pa.scalar(read_at, MOMENT), batch.num_rows))
    return appended(batch, columns, choice, pa.nulls(batch.num_rows, arrow_type(choice)))


def appended(
    batch: pa.RecordBatch, columns: tuple[Column, ...], column: Column, values: pa.Array
) -> tuple[pa.RecordBatch, tuple[Column, ...]]:
    """One more column after the others, before the origin columns."""
    place = len(columns)
    schema = batch.schema.insert(place, pa.field(column.name, values.type))
    arrays = [*batch.columns[:place], values, *batch.columns[place:]]
    return pa.RecordBatch.from_arrays(arrays, schema=schema), (*columns, column)
