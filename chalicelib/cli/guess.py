"""`guess`: a seed document to a load.yml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib import wiring
from chalicelib.cli.output import Dumper, dumped, json_option, read_document, say, show_one, show_rows
from chalicelib.cli.samples import opened
from chalicelib.errors import ConfigError
from chalicelib.flows.guess import OBJECTS, Guessed, guess_from

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("seed", type=FILE)
@click.option("-o", "--output", type=FILE, help="Where the document goes; a file that is there is kept as OUTPUT.bak.")
@click.option("--connection", help="The connection to read over, if SEED names none.")
@click.option("--all-strings", is_flag=True, help="Make every column a string.")
@click.option("--objects", default=OBJECTS, show_default=True, type=click.IntRange(1, 50), help="Objects to sample.")
@click.option(
    "--sample", "samples", multiple=True, type=FILE, help="Sample this file, not the bucket; may be repeated."
)
@json_option
def guess(
    seed: Path,
    output: Path | None,
    connection: str | None,
    all_strings: bool,
    objects: int,
    samples: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Complete the document SEED by what the objects look like that it selects.

    What SEED says is kept. Without -o the document is printed; what was decided, and how sure each decision is, is
    always said. Edit the result, and look at its rows with `tidegate preview`.
    """
    document = read_document(seed)
    if samples:
        guessed = guess_from(document, opened(samples), all_strings=all_strings)
    else:
        guessed = wiring.guessing().guess(document, connection=connection, objects=objects, all_strings=all_strings)
    if output is not None:
        _write(output, guessed.document)
    if as_json:
        show_one(_plain(guessed), as_json=True)
    elif output is None:
        _explain(guessed, err=True)
        click.echo(written(guessed.document), nl=False)
    else:
        _explain(guessed, err=False)
        say(f"{output} is written. Next: `tidegate preview {output}`.")


def written(document: Mapping[str, Any]) -> str:
    """The document as YAML in its own order; each column on a line of its own."""
    inside = document["in"]
    parser = inside["parser"]
    if "columns" in parser:
        parser = {**parser, "columns": [_Line(column) for column in parser["columns"]]}
    laid = {**document, "in": {**inside, "parser": parser}}
    return dumped(laid, dumper=_Dumper)


class _Line(dict[str, Any]):
    """A mapping on one line."""


class _Dumper(Dumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    _Line, lambda dumper, line: dumper.represent_mapping("tag:yaml.org,2002:map", line.items(), flow_style=True)
)


def _write(output: Path, document: Mapping[str, Any]) -> None:
    """Write the document, and keep what was there under a name that is free."""
    try:
        if output.exists():
            names = [output.with_name(f"{output.name}.bak{number or ''}") for number in range(1000)]
            output.rename(next(name for name in names if not name.exists()))
        output.write_text(written(document), encoding="utf-8")
    except OSError as error:
        remedy = "Give -o a file that can be written"
        raise ConfigError(f"it cannot be written ({error.strerror})", where=str(output), remedy=remedy) from None


def _explain(guessed: Guessed, *, err: bool) -> None:
    if err:  # beside a document that goes on through a pipe
        for each in guessed.evidence:
            say(f"# {each.what}: {each.value} ({each.sure}: {each.why})", err=True)
        return
    taken = [{"sampled": t.name, "size": t.size, "from start": t.start, "middle": t.middle} for t in guessed.taken]
    show_rows(taken, as_json=False)
    show_rows(
        [{"decided": e.what, "as": e.value, "sure": e.sure.value, "because": e.why} for e in guessed.evidence],
        as_json=False,
    )


def _plain(guessed: Guessed) -> dict[str, Any]:
    return {
        "document": guessed.document,
        "sampled": [{"name": t.name, "size": t.size, "start": t.start, "middle": t.middle} for t in guessed.taken],
        "evidence": [{"what": e.what, "value": e.value, "why": e.why, "sure": e.sure} for e in guessed.evidence],
    }


COMMANDS = (guess,)
