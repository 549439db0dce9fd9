"""The elements of a JSON array: of a large one without holding them all at once."""

import json
import re
from array import array
from collections.abc import Iterator
from typing import Any

import orjson

from chalicelib.records.filters.json_values import document, exact

LARGE = 1 << 20  # characters: a dozen times as many bytes as Python's objects

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def elements(text: str, *, decimals: bool = False) -> Iterator[Any] | None:
    """The elements; None for null, and for an array without any.

    Everything is seen to be JSON before the first is given. Raises ValueError or RecursionError if it is not, and
    TypeError if it is no array. With `decimals`, numbers with a point are exact.
    """
    load = exact if decimals else document
    if len(text) <= LARGE:
        value = load(text)
        if not isinstance(value, list | None):
            raise TypeError(text)
        return iter(value) if value else None
    starts, ends = _spans(text)
    if not starts:
        return None
    return (load(text[start:end]) for start, end in zip(starts, ends, strict=True))


def _spans(text: str) -> tuple["array[int]", "array[int]"]:
    """Where each element begins and ends."""
    starts, ends = array("q"), array("q")
    place = _after_space(text, 0)
    if text[place] != "[":
        raise TypeError(text)
    place = _after_space(text, place + 1)
    if text[place] != "]":
        while True:
            _, end = _DECODER.raw_decode(text, place)
            orjson.loads(text[place:end])  # has the stricter grammar
            starts.append(place)
            ends.append(end)
            place = _after_space(text, end)
            if text[place] == "]":
                break
            if text[place] != ",":
                raise ValueError("no comma between elements")
            place = _after_space(text, place + 1)
    if _SPACE.fullmatch(text, place + 1) is None:
        raise ValueError("something after the array")
    return starts, ends


def _after_space(text: str, place: int) -> int:
    """The next place where something stands. Raises ValueError at the end of the text."""
    match = _SPACE.match(text, place)
    found = match.end() if match is not None else place
    if found >= len(text):
        raise ValueError("the array does not end")
    return found
