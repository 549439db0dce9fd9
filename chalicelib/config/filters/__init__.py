"""What happens to the rows between the parser and the table, in the order written (F78)."""

from typing import Annotated

from pydantic import Field

from chalicelib.config.filters.add_time import AddTime
from chalicelib.config.filters.columns import AddColumns, DropColumns, EmbulkColumn, RetainColumns
from chalicelib.config.filters.digest import Digest, EmbulkHash
from chalicelib.config.filters.expand_json import ExpandJson
from chalicelib.config.filters.explode import Explode
from chalicelib.config.filters.file_metadata import FileMetadata
from chalicelib.config.filters.rename import Rename, Sanitize
from chalicelib.config.filters.where import Where

Filter = Annotated[
    RetainColumns
    | AddColumns
    | DropColumns
    | EmbulkColumn
    | ExpandJson
    | Digest
    | EmbulkHash
    | AddTime
    | Rename
    | Sanitize
    | Where
    | Explode
    | FileMetadata,
    Field(discriminator="type"),
]
