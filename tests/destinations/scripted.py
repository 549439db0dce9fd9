"""A catalogue that does what a test tells it."""

from collections.abc import Callable
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog


class ScriptedCatalog(SqlCatalog):
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
        answer = super().commit_table(*args, **kwargs)
        self.commits += 1
        if self.after:
            self.after.pop(0)()
        return answer


def fail(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it
