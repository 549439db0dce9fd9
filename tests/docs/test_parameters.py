"""docs/parameters.md names every key of a pipeline document, with the type, default and meaning that the code has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import EnumType
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.formats import Csv, Gzip, Json
from chalicelib.config.pipeline import Pipeline
from chalicelib.config.schedule import Schedule
from chalicelib.config.source import Source
from chalicelib.config.spec import Spec

TEXT = (Path(__file__).parents[2] / "docs" / "parameters.md").read_text()
SECTIONS: dict[str, tuple[type[Spec], ...]] = {
    "document": (Pipeline,),
    "in": (Source,),
    "in.parser of type csv": (Csv,),
    "in.parser of type json": (Json,),
    "in.decoders": (Gzip,),
    "columns": (Column,),
    "out": (Iceberg, Parquet),
    "schedule": (Schedule,),
}
WORDS: dict[Any, str] = {str: "text", int: "integer", bool: "true or false", datetime: "time", NoneType: "null"}
WORDS |= {Source: "[in](#in)", Schedule: "[schedule](#schedule)", Column: "[column](#columns)", Gzip: "`{type: gzip}`"}
WORDS |= {Csv: "[csv](#inparser-of-type-csv)", Json: "[json](#inparser-of-type-json)"}
WORDS |= {Iceberg: "[out](#out)", Parquet: "[out](#out)"}
SOURCES = re.compile(r" \(((?:[EFW]\d+(?:, )?)+)(?:; ([^)]+))?\)")


@dataclass(frozen=True)
class Row:
    key: str
    type: str
    default: str
    meaning: str
    source: str


def rows() -> Iterator[tuple[str, Row]]:
    """The document's rows, by section."""
    section = ""
    for line in TEXT.splitlines():
        if line.startswith("## "):
            section = line[3:].replace("`", "")
        if line.startswith("| `"):
            yield section, Row(*(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]))


def fields(section: str) -> dict[str, list[FieldInfo]]:
    """The keys of a section; of several models in one place each may have its own."""
    found: dict[str, list[FieldInfo]] = {}
    for model in SECTIONS[section]:
        for name, info in model.model_fields.items():
            found.setdefault(f"`{info.alias or name}`", []).append(info)
    return found


def kinds(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (f"`{value}`" for value in get_args(annotation))
    elif get_origin(annotation) is tuple:
        yield f"list of {get_args(annotation)[0] and ' or '.join(kinds(get_args(annotation)[0]))}"
    elif isinstance(annotation, EnumType):
        members: list[str] = list(annotation)
        yield from (f"`{member}`" for member in members)
    elif annotation in WORDS:
        yield WORDS[annotation]
    else:
        inner = get_args(annotation)
        assert inner, f"no word for {annotation}"
        for each in inner if not hasattr(annotation, "__metadata__") else inner[:1]:
            yield from kinds(each)


def type_of(infos: list[FieldInfo]) -> str:
    return " or ".join(dict.fromkeys(kind for info in infos for kind in kinds(info.annotation)))


def default_of(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default is None:
        return "null"
    if info.default in ((), ""):
        return "empty"
    return f"`{str(info.default).lower() if isinstance(info.default, bool) else info.default}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_described_and_no_other(section: str) -> None:
    assert [row.key for title, row in rows() if title == section] == list(fields(section))


@pytest.mark.parametrize(("section", "row"), list(rows()), ids=lambda value: getattr(value, "key", value))
def test_type_default_and_meaning_are_those_of_the_code(section: str, row: Row) -> None:
    infos = fields(section)[row.key]
    assert row.type == type_of(infos)
    assert row.default == default_of(infos[0])
    described = infos[0].description or ""
    if described:
        numbers = ", ".join(found[1] for found in SOURCES.finditer(described))
        assert row.meaning == SOURCES.sub(lambda found: f" ({found[2]})" if found[2] else "", described)
        assert row.source == (numbers or "—")
    else:
        assert row.meaning
        assert re.fullmatch(r"—|[EFW]\d+(, [EFW]\d+)*", row.source)


def test_every_section_of_a_document_has_its_table() -> None:
    assert {section for section, _ in rows()} == set(SECTIONS)
