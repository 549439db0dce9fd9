"""Rows by the hour, day or month of a timestamp, in UTC, or by the day or month of a date."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.destinations.paths import partition_field
from chalicelib.errors import ParseError

NULL = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Athena call the partition of NULL
_LABELS = {Transform.HOUR: "%Y-%m-%d-%H", Transform.DAY: "%Y-%m-%d", Transform.MONTH: "%Y-%m"}


def split(batch: pa.RecordBatch, out: Iceberg | Parquet) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The batch's rows by partition: folder name (empty without partitions) and rows, in their order.

    Raises ParseError where the rows have no such timestamp: that object is set aside, the others go on (P6).
    """
    if out.transform is Transform.NONE:
        yield "", batch
        return
    starts = pc.floor_temporal(_times(batch, out), unit=str(out.transform))
    order = pc.sort_indices(starts)  # stable; NULL last
    runs = pc.run_end_encode(starts.take(order).cast(pa.int64()))
    labels = pc.strftime(runs.values.cast(starts.type), format=_LABELS[out.transform]).fill_null(NULL)
    begin = 0
    for label, end in zip(labels.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        rows = batch if len(labels) == 1 else batch.take(order.slice(begin, end - begin))
        yield f"{partition_field(out)}={label}", rows
        begin = end


def _times(batch: pa.RecordBatch, out: Iceberg | Parquet) -> pa.Array:
    index = batch.schema.get_field_index(out.time_column)
    kind = batch.schema.field(index).type if index >= 0 else None
    if kind is not None and (
        pa.types.is_timestamp(kind) or (pa.types.is_date(kind) and out.transform is not Transform.HOUR)
    ):
        return batch.column(index).cast(pa.timestamp("us"))  # UTC without its name, so that no zone database is needed
    found = "is missing" if kind is None else f"is of type {kind}"
    either = "" if out.transform is Transform.HOUR else " or date"
    raise ParseError(
        f"the rows cannot be partitioned by {out.transform}: their column {out.time_column!r} {found}",
        where=out.address,
        remedy=f"Declare {out.time_column!r} as a timestamp{either} column in the parser, or choose another time_column"
        + (", or transform: day" if kind is not None and pa.types.is_date(kind) else ""),
    )
