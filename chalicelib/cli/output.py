"""Results for people or for programs: a table, or JSON."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

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
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in found[0]:
            table.add_column(name, overflow="fold")
        for row in found:
            table.add_row(*(_text(value) for value in row.values()))
        console = Console()
        console = console if console.is_terminal else Console(width=max(console.width, 200))
        console.print(table)


def show_one(thing: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing: YAML for people, JSON for programs."""
    if as_json:
        click.echo(_json(thing))
    else:
        click.echo(yaml.safe_dump(json.loads(_json(thing)), sort_keys=False, allow_unicode=True).rstrip())


def read_document(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file that holds one mapping."""
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"it cannot be read ({error})", where=str(path), remedy="Give a YAML document") from None
    if not isinstance(document, dict):
        raise ConfigError("it holds no mapping", where=str(path), remedy="Give a YAML document")
    return document


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
    if isinstance(value, dict | list):
        return _json(value)
    return str(value)
