"""A table's life by chance: loads, overwrites, runs, other writers, maintenance, and processes that die meanwhile.

Each step says what the table becomes before it touches it. Whatever goes wrong is tried again, as the queue would,
by a process that remembers nothing.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings
from zlib import crc32

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import EqualTo

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import Iceberg
from chalicelib.config.maintenance import MIB, Maintenance
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations.files import Limits
from chalicelib.destinations.iceberg.tables import IcebergTables
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.destinations.staging import Stage
from chalicelib.errors import RunSuperseded, TransientError
from chalicelib.records.origin import with_origin
from tests.destinations.reading_along import CATALOG, TABLE, Log, Row, Rows, content
from tests.destinations.scripted import ScriptedCatalog, fail, hasty
from tests.destinations.staged import AT, ID, LOADED_AT, NOTE, batch, task
from tests.fakes.lake import FakeLake

RANK = Column(name="rank", type=ColumnType.LONG)
EXTRA = Column(name="extra", type=ColumnType.LONG)
KEYS = tuple(f"in/{number:02}.csv" for number in range(14))
DAYS = 3  # that rows lie on

Effect = Callable[[Rows], Rows]
Formers = Mapping[str, Sequence[Former]]


class Crash(BaseException):
    """The process is gone: no handler of ours runs any more."""


@dataclass(slots=True)
class Story:
    """One table, its writers, and what it should be."""

    folder: Path
    chance: random.Random
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: Callable[..., IcebergTables] = IcebergTables
    without: Sequence[str] = ()  # steps that are never taken
    log: Log = field(default_factory=Log)
    jobs: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    pending: list[Effect] = field(default_factory=list)  # announced, and not settled
    told: list[str] = field(default_factory=list)  # what was done, for whoever reads a failure
    again: Callable[[], object] | None = None  # the last commit, as it would be delivered once more
    deep: int = 0  # steps that happen within another one
    ours: ScriptedCatalog = field(init=False)
    theirs: ScriptedCatalog = field(init=False)
    keepers: ScriptedCatalog = field(init=False)

    def __post_init__(self) -> None:
        self.ours, self.theirs, self.keepers = (
            ScriptedCatalog(CATALOG, uri=self.uri, warehouse=self.warehouse) for _ in range(3)
        )
        for catalog in (self.ours, self.theirs, self.keepers):
            hasty(catalog)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/catalog.db"

    @property
    def warehouse(self) -> str:
        return f"file://{self.folder}/warehouse"

    @property
    def out(self) -> Iceberg:
        return Iceberg.model_validate({"type": "iceberg", "database": "db", "table": "t", **self.options})

    def close(self) -> None:
        for catalog in (self.ours, self.theirs, self.keepers):
            catalog.close()

    # what happens

    def step(self) -> None:
        """Something, by chance."""
        (name,) = self.chance.choices(list(STEPS), list(STEPS.values()))
        if name in self.without:
            return
        self.told.append(name)
        getattr(self, name)()

    def load(self) -> None:
        """New objects, new contents of known ones, and the same ones again, by one to three tasks."""
        keys = self.chance.sample(KEYS, self.chance.randint(1, 5))
        present = {(row[0], row[1]) for row in self.log.now}
        tasks, formers, come = [], dict[str, list[Former]](), list[Row]()
        for some in _dealt(keys, self.chance.randint(1, 3)):
            versions = {key: self._version(key) for key in some}
            loaded, rows = self._task(versions)
            tasks.append(loaded)
            come += rows
            formers[loaded.id] = [Former("bucket", key, identity) for key, identity in present if key in some]
        self.commit(tasks, formers, None, self._loaded(formers, come))

    def remove(self) -> None:
        """Objects that their owner deleted."""
        present = sorted({(row[0], row[1]) for row in self.log.now if row[0]})
        gone = self.chance.sample(present, min(len(present), self.chance.randint(1, 2)))
        removing, _ = self._task({})
        formers = {removing.id: [Former("bucket", *each) for each in gone]}
        self.commit([removing], formers, None, _exchanged(formers, []))

    def replace(self) -> None:
        """A run whose rows become the whole content; now and then it finds nothing."""
        keys = self.chance.sample(KEYS, self.chance.choice((0, 3, 6, 9)))
        made = [self._task({key: self._version(key) for key in some}) for some in _dealt(keys, 3) if some]
        self.jobs += 1
        run = Run(f"r{self.jobs:05}", _now())
        come = content([row for _, rows in made for row in rows])
        self.commit([loaded for loaded, _ in made], {}, run, lambda _: come)

    def late_run(self) -> None:
        """A run that started before the one that replaced the content: it is told so, and changes nothing."""
        self.replace()
        loaded, _ = self._task({KEYS[0]: self._version(KEYS[0])})
        with suppress(RunSuperseded):
            self._tables().commit(self.out, [loaded], {}, Run("r00000", datetime(2026, 1, 1, tzinfo=UTC)))
            raise AssertionError("an older run replaced what a newer one had brought")

    def repeat(self) -> None:
        """A message that is delivered twice."""
        if self.again is not None:
            self.again()

    def abandon(self) -> None:
        """An attempt that died: whole files that no task names, and a half one."""
        self._task(dict.fromkeys(self.chance.sample(KEYS, 2), 0))
        half = f"{self.warehouse}/iceberg/db/t/data/{self.chance.getrandbits(64):016x}-gone_0-a1.parquet"
        FakeLake(self.folder).put(half, b"PAR1 half a file")

    def stranger_adds(self) -> None:
        """Another engine's rows, which have no origin."""
        rows = [(None, None, self.chance.randint(100, 140), f"stranger {self.jobs}", None)]
        if not self.theirs.table_exists(TABLE):
            return

        schema = pa.schema([("id", pa.int64()), ("note", pa.string())])
        brought = pa.Table.from_pylist([{"id": row[2], "note": row[3]} for row in rows], schema)
        with self._changing(lambda before: content([*before, *rows])):
            self.theirs.load_table(TABLE).append(brought)

    def stranger_deletes(self) -> None:
        """Another engine takes some rows out, of whatever object they are."""
        if not self.log.now or not self.theirs.table_exists(TABLE):
            return
        number = self.chance.choice(self.log.now)[2]

        with self._changing(lambda before: tuple(row for row in before if row[2] != number)), catch_warnings():
            filterwarnings("ignore", "Delete operation did not match any records")
            self.theirs.load_table(TABLE).delete(EqualTo("id", number))

    def compact(self) -> None:
        """Small files become few; whatever happens meanwhile."""
        self._troubled(self.keepers, self.chance.choice(BESIDE))
        with self._given_up():
            self._upkeep.compact(self.out, RULES, in_time=lambda: True)

    def forget(self) -> None:
        """Old snapshots expire, a few hours later; no task waits whose tags somebody would look for."""
        self._troubled(self.keepers, self.chance.choice(BESIDE))
        with self._given_up():
            self._upkeep.expire(self.out, RULES, now=_now() + timedelta(hours=3), oldest_staged=None)
        self.again = None

    # how it happens

    def commit(self, tasks: Sequence[Task], formers: Formers, run: Run | None, effect: Effect) -> None:
        """One commit, with troubles, until it is done; then the table is what it should be."""

        def once() -> object:
            return self._tables().commit(self.out, tasks, formers, run)

        self._troubled(self.ours, self.chance.choice(MEANWHILE))
        with self._changing(effect):
            self._until_done(once)
        self.again = once

    def _until_done(self, action: Callable[[], object]) -> None:
        for _ in range(10):
            with suppress(Crash, TransientError):
                action()
                break
        else:
            raise AssertionError("it was tried ten times")
        if not self.deep:
            self.ours.before.clear()
            self.ours.after.clear()

    @contextmanager
    def _changing(self, effect: Effect) -> Iterator[None]:
        """The table changes like this, within; what another step had announced comes after it, if at all."""
        if self.pending:
            self.log.withdraw()
        self.pending.append(effect)
        self.log.expect(effect(self.log.now))
        yield
        self.log.settle()
        self.pending.pop()
        if self.pending:
            self.log.expect(self.pending[-1](self.log.now))

    @contextmanager
    def _given_up(self) -> Iterator[None]:
        """Maintenance that dies, or meets too much, is left to its next run: no row depends on it."""
        with suppress(Crash, TransientError):
            yield
        self.keepers.before.clear()
        self.keepers.after.clear()

    @property
    def _upkeep(self) -> IcebergUpkeep:
        return IcebergUpkeep(lambda: self.keepers)

    def _troubled(self, catalog: ScriptedCatalog, meanwhile: str) -> None:
        """What the next commit over this catalogue meets; nothing within another step."""
        if self.deep:
            return
        trouble = self.chance.choices(list(TROUBLES), list(TROUBLES.values()))[0]
        if trouble != "none":
            self.told.append(f"  {trouble} {meanwhile if 'meanwhile' in trouble else ''}")
        if "meanwhile" in trouble and meanwhile not in self.without:
            catalog.before.append(lambda: self._within(meanwhile))
        if "conflict" in trouble:
            catalog.before.append(fail(CommitFailedException("somebody was first")))
        if "dies before" in trouble:
            catalog.before.append(fail(Crash()))
        if "dies after" in trouble:
            catalog.after.append(fail(Crash()))
        if "answer is lost" in trouble:
            catalog.after.append(fail(self.chance.choice((TimeoutError("no answer"), CommitFailedException("twice")))))

    def _within(self, name: str) -> None:
        self.deep += 1
        self.told.append(f"    {name}")
        getattr(self, name)()
        self.deep -= 1

    def _loaded(self, formers: Formers, come: Sequence[Row]) -> Effect:
        """What comes, in the place of formers; where rows are merged, in that of rows with the same `id` as well."""
        out = self.out
        return _merged(formers, come, out.merge_order is not None) if out.merge_keys else _exchanged(formers, come)

    def _tables(self) -> IcebergTables:
        """What a process that has just started has."""
        return self.kind(lambda: self.ours, self.warehouse)

    def _version(self, key: str) -> int:
        """The next content of this object, or the one that it has."""
        known = self.versions.get(key, 0)
        self.versions[key] = known if known and self.chance.random() < REPLAYED else known + 1
        return self.versions[key]

    def _task(self, versions: Mapping[str, int]) -> tuple[Task, list[Row]]:
        """A staged task with these contents of these objects, and its rows."""
        self.jobs += 1
        job, rows = f"a{self.jobs:05}", list[Row]()
        staging = Stage(FakeLake(self.folder), self.warehouse, Limits(row_group_rows=4))(self.out, f"{job}/0", 1)
        for key, version in versions.items():
            columns, staged = object_rows(key, version)
            ref = ObjectRef("bucket", key, str(version), 1, LOADED_AT)
            staging.write(with_origin(batch(columns, *staged, origin=False), ref, LOADED_AT), columns)
            staging.keep()
            rows += [(key, ref.identity, row[0], row[1], row[4] if len(row) > 4 else None) for row in staged]
        return task(0, staging.finish(), job, _now()), rows


