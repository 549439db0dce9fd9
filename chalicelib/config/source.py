"""Which objects to read: bucket, prefix, pattern."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, field_validator

from chalicelib.config.decoders import MAX_ENTRIES, MAX_EXPANSION_RATIO, Decoder
from chalicelib.config.formats import Parser
from chalicelib.config.patterns import MAX_GLOBS, Glob, valid
from chalicelib.config.spec import Spec

MAX_TASK_FILES = 500  # a task is one DynamoDB item of at most 400 KB


class Source(Spec):
    """The `in` part of a pipeline, under Treasure Data's names."""

    type: Literal["s3"] = Field("s3", description="S3 is the only one.")
    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$", description="The customer's bucket."
    )
    path: str | None = Field(None, min_length=1, description="One exact key; wins over path_prefix (F23).")
    path_prefix: str = Field("", description="Literal start of the key; empty is the whole bucket (F18).")
    path_match_pattern: str | None = Field(
        None, description="RE2 pattern searched anywhere in the key (F20); at most 1,000 characters, linear time."
    )
    include: tuple[Glob, ...] = Field(
        (), max_length=MAX_GLOBS, description="Globs, one of which the key must match: * ? ** (F21)."
    )
    exclude: tuple[Glob, ...] = Field(
        (), max_length=MAX_GLOBS, description="Globs, none of which the key may match; they win (F21)."
    )
    suffix: tuple[str, ...] = Field((), description="Ends, one of which the key must have (F22).")
    skip_glacier_objects: bool = Field(
        False, description="true: an archived object is recorded and waits; false: it fails its job as well (F25)."
    )
    incremental: bool = Field(True, description="false: every sweep lists everything and keeps no cursor (F33).")
    last_path: str | None = Field(None, description="The first sweep starts after this key (F30, F37).")
    use_modified_time: bool = Field(False, description="Sweep by LastModified instead of by key (F32).")
    last_modified_time: datetime | None = Field(
        None,
        description="The first sweep takes objects of this time and later; ISO-8601, UTC if no zone is told (F31).",
    )
    overlap: int = Field(
        86_400, ge=0, description="Seconds that a sweep by time looks back, for objects that show late (F38, E5)."
    )
    total_file_count_limit: int | None = Field(None, gt=0, description="Objects of one sweep; the rest waits (F28).")
    total_file_size_limit: int | None = Field(None, gt=0, description="Bytes of one sweep; the rest waits.")
    decoders: tuple[Decoder, ...] | None = Field(
        None, description="Left out: told by each object's first bytes; an empty list: nothing is decoded (F54, F55)."
    )
    max_expansion_ratio: int = Field(
        MAX_EXPANSION_RATIO,
        gt=0,
        description="Decoded bytes for one byte of the object, beyond the first 64 MiB; more is taken for a bomb.",
    )
    max_entries: int = Field(
        MAX_ENTRIES, gt=0, description="Entries in the archives of one object; more is taken for a bomb."
    )
    parser: Parser = Field(description="How the bytes are laid out.")
    min_task_size: int = Field(
        268_435_456, gt=0, description="Bytes that one task gathers at least, if there are (F29)."
    )
    split_size: int = Field(
        268_435_456,
        ge=0,
        description="Bytes of each part in which an object of twice as many or more is read, several at once, where "
        "its text can be cut: CSV, JSON lines or fixed width, not packed or in bzip2 or zstd frames; 0: never.",
    )
    max_task_files: int = Field(MAX_TASK_FILES, gt=0, le=MAX_TASK_FILES, description="Objects that one task takes.")

    @field_validator("suffix", mode="before")
    @classmethod
    def _one_or_many(cls, suffix: Any) -> Any:
        return (suffix,) if isinstance(suffix, str) else suffix

    @field_validator("last_modified_time")
    @classmethod
    def _in_utc(cls, time: datetime | None) -> datetime | None:
        return time if time is None else (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)

    @field_validator("path_match_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return valid(pattern)

    @property
    def listed_prefix(self) -> str:
        """The narrowest prefix that has all wanted keys."""
        return self.path if self.path is not None else self.path_prefix

    @property
    def divided_from(self) -> int | None:
        """Bytes of an object from which on it is read in parts, if its text can be cut; None: never (W7)."""
        return 2 * self.split_size or None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal but hardly meant (F19)."""
        if self.path_prefix.startswith("/"):
            return (f"in.path_prefix {self.path_prefix!r} starts with a slash; S3 keys hardly ever do",)
        return ()
