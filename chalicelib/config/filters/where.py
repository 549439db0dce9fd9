"""Where: which rows stay."""

from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from chalicelib.config.filters.predicate import Predicate, parse
from chalicelib.config.spec import Spec


class Where(Spec):
    """Only the rows of which the condition is true; neither false nor unknown, as in SQL."""

    type: Literal["where"]
    condition: str = Field(
        min_length=1,
        max_length=10_000,
        description="Such as `status >= 400 and path like '/api/%' and not agent matches '(?i)bot'`.",
    )

    @field_validator("condition")
    @classmethod
    def _parses(cls, condition: str) -> str:
        parse(condition)
        return condition

    @cached_property
    def predicate(self) -> Predicate:
        """The condition, parsed."""
        return parse(self.condition)
