"""Rejects as rows of their own table (F65, W8)."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.objects import ObjectRef
from chalicelib.records.origin import with_origin
from chalicelib.records.pages import Reject
from chalicelib.records.types.schema import arrow_schema

REJECTED: tuple[Column, ...] = (
    Column(name="pipeline", type=ColumnType.STRING),
    Column(name="job", type=ColumnType.STRING),
    Column(name="entry", type=ColumnType.STRING),  # of an archive
    Column(name="record", type=ColumnType.LONG),  # from 1
    Column(name="line", type=ColumnType.LONG),  # from 1
    Column(name="byte_offset", type=ColumnType.LONG),  # in the decoded object
    Column(name="reason", type=ColumnType.STRING),
    Column(name="text", type=ColumnType.STRING),
)
"""The columns of a rejects table, before the origin columns, which it always has."""


def rejected(
    rejects: Sequence[Reject],
    ref: ObjectRef,
    *,
    pipeline: str,
    job: str,
    entry: str | None,
    at: datetime,
    counted: bool = True,
) -> pa.RecordBatch:
    """The rows for these rejects of one object; not `counted` if nobody knows how many records are before them."""
    count = len(rejects)
    arrays = {
        "pipeline": pa.repeat(pipeline, count),
        "job": pa.repeat(job, count),
        "entry": pa.array([entry] * count, pa.string()),
        "record": pa.array([reject.record if counted else None for reject in rejects], pa.int64()),
        "line": pa.array([reject.line for reject in rejects], pa.int64()),
        "byte_offset": pa.array([reject.offset for reject in rejects], pa.int64()),
        "reason": pa.array([reject.reason for reject in rejects], pa.string()),
        "text": pa.array([reject.text for reject in rejects], pa.string()),
    }
    batch = pa.RecordBatch.from_arrays([arrays[column.name] for column in REJECTED], schema=arrow_schema(REJECTED))
    return with_origin(batch, ref, at)
