"""Notifications to claimed objects and queued tasks: select, plan, claim, start, send.

Each step may be repeated. The job's id follows from what woke it, and the plan from what it said, so messages that
are delivered again together meet their own claims and their own tasks, and go on where the first delivery stopped.
Delivered again in other company, they meet claims that are another job's: the tick takes those over once their lease
has ended, if the job was never stored. Either way each object is loaded once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import withdrawal
from chalicelib.core.jobs import Job, JobKind, job_id
from chalicelib.core.ledger import Owner
from chalicelib.core.notifications import parse
from chalicelib.core.objects import ObjectRef, Removal
from chalicelib.core.planning import MAX_TASKS, plan
from chalicelib.core.selection import UNRECORDED, Reason, refusal
from chalicelib.core.tasks import TaskState, planned
from chalicelib.errors import BadMessage
from chalicelib.flows.claim import Claimed, Claims, rewrite
from chalicelib.flows.ports import Jobs, Ledger, Metrics, Pipelines, Queue
from chalicelib.flows.refuse import empties, record


@dataclass(frozen=True, slots=True)
class Discover:
    """From word that objects exist to tasks that will load them."""

    pipelines: Pipelines
    ledger: Ledger
    jobs: Jobs
    queue: Queue
    metrics: Metrics
    now: Callable[[], datetime]
    lease: timedelta  # longer than this function may run

    def arrivals(self, messages: Mapping[str, str]) -> dict[str, Exception]:
        """Messages of the arrivals queue, bodies by id; those that have to be delivered again, with the reason.

        What ten of them bring becomes one job of one task: apart they would take 25 calls of AWS each on their whole
        way, together 3 (docs/cost.md). Only what says nothing but that objects were created is done together, and of
        each key one message at a time, so that all of its contents are seen. Where anything goes wrong each message
        is done by itself, so that one that nobody can do harms no other (P6).
        """
        failed: dict[str, Exception] = {}
        for group in _together(messages):
            if len(group) == 1 or not self._at_once({id_: messages[id_] for id_ in group}):
                failed |= self._one_by_one({id_: messages[id_] for id_ in group})
        return failed

    def _at_once(self, messages: Mapping[str, str]) -> bool:
        with suppress(Exception):  # each says its own trouble, if it still has any
            created = (ref for body in messages.values() for ref in parse(body).by(self.now()).created)
            self._created(" ".join(sorted(messages)), list(created))
            return True
        return False

    def _one_by_one(self, messages: Mapping[str, str]) -> dict[str, Exception]:
        failed: dict[str, Exception] = {}
        for id_, body in messages.items():
            try:
                self.arrival(id_, body)
            except Exception as error:  # whatever it is, its neighbours are done
                failed[id_] = error
        return failed

    def arrival(self, message_id: str, body: str) -> None:
        """One message of the arrivals queue.

        Raises BadMessage for a body that is no notification, and for a record that is none after the others are done.
        """
        notices = parse(body).by(self.now())
        self._created(message_id, notices.created)
        for removal in notices.removed:
            for pipeline in self.pipelines.watching(removal.bucket):
                self._remove(pipeline, removal)
        if notices.broken is not None:
            raise notices.broken

    def _created(self, told_by: str, created: Sequence[ObjectRef]) -> None:
        for bucket, refs in _by_bucket(created).items():
            watching = self.pipelines.watching(bucket)
            if not watching:
                self.metrics.count("ObjectsInUnknownBuckets", len(refs))
            for pipeline in watching:
                self.start(pipeline, JobKind.ARRIVAL, told_by, refs)

    def _remove(self, pipeline: Pipeline, removal: Removal) -> None:
        """Remember that an object is gone; its rows stay or go by the pipeline's policy.

        They go within a minute: the tick takes the rows of all that was deleted out of the table in one change.
        """
        now = self.now()
        delete_rows = pipeline.out.on_delete == "delete_rows" and not pipeline.out.replaces
        if delete_rows and not self.ledger.get(pipeline.name, [removal.key]):
            unseen = withdrawal.unseen(removal, pipeline.name, now=now)
            if unseen is not None and refusal(pipeline.source, replace(unseen.ref, size=1)) is None:
                self.ledger.swap([unseen])
        gone = partial(withdrawal.remove, removal=removal, delete_rows=delete_rows, now=now)
        rewrite(self.ledger, pipeline.name, [removal.key], gone)
        self.metrics.count("ObjectsRemoved", 1, pipeline=pipeline.name)

    def start(self, pipeline: Pipeline, kind: JobKind, cause: str, refs: Sequence[ObjectRef]) -> None:
        """Give every wanted object to a task of the job that `cause` stands for, and record every refusal."""
        if kind is JobKind.ARRIVAL and not pipeline.takes_arrivals:
            left = sum(refusal(pipeline.source, ref) is None for ref in refs)
            self.metrics.count("ObjectsRefused", left, pipeline=pipeline.name, reason=Reason.ARRIVALS_OFF)
            return
        now = self.now()
        latest, outdated = _latest(refs)
        refused = {ref: reason for ref in latest if (reason := refusal(pipeline.source, ref)) is not None}
        record(self.ledger, pipeline, refused, now=now)
        counts = Counter(refused.values()) + Counter({Reason.OUTDATED: outdated})
        self.metrics.count("ObjectsSeen", len(refs), pipeline=pipeline.name)
        wanted = [ref for ref in latest if ref not in refused]
        self._take(pipeline, kind, job_id(kind, pipeline.name, cause), wanted, counts, now)

    def resume(self, pipeline: Pipeline, cause: str, refs: Sequence[ObjectRef]) -> None:
        """Start a job for objects that were wanted once and that nobody works on any more.

        Of those that are empty now there is nothing to load, and their former rows may have to go (W1).
        """
        empty = {ref: Reason.EMPTY for ref in refs if empties(pipeline.out) and _is_empty(pipeline, ref)}
        record(self.ledger, pipeline, empty, now=self.now())
        wanted = [ref for ref in refs if ref not in empty]
        if wanted:
            job = job_id(JobKind.RECOVERY, pipeline.name, cause)
            self._take(pipeline, JobKind.RECOVERY, job, wanted, Counter(), self.now())

    def replay(self, pipeline: Pipeline, cause: str, refs: Sequence[ObjectRef]) -> tuple[str, ...]:
        """Start jobs for objects whose entries were made to wait for it; returns their ids."""
        job = job_id(JobKind.REPLAY, pipeline.name, cause)
        return self._take(pipeline, JobKind.REPLAY, job, refs, Counter(), self.now())

    def _take(
        self,
        pipeline: Pipeline,
        kind: JobKind,
        job: str,
        wanted: Sequence[ObjectRef],
        refused: Counter[Reason],
        now: datetime,
    ) -> tuple[str, ...]:
        """The ids of the jobs that it takes: one for so many tasks as can be stored at once."""
        source, started = pipeline.source, list[str]()
        least, most = source.min_task_size, source.max_task_files
        groups = list(plan(wanted, min_task_size=least, max_objects=most, alone=source.divided_from))
        for part in range(0, max(1, len(groups)), MAX_TASKS):
            name = job if part == 0 else f"{job}.{part}"
            owners = {Owner(name, number): group for number, group in enumerate(groups[part : part + MAX_TASKS])}
            claimed = Claims(self.ledger, self.jobs, self.lease).take(pipeline, owners, now=now)
            counts = (refused if part == 0 else Counter[Reason]()) + Counter(claimed.skipped.values())
            for reason, count in counts.items():
                self.metrics.count("ObjectsRefused", count, pipeline=pipeline.name, reason=reason)
            self._send(pipeline, kind, name, claimed, counts, now)
            started += [name] if claimed.won else []
        return tuple(started)

    def _send(
        self,
        pipeline: Pipeline,
        kind: JobKind,
        job: str,
        claimed: Claimed,
        counts: Mapping[Reason, int],
        now: datetime,
    ) -> None:
        due_at = now + self.lease
        tasks = [planned(pipeline, owner.job, owner.task, refs, due_at=due_at) for owner, refs in claimed.won.items()]
        recorded = {str(reason): count for reason, count in counts.items() if reason not in UNRECORDED}
        if not tasks and not any(reason in (Reason.EMPTY, Reason.FOLDER) for reason in counts):
            return
        fresh = Job(
            id=job,
            kind=kind,
            pipeline=pipeline.name,
            created_at=now,
            tasks=len(tasks),
            staging=len(tasks),
            unfinished=len(tasks),
            counts=recorded,
            finished_at=None if tasks else now,
        )
        if not self.jobs.start(fresh, tasks):
            tasks = [task for task in self.jobs.tasks(job) if task.state is TaskState.PLANNED]
        self.queue.load(tasks)


def _together(messages: Mapping[str, str]) -> list[list[str]]:
    """The ids in groups that can each be done at once, in order: no key is named by two messages of one group."""
    groups: list[tuple[list[str], set[tuple[str, str]]]] = []
    alone: list[list[str]] = []
    for id_, body in messages.items():
        keys = _only_created(body)
        if keys is None:
            alone.append([id_])
            continue
        last = max((at for at, (_, known) in enumerate(groups) if known & keys), default=-1)
        if last + 1 == len(groups):
            groups.append(([], set()))
        ids, known = groups[last + 1]
        ids.append(id_)
        known |= keys
    return [*(ids for ids, _ in groups), *alone]


def _only_created(body: str) -> set[tuple[str, str]] | None:
    """The objects that a message says were created; None if it says anything else, or nothing that can be read."""
    try:
        notices = parse(body)
    except BadMessage:
        return None
    if notices.removed or notices.broken is not None:
        return None
    return {(ref.bucket, ref.key) for ref in notices.created}


def _is_empty(pipeline: Pipeline, ref: ObjectRef) -> bool:
    return refusal(pipeline.source, ref) is Reason.EMPTY


def _by_bucket(refs: Iterable[ObjectRef]) -> dict[str, list[ObjectRef]]:
    buckets: dict[str, list[ObjectRef]] = {}
    for ref in refs:
        buckets.setdefault(ref.bucket, []).append(ref)
    return buckets


def _latest(refs: Iterable[ObjectRef]) -> tuple[list[ObjectRef], int]:
    """The newest identity of each key, and how many older ones there were."""
    latest: dict[str, ObjectRef] = {}
    outdated = 0
    for ref in refs:
        known = latest.get(ref.key)
        outdated += known is not None and not known.same(ref)
        if known is None or known.older(ref):
            latest[ref.key] = ref
    return list(latest.values()), outdated
