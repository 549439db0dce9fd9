"""Which files nobody will ever need, and how we know.

Data files of ours say in their name which attempt of which task made them (`destinations/paths.py`). Only what can be
proven to be of no use is an orphan; whatever else lies there is left alone.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.parts import parent_of
from chalicelib.core.tasks import Task, TaskState

_STAGED = re.compile(r"[0-9a-f]{16}-(?P<job>[A-Za-z0-9.]+)_(?P<number>[0-9]+)-a(?P<attempt>[0-9]+)\.parquet")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WRITTEN = re.compile(
    "|".join(
        (
            r"[0-9a-f]{16}-compacted\.parquet",  # made and committed by one process
            rf"[0-9]{{5}}-[0-9]+-{_UUID}\.parquet",  # the same, as pyiceberg names them
        )
    )
)
_METADATA = re.compile(rf"(?:snap-[0-9]+-[0-9]+-{_UUID}|{_UUID}-m[0-9]+)\.avro|[0-9]+-{_UUID}(?:\.gz)?\.metadata\.json")


@dataclass(frozen=True, slots=True)
class Maker:
    """Whose a file is."""

    job: str
    number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that nobody needs, and the proof."""

    path: str
    size: int  # bytes
    why: str


def maker(path: str) -> Maker | None:
    """Whose file this is; None if its name does not say so. A part's is its parent's, as of an attempt before all."""
    found = _STAGED.fullmatch(path.rpartition("/")[2])
    if found is None:
        return None
    whole = parent_of(found["job"])
    return Maker(*whole, attempt=0) if whole else Maker(found["job"], int(found["number"]), int(found["attempt"]))


def by_age_alone(path: str) -> str | None:
    """Why a file of this name is of no use once it is old and no metadata names it; None if its name does not say.

    Such files are made and committed by one process that cannot live for a day: then it is dead, or was refused.
    """
    folder, _, name = path.rpartition("/")
    if _METADATA.fullmatch(name) and folder.endswith("/metadata"):
        return "metadata that the table does not name any more"
    return "written by a change that did not come about, or replaced since" if _WRITTEN.fullmatch(name) else None


def by_task(path: str, who: Maker, task: Task | None) -> str | None:
    """Why this attempt's file is of no use if no metadata names it; None as long as it may still be committed.

    A task that nobody stored proves nothing: a later one may take its name.
    """
    if task is None or who.attempt > task.attempt:
        return None
    if task.is_over:
        return f"task {task.id} is {task.state}"
    counts = task.state in (TaskState.LOADING, TaskState.STAGED) and who.attempt == task.attempt
    if counts or task.state is TaskState.DIVIDED or path in _named(task):
        return None
    return f"attempt {who.attempt} of task {task.id} does not count any more"


def _named(task: Task) -> frozenset[str]:
    """The files of earlier attempts, and of parts, that this task will bring."""
    files = [*task.staged.files, *task.staged.rejected] if task.staged is not None else []
    if task.progress is not None:
        files += [*task.progress.files, *task.progress.rejected]
        files += [*task.progress.begun.files, *task.progress.begun.rejected] if task.progress.begun else []
    return frozenset(file.path for file in files)


@dataclass(frozen=True, slots=True)
class Lying:
    """A file in Tidegate's own bucket."""

    path: str  # s3://bucket/key
    size: int  # bytes
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """A multipart upload that nobody has completed: parts that are paid for, and no file."""

    path: str
    upload_id: str
    started_at: datetime
