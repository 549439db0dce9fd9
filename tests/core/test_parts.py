"""Parts of an object: what is cut, what fits together, and what is thrown away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.objects import ObjectRef
from chalicelib.core.parts import MAX_FILES, MAX_PARTS, Joined, cuts, divide, join, joined, parent_of, parts, read
from chalicelib.core.places import Place, Span
from chalicelib.core.tasks import (
    Begun,
    Division,
    Outcome,
    OutcomeKind,
    Progress,
    Staged,
    StagedFile,
    Tally,
    Task,
    TaskState,
    hand_over,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = timedelta(minutes=2)
REF = ObjectRef("b", "k", "e", 1000, NOW)
COLUMNS = (Column(name="id", type=ColumnType.LONG),)
DIVISION = Division(1, "basis", 250, COLUMNS, NOW)
LOADING = Task("job", 3, "p", "t", (REF,), TaskState.LOADING, NOW, attempt=1)


def divided() -> Task:
    task = divide(LOADING, DIVISION, now=NOW, patience=LATER)
    assert task is not None
    return task


def done(part: Task, began: int, ended: int, outcome: Outcome | None = None, *, files: int = 1) -> Task:
    """The part, read from one byte to another."""
    tally = Tally(10, 1, 0, f"line 1: of part {part.number}")
    named = tuple(StagedFile(f"s3://lake/{part.number}-{file}", 1, 10, COLUMNS) for file in range(files))
    bad = (StagedFile(f"s3://lake/{part.number}-bad", 1, 1, COLUMNS),)
    outcome = outcome or Outcome("k", OutcomeKind.LOADED, rows=10, rejects=1)
    staged = Staged((outcome,), named, NOW, bad)
    assert part.progress is not None and part.progress.begun is not None
    span = replace(part.progress.begun.span, after=Place(ended, record=11))
    begun = Begun(span, COLUMNS, NOW, tally, Place(began))
    found = read(replace(part, state=TaskState.LOADING, attempt=1), 1, staged, begun)
    assert found is not None
    return found


def all_done(
    *, ends: tuple[int, ...] = (260, 510, 760, 1000), begins: tuple[int, ...] = (5, 260, 510, 760)
) -> list[Task]:
    made = parts(divided(), due_at=NOW)
    return [done(part, began, ended) for part, began, ended in zip(made, begins, ends, strict=True)]


@given(st.integers(1, 10**13), st.integers(1, 10**10))
def test_cuts_take_all_of_an_object_and_nothing_twice(size: int, part_bytes: int) -> None:
    spans = cuts(size, part_bytes)
    assert len(spans) <= MAX_PARTS
    assert (spans[0].start, spans[-1].end) == (0, None)
    assert all(one.end == other.start and one.start < other.start for one, other in pairwise(spans))
    assert len(spans) in (1, MAX_PARTS) or all(
        part_bytes <= (span.end or size) - span.start < 2 * part_bytes + 1 for span in spans
    )


def test_parts_are_the_same_whenever_they_are_asked_for_and_know_their_parent() -> None:
    made = parts(divided(), due_at=NOW)
    assert made == parts(divided(), due_at=NOW)
    assert [part.id for part in made] == [f"job.p3.1/{number}" for number in range(4)]
    assert {parent_of(part.job) for part in made} == {("job", 3)} == {part.part_of for part in made}
    assert {part.run for part in made} == {"job"}
    assert parent_of("job.2") is None


def test_an_attempt_that_no_longer_counts_divides_nothing() -> None:
    assert divide(replace(LOADING, attempt=2), DIVISION, now=NOW, patience=LATER) is None
    assert divide(replace(LOADING, state=TaskState.STAGED), DIVISION, now=NOW, patience=LATER) is None


def test_parts_that_fit_together_are_one_object() -> None:
    made = join(divided(), all_done(), now=NOW)
    assert made.staged is not None
    (outcome,) = made.staged.outcomes
    assert (outcome.kind, outcome.rows, outcome.rejects) == (OutcomeKind.LOADED, 40, 4)
    assert [file.path for file in made.staged.files] == [f"s3://lake/{number}-0" for number in range(4)]
    assert len(made.staged.rejected) == 4
    assert made.tally == Tally(40, 4, 0, "line 1: of part 0")
    staged = joined(divided(), made, now=NOW, patience=LATER)
    assert (staged.state, staged.staged, staged.division) == (TaskState.STAGED, made.staged, None)


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_where_parts_do_not_fit_together_reading_goes_on_one_after_the_other(wrong: int) -> None:
    begins = [5, 260, 510, 760]
    begins[wrong] += 3  # a line end inside quotes
    made = join(divided(), all_done(begins=tuple(begins)), now=NOW)
    assert made.staged is None
    assert made.progress is not None and made.progress.begun is not None
    begun = made.progress.begun
    assert begun.span == Span(after=Place(250 * wrong + 10, record=11 * wrong))
    assert [file.path for file in begun.files] == [f"s3://lake/{number}-0" for number in range(wrong)]
    assert begun.tally == Tally(10 * wrong, wrong, 0, "line 1: of part 0")
    after = joined(divided(), made, now=NOW, patience=LATER)
    assert (after.state, after.progress, after.division) == (TaskState.PLANNED, made.progress, None)


BROKEN = Outcome("k", OutcomeKind.FAILED, reason="broken", error="a quote is never closed")
MANY = Outcome("k", OutcomeKind.FAILED, reason="too_many_bad_rows", error="11 bad rows", rejects=1)
GONE = Outcome("k", OutcomeKind.REFUSED, reason="missing", error="it is gone")


def failing(number: int, outcome: Outcome, *, began: int | None = None) -> Joined:
    tasks = all_done()
    tasks[number] = done(tasks[number], 250 * number + 10 if began is None else began, 0, outcome)
    return join(divided(), tasks, now=NOW)


def test_a_part_that_fails_at_a_true_place_fails_the_object() -> None:
    made = failing(2, BROKEN).staged
    assert made is not None
    assert (made.outcomes, made.files, made.rejected) == ((BROKEN,), (), ())


def test_too_many_bad_rows_show_all_that_were_found_before() -> None:
    made = failing(2, MANY).staged
    assert made is not None
    assert (made.outcomes[0].reason, made.outcomes[0].rejects, made.files) == (MANY.reason, 3, ())
    assert len(made.rejected) == 3


def test_a_part_that_fails_at_a_wrong_place_says_nothing_of_the_object() -> None:
    made = failing(2, BROKEN, began=513)
    assert made.staged is None
    assert made.progress is not None


def test_a_refusal_is_the_objects_whoever_met_it() -> None:
    made = failing(2, GONE, began=513).staged
    assert made is not None
    assert made.outcomes == (GONE,)


@pytest.mark.parametrize("third", [510, 513], ids=["fits", "does not fit"])
def test_more_files_than_a_task_can_name_are_read_again_in_one_piece(third: int) -> None:
    tasks = all_done(begins=(5, 260, third, 760))
    tasks[1] = done(tasks[1], 260, 510, files=MAX_FILES)
    made = join(divided(), tasks, now=NOW)
    assert made.progress is not None and made.progress.begun is not None
    assert (made.progress.begun.span, made.progress.begun.files) == (Span(), ())


def test_a_part_may_hand_over_too() -> None:
    (part, *_) = parts(divided(), due_at=NOW)
    loading = replace(part, state=TaskState.LOADING, attempt=2)
    progress = Progress(2, "basis", begun=Begun(Span(0, 250, Place(100)), COLUMNS, NOW))
    handed = hand_over(loading, progress, now=NOW, patience=LATER)
    assert handed is not None
    assert (handed.state, handed.progress, handed.tries) == (TaskState.PLANNED, progress, 0)
    assert hand_over(replace(loading, attempt=3), progress, now=NOW, patience=LATER) is None
