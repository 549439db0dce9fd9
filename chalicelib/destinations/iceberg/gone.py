"""The rows that go: those of some contents of objects, or of all that a key ever had."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema

from chalicelib.core.tasks import Former
from chalicelib.destinations.iceberg.keys import Keys
from chalicelib.destinations.origins import NEEDED


class Gone:
    """The rows of formers, told by their origin columns."""

    def __init__(self, formers: Sequence[Former]) -> None:
        contents = [former for former in formers if former.identity is not None]
        whole = [former for former in formers if former.identity is None]
        self._parts = [_keys(some, names) for some, names in ((contents, NEEDED), (whole, NEEDED[:2])) if some]

    def among(self, rows: pa.RecordBatch) -> pa.Array:
        """Which of the rows go."""
        found = [pc.is_valid(part.among(rows)) for part in self._parts]
        return found[0] if len(found) == 1 else pc.or_(*found)

    def may_be_in(self, file: DataFile, schema: Schema) -> bool:
        """Whether the file can have such rows, as far as its bounds tell."""
        return any(part.may_be_in(file, schema) for part in self._parts)

    def are_all_of(self, file: DataFile, schema: Schema) -> bool:
        """Whether all rows of the file go, as its bounds tell: then nobody has to open it."""
        return any(part.are_all_of(file, schema) for part in self._parts)


def _keys(formers: Sequence[Former], names: Sequence[str]) -> Keys:
    columns = ([each.bucket for each in formers], [each.key for each in formers], [each.identity for each in formers])
    return Keys(pa.table(dict(zip(names, columns, strict=False))), names)
