"""Digest: hashes instead of values (F75, E44)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.digest import Digest, Digested, EmbulkHash
from chalicelib.records.filters.rows import changed
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.filters.texts import texts
from chalicelib.records.pages import Page


def digest(declared: Digest | EmbulkHash, given: Given) -> Step:
    """The digests stand in the original's place, or after the other columns if the original is kept.

    Raises ConfigError for a column that is not there, or a secret that cannot be had.
    """
    columns = list(given.columns)
    work: list[tuple[int, Column, Callable[[bytes], str], int | None]] = []
    for each in declared.columns:
        index = given.index(each.name)
        made = Column(name=each.new_name or each.name, type=ColumnType.STRING)
        work.append((index, given.columns[index], _hash(each, given), None if each.keep else index))
        if each.keep:
            columns.append(made)
        else:
            columns[index] = made
    out = given.distinct(tuple(columns))

    def change(page: Page) -> Page:
        arrays = list(page.batch.columns)
        for index, column, function, place in work:
            digests = _digested(page.batch.column(index), column, function)
            if place is None:
                arrays.append(digests)
            else:
                arrays[place] = digests
        return changed(page, out, arrays)

    return Step.of(out, change)


def _hash(declared: Digested, given: Given) -> Callable[[bytes], str]:
    if declared.secret is not None:
        return _copied(hmac.new(given.setting.secret(declared.secret), digestmod=declared.hash))
    return _copied(hashlib.new(declared.hash))


def _copied(empty: Any) -> Callable[[bytes], str]:
    """Half the time of making a new one for each value."""

    def hashed(content: bytes) -> str:
        one = empty.copy()
        one.update(content)
        return str(one.hexdigest())

    return hashed


def _digested(array: pa.Array, column: Column, function: Callable[[bytes], str]) -> pa.StringArray:
    """Each distinct value is hashed once: most columns that are hashed repeat."""
    content = array if column.type is ColumnType.BINARY else texts(array, column).cast(pa.binary())
    distinct = content.dictionary_encode()
    hashes = pa.array([function(value) for value in distinct.dictionary.to_pylist()], pa.string())
    return hashes.take(distinct.indices)
