"""`apply`, `create`, `list`, `show`, `delete`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chalicelib import wiring
from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.pipeline import Pipeline
from chalicelib.destinations.timecolumn import chosen
from tests.cli.conftest import DOCUMENT, Run


def test_a_pipeline_is_made_and_then_changed(acme: Run, document: Callable[..., str]) -> None:
    made = acme("apply", document())
    assert (made.code, made.out) == (0, "Pipeline flights is made: iceberg:travel.flights\n")
    changed = acme("apply", document(out={"type": "parquet", "database": "travel", "table": "f2"}))
    assert changed.out == "Pipeline flights is changed: parquet:travel.f2\n"


def test_a_warning_goes_to_standard_error(acme: Run, document: Callable[..., str]) -> None:
    warned = acme("apply", document(**{"in": DOCUMENT["in"] | {"path_prefix": "/in/"}}))
    assert warned.code == 0
    assert warned.err.startswith("Warning: in.path_prefix")


def test_what_is_shown_can_be_applied(flights: Run, tmp_path: Path) -> None:
    shown = tmp_path / "shown.yml"
    shown.write_text(flights("show", "flights").out, encoding="utf-8")
    assert flights("apply", str(shown)).out.startswith("Pipeline flights is as it was")
    assert json.loads(flights("show", "flights", "--json").out) == yaml.safe_load(shown.read_text(encoding="utf-8"))


def test_columns_that_were_found_are_shown(flights: Run) -> None:
    wiring.pipelines().settle("flights", (Column(name="id", type=ColumnType.LONG),))
    shown = json.loads(flights("show", "flights", "--json").out)
    assert shown["settled_columns"] == [{"name": "id", "type": "long"}]


def test_pipelines_are_listed(flights: Run) -> None:
    (line,) = flights("list", "--json").out.splitlines()
    assert json.loads(line) == {
        "name": "flights",
        "connection": "acme",
        "source": "s3://acme-exports/in/",
        "table": "iceberg:travel.flights",
    }
    assert "s3://acme-exports/in/" in flights("list").out


def test_an_empty_list_says_what_to_do(tidegate: Run) -> None:
    assert "tidegate apply" in tidegate("list").out


def test_a_pipeline_is_deleted_once(flights: Run) -> None:
    assert flights("delete", "flights").code == 0
    again = flights("delete", "flights")
    assert again.code == 2
    assert "there is no pipeline of this name" in again.err


def test_a_load_yml_becomes_a_pipeline(acme: Run, document: Callable[..., str]) -> None:
    file = document(name=None, connection=None, out={"mode": "append"})
    made = acme("create", "logs", "", "web", "logs", file, "--connection", "acme", "--time-column", "at")
    assert (made.code, made.out) == (0, "Pipeline logs is made: iceberg:web.logs\n")
    out = json.loads(acme("show", "logs", "--json").out)["out"]
    assert (out["time_column"], out["transform"], out["mode"]) == ("at", "day", "append")


def test_a_name_that_is_taken_is_not_made_again(flights: Run, document: Callable[..., str]) -> None:
    refused = flights("create", "flights", "", "web", "logs", document())
    assert refused.code == 2
    assert "tidegate apply" in refused.err
    assert json.loads(flights("show", "flights", "--json").out)["out"]["table"] == "flights"


def test_a_cron_becomes_the_pipelines_schedule(acme: Run, document: Callable[..., str]) -> None:
    assert acme("create", "logs", "@daily", "web", "logs", document(), "--timezone", "Asia/Tokyo").code == 0
    schedule = json.loads(acme("show", "logs", "--json").out)["schedule"]
    assert (schedule["cron"], schedule["timezone"]) == ("@daily", "Asia/Tokyo")


@pytest.mark.parametrize("out", ["append", ["append"], 5])
def test_an_out_that_is_no_mapping_is_refused(acme: Run, document: Callable[..., str], out: object) -> None:
    refused = acme("create", "logs", "", "web", "logs", document(out=out))
    assert refused.code == 2
    assert "out holds no mapping" in refused.err


def test_a_pipeline_needs_its_connection(tidegate: Run, document: Callable[..., str]) -> None:
    refused = tidegate("apply", document())
    assert refused.code == 2
    assert "connection acme" in refused.err


def test_faults_are_named_with_file_path_and_remedy(acme: Run, document: Callable[..., str]) -> None:
    file = document(**{"in": DOCUMENT["in"] | {"bukket": "x"}})
    refused = acme("apply", file)
    assert refused.code == 2
    assert refused.err.startswith(f"Error: {file}: ")
    assert "in.bukket is not a known key (did you mean bucket?)" in refused.err
    assert acme("list", "--json").out == ""


UNREADABLE = {
    "not yaml": b"a: b: c",
    "not closed": b"in: {a: 'b",
    "not utf-8": b"name: \xff",
    "not a mapping": b"- a",
    "empty": b"",
    "a tab": b"in:\n\tbucket: x",
    "a python object": b"!!python/object:os.system {}",
    "a date that is none": b"name: 2026-13-45",
    "deep nesting": b"[" * 5000,
    "an unknown anchor": b"a: *b",
    "two documents": b"a: 1\n---\nb: 2",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_costs_one_sentence(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "load.yml"
    file.write_bytes(content)
    refused = run("apply", str(file))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"Error: {file}: ")
    assert refused.err.count("\n") == 1
    assert "Traceback" not in refused.err


def test_a_file_that_is_not_there_or_no_file_costs_one_sentence(run: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", tmp_path):
        refused = run("apply", str(path))
        assert refused.code == 2
        assert refused.err.count("\n") == 1


def test_a_document_in_utf8_is_read_as_such_anywhere(acme: Run, tmp_path: Path) -> None:
    file = tmp_path / "load.yml"
    text = yaml.safe_dump(DOCUMENT | {"in": DOCUMENT["in"] | {"path_prefix": "日本/é/"}}, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
    assert acme("apply", str(file)).code == 0
    assert "s3://acme-exports/日本/é/" in acme("list").out


def test_names_with_capitals_and_dashes_become_plain_and_it_is_said_so(acme: Run, document: Callable[..., str]) -> None:
    made = acme("create", "logs", "", "Web", "page-views", document(name=None, out=None))
    assert (made.code, made.out) == (0, "Pipeline logs is made: iceberg:web.page_views\n")
    assert "database 'Web' is web here" in made.err
    assert "table 'page-views' is page_views here" in made.err


def test_a_document_that_is_applied_is_taken_by_its_word(acme: Run, document: Callable[..., str]) -> None:
    refused = acme("apply", document(out={"type": "iceberg", "table": "page-views"}))
    assert refused.code == 2
    assert "page_views would do" in refused.err


def test_the_time_column_that_was_chosen_by_rule_is_shown(acme: Run, document: Callable[..., str]) -> None:
    out = {"type": "iceberg", "database": "travel", "table": "flights", "transform": "day"}
    acme("apply", document(out=out))
    assert "chosen_time_column" not in json.loads(acme("show", "flights", "--json").out), "no rows have come yet"
    at = Column(name="at", type=ColumnType.TIMESTAMP)
    assert chosen(Pipeline.parse(DOCUMENT | {"out": out}, where="test").out, (at,), wiring.pipelines()) == at
    assert json.loads(acme("show", "flights", "--json").out)["chosen_time_column"] == "at"
    acme("apply", document(out=out | {"time_column": "other"}))
    assert "chosen_time_column" not in json.loads(acme("show", "flights", "--json").out)


def test_a_pipeline_that_waits_to_be_told_says_so(acme: Run, document: Callable[..., str]) -> None:
    out = DOCUMENT["out"] | {"mode": "replace"}
    assert "`tidegate run flights`" in acme("apply", document(out=out)).err
    assert "tidegate run" not in acme("apply", document(out=out, schedule={"cron": "@daily"})).err
    assert "tidegate run" not in acme("apply", document()).err


def test_replacing_with_what_is_new_only_is_warned_of(acme: Run, document: Callable[..., str]) -> None:
    out = DOCUMENT["out"] | {"mode": "replace"}
    assert "For full exports set in.incremental: false" in acme("apply", document(out=out)).err
    whole = {"in": DOCUMENT["in"] | {"incremental": False}}
    assert "incremental" not in acme("apply", document(out=out, **whole)).err
    assert "incremental" not in acme("apply", document()).err
