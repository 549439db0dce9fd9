"""A catalogue of plain tables in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chalicelib.core.registered import Registered
from chalicelib.errors import SchemaConflict

Name = tuple[str, str]


@dataclass
class FakeRegistry:
    """`before` holds what happens before the next changes of tables, one each."""

    databases: set[str] = field(default_factory=set)
    tables: dict[Name, tuple[Registered, str]] = field(default_factory=dict)
    partitions: dict[Name, dict[tuple[str, ...], str]] = field(default_factory=dict)
    before: list[Callable[[], None]] = field(default_factory=list)
    changes: int = 0

    def get(self, database: str, name: str) -> tuple[Registered, str] | None:
        return self.tables.get((database, name))

    def create(self, table: Registered, *, database_too: bool) -> bool:
        self._happen()
        if (table.database, table.name) in self.tables:
            return False
        if not database_too and table.database not in self.databases:
            raise SchemaConflict("there is no such Glue database", where=table.database, remedy="Make it")
        self.databases.add(table.database)
        return self._keep(table)

    def update(self, table: Registered, version: str) -> bool:
        self._happen()
        there = self.tables.get((table.database, table.name))
        return there is not None and there[1] == version and self._keep(table)

    def add_partitions(self, table: Registered, partitions: Mapping[tuple[str, ...], str]) -> None:
        known = self.partitions.setdefault((table.database, table.name), {})
        self.partitions[table.database, table.name] = {**partitions, **known}

    def _happen(self) -> None:
        if self.before:
            self.before.pop(0)()

    def _keep(self, table: Registered) -> bool:
        self.changes += 1
        self.tables[table.database, table.name] = (table, str(self.changes))
        return True
