"""What the Glue catalogue is told of a dataset, so that Athena, Spark and Trino find it under its name.

A dataset that grows has one location, the folder itself, and each partition folder is registered before its first
file can be seen: engines other than Athena know no partition projection, and projected ranges hide what lies outside.
A dataset that runs replace has no registered partitions but one location, the last run's folder: moving it is one
call, so that queries see the rows before or the rows after. Queries skip files by their statistics instead.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.core.registered import Registered
from chalicelib.core.tasks import StagedFile
from chalicelib.destinations.parquet.columns import conflict
from chalicelib.destinations.parquet.contents import Contents
from chalicelib.destinations.paths import is_flat
from chalicelib.destinations.ports import Registry
from chalicelib.errors import CommitConflict, SchemaConflict
from chalicelib.records.origin import ORIGIN_COLUMNS

TRIES = 4

_TYPES: Mapping[ColumnType, str] = {
    ColumnType.BOOLEAN: "boolean",
    ColumnType.LONG: "bigint",
    ColumnType.DOUBLE: "double",
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.JSON: "string",
    ColumnType.DATE: "date",
    ColumnType.BINARY: "binary",
}
_ORIGIN = tuple((field.name, "timestamp" if field.name == "_loaded_at" else "string") for field in ORIGIN_COLUMNS)
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


@dataclass(frozen=True, slots=True)
class Registration:
    """Keeps the catalogue's table as the dataset is."""

    registry: Registry

    def check(self, out: Iceberg | Parquet, folder: str, contents: Contents) -> None:
        """Raises SchemaConflict where `tell` would, as far as can be known before; changes nothing."""
        if contents.columns:
            found = self.registry.get(out.database, out.table)
            fitting(out, folder, described(out, folder, contents), found[0] if found else None)

    def tell(self, out: Iceberg | Parquet, folder: str, contents: Contents, files: Sequence[StagedFile] = ()) -> None:
        """Make the catalogue's table fit the dataset in `folder`, and register the partitions of the files.

        Raises SchemaConflict for good, CommitConflict where somebody else changes the table all the time.
        """
        if not contents.columns:
            return  # a first run without rows: nothing is known that a table could be made of
        wanted = described(out, folder, contents, files)
        for _ in range(TRIES):
            found = self.registry.get(out.database, out.table)
            table = fitting(out, folder, wanted, found[0] if found else None)
            if found is None:
                done = self.registry.create(table, database_too=out.auto_create_database)
            else:
                done = table == found[0] or self.registry.update(table, found[1])
            if done:
                self.registry.add_partitions(table, partitions(table, folder, files))
                return
        raise CommitConflict("other writers changed the Glue table again and again", where=out.address)

    def shows(self, out: Iceberg | Parquet, folder: str, contents: Contents) -> bool:
        """Whether engines are sent to the contents already."""
        found = self.registry.get(out.database, out.table)
        return found is not None and found[0].location == described(out, folder, contents).location


def described(out: Iceberg | Parquet, folder: str, contents: Contents, files: Sequence[StagedFile] = ()) -> Registered:
    """The dataset in Athena's words, with the partitions that the files are in.

    Raises SchemaConflict where Athena has no word for a column.
    """
    columns = [(column.name.lower(), _type(out, column)) for column in contents.columns]
    columns += _ORIGIN if contents.origin else ()
    keys = () if is_flat(out) else _keys(out, folder, files, dict(columns))
    names = [name for name, _ in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SchemaConflict(
            f"two columns differ only in case, {twice!r}, and Athena cannot tell them apart",
            where=out.address,
            remedy="Rename one of them in the parser's columns, or switch register_in_glue off",
        )
    within = {name for name, _ in keys}
    plain = tuple(pair for pair in columns if pair[0] not in within)
    location = f"{folder}/{contents.folder}" if contents.folder else folder
    return Registered(out.database, out.table, plain, keys, location)


def fitting(out: Iceberg | Parquet, folder: str, wanted: Registered, there: Registered | None) -> Registered:
    """What the catalogue's table should become; raises SchemaConflict if it cannot, or may not be made."""
    if there is None:
        if out.auto_create_table:
            return wanted
        raise SchemaConflict(
            "there is no such Glue table, and auto_create_table is off",
            where=f"{out.database}.{out.table}",
            remedy="Make it, or switch auto_create_table on, and replay the job",
        )
    if there.location != folder and not there.location.startswith(f"{folder}/"):
        raise SchemaConflict(
            f"the Glue table of this name is another one, at {there.location or 'no location'}",
            where=f"{out.database}.{out.table}",
            remedy="Choose another table, or switch register_in_glue off",
        )
    if [name for name, _ in there.keys] != [name for name, _ in wanted.keys]:
        raise SchemaConflict(
            f"the Glue table is partitioned by {_listed(there.keys)}, the new files by {_listed(wanted.keys)}",
            where=f"{out.database}.{out.table}",
            remedy="Choose another table; or delete the Glue table, which leaves the files, and replay the job",
        )
    if out.replaces and not out.keep_schema:
        return wanted
    return replace(wanted, columns=_both(out, there.columns, wanted.columns))


def partitions(table: Registered, folder: str, files: Iterable[StagedFile]) -> dict[tuple[str, ...], str]:
    """Values and location of each partition that has one of the files."""
    if not table.keys:
        return {}
    places = {file.path.rpartition("/")[0] for file in files}
    return {_values(place[len(folder) + 1 :]): place for place in sorted(places)}


def _values(within: str) -> tuple[str, ...]:
    return tuple(unquote(part.partition("=")[2]) for part in within.split("/"))


def _keys(
    out: Iceberg | Parquet, folder: str, files: Sequence[StagedFile], types: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Names as the folders have them; what is no column is the time partition."""
    within = files[0].path[len(folder) + 1 :].split("/")[:-1] if files else []
    names = [unquote(part.partition("=")[0]).lower() for part in within]
    time = "date" if out.transform is Transform.DAY else "string"
    return tuple((name, types.get(name, time)) for name in names)


def _both(
    out: Iceberg | Parquet, there: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The table's columns in their order, then the new ones; columns that somebody else added stay."""
    columns = dict(there)
    for name, kind in wanted:
        both = _wider(columns.setdefault(name, kind), kind)
        if both is None:
            raise conflict(out, name, kind, f"the Glue table has {columns[name]}")
        columns[name] = both
    return tuple(columns.items())


def _wider(current: str, new: str) -> str | None:
    if current.lower() == new:
        return current
    one, other = _DECIMAL.fullmatch(current.lower()), _DECIMAL.fullmatch(new)
    if one and other and one[2] == other[2]:
        return current if int(one[1]) > int(other[1]) else new
    return None


def _type(out: Iceberg | Parquet, column: Column) -> str:
    if column.type is ColumnType.DECIMAL:
        return f"decimal({column.precision},{column.scale or 0})"
    if column.type not in _TYPES:
        raise SchemaConflict(
            f"column {column.name!r} is a {column.type}, for which Athena has no type in Parquet files",
            where=out.address,
            remedy=f"Declare {column.name!r} as string, take an Iceberg table, or switch register_in_glue off",
        )
    return _TYPES[column.type]


def _listed(keys: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in keys) or "nothing"
