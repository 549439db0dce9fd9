"""One object of a task to staged rows: read it pinned to its identity, parse and filter it, set bad rows aside.

When the time is up the object is left between two of its records, and whoever has it next goes on from there (P8).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from chalicelib.config.columns import Column
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Outcome, OutcomeKind
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ConfigError,
    CredentialsRefused,
    DataError,
    LeaseLost,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    PipelineMismatch,
    RoleNotAssumable,
    SchemaConflict,
    TidegateError,
    TooManyBadRows,
    TransientError,
)
from chalicelib.flows.agree import Agreement, check_names
from chalicelib.flows.allowed import check
from chalicelib.flows.course import Course
from chalicelib.flows.entries import entries
from chalicelib.flows.ports import Buckets, Columns, Staging
from chalicelib.records.origin import with_origin
from chalicelib.records.pages import Page
from chalicelib.records.rejected import REJECTED, rejected
from chalicelib.records.splitting import splittable
from chalicelib.records.stream import Entry, Setting, open_rows

ERROR_TEXT = 1000  # characters
HEAD = 8 << 20  # bytes that tell what an object is; the first range has as many

REASONS: dict[type[TidegateError], tuple[OutcomeKind, Reason]] = {
    ObjectArchived: (OutcomeKind.REFUSED, Reason.ARCHIVED),
    ObjectMissing: (OutcomeKind.REFUSED, Reason.MISSING),
    ObjectChanged: (OutcomeKind.REFUSED, Reason.OVERWRITTEN),
    TooManyBadRows: (OutcomeKind.FAILED, Reason.TOO_MANY_BAD_ROWS),
    PipelineMismatch: (OutcomeKind.FAILED, Reason.MISCONFIGURED),
    SchemaConflict: (OutcomeKind.FAILED, Reason.SCHEMA_CONFLICT),
}
"""How an object ends by an error; all other data errors mean that it is broken, all other config errors denial."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the members of one attempt, one after the other."""

    grant: Grant
    pipeline: Pipeline
    job: str
    pipelines: Columns
    buckets: Buckets
    secret: Callable[[str], bytes]
    rows: Staging
    rejects: Staging  # of the rejects table
    alive: Callable[[], None]  # called at every page; raises LeaseLost
    now: Callable[[], datetime]
    denials: list[ConfigError] = field(default_factory=list)  # by AWS, not by our own rules
    shut: list[ConfigError] = field(default_factory=list)  # refused once, the way in is not tried again

    def member(self, ref: ObjectRef, *, last: bool) -> Outcome:
        """What became of one object, read in one go; its rows are kept whole or dropped whole.

        Raises TransientError, unless this is the `last` attempt: then the object is set aside.
        """
        outcome = self.read(Course(ref, self.now()), late=lambda: False, last=last)
        assert outcome is not None, "it is never late"
        return outcome

    def read(self, course: Course, *, late: Callable[[], bool], last: bool) -> Outcome | None:
        """What became of one object; None if it is `late` before its end: `course` tells how far it came.

        Then what was written is neither kept nor dropped. Raises as `member`.
        """
        ref = course.ref
        if self.shut:
            return denied(ref, self.shut[0])
        try:
            ended = self._read(course, late)
        except (DataError, ConfigError) as error:
            return self._ended(ref, error, course)
        except TransientError as error:
            self._drop()
            if not last or isinstance(error, LeaseLost):
                raise
            return Outcome(ref.key, OutcomeKind.FAILED, reason=Reason.GAVE_UP, error=_brief(error))
        if not ended:
            return None
        self.rows.keep()
        self.rejects.keep()
        return Outcome(
            ref.key,
            OutcomeKind.LOADED,
            rows=course.rows,
            rejects=course.rejects,
            read_at=self.now(),
            rescued=course.rescued,
        )

    def divided(self, ref: ObjectRef) -> tuple[Column, ...] | None:
        """The columns of an object that can be read in parts; None if it cannot, or not now."""
        source = self.pipeline.source
        try:
            check(self.grant, ref.bucket, ref.key, owner=self.pipeline.owner)
            with closing(self.buckets.open(self.grant, ref, prefix=source.listed_prefix)) as body:
                head = body.read(HEAD)
                body.seek(0)
                if not splittable(source, head, body.encoding, self.pipeline.filters):
                    return None
                setting = Setting(ref, self.now(), self.secret)
                change = self.pipeline.out.schema_change
                found = open_rows(body, source, self.pipeline.filters, setting, encoding=body.encoding, change=change)
                settled = self._agreement.columns(next(found).infer())
                return settled or None
        except TidegateError:
            return None  # whoever reads it as a whole will say what is wrong with it

    def _ended(self, ref: ObjectRef, error: DataError | ConfigError, count: Course) -> Outcome:
        if isinstance(error, TooManyBadRows):  # what was bad is what people want to see then
            self.rows.drop()
            self.rejects.keep()
        else:
            self._drop()
            count.rejects = 0
        if isinstance(error, RoleNotAssumable | CredentialsRefused):
            self.shut.append(error)
        if isinstance(error, RoleNotAssumable | CredentialsRefused | AccessDenied | BucketNotFound):
            self.denials.append(error)
        usual = (OutcomeKind.REFUSED, Reason.DENIED)
        if isinstance(error, DataError):
            usual = (OutcomeKind.FAILED, Reason.BROKEN)
        kind, reason = REASONS.get(type(error), usual)
        return Outcome(ref.key, kind, reason=reason, error=_brief(error), rejects=count.rejects)

    def _drop(self) -> None:
        self.rows.drop()
        self.rejects.drop()

    def _read(self, course: Course, late: Callable[[], bool]) -> bool:
        """True if it was read to its end."""
        ref = course.ref
        check(self.grant, ref.bucket, ref.key, owner=self.pipeline.owner)
        try:
            with self._entries(course) as found:
                return all(self._stage(entry, course, late) for entry in found)
        except TidegateError as error:
            error.where = error.where or str(ref)
            raise

    def _entries(self, course: Course) -> AbstractContextManager[Iterator[Entry]]:
        return entries(
            self.buckets,
            self.grant,
            self.pipeline.source,
            self.pipeline.filters,
            Setting(course.ref, course.at, self.secret),
            change=self.pipeline.out.schema_change,
            span=course.span,
            tally=course.tally,
            alive=self.alive if course.goes_on else None,
        )

    def _stage(self, entry: Entry, course: Course, late: Callable[[], bool]) -> bool:
        """True if the entry was read to its end."""
        settled = course.columns if course.goes_on else self._agreement.columns(entry.infer())
        columns = entry.shape(settled)
        check_names(columns)
        for stretch in entry.stretches(settled):
            for page in stretch.pages:
                self.alive()
                self._write(page, columns, entry.name, course)
                course.count(page, entry.rescued(page))
            course.reach(stretch, settled, now=self.now())
            if course.has_come_on and late():
                course.check_pace(self.now())
                return False
        return True

    def _write(self, page: Page, columns: tuple[Column, ...], entry: str | None, course: Course) -> None:
        ref, run_at = course.ref, course.at
        batch = with_origin(page.batch, ref, run_at) if self.pipeline.out.origin_columns else page.batch
        if batch.num_rows and not batch.num_columns:
            raise PipelineMismatch(
                "no column is known for its rows, and without origin columns there is nothing to write",
                where=str(ref),
                remedy="Declare columns, or leave out.origin_columns on",
            )
        self.rows.write(batch, columns, run_at)
        if page.rejects:
            bad = rejected(
                page.rejects,
                ref,
                pipeline=self.pipeline.name,
                job=self.job,
                entry=entry,
                at=run_at,
                counted=not course.span.start,
            )
            self.rejects.write(bad, REJECTED)

    @property
    def _agreement(self) -> Agreement:
        name = self.pipeline.name
        return Agreement.of(self.pipeline, partial(self.pipelines.columns, name), partial(self.pipelines.settle, name))


def denied(ref: ObjectRef, error: ConfigError) -> Outcome:
    """An object that we may not read for now."""
    return Outcome(ref.key, OutcomeKind.REFUSED, reason=Reason.DENIED, error=_brief(error))


def _brief(error: Exception) -> str:
    """An error's text, bounded: a task may have to hold 500 of them."""
    return str(error)[:ERROR_TEXT]
