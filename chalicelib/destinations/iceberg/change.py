"""One change of a table, complete but for the catalogue's word."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from warnings import catch_warnings, filterwarnings

from pyiceberg.expressions import AlwaysFalse, And, EqualTo, Or
from pyiceberg.table import Table, TableProperties, Transaction

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Task
from chalicelib.destinations import tags
from chalicelib.destinations.iceberg.columns import evolve, fields_of
from chalicelib.destinations.iceberg.files import data_files
from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.origins import told
from chalicelib.errors import SchemaConflict

FORMERS = 500  # objects whose rows one pass over the table takes out


def prepare(table: Table, out: Iceberg | Parquet, tasks: Sequence[Task], formers: Sequence[Former]) -> Once:
    """The change, complete but for the catalogue's word: rows that go, new columns, name mapping, files, tags."""
    change = Once(table)
    with fitting(out):
        _take_out(change, formers)
        if not with_files(tasks):
            return change
        evolve(change, out, fields_of(out, tasks))
        if change.table_metadata.name_mapping() is None:  # our files carry names instead of field ids
            mapping = change.table_metadata.schema().name_mapping.model_dump_json()
            change.set_properties({TableProperties.DEFAULT_NAME_MAPPING: mapping})
        update = change.update_snapshot({tags.PROPERTY: tags.encode(task.id for task in tasks)})
        with update.merge_append() as append:
            for file in data_files(table.io, change.table_metadata, tasks):
                append.append_data_file(file)
    return change


def _take_out(change: Transaction, formers: Sequence[Former]) -> None:
    """Without the rows of these objects' contents; where there are none, nothing changes."""
    if not told(change.table_metadata.schema().column_names):
        return
    for start in range(0, len(formers), FORMERS):
        some = (
            And(
                EqualTo(term="_bucket", value=former.bucket),
                EqualTo(term="_key", value=former.key),
                EqualTo(term="_identity", value=former.identity),
            )
            for former in formers[start : start + FORMERS]
        )
        with catch_warnings():
            filterwarnings("ignore", "Delete operation did not match any records")
            change.delete(Or(*some, AlwaysFalse()))


@contextmanager
def fitting(out: Iceberg | Parquet) -> Iterator[None]:
    """What pyiceberg does not accept of rows, columns or partitions becomes a SchemaConflict."""
    try:
        yield
    except ValueError as error:
        raise SchemaConflict(
            f"rows and table do not fit ({error})",
            where=out.address,
            remedy="Compare time_column, transform and columns with the table's own, or choose another table",
        ) from error


def with_files(tasks: Sequence[Task]) -> list[Task]:
    """Those of the tasks that bring rows."""
    return [task for task in tasks if task.staged and task.staged.files]
