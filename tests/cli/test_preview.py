"""`preview`: rows, bad rows and findings of a document on files."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run

COLUMNS = [{"name": "id", "type": "long"}, {"name": "price", "type": "decimal(9,2)"}, {"name": "day", "type": "date"}]
PARSER = {"type": "csv", "skip_header_lines": 1, "columns": COLUMNS}
CSV = b"id,price,day\n1,2.50,2024-01-02\nx,1,2024-01-03\n3,,2024-01-04\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., str]:
    def written(parser: dict[str, Any] = PARSER, **more: Any) -> str:
        path = tmp_path / "load.yml"
        path.write_text(yaml.safe_dump({"in": {"bucket": "acme-exports", "parser": parser}} | more))
        return str(path)

    return written


@pytest.fixture
def sample(tmp_path: Path) -> Callable[..., str]:
    def written(data: bytes = CSV, name: str = "a.csv") -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return written


def test_rows_types_and_bad_rows_are_shown(run: Run, load: Callable[..., str], sample: Callable[..., str]) -> None:
    done = run("preview", load(), "--sample", sample())
    assert (done.code, done.err) == (0, "")
    assert "id: long, price: decimal(9,2), day: date" in done.out
    assert any(line.split() == ["1", "2.50", "2024-01-02"] for line in done.out.splitlines())
    assert "Bad rows" in done.out
    assert "'x' is not a long" in done.out


def test_json_has_everything(run: Run, load: Callable[..., str], sample: Callable[..., str]) -> None:
    found = json.loads(run("preview", load(), "--sample", sample(), "--json").out)
    assert found["rows"] == [
        {"id": 1, "price": "2.50", "day": "2024-01-02"},
        {"id": 3, "price": None, "day": "2024-01-04"},
    ]
    assert found["columns"][1] == {"name": "price", "type": "decimal(9,2)"}
    (bad,) = found["rejects"]
    assert (bad["line"], bad["record"], bad["text"]) == (3, 2, "x,1,2024-01-03")
    assert bad["offset"] == CSV.index(b"x,1")
    assert found["findings"] == []
    assert found["sampled"] == [bad["object"]]


def test_rows_are_as_many_as_asked_for(run: Run, load: Callable[..., str], sample: Callable[..., str]) -> None:
    many = b"id\n" + b"1\n" * 100
    for options, rows in (([], 15), (["--rows", "3"], 3)):
        done = run("preview", load({"type": "csv"}), "--sample", sample(many), "--json", *options)
        assert len(json.loads(done.out)["rows"]) == rows
    assert run("preview", load(), "--rows", "0").code == 2


def test_a_cut_file_shows_its_rows_without_the_cut_one_and_says_where_it_ends(
    run: Run, load: Callable[..., str], sample: Callable[..., str]
) -> None:
    packed = gzip.compress(b"id\n" + b"".join(b"%d\n" % (number * 7919) for number in range(10_000)))
    cut = sample(packed[: len(packed) // 2], "cut.gz")
    done = run("preview", load({"type": "csv"}), "--sample", cut, "--rows", "10000", "--json")
    found = json.loads(done.out)
    assert done.code == 0
    assert [row["id"] for row in found["rows"]] == [number * 7919 for number in range(len(found["rows"]))]
    assert 1000 < len(found["rows"]) < 10_000
    assert "ends too soon" in found["findings"][0]
    assert "Reading ended here" in run("preview", load({"type": "csv"}), "--sample", cut, "--rows", "10000").out
    assert run("preview", load({"type": "csv"}), "--sample", sample(packed[:20], "cut.gz")).code == 1


def test_filters_work_and_their_errors_are_the_documents(
    run: Run, load: Callable[..., str], sample: Callable[..., str]
) -> None:
    drop = [{"type": "drop_columns", "columns": [{"name": "price"}]}]
    found = json.loads(run("preview", load(filters=drop), "--sample", sample(), "--json").out)
    assert [column["name"] for column in found["columns"]] == ["id", "day"]
    wrong = [{"type": "drop_columns", "columns": [{"name": "prize"}]}]
    refused = run("preview", load(filters=wrong), "--sample", sample())
    assert refused.code == 2
    assert "prize" in refused.err


def test_what_cannot_be_previewed_is_refused(run: Run, load: Callable[..., str], sample: Callable[..., str]) -> None:
    assert run("preview", load({"type": "cvs"}), "--sample", sample()).code == 2
    assert run("preview", load({"type": "objects"}), "--sample", sample()).code == 2
    missing = run("preview", load(), "--sample", "none.csv")
    assert missing.code == 2
    assert "none.csv" in missing.err
    assert run("preview", "none.yml", "--sample", sample()).code == 2


def test_an_empty_file_has_no_rows(run: Run, load: Callable[..., str], sample: Callable[..., str]) -> None:
    done = run("preview", load({"type": "csv"}), "--sample", sample(b""))
    assert (done.code, "No rows." in done.out, "No columns." in done.out) == (0, True, True)


def test_a_connection_that_is_not_there_is_said(acme: Run, load: Callable[..., str]) -> None:
    refused = acme("preview", load(), "--connection", "acne")
    assert refused.code == 2
    assert "acme" in refused.err


@pytest.mark.parametrize(
    ("out", "columns", "told"),
    [
        ({"transform": "day"}, COLUMNS, "day of id, the first timestamp or long column"),
        ({"transform": "hour"}, COLUMNS[1:2], "hour of upload_time, which is added to every row"),
        ({"transform": "day", "time_column": "day"}, COLUMNS, None),
        ({}, COLUMNS, None),
    ],
)
def test_the_column_that_would_tell_the_partition_is_shown(
    run: Run, load: Callable[..., str], sample: Callable[..., str], out: dict[str, str], columns: Any, told: str | None
) -> None:
    parser = {"type": "csv", "columns_by": "name", "columns": columns}
    shown = run("preview", load(parser, out=out), "--sample", sample()).out
    assert (f"Partitions: {told}" in shown) if told else ("Partitions" not in shown)
