"""FileMetadata: facts about a row's object (F79)."""

from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.file_metadata import Fact, FileMetadata
from chalicelib.core.objects import UNKNOWN_TIME
from chalicelib.records.filters.rows import changed
from chalicelib.records.filters.setting import Given, Setting, Step
from chalicelib.records.pages import Page
from chalicelib.records.types.schema import arrow_type

_TYPES = {
    Fact.SIZE: ColumnType.LONG,
    Fact.ROW_NUMBER: ColumnType.LONG,
    Fact.LAST_MODIFIED: ColumnType.TIMESTAMP,
    Fact.INGESTED_AT: ColumnType.TIMESTAMP,
}


def file_metadata(declared: FileMetadata, given: Given) -> Step:
    """The facts after the other columns; NULL is what nobody told, such as an entry where there is no archive."""
    added = [Column(name=each.name, type=_TYPES.get(each.value, ColumnType.STRING)) for each in declared.columns]
    facts = _facts(given.setting)
    values = [
        None if each.value is Fact.ROW_NUMBER else pa.scalar(facts[each.value], arrow_type(column))
        for each, column in zip(declared.columns, added, strict=True)
    ]
    columns = given.distinct((*given.columns, *added))

    def change(page: Page) -> Page:
        rows = page.batch.num_rows
        arrays = [page.records if value is None else pa.repeat(value, rows) for value in values]
        return changed(page, columns, [*page.batch.columns, *arrays])

    return Step.of(columns, change, counts=None in values)


def _facts(setting: Setting) -> dict[Fact, Any]:
    ref = setting.ref
    return {
        Fact.FILE_NAME: ref.key.rpartition("/")[2],
        Fact.KEY: ref.key,
        Fact.BUCKET: ref.bucket,
        Fact.VERSION_ID: ref.version_id,
        Fact.ETAG: ref.etag,
        Fact.IDENTITY: ref.identity,
        Fact.SIZE: ref.size,
        Fact.LAST_MODIFIED: None if ref.created_at == UNKNOWN_TIME else ref.created_at,
        Fact.ENTRY: setting.entry,
        Fact.INGESTED_AT: setting.run_at,
    }
