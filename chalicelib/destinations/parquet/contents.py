"""What a dataset's own document says: its columns, and which files are its content where runs replace it.

The document is `_tidegate/current.json` in the dataset's folder, written only over the version that was read. It is
small for datasets that grow, whose content is simply the files in the folder. For datasets that runs replace it names
each file of the last run: writing it is the one instant at which the rows before become the rows after.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from chalicelib.config.columns import Column
from chalicelib.core.tasks import Run, StagedFile
from chalicelib.destinations.paths import run_folder
from chalicelib.destinations.ports import Documents
from chalicelib.errors import CommitConflict

NAME = "_tidegate/current.json"
PAST = 500  # runs that are remembered: those whose files maintenance may delete, and that must not come again


@dataclass(frozen=True, slots=True)
class File:
    """A file of the content."""

    path: str  # seen from the dataset's folder
    rows: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Present:
    """The run whose rows are the content."""

    job: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """A content that another one took the place of."""

    until: datetime
    job: str | None = None  # None: the files that lay in the folder before the first run


@dataclass(frozen=True, slots=True)
class Contents:
    """A dataset as its document has it; new ones are empty."""

    columns: tuple[Column, ...] = ()
    origin: bool = False  # whether files have the origin columns
    run: Present | None = None  # whose files are the content; None where content is what lies in the folder
    folder: str | None = None  # where they lie, for people and engines
    files: tuple[File, ...] = ()  # of the run
    past: tuple[Past, ...] = ()  # newest first

    @property
    def rows(self) -> int:
        """Of the run's files."""
        return sum(file.rows for file in self.files)

    def has_had(self, job: str) -> bool:
        """True if this run was the content once, and another one took its place."""
        return any(each.job == job for each in self.past)

    def after(
        self,
        run: Run,
        files: Iterable[StagedFile],
        folder: str,
        *,
        columns: tuple[Column, ...],
        origin: bool,
        now: datetime,
    ) -> "Contents":
        """What the run makes of it now; `folder` is the dataset's."""
        start = len(folder) + 1
        named = tuple(File(file.path[start:], file.rows, file.size) for file in files)
        past = (Past(now, self.run.job if self.run else None), *self.past)[:PAST]
        return Contents(columns, origin, Present(run.job, run.started_at), run_folder(run.job), named, past)


_adapter = TypeAdapter(Contents)


def read(documents: Documents, folder: str) -> tuple[Contents, str | None]:
    """The document of the dataset in this folder, and its version; an empty one without version if there is none."""
    found = documents.get(f"{folder}/{NAME}")
    return (Contents(), None) if found is None else (_adapter.validate_json(found[0]), found[1])


def write(documents: Documents, folder: str, contents: Contents, over: str | None) -> bool:
    """Write the document over this version of it; False if somebody wrote in between."""
    return documents.put(f"{folder}/{NAME}", _adapter.dump_json(contents, exclude_none=True, indent=1), over)


def beaten(where: str) -> CommitConflict:
    """What to say after the last try to write the document."""
    return CommitConflict("other writers changed the dataset's document again and again", where=where)
