"""Whose values a name stands for: our files carry names instead of field ids, and the table's name mapping tells.

A column that another engine renamed or dropped keeps its old name in the mapping, for the files from before. Were a
new column given that name, those files would show their values in it: the renamed column would lose them, and files
with another type could not be read at all. A dropped column that comes again as it was has its old values again.
"""

from collections.abc import Mapping

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile
from pyiceberg.table import TableProperties
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.name_mapping import NameMapping, update_mapping
from pyiceberg.types import IcebergType

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.destinations.iceberg.contents import live
from chalicelib.destinations.iceberg.once import Once
from chalicelib.errors import SchemaConflict


def name_columns(change: Once) -> None:
    """Let the mapping know all columns of the table by their names; not all engines keep it up."""
    schema, known = change.table_metadata.schema(), change.table_metadata.name_mapping()
    if known is None:
        wanted = schema.name_mapping
    else:
        ids = _ids(known)
        lost = {field.field_id: field for field in schema.fields if ids.get(field.name) != field.field_id}
        if not lost:
            return
        new = [field for field in lost.values() if field.field_id not in ids.values()]
        wanted = update_mapping(known, lost, {-1: new})
    change.set_properties({TableProperties.DEFAULT_NAME_MAPPING: wanted.model_dump_json()})


def check_former_names(
    table_io: FileIO, metadata: TableMetadata, out: Iceberg | Parquet, fields: Mapping[str, IcebergType]
) -> None:
    """Raises SchemaConflict where a column of the new rows has a name under which other files hold another column's.

    Opens manifests only if there is such a name at all.
    """
    known = metadata.name_mapping()
    ids = _ids(known) if known is not None else {}
    now = {field.name: field.field_id for field in metadata.schema().fields}
    other = {
        name: ids[name]
        for name, kind in fields.items()
        if name in ids and now.get(name) != ids[name] and not _is_again(metadata, ids[name], kind)
    }
    if not other:
        return
    found = live(table_io, metadata, lambda file: any(_has(file, each) for each in other.values()))
    for name, id_ in other.items():
        if any(_has(each.file, id_) for each in found):
            renamed = metadata.schema().find_column_name(id_)
            instead = repr(renamed) if renamed else "something else"
            done = f"renamed to {renamed!r}" if renamed else "dropped, with another type,"
            raise SchemaConflict(
                f"the new rows have a column {name!r}, which was {done} in the table by another hand, and files from "
                "before still hold its values under that name",
                where=out.address,
                remedy=f"Call it {instead} by a filter or in the parser's columns, then replay",
            )


def _is_again(metadata: TableMetadata, id_: int, kind: IcebergType) -> bool:
    """True if the column is in the table no more, and was of this type when it was."""
    then = [field for schema in metadata.schemas for field in schema.fields if field.field_id == id_]
    gone = all(field.field_id != id_ for field in metadata.schema().fields)
    return gone and all(field.field_type == kind for field in then)


def _ids(mapping: NameMapping) -> Mapping[str, int]:
    return {name: field.field_id for field in mapping if field.field_id is not None for name in field.names}


def _has(file: DataFile, id_: int) -> bool:
    return id_ in (file.value_counts or {}) or id_ in (file.column_sizes or {})
