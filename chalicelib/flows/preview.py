"""Preview: the first rows of a pipeline's objects by the load's own path (F89). Writes nothing, settles nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from chalicelib.config.columns import Column
from chalicelib.config.pipeline import Pipeline
from chalicelib.config.source import Source
from chalicelib.core.columns import merge
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import refusal
from chalicelib.errors import ConfigError, DataError, DecodeError, TidegateError, TooManyBadRows
from chalicelib.flows.admin import Admin
from chalicelib.flows.agree import Agreement, check_names
from chalicelib.flows.allowed import check
from chalicelib.flows.entries import entries
from chalicelib.flows.ports import Buckets, Listing
from chalicelib.records.stream import Entry, Reject, Setting

ROWS = 15  # as Embulk shows
REJECTS = 15
OBJECTS = 3  # that are opened for them, at most
PAGES = 3  # calls of the listing, at most
BYTES = 4 << 20  # of rows, as Arrow holds them: after so many no further page is read


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that would be set aside, and the object it is in."""

    name: str
    entry: str | None
    reject: Reject


@dataclass(slots=True)
class Preview:
    """What a load would begin with."""

    columns: tuple[Column, ...] = ()  # after the filters
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Bad] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)  # what kept us from reading further
    sampled: list[str] = field(default_factory=list)  # the objects, in the order they were read
    read: int = 0  # bytes of rows so far


Look = tuple[str, Callable[[list[DecodeError]], AbstractContextManager[Iterator[Entry]]]]
"""An object's name, and what opens its entries; they end where bytes break, and the list takes why."""


@dataclass(frozen=True, slots=True)
class Previewing:
    """Previews pipelines, stored or not. Reads only."""

    admin: Admin
    listing: Listing
    buckets: Buckets
    secret: Callable[[str], bytes]
    now: Callable[[], datetime]

    def preview(self, pipeline: Pipeline, *, rows: int = ROWS, key: str | None = None) -> Preview:
        """The first rows of the first objects that the pipeline wants, or of the object under `key`.

        Raises ConfigError if nothing is there, DataError if the first object breaks before its first row.
        """
        known = self.admin.pipelines.columns(pipeline.name)
        found = preview_of(self._looks(pipeline, key), pipeline, known=known, rows=rows)
        if not found.sampled:
            place = pipeline.source.listed_prefix if key is None else key
            remedy = "Check the key" if key is not None else "Check path_prefix and the patterns"
            raise ConfigError(
                "nothing to preview: no such object is there",
                where=f"s3://{pipeline.source.bucket}/{place}",
                remedy=remedy,
            )
        return found

    def _looks(self, pipeline: Pipeline, key: str | None) -> Iterator[Look]:
        grant = self.admin.connection(pipeline.connection)
        source = pipeline.source
        if key is not None:
            source = source.model_copy(update={"path": key})  # it is shown whatever the selection says
        check(grant, source.bucket, source.listed_prefix, owner=pipeline.owner)
        for ref in self._wanted(grant, source):
            setting = Setting(ref, self.now(), self.secret)
            yield str(ref), partial(_opened, self.buckets, grant, source, pipeline, setting)

    def _wanted(self, grant: Grant, source: Source) -> Iterator[ObjectRef]:
        after: str | None = ""
        exact = source.path is not None
        for _ in range(PAGES):
            page = self.listing.page(grant, source.bucket, source.listed_prefix, start_after=after or "", exact=exact)
            for each in page.objects:
                if each.ref.key == source.path or refusal(source, each.ref, archived=each.archived) is None:
                    yield each.ref
            after = page.next_after
            if after is None:
                return


def preview_of(
    looks: Iterable[Look], pipeline: Pipeline, *, known: tuple[Column, ...] = (), rows: int = ROWS
) -> Preview:
    """The first `rows` rows of these objects; `known` columns are those that the pipeline has agreed on already.

    Reading stops after so many rows, BYTES bytes of them, or OBJECTS objects. An error of the data after the first
    row, such as the cut end of a sample, is a finding (E31), and the record that it cut is left out; before the first
    row it is raised.
    """
    result = Preview()
    agreed = _agreed(pipeline, known)
    for name, look in looks:
        result.sampled.append(name)
        breaks: list[DecodeError] = []
        try:
            with look(breaks) as found:
                _read(found, agreed, name, result, rows)
            if breaks and not _enough(result, rows):
                _without_last(result)
                raise breaks[0]
        except TidegateError as error:
            error.where = error.where or name
            told = result.rows or (result.rejects and isinstance(error, TooManyBadRows))
            if not (isinstance(error, DataError) and told):
                raise
            result.findings.append(str(error))
        if _enough(result, rows) or len(result.sampled) == OBJECTS or result.findings:
            break
    return result


def _opened(
    buckets: Buckets,
    grant: Grant,
    source: Source,
    pipeline: Pipeline,
    setting: Setting,
    breaks: list[DecodeError],
) -> AbstractContextManager[Iterator[Entry]]:
    change = pipeline.out.schema_change
    return entries(buckets, grant, source, pipeline.filters, setting, change=change, breaks=breaks)


def _without_last(result: Preview) -> None:
    """Forget the last record, which was cut."""
    if result.rejects and result.rejects[-1].reject.record >= len(result.rows) + len(result.rejects):
        result.rejects.pop()
    elif result.rows:
        result.rows.pop()


def _enough(result: Preview, rows: int) -> bool:
    return len(result.rows) >= rows or result.read >= BYTES


def _agreed(pipeline: Pipeline, known: tuple[Column, ...]) -> Agreement:
    """What a load would agree on, told to nobody."""
    columns = known

    def settle(seen: tuple[Column, ...], *, grow: bool) -> tuple[Column, ...]:
        nonlocal columns
        columns = merge(columns, seen) if grow or not columns else columns
        return columns

    return Agreement.of(pipeline, lambda: columns, settle)


def _read(found: Iterator[Entry], agreed: Agreement, name: str, result: Preview, rows: int) -> None:
    for entry in found:
        _add(entry, agreed, name, result, rows)
        if _enough(result, rows):
            return


def _add(entry: Entry, agreed: Agreement, name: str, result: Preview, rows: int) -> None:
    columns = agreed.columns(entry.infer())
    if not columns:
        return
    shape = entry.shape(columns)
    check_names(shape)
    known = {column.name for column in result.columns}
    result.columns += tuple(column for column in shape if column.name not in known)
    for page in entry.pages(columns):
        result.rows += page.batch.slice(0, rows - len(result.rows)).to_pylist()
        result.rejects += [Bad(name, entry.name, r) for r in page.rejects[: REJECTS - len(result.rejects)]]
        result.read += page.batch.nbytes + sum(len(reject.text) for reject in page.rejects)
        if _enough(result, rows):
            return


def placeholders(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with names for what a preview does not need: its own, its connection's, its table's."""
    out = document.get("out") or {}
    if not isinstance(out, dict):
        return dict(document)
    table = {"type": "iceberg", "database": "tidegate", "table": "preview"}
    return {"name": "preview", "connection": "preview", **document, "out": table | out}
