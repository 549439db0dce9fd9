"""A load.yml, as Treasure Data has it, becomes a pipeline's document: what is told beside the file goes into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.cli.output import say
from chalicelib.config import names
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the rows shall end, and how; None: as the file says."""

    database: str | None = None
    table: str | None = None
    time_column: str | None = None
    mode: str | None = None
    auto_create_table: bool | None = None


def aimed(document: Mapping[str, Any], aim: Aim, *, where: str) -> dict[str, Any]:
    """The document with an `out` as told; names of database and table are made plain (F80), and it is said so.

    `time_column` means one partition a day where the file names no other transform (F83). Told to make the table, it
    makes the database too, as `--auto-create-table` does for Treasure Data.
    """
    written = document.get("out") or {}
    if not isinstance(written, dict):
        raise ConfigError("out holds no mapping", where=where, remedy="Leave it out, or write it like {mode: append}")
    told = {"database": aim.database, "table": aim.table, "mode": aim.mode, "time_column": aim.time_column}
    out = {"type": "iceberg", **written, **{key: value for key, value in told.items() if value is not None}}
    if aim.time_column is not None:
        out.setdefault("transform", "day")
    if aim.auto_create_table is not None:
        out["auto_create_table"] = aim.auto_create_table
    if aim.auto_create_table:
        out["auto_create_database"] = True
    for key in ("database", "table"):
        out |= {key: _plain(key, out[key])} if isinstance(out.get(key), str) else {}
    return {**document, "out": out}


def _plain(key: str, text: str) -> str:
    """The name that is made of the text; what has none is left for the document's own check to refuse."""
    name = names.plain(text)
    if not name or name == text:
        return text
    say(f"Note: {key} {text!r} is {name} here: lower case, and other characters become _.", err=True)
    return name


def store(admin: Admin, pipeline: Pipeline) -> str:
    """Apply the pipeline, say its warnings, and return what was done.

    Two names may be plain as the same one, so whoever writes to the same table is told.
    """
    known = admin.pipelines.get(pipeline.name)
    for warning in admin.apply(pipeline):
        say(f"Warning: {warning}", err=True)
    others = [
        p.name for p in admin.pipelines.all() if p.out.address == pipeline.out.address and p.name != pipeline.name
    ]
    if others and known is None:
        say(f"Note: {', '.join(others)} writes to this table as well.", err=True)
    done = "made" if known is None else "as it was" if known == pipeline else "changed"
    return f"Pipeline {pipeline.name} is {done}: {pipeline.out.address}"
