"""The tables of every key that a user may write, from the declarations in config.

python -m scripts.parameters          write them into docs/parameters.md and docs/filters.md
python -m scripts.parameters --check  say whether they are fresh
"""

import re
import sys
from collections.abc import Iterator
from datetime import date, datetime
from enum import EnumType
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chalicelib.config.access.own import Profile
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.config.access.way import HttpProxy, Way
from chalicelib.config.columns import Column
from chalicelib.config.connection import METHODS
from chalicelib.config.decoders import Decoder
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.filters import Filter
from chalicelib.config.formats import Parser
from chalicelib.config.maintenance import Maintenance
from chalicelib.config.parsers.fixed_width import FixedColumn
from chalicelib.config.pipeline import Pipeline
from chalicelib.config.schedule import Schedule
from chalicelib.config.source import Source

DOCS = Path(__file__).parents[1] / "docs"
HEAD = ("| key | type | default | meaning | source |", "|---|---|---|---|---|")
WORDS: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    datetime: "time",
    date: "date",
    NoneType: "null",
}
CHOICES = ("type", "rule", "auth_method")  # keys that tell the members of a union apart
NUMBERS = re.compile(r" ?\(((?:[EFW]\d+(?:, )?)+)(?:; ([^)]+))?\)")

Models = tuple[type[BaseModel], ...]


def members(union: Any) -> Models:
    """The models of a tagged union."""
    return get_args(get_args(union)[0])


def tag(model: type[BaseModel]) -> str:
    """What a model is called in a document: its `type`, `rule` or `auth_method`, or its own name."""
    for name in CHOICES:
        choices = get_args(model.model_fields[name].annotation) if name in model.model_fields else ()
        if len(choices) == 1:
            return str(choices[0])
    return model.__name__


def nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models in a model's fields, in their order, each with those in its own."""
    for info in model.model_fields.values():
        for inner in models(info.annotation):
            yield inner
            yield from nested(inner)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(annotation):
            yield from models(inner)


def sections() -> dict[str, Models]:
    """Each table's title, and the models whose keys it has."""
    found: dict[str, Models] = {"document": (Pipeline,), "in": (Source,)}
    for parser in members(Parser):
        found[f"parser {tag(parser)}"] = (parser,)
    found |= {"columns": (Column,), "columns of fixed_width": (FixedColumn,), "decoders": members(Decoder)}
    for kind in members(Filter):
        found[f"filter {tag(kind)}"] = (kind,)
        for inner in dict.fromkeys(nested(kind)):
            title = f"{tag(kind)}: {tag(inner)}"
            if not any(inner in known for known in found.values()):
                found[title] = (inner,)
    found |= {"out": (Iceberg, Parquet), "maintenance": (Maintenance,), "schedule": (Schedule,)}
    found |= {"connection": tuple(METHODS.values()), "connection assume_role": (AssumeRole,)}
    return found | {
        "connection profile": (Profile,),
        "through user": (ThroughUser,),
        "through role": (ThroughRole,),
        "http_proxy": (HttpProxy,),
    }


SECTIONS = sections()


def table(title: str) -> str:
    """The table of this title, as Markdown."""
    own = SECTIONS[title]
    fields: dict[str, list[FieldInfo]] = {}
    for model in own:
        for name, info in model.model_fields.items():
            if not told_elsewhere(name, title):
                fields.setdefault(info.alias or name, []).append(info)
    return "\n".join((*HEAD, *(row(name, infos, own) for name, infos in fields.items())))


def told_elsewhere(name: str, title: str) -> bool:
    """Whether another table has this key already."""
    shared = name in Way.model_fields or name == "auth_method"
    match title:
        case "columns of fixed_width":
            return name in Column.model_fields
        case "connection":
            return not shared
        case "connection assume_role" | "connection profile":
            return shared
    return False


def row(name: str, infos: list[FieldInfo], own: Models) -> str:
    """One key's line."""
    told = infos[0].description or " ".join(_first_sentence(model) for model in own if name in CHOICES)
    assert told, f"{own[0].__name__}.{name} has no description"
    numbers = ", ".join(dict.fromkeys(each for found in NUMBERS.finditer(told) for each in found[1].split(", "))) or "—"
    meaning = NUMBERS.sub(lambda found: f" ({found[2]})" if found[2] else "", told)
    kinds = " or ".join(dict.fromkeys(kind for info in infos for kind in words(info.annotation)))
    cells = (f"`{name}`", kinds, _default(infos[0]), meaning, numbers)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def words(annotation: Any) -> Iterator[str]:
    """A type in words."""
    if get_origin(annotation) is Literal:
        yield from (f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in get_args(annotation))
    elif get_origin(annotation) is tuple:
        yield f"list of {' or '.join(words(get_args(annotation)[0]))}"
    elif get_origin(annotation) is dict:
        yield f"mapping of {' to '.join(word for each in get_args(annotation) for word in words(each))}"
    elif isinstance(annotation, EnumType):
        choices: list[str] = list(annotation)
        yield from (f"`{choice}`" for choice in choices)
    elif annotation in WORDS:
        yield WORDS[annotation]
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield _linked(annotation)
    else:
        inner = get_args(annotation)
        assert inner, f"no word for {annotation}"
        for each in inner if not hasattr(annotation, "__metadata__") else inner[:1]:
            yield from words(each)


def _linked(model: type[BaseModel]) -> str:
    for title, known in SECTIONS.items():
        if model in known:
            page = "filters.md" if title.startswith("filter ") or ": " in title else ""
            return f"[{tag(model) if len(known) == 1 else title}]({page}#{_anchor(title)})"
    raise AssertionError(f"{model.__name__} has no table")


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default is None:
        return "null"
    if info.default in ((), "", {}):
        return "empty"
    value = str(info.default).lower() if isinstance(info.default, bool) else str(info.default)
    return f"`{value}`" if value.strip() else f"`{value!r}`".replace("'", '"')


def _first_sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").partition("\n\n")[0].split())


def fresh(text: str) -> str:
    """A document with its tables made anew."""
    return re.sub(
        r"(<!-- table: ([^\n]+?) -->\n).*?(<!-- end of table -->)",
        lambda found: f"{found[1]}\n{table(found[2])}\n\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def main() -> int:
    """Write or check both documents."""
    stale = []
    for path in (DOCS / "parameters.md", DOCS / "filters.md"):
        text = path.read_text()
        if fresh(text) != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(fresh(text))
    print(f"stale: {', '.join(stale)}" if stale else "fresh")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
