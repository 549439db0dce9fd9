"""What may not be shipped, decided from the zip's listing alone."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
LIMIT = 225 * MIB
"""Lambda refuses 250 MiB unzipped, layers included; the rest is room for one."""

REQUIRED = (
    "app.py",
    "chalicelib/wiring/__init__.py",
    "chalice/app.py",
    "aws_lambda_powertools/__init__.py",
    "boto3/__init__.py",
    "botocore/__init__.py",
    "click/__init__.py",
    "isal/__init__.py",
    "obstore/__init__.py",
    "orjson/__init__.py",
    "pyarrow/__init__.py",
    "pyarrow/_s3fs.cpython-313-x86_64-linux-gnu.so",
    "pydantic/__init__.py",
    "pydantic_core/__init__.py",
    "pyiceberg/__init__.py",
    "re2/__init__.py",
    "yaml/__init__.py",
)
"""`chalice package` ends well without a package it could not fetch, so each is asked for by name."""

UNWANTED = frozenset(
    {"_pytest", "duckdb", "inquirer", "moto", "numpy", "pip", "pytest", "setuptools", "tests", "wheel"}
)
"""Top-level names that a careless requirement would bring along."""

ELF_X86_64 = b"\x7fELF\x02\x01"
PYTHON_313_MAGIC = (3571).to_bytes(2, "little") + b"\r\n"
TAGGED = re.compile(r"\.cpython-(\d+)")
LIBRARY = re.compile(r"\.so(\.\d+)*$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the zip: its name, its size unzipped in bytes, and its first 20 bytes where those matter."""

    name: str
    size: int
    head: bytes = b""


def read(archive: Path) -> list[Entry]:
    """The listing of a zip; heads are read of libraries and of bytecode only."""
    with zipfile.ZipFile(archive) as opened:
        return [Entry(info.filename, info.file_size, _head(opened, info.filename)) for info in opened.infolist()]


def _head(archive: zipfile.ZipFile, name: str) -> bytes:
    if not (LIBRARY.search(name) or name.endswith(".pyc")):
        return b""
    with archive.open(name) as file:
        return file.read(20)


def problems(entries: Sequence[Entry]) -> list[str]:
    """Sentences that say why this zip must not be shipped; empty if it may be."""
    return [
        *_missing(entries),
        *_unwanted(entries),
        *_twice(entries),
        *(problem for entry in entries for problem in _foreign(entry)),
        *_too_large(entries),
    ]


def _missing(entries: Sequence[Entry]) -> Iterator[str]:
    names = {entry.name for entry in entries}
    for name in REQUIRED:
        if name not in names:
            yield f"{name} is missing"


def _unwanted(entries: Sequence[Entry]) -> Iterator[str]:
    tops = {entry.name.split("/")[0] for entry in entries}
    for name in sorted(tops & UNWANTED):
        yield f"{name} has no business in a function; look at what requires it"


def _twice(entries: Sequence[Entry]) -> Iterator[str]:
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            yield f"{entry.name} is there twice"
        seen.add(entry.name)


def _foreign(entry: Entry) -> Iterator[str]:
    tag = TAGGED.search(entry.name)
    if tag and tag[1] != "313":
        yield f"{entry.name} is made for another Python than 3.13"
    elif entry.name.endswith(".pyc") and not entry.head.startswith(PYTHON_313_MAGIC):
        yield f"{entry.name} is not bytecode of Python 3.13"
    elif LIBRARY.search(entry.name) and not _is_x86_64(entry.head):
        yield f"{entry.name} is not a library for x86_64"


def _is_x86_64(head: bytes) -> bool:
    """True of a 64-bit little-endian ELF file whose machine, at byte 18, is 62 (ELF header, e_machine)."""
    return head.startswith(ELF_X86_64) and head[18:20] == b"\x3e\x00"


def _too_large(entries: Sequence[Entry]) -> Iterator[str]:
    size = sum(entry.size for entry in entries)
    if size > LIMIT:
        yield f"{size / MIB:.1f} MiB unzipped is over {LIMIT // MIB} MiB; trim.py says what is left out"
