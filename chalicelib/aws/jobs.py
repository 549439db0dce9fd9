"""Jobs and tasks in DynamoDB; a task's transition and what it changes in its job are one transaction."""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.aws.bulk import packed, unpacked, without_bulk
from chalicelib.aws.items import (
    WRITES,
    Codec,
    Item,
    plain,
    put,
    query,
    read,
    stamp,
    stream,
    swap_condition,
    transact,
    wire,
)
from chalicelib.core.jobs import Job, JobChange, together
from chalicelib.core.tasks import Task, TaskState
from chalicelib.errors import Throttled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 8  # one partition of an index takes 1,000 writes a second
BYTES = 3_000_000  # of the tasks in one transaction, which takes 4 MB
SMALL = 4_000  # bytes of a task without its members
COUNT = "count_"  # a job's counts are attributes of their own: DynamoDB adds to top-level numbers only


_Portion = list[tuple[Task, JobChange, dict[str, Any]]]  # with the put of each task

_jobs = Codec(Job)
_tasks = Codec(Task)


@dataclass(frozen=True, slots=True)
class DynamoJobs:
    """Jobs in one table, tasks in another."""

    client: "DynamoDBClient"
    jobs_table: str
    tasks_table: str

    def start(self, job: Job, tasks: Sequence[Task]) -> bool:
        """Store the job and its tasks, at most 99, or nothing: False if one of them is there already."""
        if len(tasks) >= WRITES:
            raise ValueError(f"{len(tasks)} tasks do not fit into one transaction with their job")
        item = _jobs.item(job, job=job.id, created_at=stamp(job.created_at))
        counts = {COUNT + name: value for name, value in job.counts.items()}
        item = {**{name: value for name, value in item.items() if name != "counts"}, **wire(counts)}
        first = {"Put": {"TableName": self.jobs_table, "Item": item, **_absent("job")}}
        writes = [first, *({"Put": self.new(task)} for task in tasks)]
        return not transact(self.client, f"job {job.id}", writes)  # type: ignore[arg-type]

    def job(self, job: str) -> Job | None:
        """The job, read consistently."""
        found = read(self.client, f"job {job}", self.jobs_table, [wire({"job": job})])
        return _job(found[0]) if found else None

    def several(self, jobs: Collection[str]) -> Sequence[Job]:
        """Those of the jobs that there are, read consistently; 100 a call."""
        names = [wire({"job": job}) for job in jobs]
        return [_job(item) for item in read(self.client, "jobs", self.jobs_table, names)]

    def tasks(self, job: str) -> Sequence[Task]:
        """The job's tasks, read consistently."""
        return list(self.each(job))

    def each(self, job: str) -> Iterator[Task]:
        """The same one after the other, as they are asked for: a job of a million objects does not fit into memory."""
        request = {
            "TableName": self.tasks_table,
            "KeyConditionExpression": "job = :job",
            "ExpressionAttributeValues": wire({":job": job}),
            "ConsistentRead": True,
        }
        return (_task(item) for item in stream(self.client, f"job {job}", None, request))

    def task(self, job: str, number: int) -> Task | None:
        """One task, read consistently."""
        found = self._read([{"job": job, "number": number}])
        return found[0] if found else None

    def named(self, tasks: Collection[tuple[str, int]]) -> Sequence[Task]:
        """Those of the tasks that there are, read consistently; 100 a call."""
        return self._read([{"job": job, "number": number} for job, number in tasks])

    def history(self, pipeline: str, *, limit: int = 20) -> Sequence[Job]:
        """The pipeline's jobs, newest first."""
        request = {
            "TableName": self.jobs_table,
            "IndexName": "history",
            "KeyConditionExpression": "pipeline = :pipeline",
            "ExpressionAttributeValues": wire({":pipeline": pipeline}),
            "ScanIndexForward": False,
        }
        return [_job(item) for item in query(self.client, f"history of {pipeline}", limit, request)]

    def swap(self, task: Task, change: JobChange | None = None) -> bool:
        """Store the task if the stored revision is the one before it, and change its job with it."""
        arguments = self._swap(task)
        if change is None:
            return put(self.client, f"task {task.id}", arguments)
        writes = [{"Put": arguments}, {"Update": self.change(change)}]
        return not transact(self.client, f"task {task.id}", writes)  # type: ignore[arg-type]

    def swap_all(self, steps: Sequence[tuple[Task, JobChange]]) -> frozenset[str]:
        """`swap` for each of them, as many as fit into a transaction; the ids of the tasks that failed.

        A transaction is cancelled whole, so those that failed are dropped and the rest is sent again. Where others
        keep writing to one of the jobs each task is stored by itself.
        """
        lost: set[str] = set()
        for some in _portions([(task, change, self._swap(task)) for task, change in steps]):
            lost |= self._swap_portion(some)
        return frozenset(lost)

    def _swap_portion(self, steps: _Portion) -> set[str]:
        lost: set[str] = set()
        while len(steps) > 1:
            try:
                failed = self._failed(steps)
            except Throttled:
                break
            if not failed:
                return lost
            lost |= {task.id for task, _, _ in failed}
            steps = [step for step in steps if step not in failed]
        return lost | {task.id for task, change, _ in steps if not self.swap(task, change)}

    def _failed(self, steps: _Portion) -> _Portion:
        """Those that kept all from being stored."""
        by_job: dict[str, list[JobChange]] = {}
        for _, change, _ in steps:
            by_job.setdefault(change.job, []).append(change)
        writes = [{"Put": arguments} for _, _, arguments in steps]
        writes += [{"Update": self.change(together(changes))} for changes in by_job.values()]
        failed = transact(self.client, f"{len(steps)} tasks", writes)  # type: ignore[arg-type]
        gone = {job for at, job in enumerate(by_job, start=len(steps)) if at in failed}
        return [step for at, step in enumerate(steps) if at in failed or step[1].job in gone]

    def _swap(self, task: Task) -> dict[str, Any]:
        return {"TableName": self.tasks_table, "Item": _item(task), **swap_condition(task.revision)}

    def add(self, tasks: Sequence[Task]) -> None:
        """Store those of the tasks that are not there yet."""
        for task in tasks:
            put(self.client, f"task {task.id}", self.new(task))

    def bury(self, tombstone: Task) -> bool:
        """Put the tombstone where no task is stored; True if the task there is over now."""
        if put(self.client, f"task {tombstone.id}", self.new(tombstone)):
            return True
        stored = self.task(tombstone.job, tombstone.number)
        return stored is not None and stored.is_over

    def staged(self, table: str, *, limit: int) -> Sequence[Task]:
        """Staged tasks for a table, oldest first."""
        return self._indexed("staged", "#table = :value", table, limit, {"#table": "table"})

    def due(self, now: datetime, *, limit: int) -> Sequence[Task]:
        """Tasks that are not over although their time has come, from each shard of the index."""
        found: list[Task] = []
        for shard in range(SHARDS):
            condition = "#shard = :value AND due_at <= :now"
            found += self._indexed("due", condition, str(shard), limit, {"#shard": "shard"}, {":now": stamp(now)})
        return found

    def _indexed(
        self,
        index: str,
        condition: str,
        value: str,
        limit: int,
        names: Mapping[str, str],
        more: Mapping[str, str] | None = None,
    ) -> list[Task]:
        request: dict[str, Any] = {
            "TableName": self.tasks_table,
            "IndexName": index,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": dict(names),
            "ExpressionAttributeValues": wire({":value": value, **(more or {})}),
        }
        keys = [plain(item) for item in query(self.client, f"index {index} of tasks", limit, request)]
        tasks = self._read([{"job": key["job"], "number": key["number"]} for key in keys])
        return sorted(tasks, key=lambda task: task.due_at)

    def _read(self, keys: Sequence[Mapping[str, Any]]) -> list[Task]:
        found = read(self.client, "tasks", self.tasks_table, [wire(key) for key in keys])
        return [_task(item) for item in found]

    def new(self, task: Task) -> dict[str, Any]:
        """The put of a task that is not there yet."""
        return {"TableName": self.tasks_table, "Item": _item(task), **_absent("job")}

    def change(self, change: JobChange) -> dict[str, Any]:
        """The update of a job that exists."""
        steps = {"tasks": change.tasks, "staging": change.staging, "unfinished": change.unfinished}
        adds = {name: step for name, step in steps.items() if step}
        adds |= {COUNT + name: count for name, count in change.counts.items() if count}
        sets = {
            "finished_at": stamp(change.finished_at) if change.finished_at else None,
            "error": change.error,
            "sealed": change.sealed,
        }
        sets = {name: value for name, value in sets.items() if value is not None}
        names = {f"#{i}": name for i, name in enumerate([*adds, *sets])}
        alias = {name: token for token, name in names.items()}
        parts = ["ADD " + ", ".join(f"{alias[name]} :{alias[name][1:]}" for name in adds)] if adds else []
        if sets:
            parts.append("SET " + ", ".join(f"{alias[name]} = :{alias[name][1:]}" for name in sets))
        return {
            "TableName": self.jobs_table,
            "Key": wire({"job": change.job}),
            "UpdateExpression": " ".join(parts),
            "ConditionExpression": "attribute_exists(job)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": wire({f":{alias[n][1:]}": v for n, v in {**adds, **sets}.items()}),
        }


