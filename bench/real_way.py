"""The way of an object for `real_tables.py`: guess, preview, load and stage, as Tidegate goes it, without AWS."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench.disk import DiskLake
from chalicelib.cli import samples
from chalicelib.config.columns import Column
from chalicelib.config.destination import Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.objects import ObjectRef
from chalicelib.destinations.staging import Stage
from chalicelib.flows.guess import guess_from
from chalicelib.flows.preview import Preview, preview_of
from chalicelib.records.pages import Reject
from chalicelib.records.stream import Setting, open_rows

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BUCKET = "real-tables"

duckdb.execute("SET enable_progress_bar = false")


@dataclass
class Loaded:
    """What came of it."""

    parser: dict[str, Any]
    columns: list[dict[str, Any]]
    rows: list[tuple[Any, ...]]
    rejects: list[Reject]


def guessed(file: Path) -> dict[str, Any]:
    """The pipeline document that guess makes of a seed which says nothing but where the file lies."""
    document = dict(guess_from({"in": {"bucket": BUCKET}}, samples.opened([file])).document)
    return {"name": "real", "connection": "real", "out": {"type": "parquet", "table": "real"}} | document


def previewed(document: dict[str, Any], file: Path) -> Preview:
    """What preview shows for that document."""
    return preview_of(samples.looks([file], Pipeline.parse(document, where="real")))


def load(document: dict[str, Any], file: Path, folder: Path) -> Loaded:
    """The object read and staged, and the staged file read again by DuckDB."""
    source = Pipeline.parse(document, where="real").source
    reference = ObjectRef(BUCKET, file.name, "etag", file.stat().st_size, NOW)
    setting = Setting(reference, run_at=NOW, secret=str.encode)
    out = Parquet(type="parquet", table="real", origin_columns=False)
    staging = Stage(DiskLake(folder), "s3://lake")(out, "task", 1)
    rejects: list[Reject] = []
    columns: tuple[Column, ...] = ()
    with file.open("rb") as body:
        for entry in open_rows(body, source, (), setting):
            columns = entry.infer()
            shape = entry.shape(columns)
            for page in entry.pages(columns):
                staging.write(page.batch, shape)
                rejects += page.rejects
    staging.keep()
    files = [str(folder / staged.path.removeprefix("s3://")) for staged in staging.finish()]
    rows: list[tuple[Any, ...]] = []
    if files:
        found = duckdb.read_parquet(files).to_arrow_table()
        rows = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    parser = dict(document["in"]["parser"])
    return Loaded(parser, [column.model_dump(exclude_none=True, mode="json") for column in columns], rows, rejects)