def object_rows(key: str, version: int) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """What an object has: always the same; every third content has a column more, and some have no row."""
    chance = random.Random(f"{key} {version}")
    columns = (ID, NOTE, AT, RANK, EXTRA) if version % 3 == 0 else (ID, NOTE, AT, RANK)
    rows = []
    for number in range(chance.choice((0, 1, 2, 5, 9))):
        note, at = f"{key} {version} {number}", LOADED_AT + timedelta(days=chance.randint(1, DAYS))
        rows.append((chance.randint(0, 40), note, at, crc32(note.encode()), number)[: len(columns)])
    return columns, rows


def _dealt(keys: Sequence[str], hands: int) -> list[Sequence[str]]:
    return [keys[hand::hands] for hand in range(hands)]


def _exchanged(formers: Formers, come: Sequence[Row]) -> Effect:
    gone = {(former.key, former.identity) for each in formers.values() for former in each}
    return lambda before: content([*(row for row in before if (row[0], row[1]) not in gone), *come])


def _merged(formers: Formers, come: Sequence[Row], ordered: bool) -> Effect:
    """Of rows with the same `id` the one of the greatest rank stays, or else the last."""
    best: dict[int, Row] = {}
    for row in come:
        if not ordered or row[2] not in best or _rank(row) > _rank(best[row[2]]):
            best[row[2]] = row
    exchanged = _exchanged(formers, [])

    def effect(before: Rows) -> Rows:
        known = {row[2]: row for row in exchanged(before) if row[2] in best}
        stay = {number for number, row in known.items() if ordered and _rank(row) > _rank(best[number])}
        kept = [row for row in exchanged(before) if row[2] not in best or row[2] in stay]
        return content([*kept, *(row for number, row in best.items() if number not in stay)])

    return effect


def _rank(row: Row) -> int:
    return crc32(row[3].encode())


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


STEPS = {
    "load": 6.0,
    "remove": 1.0,
    "replace": 1.5,
    "late_run": 0.3,
    "repeat": 1.0,
    "abandon": 0.3,
    "stranger_adds": 1.0,
    "stranger_deletes": 1.0,
    "compact": 2.0,
    "forget": 0.5,
}
TROUBLES = {
    "none": 5.0,
    "conflict": 1.0,
    "dies before": 1.0,
    "dies after": 1.0,
    "answer is lost": 1.0,
    "meanwhile": 2.0,
    "meanwhile, then dies before": 0.5,
    "meanwhile, then answer is lost": 0.5,
}
MEANWHILE = ("stranger_adds", "stranger_deletes", "compact")  # beside a commit
BESIDE = ("load", "remove", "replace", "stranger_deletes")  # beside a compaction
RULES = Maintenance(min_files=2, target_file_size=MIB, snapshot_age=3600, keep_snapshots=3)
REPLAYED = 0.2  # of the contents that are loaded
