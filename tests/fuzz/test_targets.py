"""A short run of every fuzz target; the long ones are `python -m fuzz.run`."""

import random
from collections.abc import Callable

import pytest

from fuzz import fuzz_csv, fuzz_decoders, fuzz_guess, fuzz_json

INPUTS = 200
FEWER = {"guess": 80}  # it reads each sample several times
OPTIONS = 24  # bytes at the start of an input, from which a target chooses
PIECES = (
    b",", b";", b"\t", b"||", b"::", b'"', b"'", b"\\", b"\n", b"\n", b"\r\n", b"\r", b" ", b"#", b"//", b"\0", b"\xff",
    b"\xc3\xa9", b"\xef\xbb\xbf", b"a", b"NA", b"null", b"1", b"-2.5", b"true", b"2024-01-02", b'"a"', b'"b":', b"{",
    b"}", b"[", b"]", b":", b'{"a":1}', b'{"a":{"b":[1,2]}}', b"\\a", b"\\u00e9", b"\\ud800", b"1e999", b"\x1e",
)  # fmt: skip
TARGETS: dict[str, Callable[[bytes], None]] = {
    "csv": fuzz_csv.check,
    "json": fuzz_json.check,
    "decoders": fuzz_decoders.check,
    "guess": fuzz_guess.check,
}


def written(seed: int) -> bytes:
    """Mostly the first of all options, so that unusual ones meet alone; then pieces of text."""
    chosen = random.Random(seed)
    options = bytes(chosen.choice((0, 0, 0, chosen.randrange(256))) for _ in range(OPTIONS))
    return options + b"".join(chosen.choices(PIECES, k=chosen.randint(0, 40)))


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_of_a_fuzz_target_finds_nothing(name: str) -> None:
    for seed in range(FEWER.get(name, INPUTS)):
        data = written(seed)
        try:
            TARGETS[name](data)
        except BaseException as error:
            error.add_note(f"input {seed} of {name}: {data!r}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_a_fuzz_target_takes_an_input_of_any_length(name: str) -> None:
    for size in range(OPTIONS):
        TARGETS[name](bytes(size))
