"""Avro object container files, read from first to last (F72).

fastavro makes Python values of a block; columns are then built one after the other, and meet declared ones as for
Parquet. It is given the schema without logical types: whole numbers and bytes become dates, moments and decimals here,
a column at a time, and a moment that Python has no value for costs its row and not the object.

Unions with null are NULL. A union of several numbers is a long or a double, of several texts a string; any other is
JSON, as are records, arrays and maps. A schema that is no record gives one column, `value`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any

import fastavro
import pyarrow as pa

from chalicelib.config.columns import Column
from chalicelib.config.parsers.columnar import Avro
from chalicelib.core.places import WHOLE, Span
from chalicelib.errors import ParseError, TidegateError
from chalicelib.records.columnar.container import MAGIC, Container, Packed, number
from chalicelib.records.columnar.makers import Make, bare, makers
from chalicelib.records.columnar.pages import counted, inferred, page, wanted
from chalicelib.records.pages import Page, Readable

LOT = 2 << 20  # bytes of records, unpacked, whose Python values live at the same time; they take ten times as many
LOT_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class _Lot:
    """Some records in a row."""

    records: list[Any]


class AvroRows:
    """The rows of one Avro file (records.pages.Rows)."""

    def __init__(self, body: Readable, parser: Avro, *, lot_rows: int = LOT_ROWS, span: Span = WHOLE) -> None:
        self._container = Container(body)
        self._parser = parser
        self._lot_rows = lot_rows
        self._before = span.after.record if span.after is not None else 0  # records that were read before

    def infer(self) -> tuple[Column, ...]:
        """The declared columns, or those of the schema."""
        if self._parser.columns is not None:
            return self._parser.columns
        return inferred(self._schema)

    def fields(self) -> tuple[str, ...] | None:
        """See records.pages.Rows."""
        return tuple(self._schema.names)

    def head(self, columns: tuple[Column, ...]) -> Page:
        """See records.pages.Rows."""
        return self._page(self._first or _Lot([]), columns)

    def pages(self, columns: tuple[Column, ...]) -> Iterator[Page]:
        """See records.pages.Rows."""
        lots = chain([self._first], self._lots) if self._first is not None else iter(())
        return counted(self._page(lot, columns) for lot in lots)

    def _page(self, lot: _Lot, columns: tuple[Column, ...]) -> Page:
        names = wanted(self._schema, columns)
        made = [self._makers[name]([record[name] for record in lot.records]) for name in names]
        if not made:  # a batch without a column would have no rows
            names, made = [""], [pa.nulls(len(lot.records))]
        return page(pa.RecordBatch.from_arrays(made, names=names), columns)

    @cached_property
    def _header(self) -> tuple[Any, str, bytes]:
        schema, codec, sync = self._container.header()
        if not (isinstance(schema, dict) and schema.get("type") == "record"):
            schema = {"type": "record", "name": "tidegate_rows", "fields": [{"name": "value", "type": schema}]}
        return schema, codec, sync

    @cached_property
    def _makers(self) -> dict[str, Make]:
        try:
            return makers(self._header[0])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _strange(error) from error

    @cached_property
    def _schema(self) -> pa.Schema:
        return pa.schema([(name, make([]).type) for name, make in self._makers.items()])

    @cached_property
    def _first(self) -> _Lot | None:
        return next(self._lots, None)

    @cached_property
    def _lots(self) -> Iterator[_Lot]:
        records: list[Any] = []
        limit = self._lot_rows
        left = self._before
        for block in self._blocks():
            if left >= block.num_records > 0:
                left -= block.num_records
                continue
            limit = min(limit, max(1, LOT * block.num_records // max(1, block.size)))
            for record in islice(_read(block), left, None):
                records.append(record)
                if len(records) >= limit:
                    yield _Lot(records)
                    records, limit = [], min(self._lot_rows, max(1, LOT * block.num_records // max(1, block.size)))
            left = 0
        if records:
            yield _Lot(records)

    def _blocks(self) -> Iterator[Any]:
        schema, codec, sync = self._header
        stream: Any = _Unpacked(bare(schema), sync, self._container.blocks(codec, sync))
        try:
            yield from fastavro.block_reader(stream, handle_unicode_errors="surrogateescape")
        except TidegateError:
            raise
        except Exception as error:
            raise _strange(error) from error


def _read(block: Any) -> Iterable[Any]:
    """The records of a block. Raises ParseError if they are not what the schema says."""
    try:
        yield from block
    except Exception as error:
        raise ParseError(
            f"a block of {block.num_records} records does not hold what the Avro schema says ({error!r})",
            remedy="Have the object written again; nothing of it was loaded",
        ) from error


def _strange(error: Exception) -> ParseError:
    return ParseError(
        f"the Avro schema cannot be understood ({error})", remedy="Have the object written with a schema as specified"
    )


class _Unpacked:
    """The file as fastavro reads it: the same blocks, unpacked already, after a header without logical types."""

    def __init__(self, schema: Any, sync: bytes, blocks: Iterator[Packed]) -> None:
        text = json.dumps(schema).encode()
        meta = b"".join(number(len(each)) + each for each in (b"avro.schema", text, b"avro.codec", b"null"))
        self._rest = MAGIC + number(2) + meta + number(0) + sync
        self._sync, self._blocks = sync, blocks
        self._place = 0

    def tell(self) -> int:
        """How many bytes were read."""
        return self._place

    def read(self, size: int = -1, /) -> bytes:
        """Exactly `size` bytes unless the file ends before."""
        while len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += number(block.count) + number(len(block.data)) + block.data + self._sync
        data, self._rest = self._rest[:size], self._rest[size:]
        self._place += len(data)
        return data
