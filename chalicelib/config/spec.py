"""Spec, the frozen base of everything a user may declare, and the errors it speaks."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.errors import ConfigError


class Spec(BaseModel):
    """Frozen, unknown keys refused, named as the user writes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @classmethod
    def parse(cls, document: Mapping[str, Any], *, where: str) -> Self:
        """The document as a value.

        Raises ConfigError that names every faulty path and what may stand there.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            problems = [_sentence(cls, detail) for detail in error.errors(include_url=False)]
            raise ConfigError(
                "; ".join(problems), where=where, remedy="Mend these lines and try again; nothing was changed"
            ) from None

    def document(self) -> dict[str, Any]:
        """The value as plain JSON types, under the names users write; `parse` of it gives the value back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = ".".join(str(part) for part in detail["loc"]) or "the document"
    if detail["type"] == "extra_forbidden":
        known = _names_at(model, detail["loc"][:-1])
        near = get_close_matches(str(detail["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}" if known else ""
        return f"{path} is not a known key" + (f" ({hint})" if hint else "")
    if detail["type"] == "missing":
        return f"{path} is required"
    return f"{path}: {detail['msg'].removeprefix('Value error, ')}"


def _names_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys a document may have at this path, as far as it can be followed through plain models."""
    for part in path:
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]