def _portions(steps: _Portion) -> Iterator[_Portion]:
    """Steps that fit into one transaction with their jobs."""
    some: _Portion = []
    jobs: set[str] = set()
    size = 0
    for step in steps:
        more = len(step[2]["Item"]["bulk"]["B"]) + SMALL
        if some and (len(some) + len({*jobs, step[1].job}) >= WRITES or size + more > BYTES):
            yield some
            some, jobs, size = [], set(), 0
        some.append(step)
        jobs.add(step[1].job)
        size += more
    if some:
        yield some


def _item(task: Task) -> Item:
    shard = None if task.is_over else str(zlib.crc32(task.job.encode()) % SHARDS)
    staged_at = stamp(task.staged.at) if task.staged and task.state is TaskState.STAGED else None
    item = _tasks.item(without_bulk(task), shard=shard, due_at=stamp(task.due_at), staged_at=staged_at)
    return {**item, "bulk": {"B": packed(task)}}


def _task(item: Item) -> Task:
    return unpacked(_tasks.value(item), item["bulk"]["B"])


def _job(item: Item) -> Job:
    fields = plain(item)
    counts = {name.removeprefix(COUNT): int(value) for name, value in fields.items() if name.startswith(COUNT)}
    return _jobs.value(wire({**fields, "counts": counts}))


def _absent(name: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": name},
    }
