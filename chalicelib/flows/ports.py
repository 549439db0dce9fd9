"""The Protocols that flows ask for. `aws` and `destinations` fit them; `wiring` hands them in; fakes stand in."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from chalicelib.config.columns import Column
from chalicelib.config.connection import Connection
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.cursors import Cursor
from chalicelib.core.descriptions import Description
from chalicelib.core.health import Health
from chalicelib.core.jobs import Job, JobChange
from chalicelib.core.keys import Keys
from chalicelib.core.ledger import Entry, State
from chalicelib.core.listing import Page
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.sweeps import Stored, Sweep
from chalicelib.core.tasks import Former, Run, StagedFile, Task

if TYPE_CHECKING:
    import pyarrow as pa

Opened = TypeVar("Opened")


class Connections(Protocol):
    """Ways into customers' accounts."""

    def get(self, name: str) -> Grant | None: ...
    def all(self) -> Sequence[Grant]: ...
    def add(self, grant: Grant) -> bool:
        """False if the name is taken."""
        ...

    def put(self, grant: Grant) -> bool:
        """Store a connection that is there already; False if it is not, or is another one of this name."""
        ...

    def remove(self, name: str) -> bool: ...


class Vault(Protocol):
    """The secret part of connections; nothing here appears in a log, an error or a document (P9)."""

    def get(self, connection: Connection) -> Keys | None:
        """What was kept for this connection, as it is now; None if nothing was."""
        ...

    def put(self, connection: Connection, keys: Keys) -> None: ...
    def forget(self, connection: Connection) -> None: ...


class Columns(Protocol):
    """The columns that the rows of pipelines turned out to have."""

    def columns(self, name: str) -> tuple[Column, ...]: ...
    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        """The pipeline's columns after an object with `seen`; all callers agree on place and type of each.

        Without `grow` the first caller's are all that there will be.
        """
        ...


class Pipelines(Columns, Protocol):
    """Pipeline documents, found by name or by the bucket they read; and their rows' columns."""

    def get(self, name: str) -> Pipeline | None: ...
    def all(self) -> Sequence[Pipeline]: ...
    def watching(self, bucket: str) -> Sequence[Pipeline]: ...
    def put(self, pipeline: Pipeline) -> None: ...
    def remove(self, name: str) -> bool: ...


