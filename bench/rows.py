"""Whether two loads wrote the same rows: how many, and a digest of every column, from Parquet files as they are.

    python bench/rows.py FOLDER '{"name": "type", …}'

Types differ from writer to writer (a zone or none, a dictionary or none), so columns are brought to ours first. Of what
is nested only the NULLs are counted: some write structs, Tidegate writes JSON.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LIMIT = 1 << 61


def digest(folder: Path, columns: dict[str, str]) -> dict[str, Any]:
    """`rows`, and of each column how many values there are, their sum, the least and the greatest."""
    rows, bytes_written = 0, 0
    found: dict[str, list[Any]] = {name: [0, 0, None, None] for name in columns}
    for file in files(folder, columns):
        bytes_written += file.stat().st_size
        for batch in pq.ParquetFile(file).iter_batches(columns=list(columns)):
            rows += batch.num_rows
            for name, kind in columns.items():
                _add(found[name], batch.column(name), kind)
    return {"rows": rows, "written": bytes_written, "columns": found}


def files(folder: Path, columns: Sequence[str] | dict[str, str]) -> Iterator[Path]:
    """Those that have all the columns: some writers leave files of their own beside them."""
    for file in sorted(folder.rglob("*.parquet")):
        if set(columns) <= set(pq.read_schema(file).names):
            yield file


def _add(known: list[Any], values: pa.Array, kind: str) -> None:
    known[0] += len(values) - values.null_count
    if kind == "json" or isinstance(known[1], str):
        return
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if kind != "string" and pa.types.is_string(values.type):
        known[1] = "text"  # whoever wrote it did not find its type
        return
    if kind == "string":
        values = values.cast(pa.string())
        sizes = pc.binary_length(values)
        _span(known, pc.min_max(values).as_py())
    else:
        sizes = _number(values, kind)
        _span(known, pc.min_max(sizes).as_py())
    known[1] = (known[1] + (pc.sum(sizes).as_py() or 0)) % LIMIT


def _number(values: pa.Array, kind: str) -> pa.Array:
    if kind == "timestamp":
        return values.cast(pa.timestamp("us", tz=values.type.tz)).cast(pa.int64())
    if kind == "double":
        return pc.round(pc.multiply(values.cast(pa.float64()), 10_000)).cast(pa.int64())
    return values.cast(pa.int64())


def _span(known: list[Any], here: dict[str, Any]) -> None:
    for place, pick in ((2, min), (3, max)):
        both = [value for value in (known[place], here["min" if place == 2 else "max"]) if value is not None]
        known[place] = pick(both) if both else None


if __name__ == "__main__":
    print(json.dumps(digest(Path(sys.argv[1]), json.loads(sys.argv[2]))))
