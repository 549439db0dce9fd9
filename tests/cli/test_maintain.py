"""`tidegate maintain`: what it says, to people and to programs."""

import json
from typing import Any

import boto3
import pytest

from chalicelib import wiring
from chalicelib.cli.maintain import _tell
from chalicelib.core.maintenance import Cleaned, Compacted, Expired, Part, Report
from tests.cli.conftest import Run
from tests.examples import pipeline

REPORT = Report(
    "iceberg:travel.flights",
    compacted=Compacted(5003, 26_000_000, 5000, 25_000_000, 1, 2_000_000, {"changed meanwhile": 3}),
    expired=Expired(700, 650),
    cleaned=Cleaned(1300, 2048, 2, {"not of our making": 1}, more=True),
)


@pytest.fixture
def flights(tidegate: Run, dynamo: Any, boto: boto3.Session) -> Run:
    boto.client("s3").create_bucket(Bucket="tidegate-lake")
    wiring.pipelines().put(pipeline())
    return tidegate


def test_both_tables_are_seen_to(flights: Run) -> None:
    ran = flights("maintain", "flights")
    assert (ran.code, ran.err) == (0, "")
    assert [line for line in ran.out.splitlines() if not line.startswith(" ")] == [
        "iceberg:travel.flights",
        "iceberg:travel.flights_rejects",
    ]


def test_programs_get_a_line_of_json_for_each_table(flights: Run) -> None:
    ran = flights("maintain", "flights", "--json", "--dry-run", "--only", "orphans")
    first, second = map(json.loads, ran.out.splitlines())
    assert (first["table"], second["table"]) == ("iceberg:travel.flights", "iceberg:travel.flights_rejects")
    assert (first["dry_run"], first["files_after"], first["more"]) == (True, 0, False)


def test_a_trouble_is_an_error_after_all_was_tried(tidegate: Run) -> None:
    wiring.pipelines().put(pipeline())
    ran = tidegate("maintain", "flights")
    assert ran.code == 1
    assert "NoSuchBucket" in ran.err
    assert "iceberg:travel.flights_rejects" in ran.out


def test_a_mistyped_name_is_an_error(tidegate: Run) -> None:
    ran = tidegate("maintain", "nobody")
    assert (ran.code, "no pipeline of this name" in ran.err) == (2, True)


def test_people_read_what_was_saved_and_what_was_left(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(REPORT, frozenset(Part))
    assert capsys.readouterr().out.splitlines() == [
        "iceberg:travel.flights",
        "  5000 of 5003 files put together in 1, 23.8 MiB to 1.9 MiB",
        "    left alone: 3, changed meanwhile",
        "  650 of 700 snapshots forgotten",
        "  1300 files that nobody needs deleted, 2.0 KiB; 2 uploads aborted",
        "    left alone: 1, not of our making",
        "  There is more to do: run it again",
    ]


def test_a_dry_run_says_would_be(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(Report("t", dry_run=True, compacted=Compacted(9, 90, 9, 90, 1, 90)), frozenset(Part))
    assert capsys.readouterr().out.splitlines() == [
        "t",
        "  9 of 9 files would be put together in about 1",
        "  0 files that nobody needs would be deleted, 0 B; 0 uploads would be aborted",
    ]


def test_what_a_table_does_not_have_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(Report("t", compacted=Compacted(1, 90), expired=Expired(3, 0)), frozenset({Part.COMPACT, Part.EXPIRE}))
    _tell(Report("parquet:travel.t"), frozenset({Part.COMPACT, Part.EXPIRE}))
    assert capsys.readouterr().out.splitlines() == [
        "t",
        "  0 of 1 files put together",
        "  0 of 3 snapshots forgotten",
        "parquet:travel.t",
    ]
