"""FileMetadata: columns that say which object a row came from (F79)."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from chalicelib.config.spec import Spec


class Fact(StrEnum):
    """What is known of a row's origin."""

    FILE_NAME = "file_name"
    KEY = "key"
    BUCKET = "bucket"
    VERSION_ID = "version_id"
    ETAG = "etag"
    IDENTITY = "identity"
    SIZE = "size"
    LAST_MODIFIED = "last_modified"
    ENTRY = "entry"
    ROW_NUMBER = "row_number"
    INGESTED_AT = "ingested_at"


class MetadataColumn(Spec):
    """One column."""

    name: str = Field(min_length=1, description="Of the new column; one that is not there yet.")
    value: Fact = Field(
        description="file_name is the key after its last slash; row_number counts the object's records from 1, bad "
        "ones too; entry is the name within an archive; ingested_at is when the load began (F79)."
    )


class FileMetadata(Spec):
    """Facts about the object, after the other columns (F79)."""

    type: Literal["file_metadata"]
    columns: tuple[MetadataColumn, ...] = Field(min_length=1, description="The new columns.")
