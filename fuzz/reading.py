"""What an object says, read in one way or another: so that ways can be compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.config.columns import Column
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.pages import TEXT, Page, Readable, Reject, Rows
from chalicelib.records.quarantine import numbered
from chalicelib.records.stream import Setting

WHOLE = 1 << 20  # bytes of a block that any input here fits into
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
SETTING = Setting(ObjectRef("bucket", "a", "etag", 1, MOMENT), run_at=MOMENT, secret=str.encode)


class Trickle:
    """A body that gives at most `step` bytes a read, as networks do."""

    def __init__(self, data: bytes, step: int = 1 << 30) -> None:
        self._data = data
        self._at = 0
        self._step = step

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        piece = self._data[self._at : self._at + min(size, self._step)]
        self._at += len(piece)
        return piece


@dataclass(frozen=True)
class Reading:
    """The rows as text, so that NaN equals itself, and the rejects; or the error that set the object aside."""

    rows: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()
    error: str = ""

    @property
    def records(self) -> int:
        """How many records the object had."""
        return len(self.rows) + len(self.rejects)


def read(rows: Rows, columns: tuple[Column, ...]) -> Reading:
    """Everything; only the errors that a user may see are caught."""
    texts: list[str] = []
    rejects: list[Reject] = []
    try:
        for page in numbered(_checked(rows.pages(columns)), rows=False):
            texts += map(repr, page.batch.to_pylist())
            rejects += page.rejects
    except (ConfigError, DataError) as error:
        return Reading(error=type(error).__name__)
    assert [each.record for each in rejects] == sorted({each.record for each in rejects}), "rejects in order, once"
    return Reading(tuple(texts), tuple(rejects))


def _checked(pages: Iterator[Page]) -> Iterator[Page]:
    for page in pages:
        page.batch.validate(full=True)
        records = page.batch.num_rows + len(page.rejects)
        assert all(0 <= reject.record < records for reject in page.rejects), "a reject beyond its page"
        yield page


def agree(
    opened: Callable[[Readable, int], Rows],
    body: bytes,
    columns: tuple[Column, ...],
    blocks: tuple[int, ...],
    unless: Callable[[Reading], bool] = lambda whole: False,
) -> Reading:
    """The object read whole; the same in small blocks, `unless` that cannot be, and from a body that trickles."""
    whole = read(opened(Trickle(body), WHOLE), columns)
    differs = unless(whole)
    for block in blocks:
        found = read(opened(Trickle(body), block), columns)
        assert differs or found == whole, f"other in blocks of {block}"
    assert read(opened(Trickle(body, 3), WHOLE), columns) == whole, "other from a body that trickles"
    return whole


def in_place(rejects: tuple[Reject, ...], body: bytes, *, offsets: bool) -> None:
    """Each reject lies where it says: its line is there, and its text begins at its offset."""
    lines = len(body.splitlines()) + 1
    for reject in rejects:
        assert reject.reason, "no reason"
        assert reject.line is None or 1 <= reject.line <= lines, f"line {reject.line} of {lines}"
        if offsets:
            assert reject.offset is not None and 0 <= reject.offset <= len(body), f"offset {reject.offset}"
            there = body[reject.offset :].decode("utf-8", "backslashreplace")
            shown = reject.text[:TEXT] if len(reject.text) > TEXT else reject.text
            assert there.startswith(shown), f"{reject.text!r} is not at offset {reject.offset}"
