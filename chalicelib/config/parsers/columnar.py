"""Formats that say themselves which columns they have, and of what type.

Without `columns` an object's own are taken. Declared ones are met by name, and case counts; `src` is the name in the
object if it has another, `element_at` the way into a nested value. A value that is not exactly one of the declared type
makes its row bad.
"""

from typing import Literal

from chalicelib.config.parsers.layout import Layout


class ParquetObjects(Layout):
    """Parquet; only the columns asked for are read (F72)."""

    type: Literal["parquet"]


class Avro(Layout):
    """Avro object container files (F72)."""

    type: Literal["avro"]


class Orc(Layout):
    """ORC; only the columns asked for are read (F72)."""

    type: Literal["orc"]
