"""The samples are what their README says, and the pipelines beside them are valid."""

import gzip
import json
import zlib
from pathlib import Path

import pytest
import yaml

from chalicelib.config.pipeline import Pipeline

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.mark.parametrize("name", ["flights", "airports"])
def test_a_sample_pipeline_reads_all_samples_of_its_name(name: str) -> None:
    path = SAMPLES / f"{name}.yml"
    pipeline = Pipeline.parse(yaml.safe_load(path.read_text()), where=path.name)
    assert pipeline.name == pipeline.out.table == name
    assert pipeline.source.path_prefix == f"{name}/"
    assert list((SAMPLES / name).iterdir())


def test_three_days_of_flights_have_2699_rows() -> None:
    rows = 0
    for path in (SAMPLES / "flights").iterdir():
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        rows += len(text.splitlines()) - 1
    assert rows == 842 + 943 + 914


def test_the_flights_pipeline_declares_the_columns_of_the_header_in_order() -> None:
    columns = yaml.safe_load((SAMPLES / "flights.yml").read_text())["in"]["parser"]["columns"]
    header = (SAMPLES / "flights" / "2013-01-01.csv").read_text().splitlines()[0]
    assert [column["name"] for column in columns] == header.split(",")


def test_one_sample_has_two_gzip_members() -> None:
    first = zlib.decompressobj(wbits=31)
    first.decompress((SAMPLES / "flights" / "2013-01-03.csv.gz").read_bytes())
    assert first.unused_data.startswith(b"\x1f\x8b")


def test_airports_are_json_lines() -> None:
    lines = gzip.decompress((SAMPLES / "airports" / "airports.jsonl.gz").read_bytes()).splitlines()
    assert len(lines) == 1458
    assert json.loads(lines[0])["faa"] == "04G"


def test_the_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 600_000
