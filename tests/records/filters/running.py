"""Short ways to run filters over a few rows."""

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import yaml
from pydantic import TypeAdapter

from chalicelib.config.columns import Column
from chalicelib.config.filters import Filter
from chalicelib.errors import ConfigError
from chalicelib.records.filters.chain import Chain, Setting, chain, found, parsed_columns
from chalicelib.records.filters.rows import batch_of
from chalicelib.records.pages import Page, Reject
from chalicelib.records.types.schema import arrow_type
from tests.records.reading import SETTING

FILTERS: TypeAdapter[tuple[Filter, ...]] = TypeAdapter(tuple[Filter, ...])


def filters(document: str | list[dict[str, Any]]) -> tuple[Filter, ...]:
    """From YAML, as users write them."""
    return FILTERS.validate_python(yaml.safe_load(document) if isinstance(document, str) else document)


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column.model_validate({"name": name, "type": kind}) for name, kind in types.items())


def page(given: tuple[Column, ...], rows: list[tuple[Any, ...]], first: int = 1) -> Page:
    arrays = [pa.array([row[index] for row in rows], arrow_type(column)) for index, column in enumerate(given)]
    return Page(batch_of(given, arrays), (), pa.array(range(first, first + len(rows)), pa.int64()))


@dataclass
class Ran:
    chain: Chain
    rows: list[dict[str, Any]]
    rejects: list[Reject]
    pages: list[Page]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.chain.columns]

    @property
    def types(self) -> dict[str, str]:
        return {column.name: column.type.value for column in self.chain.columns}

    @property
    def tuples(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.rows]

    @property
    def reasons(self) -> dict[int, str]:
        return {reject.record: reject.reason for reject in self.rejects}

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def run(
    document: str | list[dict[str, Any]],
    types: dict[str, str],
    rows: list[tuple[Any, ...]],
    setting: Setting = SETTING,
    *,
    counted: bool | None = None,
) -> Ran:
    """The rows after the filters; `records` are given only if the chain asks for them, unless `counted`."""
    declared = filters(document)
    parsed = columns(**types)
    start = page(parsed, rows)
    every = (*parsed, *found(declared, parsed, setting, replace(start, records=None)))
    assert parsed_columns(declared, every) == parsed
    ready = chain(declared, every, setting)
    counts = ready.counts if counted is None else counted
    pages = list(ready(start if counts else replace(start, records=None)))
    for each in pages:
        each.batch.validate(full=True)
        assert each.batch.schema.names == [column.name for column in ready.columns]
        assert [field.type for field in each.batch.schema] == [arrow_type(column) for column in ready.columns]
        assert each.records is None or len(each.records) == each.batch.num_rows
    return Ran(
        ready,
        [row for each in pages for row in each.batch.to_pylist()],
        [reject for each in pages for reject in each.rejects],
        pages,
    )


def refusal(document: str | list[dict[str, Any]], types: dict[str, str], setting: Setting = SETTING) -> ConfigError:
    """The error that the chain raises for these columns."""
    try:
        chain(filters(document), columns(**types), setting)
    except ConfigError as error:
        assert error.remedy
        return error
    raise AssertionError("nothing was refused")
