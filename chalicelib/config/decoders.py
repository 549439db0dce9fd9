"""What the bytes are packed in."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from chalicelib.config.patterns import valid
from chalicelib.config.spec import Spec

MAX_EXPANSION_RATIO = 1200  # gzip's own limit is 1032
MAX_ENTRIES = 10_000


class Gzip(Spec):
    """One or several gzip members, one after the other (F54, E32)."""

    type: Literal["gzip"]


class Bzip2(Spec):
    """One or several bzip2 streams (F54)."""

    type: Literal["bzip2"]


class Zstd(Spec):
    """One or several Zstandard frames."""

    type: Literal["zstd"]


class Xz(Spec):
    """One or several xz streams."""

    type: Literal["xz"]


class Lz4(Spec):
    """One or several LZ4 frames."""

    type: Literal["lz4"]


class Snappy(Spec):
    """The Snappy framing format."""

    type: Literal["snappy"]


class Brotli(Spec):
    """Brotli; it has no mark of its own, so it is never told by content."""

    type: Literal["brotli"]


class _Archive(Spec):
    """Something with entries."""

    match_name: str | None = Field(
        None, description="RE2 pattern searched in the names of entries; left out: all entries (F54)."
    )

    @field_validator("match_name")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return valid(pattern)


class Zip(_Archive):
    """A zip archive, whose entries are read one after the other as objects of their own (F54)."""

    type: Literal["zip"]


class Tar(_Archive):
    """A tar archive, whose entries are read one after the other as objects of their own."""

    type: Literal["tar"]


class CommonsCompress(_Archive):
    """Embulk's spelling of the decoders above."""

    type: Literal["commons-compress"]
    format: Literal["", "bzip2", "gzip", "gz", "jar", "tar", "xz", "zip", "zstd", "lz4-framed", "snappy-framed"] = (
        Field("", description="What the bytes are packed in; empty: told by content.")
    )
    decompress_concatenated: Literal[True] = Field(
        True, description="Always true: without it all but the first member would be lost (E32)."
    )


Decoder = Annotated[
    Gzip | Bzip2 | Zstd | Xz | Lz4 | Snappy | Brotli | Zip | Tar | CommonsCompress, Field(discriminator="type")
]
