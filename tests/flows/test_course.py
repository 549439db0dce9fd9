"""Course: an object is given up where going on would be nothing but coming back (P6)."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.objects import ObjectRef
from chalicelib.core.places import WHOLE, Place, Span
from chalicelib.core.tasks import Begun
from chalicelib.errors import SourceUnavailable
from chalicelib.flows.course import Course
from chalicelib.records.stream import Stretch

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REF = ObjectRef("acme-exports", "in/a.csv.gz", "e1", 12, NOW)
FAR = Span(after=Place(10**9, record=10**6))


def left(span: Span, *, first: float, last: float) -> None:
    """An attempt has its first rows after so many seconds, and is left after so many."""
    course = Course(REF, NOW, Begun(span, (), NOW))
    course.reach(Stretch(iter(()), None, Place(10**9 + 1, record=10**6 + 1)), (), now=NOW + timedelta(seconds=first))
    course.check_pace(NOW + timedelta(seconds=last))


def test_an_object_whose_time_goes_into_coming_back_is_given_up() -> None:
    with pytest.raises(SourceUnavailable, match="460 seconds went into coming back"):
        left(FAR, first=460, last=540)


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [(FAR, 400, 540), (FAR, 4, 4), (WHOLE, 540, 540), (Span(start=10**8), 540, 540)],
    ids=["time is left", "the time was short", "from the start", "a part, from its start"],
)
def test_any_other_goes_on(span: Span, first: float, last: float) -> None:
    left(span, first=first, last=last)
