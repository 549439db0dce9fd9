"""Spec, the frozen base of everything a user may declare, and the errors it speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from chalicelib.errors import ConfigError

MAX_PROBLEMS = 20  # that one error tells
MAX_SENTENCE = 2000  # characters of one problem


class Spec(BaseModel):
    """Frozen, unknown keys refused, named as the user writes them."""

    # Each model's validator is built when it is first asked: a pipeline's holds all others, and to build each of those
    # for itself as well took a door twice as long.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    @classmethod
    def parse(cls, document: Mapping[str, Any], *, where: str) -> Self:
        """The document as a value.

        Raises ConfigError that names every faulty path and what may stand there.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            found = _telling(error.errors(include_url=False))
            problems = [_cut(_sentence(cls, detail)) for detail in found[:MAX_PROBLEMS]]
            problems += [f"and {len(found) - MAX_PROBLEMS} more"] if len(found) > MAX_PROBLEMS else []
            raise ConfigError(
                "; ".join(problems), where=where, remedy="Mend these lines and try again; nothing was changed"
            ) from None

    def document(self) -> dict[str, Any]:
        """What was declared, as plain JSON types under the names users write; `parse` of it gives the value back."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a document an error lies: its path as users write it, and the models that could stand there."""

    path: tuple[str, ...] = ()
    models: tuple[type[BaseModel], ...] = ()

    def down(self, part: int | str) -> "_Place":
        """One step: into a field, into a list, or to the model that a tag chose, which is no step in the document."""
        tagged = tuple(model for model in self.models if part in _tags(model))
        if tagged and (len(self.models) > 1 or _field(self.models[0], part) is None):
            return _Place(self.path, tagged)
        fields = [field for model in self.models if (field := _field(model, part)) is not None]
        inner = tuple(model for field in fields for model in _models(field.annotation))
        return _Place((*self.path, str(part)), inner or (self.models if isinstance(part, int) else ()))

    def names(self) -> list[str]:
        """The keys that may stand here."""
        return sorted({field.alias or name for model in self.models for name, field in model.model_fields.items()})

    def examples(self, part: int | str) -> list[Any]:
        """Values that a field here may have, as it says itself."""
        fields = (_field(model, part) for model in self.models)
        return [example for field in fields if field is not None for example in field.examples or ()]

    def tags(self) -> list[str]:
        """The types that may be chosen here."""
        return sorted({tag for model in self.models for tag in _tags(model)})


def _cut(sentence: str) -> str:
    """The sentence; one that repeats a long value loses its middle."""
    return sentence if len(sentence) <= MAX_SENTENCE else f"{sentence[: MAX_SENTENCE // 2]}…{sentence[-200:]}"


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    *parents, last = detail["loc"] or ("",)
    place = reduce(_Place.down, parents, _Place((), (model,)))
    here = place.down(last)
    path = ".".join(here.path) or "the document"
    match detail["type"]:
        case "extra_forbidden":
            near = get_close_matches(str(last)[:100], place.names(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(place.names())}"
            return f"{path} is not a known key ({hint})"
        case "missing":
            return f"{path} is required"
        case "union_tag_not_found":
            return f"{path}.{_tag_name(here.models)} is required: one of {', '.join(here.tags())}"
        case "union_tag_invalid":
            near = get_close_matches(str(detail["ctx"]["tag"])[:100], here.tags(), n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            return f"{path}.{_tag_name(here.models)} is not one of {', '.join(here.tags())}{hint}"
        case "string_pattern_mismatch" if place.examples(last):
            return f"{path} does not look like {place.examples(last)[0]}"
        case _:
            return f"{path}: {detail['msg'].removeprefix('Value error, ')}"


def _field(model: type[BaseModel], part: int | str) -> FieldInfo | None:
    return next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get(_tag_name((model,)))
    return get_args(field.annotation) if field else ()


def _tag_name(models: tuple[type[BaseModel], ...]) -> str:
    """The key by which one of these models is chosen."""
    return "rule" if any("rule" in model.model_fields for model in models) else "type"


def _telling(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without those that only follow from others: a list whose elements are all faulty is not empty."""
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if detail["type"] != "too_short" or not any(_below(place, detail["loc"]) for place in places)
    ]


def _below(place: tuple[int | str, ...], parent: tuple[int | str, ...]) -> bool:
    return len(place) > len(parent) and place[: len(parent)] == parent


def _models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models in an annotation, however they are wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for inner in get_args(annotation) for model in _models(inner))
