"""Results for people or for programs: a table, or JSON."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`, for commands that read."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def show_rows(rows: Iterable[Mapping[str, Any]], *, as_json: bool, empty: str = "Nothing here.") -> None:
    """Rows with the same names: a table, or one JSON object a line."""
    found = list(rows)
    if as_json:
        for row in found:
            click.echo(_json(row))
    elif not found:
        click.echo(empty)
    else:
        console = Console()
        wide = not console.is_terminal
        if wide or sum(_width(found, name) + 3 for name in found[0]) <= console.width:
            _show_table(found, Console(width=10_000) if wide else console)
        else:
            _show_blocks(found, console)


def _show_table(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        table.add_column(Text(_visible(name)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    console.print(table)


def _show_blocks(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A block of lines for each row, where a table would not fit."""
    width = max(len(name) for name in rows[0])
    for number, row in enumerate(rows, start=1):
        console.rule(str(number), align="left")
        for name, value in row.items():
            console.print(Text(f"{_visible(name):<{width}}  {_text(value)}"))


def _width(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return max(len(name), *(len(_text(row[name])) for row in rows))


def show_one(thing: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing: YAML for people, JSON for programs."""
    if as_json:
        click.echo(_json(thing))
    else:
        plain = json.loads(_json(thing))  # one line a value, whatever its length: commands in it can be copied
        click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=10_000).rstrip())


def read_document(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file in UTF-8 that holds one mapping."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: 2026-13-45 is no date
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigError(f"it cannot be read ({why})", where=str(path), remedy="Give a YAML document") from None
    if not isinstance(document, dict):
        raise ConfigError("it holds no mapping", where=str(path), remedy="Give a YAML document")
    return document


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ago(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments, in seconds."""
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return _visible(_json(value) if isinstance(value, dict | list) else str(value))


def _visible(text: str) -> str:
    """The text with what a terminal would obey, or not show, written out: keys and rows are other people's."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
