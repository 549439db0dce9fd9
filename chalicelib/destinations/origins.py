"""How many rows each object has, from the origin columns."""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

NEEDED = ("_bucket", "_key", "_identity")


def counted(batches: Iterable[pa.RecordBatch]) -> dict[tuple[str, str], int]:
    """Rows by key and identity, added up over batches that have `_key` and `_identity`."""
    rows: Counter[tuple[str, str]] = Counter()
    for batch in batches:
        groups = pa.Table.from_batches([batch.select(["_key", "_identity"])]).group_by(["_key", "_identity"])
        for group in groups.aggregate([([], "count_all")]).to_pylist():
            rows[group["_key"], group["_identity"]] += group["count_all"]
    return dict(rows)


def told(columns: Iterable[str]) -> bool:
    """True if a table of these columns can tell where its rows came from."""
    return set(NEEDED) <= set(columns)
