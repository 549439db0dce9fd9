"""One attempt of a task: its members one after the other, from where the attempt before stopped, until time is up."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.objects import ObjectRef
from chalicelib.core.parts import are_too_many
from chalicelib.core.tasks import Begun, Division, Outcome, OutcomeKind, Progress, Staged, StagedFile, Task
from chalicelib.errors import SourceUnavailable
from chalicelib.flows.course import Course
from chalicelib.flows.ports import Ahead
from chalicelib.flows.read import Reader
from chalicelib.flows.together import Together, in_turn

SMALL = 8 << 20  # bytes of an object that is read in one go, whatever the clock says
AT_ONCE = 16 << 20  # bytes of such objects between two looks at the clock


def basis(pipeline: Pipeline) -> str:
    """What tells a pipeline's document from others: only what was made with the same one belongs together."""
    return hashlib.sha256(pipeline.model_dump_json().encode()).hexdigest()[:16]


@dataclass(slots=True)
class Attempt:
    """Ends in what is staged, in what the next attempt needs to go on, or in an object that is to be divided."""

    task: Task
    reader: Reader
    late: Callable[[], bool]
    now: Callable[[], datetime]
    small: int = SMALL
    ahead: Ahead = in_turn
    outcomes: list[Outcome] = field(default_factory=list)
    files: list[StagedFile] = field(default_factory=list)
    rejected: list[StagedFile] = field(default_factory=list)
    begun: Begun | None = None  # the member that comes next, as it was left
    out: Iceberg | Parquet | None = None

    def __post_init__(self) -> None:
        """Take up what earlier attempts have left, unless it was made with another pipeline."""
        progress = self.task.progress
        if progress is not None and progress.basis == self.basis:
            self.outcomes, self.begun, self.out = list(progress.outcomes), progress.begun, progress.out
            self.files, self.rejected = list(progress.files), list(progress.rejected)

    @property
    def basis(self) -> str:
        """Of the pipeline as it is now."""
        return basis(self.reader.pipeline)

    def run(self) -> Staged | Progress | Division:
        """Read until the end or until it is late; raises what Reader.read raises."""
        if self.task.part_of is not None and self.begun is None:
            return self._outdated(self.task)
        division = self._division()
        if division is not None:
            return division
        while left := self.task.members[len(self.outcomes) :]:
            small = _small(left, self.small) if self.begun is None else ()
            if small:
                self.outcomes += Together(self.reader, self.ahead).outcomes(small, last=self.task.last_attempt)
            elif not self._one(left[0]):
                break
            if self.late() and len(self.outcomes) < len(self.task.members):
                break
        return self._staged() if len(self.outcomes) == len(self.task.members) else self._progress()

    def _outdated(self, part: Task) -> Staged:
        """A part of what would be read in another way now: without a place it fits to no other, and all begins anew."""
        assert part.progress is not None, "parts are born begun"
        assert part.progress.begun is not None
        was = part.progress.begun
        self.begun = Begun(replace(was.span, after=None), was.columns, was.at)
        nothing = Outcome(part.members[0].key, OutcomeKind.LOADED)
        return Staged((nothing,), (), self.now(), out=self._out)

    def _division(self) -> Division | None:
        """How to divide the object, if it is large and can be divided."""
        source = self.reader.pipeline.source
        first = self.task.alone and self.begun is None and self.task.part_of is None
        if not first or source.divided_from is None or self.task.members[0].size < source.divided_from:
            return None
        columns = self.reader.divided(self.task.members[0])
        if columns is None:
            return None
        return Division(self.task.attempt, self.basis, source.split_size, columns, self.now())

    def _one(self, ref: ObjectRef) -> bool:
        """Read the next member; False if it was left before its end."""
        given = self.begun
        course = Course(ref, self.now(), given)
        outcome = self.reader.read(course, late=self.late, last=self.task.last_attempt)
        files, rejected = (given.files, given.rejected) if given is not None else ((), ())
        self.begun = replace(course.begun(), files=files, rejected=rejected)
        if outcome is None:
            return False
        self.outcomes.append(outcome)
        self.files += files if outcome.kind is OutcomeKind.LOADED else ()
        self.rejected += rejected if outcome.rejects else ()
        if self.task.part_of is None:
            self.begun = None
        return True

    def _staged(self) -> Staged:
        rows, rejects = self.reader.rows, self.reader.rejects
        files, rejected = (*self.files, *rows.finish()), (*self.rejected, *rejects.finish())
        if self.task.progress is not None:
            self._check(*files, *rejected)
        return Staged(tuple(self.outcomes), files, self.now(), rejected, self._out)

    def _progress(self) -> Progress:
        (kept, more), (kept_rejects, more_rejects) = self.reader.rows.pause(), self.reader.rejects.pause()
        begun = self.begun
        if begun is not None:
            begun = replace(begun, files=(*begun.files, *more), rejected=(*begun.rejected, *more_rejects))
        progress = Progress(
            self.task.attempt,
            self.basis,
            tuple(self.outcomes),
            (*self.files, *kept),
            (*self.rejected, *kept_rejects),
            self._out,
            begun,
        )
        self._check(*progress.files, *progress.rejected, *((*begun.files, *begun.rejected) if begun else ()))
        return progress

    def _check(self, *files: StagedFile) -> None:
        if are_too_many(files):
            raise SourceUnavailable(
                f"the rows read so far are in {len(files):,} files, and one task cannot name as many",
                where=f"task {self.task.id}",
                remedy="Choose a coarser out.transform, or give the load function more time",
            )

    @property
    def _out(self) -> Iceberg | Parquet:
        """The destination with the time column that was chosen, if one was: by whoever had rows first."""
        chosen = self.reader.rows.out
        return self.out if self.out is not None and chosen == self.reader.pipeline.out else chosen


def _small(left: tuple[ObjectRef, ...], small: int) -> tuple[ObjectRef, ...]:
    """The members, from the first on, that are read without looking at the clock."""
    room = AT_ONCE

    def fits(ref: ObjectRef) -> bool:
        nonlocal room
        room -= ref.size
        return ref.size <= small and room >= 0

    return tuple(takewhile(fits, left))
