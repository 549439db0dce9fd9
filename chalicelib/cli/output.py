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

from chalicelib.config.reading import MAX_BYTES, document
from chalicelib.core.visible import block, json_line, visible
from chalicelib.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`, for commands that read."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def say(text: object, *, err: bool = False) -> None:
    """One line for people; whatever names stand in it, it stays one line (`core.visible`)."""
    click.echo(visible(str(text)), err=err)


def show_rows(rows: Iterable[Mapping[str, Any]], *, as_json: bool, empty: str = "Nothing here.") -> None:
    """Rows with the same names: a table, or one JSON object a line."""
    found = list(rows)
    if as_json:
        for row in found:
            say(json_line(row))
    elif not found:
        say(empty)
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
        table.add_column(Text(visible(name)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    console.print(table)


def _show_blocks(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A block of lines for each row, where a table would not fit."""
    width = max(len(name) for name in rows[0])
    for number, row in enumerate(rows, start=1):
        console.rule(str(number), align="left")
        for name, value in row.items():
            console.print(Text(f"{visible(name):<{width}}  {_text(value)}"))


def _width(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return max(len(name), *(len(_text(row[name])) for row in rows))


def show_one(thing: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing: YAML for people, JSON for programs."""
    if as_json:
        say(json_line(thing))
    else:
        plain = json.loads(json_line(thing))  # one line a value, whatever its length: commands in it can be copied
        click.echo(dumped(plain, width=10_000).rstrip())


def dumped(document: Any, *, dumper: type[yaml.SafeDumper] | None = None, width: int = 1000) -> str:
    """YAML in the order given that reads back as it was, and of which a terminal obeys nothing."""
    text = yaml.dump(document, Dumper=dumper or Dumper, sort_keys=False, allow_unicode=True, width=width)
    return block(text)


class Dumper(yaml.SafeDumper):
    """The safe one, with texts in quotes that hold what is not printed as itself: there the escapes mean it."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text."""
        style = None if data.replace("\n", "").isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


Dumper.add_representer(str, Dumper.represent_str)


def read_document(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file in UTF-8 that holds one mapping, within the limits of `config.reading`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(f"it cannot be read ({why})", where=str(path), remedy="Give a YAML document") from None
    return document(data, where=str(path))


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ago(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments, in seconds."""
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return visible(json_line(value) if isinstance(value, dict | list) else str(value))
