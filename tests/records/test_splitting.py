"""Which objects may be read in parts."""

import bz2
import random

import pytest

from chalicelib.config.filters.add_time import AddTime
from chalicelib.config.filters.file_metadata import FileMetadata
from chalicelib.config.parsers.columnar import ParquetObjects
from chalicelib.config.source import Source
from chalicelib.records.splitting import splittable
from tests.records.packing import PACK, zipped
from tests.records.reading import csv, json
from tests.records.spans import PACKED

TEXT = b"".join(b"%d,x\n" % n for n in range(200))
LINES = b"".join(b'{"a": %d}\n' % n for n in range(200))
NOISE = random.Random(1).randbytes(1_200_000)

FINE = {
    "csv": (csv(), TEXT),
    "csv in latin-1": (csv(charset="latin-1"), TEXT),
    "json lines": (json(), LINES),
    "json lines with a mark": (json(), b"\xef\xbb\xbf" + LINES),
    "bzip2": (csv(), bz2.compress(TEXT)),
    "frames of zstd": (csv(), PACKED["zstd"](TEXT, 100)),
}
NOT = {
    "nothing": (csv(), b""),
    "gzip": (csv(), PACKED["gzip"](TEXT, 100)),
    "one frame of zstd": (csv(), PACK["zstd"](TEXT)),
    "bzip2 in bzip2": (csv(), bz2.compress(bz2.compress(TEXT))),
    "an archive": (csv(), zipped({"a.csv": TEXT})),
    "bzip2 of a block that is cut": (csv(), bz2.compress(NOISE)[:800_000]),
    "utf-16": (csv(charset="utf-16"), TEXT.decode().encode("utf-16")),
    "utf-16 with a mark": (json(), LINES.decode().encode("utf-16")),
    "shift_jis": (csv(charset="shift_jis"), TEXT),
    "an array": (json(), b"[" + LINES.replace(b"}\n", b"},\n")),
    "arrays in values": (json(flatten_json_array=True), LINES),
    "escapes that are mended": (json(invalid_string_escapes="SKIP"), LINES),
    "json on one line": (json(), LINES.replace(b"\n", b" ")),
    "parquet": (ParquetObjects(type="parquet"), TEXT),
}


@pytest.mark.parametrize("parser, data", FINE.values(), ids=FINE)
def test_text_with_places_can_be_split(parser, data):
    assert splittable(Source(bucket="bucket", parser=parser), data, None)


@pytest.mark.parametrize("parser, data", NOT.values(), ids=NOT)
def test_what_has_no_places_or_hides_its_records_cannot(parser, data):
    assert not splittable(Source(bucket="bucket", parser=parser), data, None)


def test_what_is_declared_or_labelled_counts():
    parser = csv()
    as_it_lies = Source(bucket="bucket", parser=parser, decoders=())
    assert splittable(as_it_lies, TEXT, None)
    assert not splittable(Source(bucket="bucket", parser=parser), PACK["brotli"](TEXT), "br")
    assert not splittable(Source(bucket="bucket", parser=parser, decoders=({"type": "gzip"},)), TEXT, None)


def test_rows_that_are_numbered_are_read_in_one_go():
    source = Source(bucket="bucket", parser=csv())
    numbers, names = (
        FileMetadata.model_validate({"type": "file_metadata", "columns": [{"name": "n", "value": value}]})
        for value in ("row_number", "file_name")
    )
    assert splittable(source, TEXT, None, (names,))
    assert not splittable(source, TEXT, None, (names, numbers))


def test_rows_that_are_counted_to_tell_their_time_are_read_in_one_go():
    source = Source(bucket="bucket", parser=csv())
    counted, same = (
        AddTime.model_validate({"type": "add_time", "to_column": {"name": "time"}, "from_value": value})
        for value in ({"mode": "incremental_time", "from": 0, "to": 9}, {"mode": "upload_time"})
    )
    assert splittable(source, TEXT, None, (same,))
    assert not splittable(source, TEXT, None, (same, counted))
