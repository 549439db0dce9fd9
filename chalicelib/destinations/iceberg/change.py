"""One change of a table, complete but for the catalogue's word."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from pyiceberg.exceptions import ResolveError, ValidationError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from chalicelib.config.destination import Iceberg, Mode, Parquet
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations import tags
from chalicelib.destinations.iceberg import runs
from chalicelib.destinations.iceberg.columns import evolve, fields_of, renew
from chalicelib.destinations.iceberg.contents import Live, live
from chalicelib.destinations.iceberg.files import data_files
from chalicelib.destinations.iceberg.gone import Gone
from chalicelib.destinations.iceberg.mapping import check_former_names, name_columns
from chalicelib.destinations.iceberg.merging import check_keys, merge
from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.iceberg.reading import Reader
from chalicelib.destinations.iceberg.rewriting import Cut, Rewriting
from chalicelib.destinations.iceberg.swap import Swap
from chalicelib.destinations.origins import NEEDED, told
from chalicelib.destinations.paths import file_name
from chalicelib.errors import SchemaConflict

REWRITTEN = "tidegate.rewritten-files"  # of a snapshot: files that were written again without some of their rows


def prepare(table: Table, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Sequence[Former]) -> Once:
    """The change that brings the tasks' rows, and takes out those of formers and of the same keys."""
    change = Once(table)
    with fitting(out):
        if with_files(tasks):
            fields = fields_of(out, tasks)
            check_former_names(table.io, table.metadata, out, fields)
            evolve(change, out, fields)
            name_columns(change)
        reader = Reader(table.io, change.table_metadata)
        first = tasks[0]
        rewriting = Rewriting(reader, table.location().rstrip("/"), partial(file_name, first.id, first.attempt))
        gone = Gone(formers) if formers and told(reader.schema.column_names) else None
        cut, come = _exchanged(rewriting, out, tasks, gone)
        if cut.gone or with_files(tasks):  # tasks with rows are remembered, even if all of those lost
            properties = _tagged(tasks) | ({REWRITTEN: str(len(cut.come))} if cut.come else {})
            Swap(change, table.io, [*come, *cut.come], properties).without(cut.gone).commit()
    return change


def prepare_run(table: Table, out: Iceberg | Parquet, tasks: Sequence[Task], run: Run) -> Once:
    """The change that makes the tasks' rows the whole content."""
    change = Once(table)
    with fitting(out):
        if with_files(tasks):
            (evolve if out.keep_schema else renew)(change, out, fields_of(out, tasks))
            name_columns(change)
        change.set_properties(runs.recorded(run))
        come = data_files(table.io, change.table_metadata, tasks)
        Swap(change, table.io, come, _tagged(tasks)).without_everything().commit()
    return change


def _exchanged(
    rewriting: Rewriting, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Gone | None
) -> tuple[Cut, list[DataFile]]:
    reader = rewriting.reader
    come = data_files(reader.io, reader.metadata, tasks)
    if out.mode is Mode.MERGE and come:
        check_keys(out, tasks)
        owners = [task for task in tasks if task.staged for _ in task.staged.files]
        return merge(rewriting, out, list(zip(owners, come, strict=True)), formers)
    if formers is None:
        return Cut(), come
    found = live(reader.io, reader.metadata, lambda file: formers.may_be_in(file, reader.schema))
    whole: list[Live] = []
    parts: list[Live] = []
    for each in found:
        (whole if formers.are_all_of(each.file, reader.schema) else parts).append(each)
    cut = rewriting.cut(parts, NEEDED, lambda batch, _: formers.among(batch))
    return Cut((*whole, *cut.gone), cut.come), come


def _tagged(tasks: Sequence[Task]) -> dict[str, str]:
    return {tags.PROPERTY: tags.encode(task.id for task in tasks)}


@contextmanager
def fitting(out: Iceberg | Parquet) -> Iterator[None]:
    """What pyiceberg does not accept of rows, columns or partitions becomes a SchemaConflict."""
    try:
        yield
    except (ValueError, ResolveError, ValidationError) as error:
        raise SchemaConflict(
            f"rows and table do not fit ({error})",
            where=out.address,
            remedy="Compare time_column, transform and columns with the table's own, or choose another table",
        ) from error


def with_files(tasks: Sequence[Task]) -> list[Task]:
    """Those of the tasks that bring rows."""
    return [task for task in tasks if task.staged and task.staged.files]
