"""Catalogues that do what a test tells them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import event


class Scripted(Catalog):
    """A catalogue with things that happen before or after it takes a commit; each happens once."""

    before: list[Callable[[], None]]
    after: list[Callable[[], None]]
    commits: int

    def __init__(self, name: str, **properties: str) -> None:
        super().__init__(name, **properties)
        self.before, self.after, self.commits = [], [], 0

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        if self.before:
            self.before.pop(0)()
        answer = super().commit_table(*args, **kwargs)  # type: ignore[safe-super]
        self.commits += 1
        if self.after:
            self.after.pop(0)()
        return answer


class ScriptedCatalog(Scripted, SqlCatalog):
    """The same in a SQL database."""


def hasty(catalog: SqlCatalog) -> None:
    """Let SQLite not wait for the disk: a test's catalogue need not outlive a power cut."""
    catalog.engine.dispose()
    event.listen(catalog.engine, "connect", lambda connection, _: connection.execute("pragma synchronous = off"))


@cache
def scripted(kind: type[Catalog]) -> type[Scripted]:
    """A scripted catalogue of this kind."""
    return type(f"Scripted{kind.__name__}", (Scripted, kind), {})


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it
