"""Rename: other names for columns, by hand or by rule (F77)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from chalicelib.config.patterns import valid
from chalicelib.config.spec import Spec


class _Passing(Spec):
    pass_types: tuple[Literal["a-z", "A-Z", "0-9"], ...] = Field((), description="Sets of characters that may stay.")
    pass_characters: str = Field("", description="Characters that may stay.")

    def passes(self, character: str) -> bool:
        """True if a name may have it here."""
        return character in self.pass_characters or any(
            first <= character <= last for first, _, last in self.pass_types
        )


class CharacterTypes(_Passing):
    """Every other character is replaced."""

    rule: Literal["character_types"]
    replace: str = Field("_", min_length=1, max_length=1, description="What stands instead.")


class FirstCharacterTypes(_Passing):
    """Another first character is replaced, or gets a prefix."""

    rule: Literal["first_character_types"]
    replace: str | None = Field(None, min_length=1, max_length=1, description="What stands instead; or")
    prefix: str | None = Field(None, min_length=1, max_length=1, description="what stands before it.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "FirstCharacterTypes":
        if (self.replace is None) == (self.prefix is None):
            raise ValueError("exactly one of replace and prefix is needed")
        return self


class LowerToUpper(Spec):
    """a-z become A-Z."""

    rule: Literal["lower_to_upper"]


class UpperToLower(Spec):
    """A-Z become a-z."""

    rule: Literal["upper_to_lower"]


class RegexReplace(Spec):
    """Every match is replaced."""

    rule: Literal["regex_replace"]
    match: Annotated[str, AfterValidator(valid)] = Field(min_length=1, description="RE2 pattern.")
    replace: str = Field(description="`$1` is what the first group matched, `$0` all of it, `\\$` a dollar.")


class Truncate(Spec):
    """No name is longer."""

    rule: Literal["truncate"]
    max_length: int = Field(128, ge=1, description="Characters.")


class UniqueNumberSuffix(Spec):
    """A name that stands further left already gets a number, counted per name."""

    rule: Literal["unique_number_suffix"]
    delimiter: str = Field("_", min_length=1, max_length=1, pattern=r"^[^0-9]$", description="Before the number.")
    digits: int | None = Field(None, ge=1, le=20, description="Of the number at least, filled with zeros.")
    offset: int = Field(1, ge=0, description="The first number is one more.")
    max_length: int | None = Field(None, ge=8, description="Characters of a name with its number.")

    @model_validator(mode="after")
    def _fits(self) -> "UniqueNumberSuffix":
        if self.max_length is not None and (self.digits or 1) + 1 >= self.max_length:
            raise ValueError("max_length has no room for the number")
        return self


Rule = Annotated[
    CharacterTypes | FirstCharacterTypes | LowerToUpper | UpperToLower | RegexReplace | Truncate | UniqueNumberSuffix,
    Field(discriminator="rule"),
]


class Rename(Spec):
    """Names from `columns`, then through each of `rules` in their order (F77)."""

    type: Literal["rename"]
    columns: dict[str, str] = Field({}, description="Old name to new name.")
    rules: tuple[Rule, ...] = Field((), description="What is done to each name, in order.")

    @model_validator(mode="after")
    def _renames(self) -> "Rename":
        if not self.columns and not self.rules:
            raise ValueError("columns or rules are needed")
        if not all(self.columns.values()):
            raise ValueError("a name cannot be empty")
        return self


class Sanitize(Spec):
    """Names that every table and query takes: a-z, 0-9 and _, no digit first, at most 128, none twice (F77).

    `userId` becomes user_id, `Größe (cm)` grosse_cm, and `2nd` _2nd.
    """

    type: Literal["sanitize"]
