"""One object of a task to staged rows: read it pinned to its identity, parse and filter it, set bad rows aside."""

from collections.abc import Callable
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
from chalicelib.flows.entries import entries
from chalicelib.flows.ports import Buckets, Columns, Staging
from chalicelib.records.origin import with_origin
from chalicelib.records.pages import Page
from chalicelib.records.rejected import REJECTED, rejected
from chalicelib.records.stream import Entry, Setting

ERROR_TEXT = 1000  # characters

REASONS: dict[type[TidegateError], tuple[OutcomeKind, Reason]] = {
    ObjectArchived: (OutcomeKind.REFUSED, Reason.ARCHIVED),
    ObjectMissing: (OutcomeKind.REFUSED, Reason.MISSING),
    ObjectChanged: (OutcomeKind.REFUSED, Reason.OVERWRITTEN),
    TooManyBadRows: (OutcomeKind.FAILED, Reason.TOO_MANY_BAD_ROWS),
    PipelineMismatch: (OutcomeKind.FAILED, Reason.MISCONFIGURED),
    SchemaConflict: (OutcomeKind.FAILED, Reason.SCHEMA_CONFLICT),
}
"""How an object ends by an error; all other data errors mean that it is broken, all other config errors denial."""


@dataclass(slots=True)
class _Count:
    rows: int = 0
    rejects: int = 0
    rescued: int = 0


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
        """What became of one object; its rows are kept whole or dropped whole.

        Raises TransientError, unless this is the `last` attempt: then the object is set aside.
        """
        if self.shut:
            return denied(ref, self.shut[0])
        count = _Count()
        try:
            self._read(ref, count)
        except (DataError, ConfigError) as error:
            return self._ended(ref, error, count)
        except TransientError as error:
            self._drop()
            if not last or isinstance(error, LeaseLost):
                raise
            return Outcome(ref.key, OutcomeKind.FAILED, reason=Reason.GAVE_UP, error=_brief(error))
        self.rows.keep()
        self.rejects.keep()
        return Outcome(
            ref.key,
            OutcomeKind.LOADED,
            rows=count.rows,
            rejects=count.rejects,
            read_at=self.now(),
            rescued=count.rescued,
        )

    def _ended(self, ref: ObjectRef, error: DataError | ConfigError, count: _Count) -> Outcome:
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

    def _read(self, ref: ObjectRef, count: _Count) -> None:
        source = self.pipeline.source
        check(self.grant, ref.bucket, ref.key, owner=self.pipeline.owner)
        setting = Setting(ref, self.now(), self.secret)
        try:
            change = self.pipeline.out.schema_change
            with entries(self.buckets, self.grant, source, self.pipeline.filters, setting, change=change) as found:
                for entry in found:
                    self._stage(entry, setting, count)
        except TidegateError as error:
            error.where = error.where or str(ref)
            raise

    def _stage(self, entry: Entry, setting: Setting, count: _Count) -> None:
        settled = self._agreement.columns(entry.infer())
        columns = entry.shape(settled)
        check_names(columns)
        for page in entry.pages(settled):
            self.alive()
            self._write(page, columns, entry.name, setting)
            count.rows += page.batch.num_rows
            count.rejects += len(page.rejects)
            count.rescued += entry.rescued(page)

    def _write(self, page: Page, columns: tuple[Column, ...], entry: str | None, setting: Setting) -> None:
        ref, run_at = setting.ref, setting.run_at
        batch = with_origin(page.batch, ref, run_at) if self.pipeline.out.origin_columns else page.batch
        if batch.num_rows and not batch.num_columns:
            raise PipelineMismatch(
                "no column is known for its rows, and without origin columns there is nothing to write",
                where=str(ref),
                remedy="Declare columns, or leave out.origin_columns on",
            )
        self.rows.write(batch, columns)
        if page.rejects:
            bad = rejected(page.rejects, ref, pipeline=self.pipeline.name, job=self.job, entry=entry, at=run_at)
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
