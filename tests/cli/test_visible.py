"""Keys and names are data: whatever stands in them, a terminal and a log show them and obey nothing (point 7)."""

import io
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import app
from chalicelib.cli import output
from chalicelib.cli.guess import written
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.visible import block, json_line, visible
from chalicelib.errors import ConfigError
from tests.cli.conftest import DOCUMENT, Run

HOSTILE = [
    "a\r\nERROR everything is lost",
    "a\nERROR",
    "\x1b[31mred\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "gpj.\u202eexe",
    "\u2066hidden\u2069",
    "a\u2028b\u2029c\x85d",
    "half \ud800 a character",
    "nul\0",
    "\u200bzero\ufeffwidth",
    "tag \U000e0041",
    "[bold red]markup[/bold red] [link=http://evil.test]x[/link]",
    "{0.__class__} %s %(key)s ${secret:x} $(reboot) `reboot`",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "'; DROP TABLE t; --",
]
OBEYED = {chr(code) for code in [*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, *range(0x202A, 0x202F)]} | {
    chr(code) for code in [*range(0x200B, 0x2010), *range(0x2066, 0x206A), 0xD800, 0xE0041]
}


def harmless(text: str, lines: int | None = None) -> bool:
    """True if a terminal shows all of it, on as many lines as we meant."""
    return not OBEYED & set(text.replace("\n", "")) and (lines is None or text.count("\n") == lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_on_one_line_and_its_own_signs_stay(name: str) -> None:
    assert harmless(visible(name), lines=0)
    assert visible("日本語 Größe 😀") == "日本語 Größe 😀"


@given(st.text(st.characters()))
def test_json_of_any_value_is_one_printable_line_and_reads_back(name: str) -> None:
    line = json_line({name: [name]})
    assert line.isprintable()
    assert json.loads(line) == {name: [name]}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_rows_and_things_are_shown_harmlessly(name: str, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows([{"key": name, name: 1, "deep": {"key": [name]}}], as_json=as_json)
    output.show_one({"key": name, name: [name]}, as_json=as_json)
    output.say(f"such as {name}")
    output.say(name, err=True)
    shown = capsys.readouterr()
    assert harmless(shown.out)
    assert harmless(shown.err, lines=1)
    assert "such as" in shown.out.splitlines()[-1]


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name])
def test_yaml_for_people_reads_back_as_it_was(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_one({"key": name, name: [name]}, as_json=False)
    assert yaml.safe_load(capsys.readouterr().out) == {"key": name, name: [name]}


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name])
def test_a_guessed_document_is_harmless_and_reads_back_as_it_was(name: str) -> None:
    document = {"in": {"path_prefix": name, "parser": {"type": "csv", "columns": [{"name": name, "type": "string"}]}}}
    text = written(document)
    assert harmless(text)
    assert output.document(text.encode(), where="load.yml") == document


def test_an_error_is_one_harmless_line_of_the_terminal(tidegate: Run, tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    for name in HOSTILE:
        source = {**DOCUMENT["in"], "path_match_pattern": f"({name}"}
        file.write_text(json.dumps({**DOCUMENT, name: 1, "in": source}))
        said = [
            tidegate("show", name),
            tidegate("explain", "flights", name),
            tidegate("rows", f"{name}.flights"),
            tidegate("apply", str(tmp_path / name.replace("\0", "").replace("\ud800", "\udcff"))),
            tidegate("apply", str(file)),
        ]
        for ran in said:
            assert (ran.code, ran.out) == (2, "")
            assert harmless(ran.err, lines=1), ran.err


@pytest.mark.parametrize("field", ["name", "owner", "connection"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_ours_takes_none_of_this(name: str, field: str) -> None:
    with pytest.raises(ConfigError):
        Pipeline.parse({**DOCUMENT, field: name}, where="p.yml")
    for ending in ("\n", "/..", " x"):
        with pytest.raises(ConfigError):
            Pipeline.parse({**DOCUMENT, field: f"flights{ending}"}, where="p.yml")


@pytest.mark.parametrize("part", ["database", "table"])
@pytest.mark.parametrize("name", [*HOSTILE, "..", ".", "a/b", "a.b", "flights\n", ""])
def test_a_table_cannot_climb_out_of_the_warehouse(name: str, part: str) -> None:
    with pytest.raises(ConfigError):
        Pipeline.parse({**DOCUMENT, "out": {**DOCUMENT["out"], part: name}}, where="p.yml")


@contextmanager
def logged() -> Iterator[io.BytesIO]:
    """What the functions write to their log, as a stream of UTF-8, which takes no half characters."""
    handler, logger, written = app.log.registered_handler, logging.getLogger("tidegate"), io.BytesIO()
    assert isinstance(handler, logging.StreamHandler)
    stream = io.TextIOWrapper(written, encoding="utf-8", write_through=True)
    before = handler.setStream(stream)
    handlers = list(logger.handlers)  # it took over pytest's, which would pass half characters to another process
    logger.handlers[:] = [handler]
    try:
        yield written
    finally:
        logger.handlers[:] = handlers
        handler.setStream(before)
        stream.detach()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_log_is_one_line_that_is_read_as_it_was(name: str) -> None:
    with logged() as written:
        app.log.warning(name, key=name)
        try:
            Pipeline.parse({**DOCUMENT, name: 1}, where=name)
        except ConfigError:
            app.log.exception("an error that should not exist")
        text = written.getvalue().decode()
    assert harmless(text, lines=2)
    first, second = map(json.loads, text.splitlines())
    assert (first["message"], first["key"]) == (name, name)
    assert "ConfigError" in second["exception"]


def test_a_block_keeps_the_lines_that_are_ours() -> None:
    assert block("a\x1b\nb\n") == "a\\x1b\nb\n"


def test_nothing_is_shown_but_through_say() -> None:
    """`click.echo` writes whatever it is given; `output.say` is for lines, `output.dumped` for documents."""
    folder = Path(output.__file__).parent
    allowed = {
        "output.py",
        "guess.py",
        "local.py",
        "policy.py",
    }  # they print documents made by dumpers, or our own text
    found = [path.name for path in folder.glob("*.py") if "click.echo(" in path.read_text(encoding="utf-8")]
    assert set(found) <= allowed


HOSTILE_PREFIX = "x\x1b[31m$(touch pwned)`touch pwned`'\"${aws:x}\n\u202e%{if}${jsonencode(1)}*?$/EOF\nEOT\n"


@pytest.mark.parametrize("form", ["json", "cloudformation", "terraform", "cli"])
def test_what_is_printed_to_be_pasted_runs_nothing_that_a_prefix_says(form: str, tidegate: Run, tmp_path: Path) -> None:
    file = tmp_path / "acme.json"
    role = "arn:aws:iam::222222222222:role/r"
    document = {"auth_method": "assume_role", "role_arn": role, "buckets": ["acme"], "prefixes": [HOSTILE_PREFIX]}
    file.write_text(json.dumps(document))
    assert tidegate("connection", "create", "acme", "-f", str(file)).code == 0
    printed = tidegate("policy", "acme", "--format", form)
    assert printed.code == 0, printed
    assert harmless(printed.out)
    if form == "cli":
        (tmp_path / "aws").write_text("#!/bin/sh\ncat > /dev/null < /dev/null\nexit 0\n")
        (tmp_path / "aws").chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        subprocess.run(
            ["bash"], input=printed.out, text=True, cwd=tmp_path, env={"PATH": path}, timeout=20, check=False
        )
        assert not (tmp_path / "pwned").exists()
