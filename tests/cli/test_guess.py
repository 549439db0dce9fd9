"""`guess`: a seed and some files to a document."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run

Write = Callable[..., str]
SEED: dict[str, Any] = {"in": {"type": "s3", "bucket": "acme-exports", "path_prefix": "in/"}, "out": {"mode": "append"}}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str | bytes | dict[str, Any]) -> str:
        path = tmp_path / name
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return written


@pytest.fixture
def files(write: Write) -> dict[str, str]:
    return {
        "seed": write("seed.yml", SEED),
        "csv": write("a.csv", "id,when,ok\n1,31/12/2024,yes\n2,01/02/2025,no\n"),
        "load": str(Path(write("nothing", "")).with_name("load.yml")),
    }


def test_the_document_is_written_with_a_column_a_line_and_what_was_decided_is_said(
    run: Run, files: dict[str, str]
) -> None:
    done = run("guess", files["seed"], "-o", files["load"], "--sample", files["csv"])
    assert (done.code, done.err) == (0, "")
    text = Path(files["load"]).read_text()
    assert text.splitlines() == [
        "in:",
        "  type: s3",
        "  bucket: acme-exports",
        "  path_prefix: in/",
        "  parser:",
        "    type: csv",
        "    skip_header_lines: 1",
        "    columns:",
        "    - {name: id, type: long}",
        "    - {name: when, type: date, format: '%d/%m/%Y'}",
        "    - {name: ok, type: boolean}",
        "out:",
        "  mode: append",
    ]
    for word in ("a.csv", "day-first", "high", "charset", "load.yml", "tidegate preview"):
        assert word in done.out


def test_without_an_output_only_the_document_is_printed_and_the_reasons_beside_it(
    run: Run, files: dict[str, str]
) -> None:
    done = run("guess", files["seed"], "--sample", files["csv"])
    assert yaml.safe_load(done.out)["in"]["parser"]["type"] == "csv"
    assert "day-first" in done.err


def test_json_has_document_samples_and_evidence(run: Run, files: dict[str, str]) -> None:
    done = run("guess", files["seed"], "--sample", files["csv"], "--sample", files["csv"], "--json")
    found = json.loads(done.out)
    assert found["document"]["in"]["parser"]["columns"][0] == {"name": "id", "type": "long"}
    assert [sample["name"] for sample in found["sampled"]] == [files["csv"]] * 2
    assert {"what", "value", "why", "sure"} == set(found["evidence"][0])
    assert not Path(files["load"]).exists()


def test_a_file_that_is_there_is_kept_each_time(run: Run, files: dict[str, str]) -> None:
    load = Path(files["load"])
    load.write_text("mine")
    for _ in range(2):
        assert run("guess", files["seed"], "-o", files["load"], "--sample", files["csv"]).code == 0
    kept = sorted(path.name for path in load.parent.glob("load.yml.bak*"))
    assert kept == ["load.yml.bak", "load.yml.bak1"]
    assert load.with_name("load.yml.bak").read_text() == "mine"
    assert load.with_name("load.yml.bak1").read_text() == load.read_text()


def test_the_seed_itself_may_be_completed(run: Run, files: dict[str, str]) -> None:
    assert run("guess", files["seed"], "-o", files["seed"], "--sample", files["csv"]).code == 0
    assert yaml.safe_load(Path(files["seed"] + ".bak").read_text()) == SEED
    again = run("guess", files["seed"], "--sample", files["csv"])
    assert yaml.safe_load(again.out) == yaml.safe_load(Path(files["seed"]).read_text())


def test_control_characters_and_nulls_survive_the_document(run: Run, files: dict[str, str], write: Write) -> None:
    sample = write("b.dat", "1\x01\\N\x01a\n2\x013\x01b\n")
    found = yaml.safe_load(run("guess", files["seed"], "--sample", sample).out)
    assert found["in"]["parser"]["delimiter"] == "\x01"
    assert found["in"]["parser"]["null_string"] == ["", "\\N"]


def test_all_strings_and_packed_files(run: Run, files: dict[str, str], write: Write) -> None:
    sample = write("b", gzip.compress(b"id,v\n1,2\n"))
    found = yaml.safe_load(run("guess", files["seed"], "--all-strings", "--sample", sample).out)
    assert found["in"]["parser"]["columns"] == [{"name": "id", "type": "string"}, {"name": "v", "type": "string"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("in: {bucket: acme-exports, pth: x}", "pth is not a known key"),
        ("out: {}", "in is required"),
        ("- 1", "holds no mapping"),
    ],
)
def test_a_wrong_seed_is_bad_usage(run: Run, files: dict[str, str], write: Write, content: str, said: str) -> None:
    done = run("guess", write("wrong.yml", content), "-o", files["load"], "--sample", files["csv"])
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not Path(files["load"]).exists()


def test_samples_that_say_nothing_are_refused_and_leave_the_output_alone(
    run: Run, files: dict[str, str], write: Write
) -> None:
    Path(files["load"]).write_text("mine")
    for sample in (write("empty", b""), files["load"] + ".none"):
        done = run("guess", files["seed"], "-o", files["load"], "--sample", sample)
        assert done.code == 2
        assert done.err.count("\n") == 1
    broken = run("guess", files["seed"], "--sample", write("x.gz", b"\x1f\x8b\x08\x00" + b"\xff" * 50))
    assert broken.code == 1
    assert "x.gz" in broken.err
    assert Path(files["load"]).read_text() == "mine"
    unwritable = run("guess", files["seed"], "-o", files["csv"] + "/load.yml", "--sample", files["csv"])
    assert unwritable.code == 2
    assert "cannot be written" in unwritable.err


def test_without_samples_a_connection_is_needed(acme: Run, files: dict[str, str]) -> None:
    refused = acme("guess", files["seed"])
    assert refused.code == 2
    assert "--connection" in refused.err
    unknown = acme("guess", files["seed"], "--connection", "acne")
    assert unknown.code == 2
    assert "acme" in unknown.err
