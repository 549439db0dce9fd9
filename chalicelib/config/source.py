"""Which objects to read: bucket, prefix, pattern."""

from functools import cache
from typing import Any, Literal

import re2
from pydantic import Field, field_validator

from chalicelib.config.formats import Decoder, Parser
from chalicelib.config.spec import Spec


@cache
def compiled(pattern: str) -> Any:
    """The RE2 pattern, compiled once a process and silently. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


class Source(Spec):
    """The `in` part of a pipeline, under Treasure Data's names."""

    type: Literal["s3"] = "s3"
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$")
    path_prefix: str = Field("", description="Literal start of the key; empty is the whole bucket (F18).")
    path_match_pattern: str | None = Field(
        None, description="RE2 pattern searched anywhere in the key (F20); linear time whatever is written."
    )
    decoders: tuple[Decoder, ...] | None = Field(None, description="Left out: told by each object's first bytes.")
    parser: Parser
    min_task_size: int = Field(
        268_435_456, gt=0, description="Bytes that one task gathers at least, if there are (F29)."
    )

    @field_validator("path_match_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compiled(pattern)
            except re2.error as error:
                reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
                raise ValueError(
                    f"{pattern!r} is not an RE2 pattern ({reason}); look-around and back-references do not exist there"
                ) from None
        return pattern

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal but hardly meant (F19)."""
        if self.path_prefix.startswith("/"):
            return (f"in.path_prefix {self.path_prefix!r} starts with a slash; S3 keys hardly ever do",)
        return ()
