"""Description: what S3 tells of an object without giving its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.objects import ObjectRef


@dataclass(frozen=True, slots=True)
class Description:
    """One object as a HEAD request shows it, pinned to its identity."""

    ref: ObjectRef
    size: int  # bytes
    last_modified: datetime  # UTC, whole seconds
    storage_class: str = "STANDARD"
    content_type: str | None = None
    content_encoding: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)  # the user's own, names in lower case
    tags: Mapping[str, str] | None = None  # None: not asked for
    sse: str | None = None  # AES256, aws:kms, aws:kms:dsse
    kms_key: str | None = None  # its ARN
    restore: str | None = None  # how far the restore of an archived object is, in S3's words
    archive_status: str | None = None  # the archive tier of Intelligent-Tiering in which it lies
