"""Keys: rows that are the same by some columns, and the files that can have such rows."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema

from chalicelib.destinations.iceberg.distinct import Distinct, flat


class Keys:
    """The distinct keys of some rows, each with a number from 0 on; NULL is the same as NULL.

    Memory is that of the distinct values of each column; the rows themselves are not kept.
    """

    def __init__(self, rows: pa.Table, names: Sequence[str]) -> None:
        self._distinct = {name: Distinct(rows.column(name)) for name in names}
        self._pairs: dict[str, pa.Array] = {}  # for each column but the first: which pairs of codes there are
        codes = self._distinct[names[0]].codes(rows.column(names[0]))
        for name in names[1:]:
            pairs = self._paired(rows, name, codes)
            self._pairs[name] = flat(pc.unique(pairs))
            codes = _place(pairs, self._pairs[name])
        self.numbers = codes
        """The number of each of the rows."""
        self.count = pc.max(codes).as_py() + 1 if rows.num_rows else 0

    def among(self, rows: pa.RecordBatch) -> pa.Array:
        """The number of each row's key; NULL where it is none of these."""
        first = next(iter(self._distinct))
        codes = self._distinct[first].codes(rows.column(first))
        for name, known in self._pairs.items():
            codes = _place(self._paired(rows, name, codes), known)
        return codes

    def may_be_in(self, file: DataFile, schema: Schema) -> bool:
        """Whether the file can have rows with one of the keys, as far as its bounds tell."""
        return all(each.may_be_in(file, schema.find_field(name)) for name, each in self._distinct.items())

    def are_all_of(self, file: DataFile, schema: Schema) -> bool:
        """Whether every row of the file has one of the keys, and the same, as its bounds tell; they may not."""
        row = {name: each.only_in(file, schema.find_field(name)) for name, each in self._distinct.items()}
        known = all(value is not None for value in row.values())
        return known and bool(self.among(pa.record_batch(row))[0].is_valid)

    def _paired(self, rows: Any, name: str, codes: Any) -> Any:
        """One number for the columns so far and this one; they are made dense again, so that none grows too large."""
        distinct = self._distinct[name]
        return pc.add(pc.multiply(codes, len(distinct.values)), distinct.codes(rows.column(name)))


def _place(pairs: Any, known: pa.Array) -> Any:
    return pc.index_in(pairs, value_set=known).cast(pa.int64())
