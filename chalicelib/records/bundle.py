"""Bundles: small objects read as one text, because to begin with an object costs as much as hundreds of its rows.

Only what is plain is bundled: delimited text in UTF-8, packed by one gzip member at most, the same byte for byte up to
its rows, with columns that are known. Each object keeps its own rows and rejects, and these the lines, offsets and
records that they have in it. Where it is not certain that nothing else would come of reading each object alone, the
answer is None.
"""

import codecs
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, groupby

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.destination import SchemaChange
from chalicelib.config.filters import Filter
from chalicelib.config.filters.add_time import AddTime
from chalicelib.config.filters.file_metadata import FileMetadata
from chalicelib.config.parsers.csv import REST, Csv
from chalicelib.config.source import Source
from chalicelib.core.columns import twins
from chalicelib.records.bundle_texts import Cutter, Text, unpacked
from chalicelib.records.delimited.dialect import Dialect
from chalicelib.records.filters.chain import Setting, finding
from chalicelib.records.filters.needed import needed
from chalicelib.records.pages import Page, Reject
from chalicelib.records.quarantine import numbered
from chalicelib.records.stream import MAX_INFERRED
from chalicelib.records.text.blocks import BLOCK, Block

_OF_THE_OBJECT = ("last_modified", "incremental_time")  # modes of add_time


class Bundling:
    """How the objects of one pipeline are read together."""

    def __init__(self, source: Source, parser: Csv, filters: tuple[Filter, ...]) -> None:
        self._source = source
        self._parser = parser
        self._filters = filters
        self._dialect = Dialect.of(parser)
        self._cutter = Cutter(parser)

    @classmethod
    def of(cls, source: Source, filters: tuple[Filter, ...], change: SchemaChange) -> "Bundling | None":
        """None if each of the pipeline's objects is to be read alone, whatever is in it."""
        parser = source.parser
        if not isinstance(parser, Csv) or change is not SchemaChange.EVOLVE:
            return None
        has_names = parser.columns is not None or parser.header_lines > 0
        is_utf8 = codecs.lookup(parser.charset).name in ("utf-8", "utf-8-sig")
        alone = finding(filters) or any(map(_depends_on_object, filters))
        return cls(source, parser, filters) if has_names and is_utf8 and not alone else None

    def text(self, data: bytes, encoding: str | None) -> Text | None:
        """The text in these bytes, which are a whole object; None if it has to be read alone."""
        text = unpacked(data, self._source.decoders, encoding)
        return self._cutter.cut(text) if text is not None else None

    def read(self, texts: Sequence[Text], known: tuple[Column, ...], setting: Setting) -> "Bundle | None":
        """What is in these texts, which have one head, read with the columns that are declared or agreed on.

        Of `setting` the object does not matter. Raises what reading one of them may raise.
        """
        head = texts[0].head
        missing = self._missing(head.names, known)
        if missing is None:
            return None
        ready, wanted = needed(self._filters, known, setting)
        blocks = _blocks(texts)
        pages: list[Page] = []
        records = 0
        for page in head.rows.pages_of(blocks, (*wanted, *missing)):
            if missing and not _has_none(page, len(wanted)):
                return None
            page = replace(page, batch=page.batch.select(range(len(wanted))))
            moves = bool(self._filters or page.rejects)  # rows may be fewer than records
            (counted,) = numbered(iter((page,)), rows=moves, before=records)
            pages += ready(counted) if moves else (counted,)
            records += page.batch.num_rows + len(page.rejects)
        if not self._is_patient and any(page.rejects for page in pages):
            return None
        counts = self._counts(texts, blocks, records)
        return Bundle(ready.columns, tuple(texts), counts, pages) if counts is not None else None

    @property
    def _is_patient(self) -> bool:
        """True if an object may have as many bad rows as it likes."""
        parser = self._parser
        return not parser.stop_on_invalid_record and parser.max_bad_rows is None and parser.max_bad_percent is None

    def _missing(self, names: tuple[str, ...], known: tuple[Column, ...]) -> tuple[Column, ...] | None:
        """Fields that no object had a value in so far, which say nothing as long as that is so (ADR 16).

        None: an object with these names has to say its columns itself.
        """
        if self._parser.columns is not None:
            return ()
        found = {column.name for column in known}
        if (
            not known
            or len(names) > MAX_INFERRED
            or (self._parser.allow_extra_columns == "capture" and REST not in found)
        ):
            return None
        missing = tuple(Column(name=name, type=ColumnType.STRING) for name in names if name not in found)
        return missing if not missing or not twins((*known, *missing)) else None

    def _counts(self, texts: Sequence[Text], blocks: Sequence[Block], records: int) -> Sequence[int] | None:
        """How many records each text has, if all together have so many; None if that cannot be told.

        Each record ends with a line end of its own, unless a block breaks off within quotes. So if there are as many
        of one as of the other and the last line of no block is broken off, no line end is inside a value, no line is
        empty, and each text ends where a record does.
        """
        lines = [text.lines for text in texts]
        dialect = self._dialect
        if dialect.is_simple and sum(lines) == records and all(map(self._is_closed, blocks)):
            return lines
        if any(dialect.boundary(text.rows) < len(text.rows) for text in texts):
            return None
        counts = [sum(1 for _ in dialect.records(text.rows, 1)) for text in texts]
        return counts if sum(counts) == records else None

    def _is_closed(self, block: Block) -> bool:
        end = self._dialect.terminator
        line = block.data[block.data.rfind(end, 0, -len(end)) + 1 :]
        return self._dialect.boundary(line) == len(line)


