"""What must never be shipped, told from listings alone."""

from dataclasses import replace

import pytest

from scripts.package import RUNTIME
from scripts.package.gate import LIMIT, PYTHON_313_MAGIC, REQUIRED, Entry, problems

ELF = b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00"
ELF_ARM = b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\x00"
GOOD = [Entry(name, 10, ELF if name.endswith(".so") else b"") for name in REQUIRED]


def test_a_package_with_all_that_is_required_may_be_shipped() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_file_is_missed(name: str) -> None:
    assert problems([entry for entry in GOOD if entry.name != name]) == [f"{name} is missing"]


@pytest.mark.parametrize("name", ["pip", "setuptools", "pytest", "moto"])
def test_what_belongs_to_the_laptop_is_refused(name: str) -> None:
    (problem,) = problems([*GOOD, Entry(f"{name}/__init__.py", 1)])
    assert problem.startswith(f"{name} has no business in a function")


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:
    room = LIMIT - sum(entry.size for entry in GOOD)
    filling = Entry("filling.txt", room)
    assert problems([*GOOD, filling]) == []
    (problem,) = problems([*GOOD, replace(filling, size=room + 1)])
    assert "is over 225 MiB" in problem


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (Entry("x/_x.cpython-311-x86_64-linux-gnu.so", 1, ELF), "another Python"),
        (Entry("x/__pycache__/x.cpython-311.pyc", 1, PYTHON_313_MAGIC), "another Python"),
        (Entry("x/x.pyc", 1, b"\xa7\x0d\r\n"), "not bytecode of Python 3.13"),
        (Entry("x/_x.abi3.so", 1, ELF_ARM), "not a library for x86_64"),
        (Entry("x/libx.so.2600", 1, ELF_ARM), "not a library for x86_64"),
        (Entry("x/_x.abi3.so", 1, b"MZ"), "not a library for x86_64"),
    ],
)
def test_what_the_functions_cannot_load_is_refused(entry: Entry, complaint: str) -> None:
    (problem,) = problems([*GOOD, entry])
    assert entry.name in problem
    assert complaint in problem


@pytest.mark.parametrize(
    "entry",
    [
        Entry("x/_x.cpython-313-x86_64-linux-gnu.so", 1, ELF),
        Entry("x/_x.abi3.so", 1, ELF),
        Entry("x/libx.so.2600", 1, ELF),
        Entry("x/__pycache__/x.cpython-313.pyc", 1, PYTHON_313_MAGIC),
        Entry("x/also.something.json", 1),
    ],
)
def test_what_the_functions_can_load_is_let_through(entry: Entry) -> None:
    assert problems([*GOOD, entry]) == []


def test_a_name_may_be_there_once() -> None:
    assert problems([*GOOD, GOOD[0]]) == ["app.py is there twice"]


def test_the_gate_knows_the_runtime() -> None:
    assert RUNTIME == "3.13"  # the gate's tag and magic number are of this one
