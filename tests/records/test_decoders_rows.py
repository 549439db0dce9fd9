"""Decoders on the way that load and preview take."""

import io

import pytest

from chalicelib.config.decoders import Zip
from chalicelib.config.source import Source
from chalicelib.errors import DecodeError
from chalicelib.records.stream import open_rows
from tests.records.packing import PACK, zipped
from tests.records.reading import SAMPLES, SETTING, csv, read

TEXT = b"id,name\n1,a\n2,b\n"


@pytest.mark.parametrize("name", [name for name in PACK if name != "brotli"])
def test_rows_are_the_same_in_any_packing(name):
    assert read(PACK[name](TEXT), csv(skip_header_lines=1)) == read(TEXT, csv(skip_header_lines=1))


def test_rows_of_all_entries_come_one_after_the_other():
    archive = zipped({"a.csv": TEXT, "b.csv.gz": PACK["gzip"](b"id,name\n3,c\n")})
    assert read(archive, csv(skip_header_lines=1)).tuples == [(1, "a"), (2, "b"), (3, "c")]
    assert read(archive, csv(skip_header_lines=1), decoders=(Zip(type="zip", match_name="b"),)).tuples == [(3, "c")]


def test_entries_are_named():
    entries = open_rows(
        io.BytesIO((SAMPLES / "entries.zip").read_bytes()), Source(bucket="acme", parser=csv()), (), SETTING
    )
    assert [entry.name for entry in entries] == ["one.csv", "folder/two.csv", "folder/two.csv.gz", "readme.txt"]


@pytest.mark.parametrize("limit", [{"max_entries": 1}, {"max_expansion_ratio": 2}])
def test_the_limits_are_those_of_the_source(limit):
    archive = zipped({"a.csv": TEXT, "b.csv": b"1,2\n" * (17 << 20)})
    source = Source(bucket="acme", parser=csv(), **limit)
    with pytest.raises(DecodeError, match=next(iter(limit))):
        for entry in open_rows(io.BytesIO(archive), source, (), SETTING):
            for _ in entry.pages(entry.infer()):
                pass