def _blocks(texts: Sequence[Text]) -> list[Block]:
    """The texts' rows in blocks of whole texts."""
    start = texts[0].head.rows.start
    line, offset = start.line, start.offset
    blocks, rows, size, lines = [], [], 0, 0
    for text in texts:
        rows.append(text.rows)
        size, lines = size + len(text.rows), lines + text.lines
        if size >= BLOCK or text is texts[-1]:
            blocks.append(Block(b"".join(rows), line, offset))
            line, offset, rows, size, lines = line + lines, offset + size, [], 0, 0
    return [block for block in blocks if block.data]


@dataclass(frozen=True, slots=True)
class Shared:
    """A page with rows of several objects, each named by its number in the bundle."""

    batch: pa.RecordBatch
    owners: pa.Array  # int32: the object of each row
    rows: Sequence[tuple[int, int]]  # objects that have some, and how many
    rejects: Sequence[tuple[int, Sequence[Reject]]]  # the same, each reject as its object has it


@dataclass(frozen=True)
class Bundle:
    """What was read of several objects."""

    columns: tuple[Column, ...]
    texts: tuple[Text, ...]
    counts: Sequence[int]  # records of each text
    numbered: Sequence[Page]  # through all texts

    def pages(self) -> Iterator[Shared]:
        """All rows and rejects."""
        ends = list(accumulate(self.counts))
        owners = _repeated(ends)
        done = 0
        for page in self.numbered:
            rows = page.batch.num_rows
            whose = owners.slice(done, rows) if page.records is None else owners.take(pc.subtract(page.records, 1))
            counted = pc.value_counts(whose)
            each = zip(*(counted.field(name).to_pylist() for name in ("values", "counts")), strict=True)
            bad = groupby(page.rejects, lambda reject: bisect_right(ends, reject.record - 1))
            rejects = [(number, [self._as_alone(reject, number) for reject in found]) for number, found in bad]
            yield Shared(page.batch, whose, tuple(each), rejects)
            done += rows + len(page.rejects)  # as long as pages are not numbered, nothing is lost on the way

    def _as_alone(self, reject: Reject, number: int) -> Reject:
        records, lines, size = self._before[number]
        line = None if reject.line is None else reject.line - lines
        offset = None if reject.offset is None else reject.offset - size
        return replace(reject, record=reject.record - records, line=line, offset=offset)

    @cached_property
    def _before(self) -> list[tuple[int, int, int]]:
        """How many records, lines and bytes the rows of other texts have before those of each."""
        records, lines, size, before = 0, 0, 0, []
        for text, count in zip(self.texts, self.counts, strict=True):
            before.append((records, lines, size))
            records, lines, size = records + count, lines + text.lines, size + len(text.rows)
        return before


def _repeated(ends: Sequence[int]) -> pa.Array:
    """0 up to the first end, then 1 up to the second and so on."""
    filled = [number for number, end in enumerate(ends) if end > (ends[number - 1] if number else 0)]
    runs = pa.array([ends[number] for number in filled], pa.int32()), pa.array(filled, pa.int32())
    return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(*runs))


def _depends_on_object(declared: Filter) -> bool:
    if isinstance(declared, AddTime):
        return declared.from_value is not None and declared.from_value.mode in _OF_THE_OBJECT
    return isinstance(declared, FileMetadata)


def _has_none(page: Page, first: int) -> bool:
    """True if there is no value in the columns from the first one on, and no row of which nobody knows."""
    return not page.rejects and all(column.null_count == len(column) for column in page.batch.columns[first:])
