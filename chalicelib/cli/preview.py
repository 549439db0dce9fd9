"""`preview`: the rows that a document would load, without loading them."""

from pathlib import Path
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import json_option, read_document, say, show_one, show_rows
from chalicelib.cli.samples import looks
from chalicelib.config.columns import Column
from chalicelib.config.destination import Transform
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import UPLOAD_TIME, time_agreement, time_by_rule
from chalicelib.flows.preview import ROWS, Preview, placeholders, preview_of

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--rows", default=ROWS, show_default=True, type=click.IntRange(1, 10_000), help="Rows to show.")
@click.option("--key", help="Of this object; else of the first ones that FILE selects.")
@click.option("--connection", help="The connection to read over, if FILE names none.")
@click.option("--sample", "samples", multiple=True, type=FILE, help="Read this file, not the bucket; may be repeated.")
@json_option
def preview(
    file: Path, rows: int, key: str | None, connection: str | None, samples: tuple[Path, ...], as_json: bool
) -> None:
    """The first rows that the document FILE would load, and the bad ones among them. Nothing is written."""
    document = read_document(file) | ({"connection": connection} if connection else {})
    pipeline = Pipeline.parse(placeholders(document), where=str(file))
    if samples:
        found = preview_of(looks(samples, pipeline), pipeline, rows=rows)
    else:
        found = wiring.previewing().preview(pipeline, rows=rows, key=key)
    partitioned = _partitioned(pipeline, found.columns, asked=not samples)
    if as_json:
        show_one({**_plain(found), "partitioned": partitioned}, as_json=True)
    else:
        _show(found, partitioned)


def _partitioned(pipeline: Pipeline, columns: tuple[Column, ...], *, asked: bool) -> str | None:
    """Which column would tell the time partition, where the rule of F83 chooses it; None where it chooses none."""
    out = pipeline.out
    if out.transform is Transform.NONE or out.time_column is not None or not columns:
        return None
    settled = wiring.pipelines().columns(time_agreement(out.address)) if asked else ()
    if settled:
        return f"{out.transform} of {settled[0].name}, as was chosen with the table's first rows"
    column = time_by_rule(columns)
    if column == UPLOAD_TIME and column.name not in {each.name for each in columns}:
        return f"{out.transform} of {column.name}, which is added to every row: when its object was read"
    return f"{out.transform} of {column.name}, the first timestamp or long column; out.time_column names another"


def _show(found: Preview, partitioned: str | None) -> None:
    for name in found.sampled:
        say(f"From {name}")
    say(", ".join(f"{column['name']}: {column['type']}" for column in map(_column, found.columns)) or "No columns.")
    names = [column.name for column in found.columns]
    show_rows([{name: row.get(name) for name in names} for row in found.rows], as_json=False, empty="No rows.")
    if found.rejects:
        say("Bad rows, which would be set aside:")
        show_rows([_bad(found, index) for index in range(len(found.rejects))], as_json=False)
    if partitioned:
        say(f"Partitions: {partitioned}")
    for finding in found.findings:
        say(f"Reading ended here: {finding}")


def _column(column: Any) -> dict[str, Any]:
    document: dict[str, Any] = column.document()
    if "precision" in document:
        document["type"] = f"decimal({document.pop('precision')},{document.pop('scale', 0)})"
    return document


def _bad(found: Preview, index: int) -> dict[str, Any]:
    bad = found.rejects[index]
    place = {"object": bad.name} if len(found.sampled) > 1 else {}
    place |= {"entry": bad.entry} if bad.entry else {}
    reject = bad.reject
    return place | {"record": reject.record, "line": reject.line, "reason": reject.reason, "text": reject.text}


def _plain(found: Preview) -> dict[str, Any]:
    rejects = [
        {"object": b.name, "entry": b.entry, "record": b.reject.record, "line": b.reject.line}
        | {"offset": b.reject.offset, "reason": b.reject.reason, "text": b.reject.text}
        for b in found.rejects
    ]
    return {
        "columns": [_column(column) for column in found.columns],
        "rows": found.rows,
        "rejects": rejects,
        "findings": found.findings,
        "sampled": found.sampled,
    }


COMMANDS = (preview,)
