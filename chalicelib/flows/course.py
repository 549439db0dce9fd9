"""Course: how far the reading of one object has come, over one attempt or several."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.config.columns import Column
from chalicelib.core.objects import ObjectRef
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.core.tasks import Begun, Tally
from chalicelib.errors import SourceUnavailable
from chalicelib.records.stream import Page, Stretch

SOON = timedelta(seconds=5)  # to come back to a place, whatever the time that there is


@dataclass(slots=True)
class Course:
    """What was read of an object, and what is left; `given` is what others left or ask for."""

    ref: ObjectRef
    started: datetime  # this attempt
    given: Begun | None = None
    columns: tuple[Column, ...] = field(init=False)
    rows: int = field(init=False)
    rejects: int = field(init=False)
    rescued: int = field(init=False)
    first: str | None = field(init=False)  # the first reject: where it is, and why
    began: Place | None = field(init=False)
    reached: Place | None = field(init=False)
    first_at: datetime | None = field(init=False, default=None)  # when this attempt had its first rows

    def __post_init__(self) -> None:
        given = self.given
        tally = given.tally if given is not None else Tally()
        self.rows, self.rejects, self.rescued, self.first = tally.rows, tally.rejects, tally.rescued, tally.first
        self.columns = given.columns if given is not None else ()
        self.began = given.began if given is not None else None
        self.reached = given.span.after if given is not None else None

    @property
    def at(self) -> datetime:
        """The time of all its rows."""
        return self.given.at if self.given is not None else self.started

    @property
    def span(self) -> Span:
        """What this attempt is to read."""
        return self.given.span if self.given is not None else WHOLE

    @property
    def goes_on(self) -> bool:
        """True if its columns are settled."""
        return self.given is not None

    @property
    def tally(self) -> Tally:
        """What all attempts have counted."""
        return Tally(self.rows, self.rejects, self.rescued, self.first)

    @property
    def has_come_on(self) -> bool:
        """True if somebody else could go on from here, and would have less to do than this attempt had."""
        before = self.span.after.record if self.span.after is not None else 0
        return self.reached is not None and self.reached.record > before

    def count(self, page: Page, rescued: int) -> None:
        """Rows and rejects that were written."""
        self.rows += page.batch.num_rows
        self.rejects += len(page.rejects)
        self.rescued += rescued
        if self.first is None and page.rejects:
            self.first = page.rejects[0].told

    def reach(self, stretch: Stretch, columns: tuple[Column, ...], *, now: datetime) -> None:
        """All of the stretch was written."""
        self.columns = columns
        self.began = self.began or stretch.begin
        self.reached = stretch.end
        self.first_at = self.first_at or now

    def check_pace(self, now: datetime) -> None:
        """Raise SourceUnavailable if coming back to the place took most of the time: soon it would take all of it.

        Where it took seconds only, the time was short and not the way long. It may have been S3 that was slow, so
        that the next attempt may do better; if none does, the object is set aside.
        """
        assert self.first_at is not None, "something was read"
        way = self.first_at - self.started
        seconds = way.total_seconds()
        if self.span.after is not None and way > max(SOON, (now - self.started) * 0.8):
            raise SourceUnavailable(
                f"{seconds:.0f} seconds went into coming back to where it was left, and hardly any are left to go on",
                where=str(self.ref),
                remedy="Store it in several gzip members, as zstd frames, or smaller; or give load more time",
            )

    def begun(self) -> Begun:
        """What the next attempt needs to go on."""
        span = replace(self.span, after=self.reached)
        return Begun(span, self.columns, self.at, self.tally, self.began)
