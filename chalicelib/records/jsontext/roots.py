"""What a pointer leads to in JSON text, found without reading the whole value."""

import re
from dataclasses import dataclass

import orjson

from chalicelib.records.jsontext.pointer import Path, is_index
from chalicelib.records.jsontext.scan import STRING, end_of, is_json, scalar_end

_KEY = re.compile(rb"\s*(" + STRING + rb")\s*:\s*")
_AFTER = re.compile(rb"\s*([,}\]])\s*")


@dataclass(frozen=True, slots=True)
class Found:
    """Where the value that a pointer means begins."""

    at: int
    opened: bytes  # how JSON text begins that has an equally deep value at its end
    closers: bytes  # and how it ends

    @property
    def around(self) -> bytes:
        """The brackets that are open around it."""
        return self.opened.replace(b'"":', b"")

    def follows(self, text: bytes) -> bool:
        """True if this text before the value is sound."""
        return is_json(text + b"0" + self.closers)


def found(data: bytes, at: int, steps: Path) -> Found | None:
    """Where the value lies in the value that begins at `at`; None if it is not there, or beyond the end of `data`.

    Of keys that occur twice the first is followed: the second may be gigabytes away.
    """
    opened, closers = b"", b""
    for step in steps:
        if data[at : at + 1] == b"{":
            at, opened, closers = _member(data, at + 1, step), opened + b'{"":', b"}" + closers
        elif data[at : at + 1] == b"[" and is_index(step):
            at, opened, closers = _element(data, at + 1, int(step)), opened + b"[", b"]" + closers
        else:
            return None
        if at < 0:
            return None
    return Found(at, opened, closers)


def _member(data: bytes, at: int, name: str) -> int:
    while match := _KEY.match(data, at):
        at = match.end()
        if at < len(data) and _is(match[1], name):
            return at
        after = _AFTER.match(data, _value_end(data, at))
        if after is None or after[1] != b",":
            return -1
        at = after.end()
    return -1


def _element(data: bytes, at: int, index: int) -> int:
    while data[at : at + 1].isspace():
        at += 1
    for _ in range(index):
        after = _AFTER.match(data, _value_end(data, at))
        if after is None or after[1] != b",":
            return -1
        at = after.end()
    return at if at < len(data) and data[at : at + 1] != b"]" else -1


def _value_end(data: bytes, at: int) -> int:
    if data[at : at + 1] in (b"{", b"["):
        end = end_of(data, at)
        return end if end > 0 else len(data)
    return scalar_end(data, at)


def _is(text: bytes, name: str) -> bool:
    try:
        return bool(orjson.loads(text) == name)
    except ValueError:
        return False
