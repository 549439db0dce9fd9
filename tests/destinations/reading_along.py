"""Readers that look at a table all the time, and the log that says what they may have seen.

A reader sees a table at some instant between asking the catalogue for it and having its answer. The log knows each
content that the table ever had, from when it may have been visible and until when: whatever a reader saw must be one
of those whose time touches the reader's own. So a content that is mixed, empty in between, doubled, stale or too new is
told from one that is right, row by row.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing import get_context
from queue import Empty
from typing import Any, NamedTuple

import duckdb
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from sqlalchemy.exc import OperationalError

TABLE = ("db", "t")
CATALOG = "test"  # tables of SQL catalogues with other names are not the same
COLUMNS = ("_key", "_identity", "id", "note", "extra")
WHOLE = 50  # of the last contents, kept with all rows, to be shown

Row = tuple[Any, ...]  # of COLUMNS
Rows = tuple[Row, ...]  # sorted: what two equal contents have alike


def content(rows: Sequence[Row]) -> Rows:
    """Rows in the one order that tells whether two contents are the same."""
    return tuple(sorted(rows, key=repr))


def digest(rows: Rows) -> bytes:
    return blake2b(repr(rows).encode(), digest_size=16).digest()


class Seen(NamedTuple):
    """What a reader saw: `rows` only where it is not what it saw the last time."""

    by: str
    began: int  # nanoseconds of a clock that all processes share
    loaded: int
    digest: bytes
    rows: Rows | None


@dataclass(slots=True)
class Moment:
    """A content of the table: readers may see it since it was announced; they must, once it is settled."""

    digest: bytes
    rows: Rows | None
    announced: int
    settled: int | None = None


@dataclass(slots=True)
class Log:
    """Everything that the table ever was."""

    moments: list[Moment] = field(default_factory=list)
    told: dict[bytes, Rows] = field(default_factory=dict)  # by readers
    looks: dict[str, int] = field(default_factory=dict)
    different: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.expect(())
        self.settle()

    @property
    def now(self) -> Rows:
        """What the table is, whatever is announced."""
        rows = next(moment.rows for moment in reversed(self.moments) if moment.settled is not None)
        assert rows is not None
        return rows

    def expect(self, rows: Rows) -> None:
        """From here on readers may see this."""
        self.moments.append(Moment(digest(rows), rows, time.monotonic_ns()))

    def settle(self) -> None:
        """From here on they may see nothing older."""
        self.moments[-1].settled = time.monotonic_ns()
        if len(self.moments) > WHOLE:
            self.moments[-WHOLE].rows = None

    def withdraw(self) -> None:
        """What was announced cannot come about any more."""
        assert self.moments.pop().settled is None, "it was there already"

    def check(self, seen: Seen) -> None:
        """Raises AssertionError if the table was never that, or not then."""
        if seen.rows is not None:
            self.told = {seen.by.encode(): seen.rows}
        self.looks[seen.by] = self.looks.get(seen.by, 0) + 1
        self.different.add(seen.digest)
        until: int | None = None
        for moment in reversed(self.moments):
            if until is not None and until < seen.began:
                break
            if moment.digest == seen.digest and moment.announced <= seen.loaded:
                return
            until = moment.settled if moment.settled is not None else until
        raise AssertionError(self._difference(seen))

    def _difference(self, seen: Seen) -> str:
        ever = [place for place, moment in enumerate(self.moments) if moment.digest == seen.digest]
        if ever:
            return f"{seen.by} saw content {ever} of {len(self.moments)}, at another time"
        rows = self.told.get(seen.by.encode())
        missing, strange = set(self.now) - set(rows or ()), set(rows or ()) - set(self.now)
        doubled = len(rows or ()) - len(set(rows or ()))
        return f"{seen.by} saw what never was: {missing=} {strange=} {doubled=}, compared to what is now"


def by_pyiceberg(table: Table) -> Rows:
    names = [name for name in COLUMNS if name in table.schema().column_names]
    rows = table.scan(selected_fields=tuple(names)).to_arrow().to_pylist()
    return content([tuple(row.get(name) for name in COLUMNS) for row in rows])


def by_duckdb(table: Table) -> Rows:
    """The planned files as a tool reads them that has never heard of us."""
    scans = list(table.scan().plan_files())
    assert not any(scan.delete_files for scan in scans), "nobody here writes those"
    paths = [scan.file.file_path.removeprefix("file://") for scan in scans]
    if not paths:
        return ()
    source = "read_parquet($paths, union_by_name => true, hive_partitioning => false)"
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        wanted = f"columns(lambda name: name in {COLUMNS!r})"
        found = connection.execute(f"select {wanted} from {source}", {"paths": paths})
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return content([tuple(row.get(name) for name in COLUMNS) for row in rows])


TOOLS: dict[str, Callable[[Table], Rows]] = {"pyiceberg": by_pyiceberg, "duckdb": by_duckdb}


def look(catalog: SqlCatalog, tool: str) -> Seen:
    """The table as it is at an instant between `began` and `loaded`, however long the rows then take."""
    began = time.monotonic_ns()
    try:
        table = catalog.load_table(TABLE)
    except NoSuchTableError:
        return Seen(tool, began, time.monotonic_ns(), digest(()), ())
    loaded = time.monotonic_ns()
    rows = TOOLS[tool](table)
    return Seen(tool, began, loaded, digest(rows), rows)


def _poll(uri: str, warehouse: str, tool: str, stop: Any, sink: Any) -> None:
    """A reader's whole life, in a process of its own."""
    catalog, last = SqlCatalog(CATALOG, uri=uri, warehouse=warehouse), b""
    while not stop.is_set():
        try:
            seen = look(catalog, tool)
        except OperationalError:  # SQLite was locked for too long
            continue
        except Exception as error:  # a reader that cannot read is a finding
            sink.put(f"{tool}: {type(error).__name__}: {error}")
            break
        sink.put(seen if seen.digest != last else seen._replace(rows=None))
        last = seen.digest
        time.sleep(0.02)  # leaves the writer something of the machine
    sink.put(None)


@dataclass(slots=True)
class Readers:
    """Processes that read, and what they have told so far."""

    sink: Any
    left: int

    def check(self, log: Log) -> None:
        """Hold all that was seen so far against the log."""
        while True:
            try:
                self._take(log, self.sink.get_nowait())
            except Empty:
                return

    def finish(self, log: Log) -> None:
        """The same, to the last word of each."""
        while self.left:
            self._take(log, self.sink.get(timeout=60))

    def _take(self, log: Log, told: Seen | str | None) -> None:
        assert not isinstance(told, str), told
        if told is None:
            self.left -= 1
        else:
            log.check(told)


@contextmanager
def reading_along(uri: str, warehouse: str, log: Log, tools: Sequence[str] = tuple(TOOLS)) -> Iterator[Readers]:
    """Readers beside whatever is done here; what they saw last is checked when it is done."""
    spawned = get_context("spawn")
    stop, sink = spawned.Event(), spawned.Queue()
    processes = [spawned.Process(target=_poll, args=(uri, warehouse, tool, stop, sink), daemon=True) for tool in tools]
    for process in processes:
        process.start()
    readers = Readers(sink, len(processes))
    try:
        yield readers
        stop.set()
        readers.finish(log)
    finally:
        stop.set()
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()
