"""Which row is the how manieth, and how many bad ones an object may have."""

import io
from typing import Any

import pyarrow as pa
import pytest

from chalicelib.errors import TooManyBadRows
from chalicelib.records.pages import Page, Reject
from chalicelib.records.quarantine import numbered
from tests.records.reading import columns, csv, entries, read

IDS = columns(id="long")
TWO_OF_FIVE = b"1\nx\n3\ny\n5\n"


def page(*rows: int | None) -> Page:
    """None is a reject."""
    kept = [row for row in rows if row is not None]
    rejects = tuple(Reject(place, "bad", "") for place, row in enumerate(rows) if row is None)
    return Page(pa.record_batch({"v": pa.array(kept, pa.int64())}), rejects)


def test_rows_and_rejects_are_counted_over_pages_from_one() -> None:
    pages = list(numbered(iter([page(1, None, 3), page(), page(None, 5)]), rows=True))
    assert [p.records.to_pylist() for p in pages if p.records is not None] == [[1, 3], [], [5]]
    assert [[reject.record for reject in p.rejects] for p in pages] == [[2], [], [4]]


def test_rows_are_counted_only_if_somebody_asks() -> None:
    (found,) = numbered(iter([page(1, None)]), rows=False)
    assert found.records is None
    assert [reject.record for reject in found.rejects] == [2]


@pytest.mark.parametrize(
    "limits",
    [{}, {"max_bad_rows": 2}, {"max_bad_percent": 40}, {"max_bad_percent": 100}, {"max_bad_rows": 5}],
    ids=str,
)
def test_an_object_within_its_limits_keeps_its_rows(limits: dict[str, Any]) -> None:
    found = read(TWO_OF_FIVE, csv(skip_header_lines=0, columns=IDS, **limits))
    assert [row["id"] for row in found.rows] == [1, 3, 5]
    assert [reject.record for reject in found.rejects] == [2, 4]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"stop_on_invalid_record": True}, "stop_on_invalid_record"),
        ({"max_bad_rows": 1}, "more bad rows than the 1 that max_bad_rows allows"),
        ({"max_bad_rows": 0}, "max_bad_rows"),
        ({"max_bad_percent": 39.9}, "2 bad rows are 40 %, and max_bad_percent is 39.9"),
        ({"max_bad_percent": 0}, "max_bad_percent"),
    ],
    ids=str,
)
def test_an_object_beyond_a_limit_is_refused_with_its_first_bad_row(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(TooManyBadRows) as caught:
        read(TWO_OF_FIVE, csv(skip_header_lines=0, columns=IDS, **limits))
    assert said in str(caught.value)
    assert "line 2: id: 'x' is not a long" in str(caught.value)


def test_an_object_without_bad_rows_passes_the_strictest_limits() -> None:
    strict = csv(skip_header_lines=0, columns=IDS, stop_on_invalid_record=True, max_bad_rows=0, max_bad_percent=0)
    assert len(read(b"1\n2\n", strict).rows) == 2
    assert read(b"", strict).rows == []


def test_the_page_that_goes_beyond_the_limit_is_given_first_so_that_its_rejects_show() -> None:
    parser = csv(skip_header_lines=0, columns=IDS, stop_on_invalid_record=True)
    (entry,) = entries(io.BytesIO(TWO_OF_FIVE), parser)
    pages = entry.pages(IDS)
    assert len(next(pages).rejects) == 2
    with pytest.raises(TooManyBadRows):
        next(pages)