class Ledger(Protocol):
    """What happened to each object. One entry a key; compare-and-swap on its revision."""

    def get(self, pipeline: str, keys: Collection[str]) -> Mapping[str, Entry]: ...
    def swap(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Store each entry if the stored revision is the one before it; returns the keys that lost."""
        ...

    def open(self, pipeline: str, *, due: datetime, limit: int) -> Sequence[Entry]:
        """Pending entries, and claimed ones whose lease ended before `due`; may lag behind by moments."""
        ...

    def refused(self, pipeline: str, reason: Reason, *, limit: int) -> Sequence[Entry]:
        """Entries refused for this reason; may lag behind by moments."""
        ...

    def span(self, pipeline: str, first: str, last: str) -> Iterator[Entry]:
        """The entries from one key to another, both included, in key order, as they are asked for."""
        ...

    def entries(
        self, pipeline: str, *, prefix: str = "", state: State | None = None, limit: int = 100
    ) -> Sequence[Entry]:
        """Entries in key order, of one state if one is named."""
        ...


class HealthStore(Protocol):
    """Whether connections let us in."""

    def get(self, connection: str) -> Health: ...
    def swap(self, health: Health) -> bool: ...


class Cursors(Protocol):
    """Where each pipeline's next listing may start."""

    def get(self, pipeline: str) -> Cursor: ...
    def swap(self, cursor: Cursor) -> bool: ...


class Sweeps(Protocol):
    """Sweeps in progress, and the last ones done."""

    def get(self, pipeline: str, name: str) -> Sweep | None: ...
    def all(self, pipeline: str) -> Sequence[Sweep]: ...
    def swap(self, sweep: Sweep) -> bool: ...
    def advance(self, sweep: Sweep, tasks: Sequence[Task], change: JobChange) -> Stored:
        """Store the sweep, its new tasks and what they change in its job, or nothing."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[Sweep]:
        """Sweeps that are not over although their time has come; may lag behind by moments."""
        ...


class Listing(Protocol):
    """What customers' buckets hold, a page at a time."""

    def page(
        self,
        grant: Grant,
        bucket: str,
        prefix: str,
        *,
        start_after: str = "",
        until: str | None = None,
        limit: int = 1000,
        exact: bool = False,
    ) -> Page:
        """Up to `limit` objects whose keys start with `prefix`, after `start_after` and before `until`.

        `exact`: only the key `prefix` itself matters, which can be told without the right to list (F7). Without that
        right, everything else raises ConfigError.
        """
        ...

    def probe(self, grant: Grant, bucket: str, prefix: str) -> None:
        """One small listing; raises what keeps us from listing."""
        ...


class Jobs(Protocol):
    """Jobs and their tasks."""

    def start(self, job: Job, tasks: Sequence[Task]) -> bool:
        """Store the job and all its tasks, or nothing: False if the job or one of the tasks is there already."""
        ...

    def job(self, job: str) -> Job | None: ...
    def tasks(self, job: str) -> Sequence[Task]: ...
    def each(self, job: str) -> Iterator[Task]:
        """The job's tasks by their numbers, as they are asked for."""
        ...

    def several(self, jobs: Collection[str]) -> Sequence[Job]:
        """Those of the jobs that there are, in no particular order."""
        ...

    def task(self, job: str, number: int) -> Task | None: ...
    def named(self, tasks: Collection[tuple[str, int]]) -> Sequence[Task]:
        """Those of the tasks that there are, by job and number, in no particular order."""
        ...

    def history(self, pipeline: str, *, limit: int = 20) -> Sequence[Job]:
        """Newest first."""
        ...

    def swap(self, task: Task, change: JobChange | None = None) -> bool:
        """Store the task if the stored revision is the one before it, and change its job with it."""
        ...

    def swap_all(self, steps: Sequence[tuple[Task, JobChange]]) -> frozenset[str]:
        """`swap` for each of them, which holds or fails by itself; the ids of the tasks that failed."""
        ...

    def add(self, tasks: Sequence[Task]) -> None:
        """Store those of the tasks that are not there yet; their job already counts them."""
        ...

    def bury(self, tombstone: Task) -> bool:
        """Put the tombstone where no task is stored; True if the task there is over now."""
        ...

    def staged(self, table: str, *, limit: int) -> Sequence[Task]:
        """Staged tasks for a table, oldest first; may lag behind by moments."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[Task]:
        """Tasks that are not over although their time has come; may lag behind by moments."""
        ...


class Queue(Protocol):
    """Messages to the doors that load, commit, sweep and maintain."""

    def load(self, tasks: Sequence[Task]) -> None: ...
    def commit(self, tasks: Sequence[Task]) -> None: ...
    def sweep(self, pipeline: str, name: str, *, delay: int = 0) -> None:
        """Ask for a sweep's next turn, in `delay` seconds."""
        ...

    def maintain(self, table: str) -> None:
        """Ask for the maintenance of a table, by its address."""
        ...


class Body(Protocol):
    """An object's bytes, pinned to its identity."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def encoding(self) -> str | None:
        """The Content-Encoding it was stored with: `gzip`, or several with commas in the order they were applied."""
        ...

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


class Buckets(Protocol):
    """Customers' buckets, read-only."""

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> Body:
        """Raises DataError for this object, ConfigError for the whole connection, TransientError for now."""
        ...

    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description:
        """What is told of the object without its bytes, also if it is archived; raises as `open`."""
        ...


class Ahead(Protocol):
    """Opens objects before they are asked for, or does not."""

    def __call__(
        self, wanted: Iterable[tuple[int, Callable[[], Opened]]]
    ) -> Generator[Callable[[], Opened], None, None]:
        """For each of `wanted`, an object's bytes and what opens it, what gives or raises what that did; in order."""
        ...


class Staging(Protocol):
    """The files of one attempt of one task."""

    @property
    def out(self) -> Iceberg | Parquet:
        """What the files are made for, with the time column that was chosen if the document names none."""
        ...

    def write(self, batch: "pa.RecordBatch", columns: tuple[Column, ...], at: datetime | None = None) -> None:
        """Rows of an object of which the reading began `at` this time, whoever began it."""
        ...

    def keep(self) -> None: ...
    def drop(self) -> None: ...
    def finish(self) -> tuple[StagedFile, ...]: ...
    def pause(self) -> tuple[tuple[StagedFile, ...], tuple[StagedFile, ...]]:
        """The end as well: the files of the objects that were kept, and those of the one that is being read."""
        ...

    def abandon(self) -> None: ...


class Stage(Protocol):
    """Where an attempt leaves its files; nobody reads them yet."""

    def __call__(self, out: Iceberg | Parquet, task_id: str, attempt: int) -> Staging: ...


class Table(Protocol):
    """One kind of destination, as its only writer sees it."""

    def committed(self, out: Iceberg | Parquet, tasks: Sequence[Task]) -> Mapping[str, str | None]:
        """Those of the tasks whose rows are in the table, by id, with their snapshots."""
        ...

    def commit(
        self,
        out: Iceberg | Parquet,
        tasks: Sequence[Task],
        formers: Mapping[str, Sequence[Former]] | None = None,
        run: Run | None = None,
    ) -> str | None:
        """One atomic change with the files of all these tasks, and without the rows of each task's formers, by id.

        With a `run`, the rows of its tasks become the whole content, and nothing else stays; formers are not asked
        for. Returns the snapshot's name, if there is one.

        Raises RunSuperseded if a run that started later has replaced the content already.
        """
        ...


class Metrics(Protocol):
    """What operators graph."""

    def count(self, name: str, value: float, **dimensions: str) -> None: ...
    def seconds(self, name: str, value: float, **dimensions: str) -> None: ...
