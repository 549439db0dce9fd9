"""Where a row came from: four columns that every row can carry."""

from datetime import datetime

import pyarrow as pa

from chalicelib.core.objects import ObjectRef
from chalicelib.errors import SchemaConflict

ORIGIN_COLUMNS: tuple[pa.Field, ...] = (
    pa.field("_bucket", pa.string()),
    pa.field("_key", pa.string()),
    pa.field("_identity", pa.string()),
    pa.field("_loaded_at", pa.timestamp("us", tz="UTC")),
)


def with_origin(batch: pa.RecordBatch, ref: ObjectRef, loaded_at: datetime) -> pa.RecordBatch:
    """The batch with ORIGIN_COLUMNS after its own. Raises SchemaConflict if it has one of these names already."""
    taken = sorted({field.name for field in ORIGIN_COLUMNS}.intersection(batch.schema.names))
    if taken:
        raise SchemaConflict(
            f"the rows have a column named {', '.join(taken)}, which Tidegate writes itself",
            where=str(ref),
            remedy="Rename it in parser.columns, or switch the origin columns off",
        )
    values = (ref.bucket, ref.key, ref.identity, loaded_at)
    added = [
        pa.repeat(pa.scalar(value, field.type), batch.num_rows)
        for value, field in zip(values, ORIGIN_COLUMNS, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *added], schema=pa.schema([*batch.schema, *ORIGIN_COLUMNS], metadata=batch.schema.metadata)
    )
