"""A job's numbers add up, whatever its tasks go through."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.jobs import Job, JobChange, JobKind, JobState, job_id, on_committed, on_split, on_staged, on_void
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome, OutcomeKind, Staged, Task, TaskState, children

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def task(*outcomes: Outcome) -> Task:
    members = tuple(ObjectRef("acme", key, "e", 10, NOW) for key in "abcd")
    return Task("j1", 0, "p", "t", members, TaskState.STAGED, NOW, staged=Staged(outcomes, (), NOW))


MIXED = task(
    Outcome("a", OutcomeKind.LOADED, rows=5, rejects=1),
    Outcome("b", OutcomeKind.LOADED, rows=7),
    Outcome("c", OutcomeKind.REFUSED, "archived", "cold"),
    Outcome("d", OutcomeKind.FAILED, "broken", "bad bytes"),
)


def added(job: Job, *changes: JobChange) -> Job:
    for change in changes:
        job = replace(
            job,
            tasks=job.tasks + change.tasks,
            staging=job.staging + change.staging,
            unfinished=job.unfinished + change.unfinished,
            finished_at=change.finished_at or job.finished_at,
            error=change.error or job.error,
        )
    return job


def test_the_same_cause_is_the_same_job_and_another_is_another() -> None:
    causes = [
        (JobKind.ARRIVAL, "p", "m1"),
        (JobKind.ARRIVAL, "p", "m2"),
        (JobKind.ARRIVAL, "q", "m1"),
        (JobKind.RECOVERY, "p", "m1"),
        (JobKind.ARRIVAL, "pm", "1"),
    ]
    assert [job_id(*cause) for cause in causes] == [job_id(*cause) for cause in causes]
    assert len({job_id(*cause) for cause in causes}) == len(causes)


def test_a_committed_task_counts_its_objects_by_what_became_of_them() -> None:
    change = on_committed(MIXED, now=NOW)
    assert dict(change.counts) == {"loaded": 2, "archived": 1, "broken": 1, "rows": 12, "rejects": 1, "bytes": 20}
    assert (change.unfinished, change.finished_at, change.error) == (-1, NOW, "bad bytes")


def test_refused_objects_alone_do_not_fail_a_job() -> None:
    refused = task(Outcome("a", OutcomeKind.REFUSED, "archived", "cold"))
    assert on_committed(refused, now=NOW).error is None


def test_a_job_ends_with_its_last_task() -> None:
    job = Job("j1", JobKind.ARRIVAL, "p", NOW, 2, 2, 2)
    done = on_committed(task(Outcome("a", OutcomeKind.LOADED)), now=NOW)
    job = added(job, on_staged(MIXED), done)
    assert (job.state, job.staging, job.unfinished) == (JobState.RUNNING, 1, 1)
    job = added(job, on_staged(MIXED), done)
    assert (job.state, job.staging, job.unfinished) == (JobState.DONE, 0, 0)


def test_a_job_with_a_failed_object_or_a_voided_task_has_failed() -> None:
    job = Job("j1", JobKind.ARRIVAL, "p", NOW, 1, 0, 1)
    assert added(job, on_committed(MIXED, now=NOW)).state is JobState.FAILED
    assert added(job, on_void(replace(MIXED, error="taken over"), now=NOW)).state is JobState.FAILED


def test_a_split_task_is_finished_by_its_children() -> None:
    job = added(Job("j1", JobKind.ARRIVAL, "p", NOW, 1, 1, 1), on_split(MIXED))
    assert (job.tasks, job.staging, job.unfinished) == (4, 4, 4)
    for child in children(MIXED, now=NOW):
        loaded = replace(child, staged=Staged((Outcome(child.members[0].key, OutcomeKind.LOADED),), (), NOW))
        assert job.state is JobState.RUNNING
        job = added(job, on_staged(child), on_committed(loaded, now=NOW + timedelta(minutes=1)))
    assert (job.state, job.staging, job.unfinished) == (JobState.DONE, 0, 0)


def test_a_task_that_was_never_staged_cannot_be_counted() -> None:
    with pytest.raises(AssertionError):
        on_committed(replace(MIXED, staged=None), now=NOW)
