"""Where a row came from: four columns that every row can carry."""

from collections.abc import Sequence
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

# Texts in every row would take a tenth of a load, most of it for Parquet's writer to find them out as equal again.
_ENCODED = tuple(pa.field(field.name, pa.dictionary(pa.int32(), field.type)) for field in ORIGIN_COLUMNS)


def with_origin(batch: pa.RecordBatch, ref: ObjectRef, loaded_at: datetime) -> pa.RecordBatch:
    """The batch with ORIGIN_COLUMNS after its own, as dictionaries: a value is there once, and each row's number of it.

    Raises SchemaConflict if the batch has a column of one of these names already.
    """
    return with_origins(batch, (ref,), pa.repeat(pa.scalar(0, pa.int32()), batch.num_rows), loaded_at)


def with_origins(
    batch: pa.RecordBatch, refs: Sequence[ObjectRef], owners: pa.Array, loaded_at: datetime
) -> pa.RecordBatch:
    """The same for rows of several objects; `owners`: of each row the index of its object. Raises as with_origin."""
    taken = sorted({field.name for field in ORIGIN_COLUMNS}.intersection(batch.schema.names))
    if taken:
        raise SchemaConflict(
            f"the rows have a column named {', '.join(taken)}, which Tidegate writes itself",
            where=str(refs[0]),
            remedy="Rename it in parser.columns, or switch the origin columns off",
        )
    values = zip(*((ref.bucket, ref.key, ref.identity, loaded_at) for ref in refs), strict=True)
    known = (pa.array(each, field.type) for each, field in zip(values, ORIGIN_COLUMNS, strict=True))
    added = [_spread(array.dictionary_encode(), owners.cast(pa.int32())) for array in known]
    schema = pa.schema([*batch.schema, *_ENCODED], metadata=batch.schema.metadata)
    return pa.RecordBatch.from_arrays([*batch.columns, *added], schema=schema)


def _spread(values: pa.DictionaryArray, owners: pa.Array) -> pa.DictionaryArray:
    """Each owner's value; Parquet's writer wants a dictionary in which no value stands twice."""
    numbers = owners if len(values.dictionary) == len(values) else values.indices.take(owners)
    return pa.DictionaryArray.from_arrays(numbers, values.dictionary, safe=False)
