"""The tables of `real_tables.py`: where they lie in installed packages."""

import bz2
import gzip
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from bench.independent import Layout
from bench.real_layouts import LAYOUTS, NO_TABLES

TEXT_ENDINGS = (".csv", ".tsv", ".csv.gz", ".csv.bz2")
JSON_ENDINGS = (".json", ".json.gz", ".jsonl", ".geojson")


@dataclass(frozen=True)
class Table:
    """One file as it lies in its package."""

    package: str
    path: str
    data: bytes

    @property
    def decoded(self) -> bytes:
        if self.path.endswith(".gz"):
            return gzip.decompress(self.data)
        return bz2.decompress(self.data) if self.path.endswith(".bz2") else self.data

    @property
    def layout(self) -> Layout:
        default = Layout(delimiter="\t") if self.path.endswith(".tsv") else Layout()
        return LAYOUTS.get(self.path, default)


def tables(site_packages: Path, only: str = "") -> Iterator[Table]:
    """The tables of all packages there whose package or path contains `only`, in a fixed order."""
    for package in sorted(distributions(path=[str(site_packages)]), key=lambda each: each.metadata["Name"].lower()):
        name = f"{package.metadata['Name']} {package.version}"
        for file in sorted(package.files or (), key=str):
            path = str(file)
            if ".dist-info/" in path or path.startswith("../") or path in NO_TABLES:
                continue
            if path.endswith((*TEXT_ENDINGS, *JSON_ENDINGS)) and only in f"{name}: {path}":
                yield Table(name, path, Path(str(package.locate_file(file))).read_bytes())
            elif path.endswith(".tar.gz"):
                yield from (table for table in _in_archive(name, package, path) if only in f"{name}: {table.path}")


def _in_archive(name: str, package: Distribution, path: str) -> Iterator[Table]:
    with tarfile.open(str(package.locate_file(path))) as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            inner = member.name.rpartition("/")[2]
            if member.isfile() and inner.endswith(TEXT_ENDINGS) and not inner.startswith("._"):
                file = archive.extractfile(member)
                assert file is not None
                yield Table(name, f"{path}/{member.name}", file.read())
