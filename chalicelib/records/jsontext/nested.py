"""Columns of type json, made plain text for Arrow's reader."""

import re
from collections.abc import Iterable

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.records.jsontext.scan import NESTED, STRING

INEXACT = rb"[0-9]{20}|NaN|Infinity"  # orjson makes floats of integers beyond 64 bits, and refuses NaN
_INEXACT = re.compile(INEXACT)
_VALUE = rb"(" + STRING + rb"|" + NESTED + rb"|-?[0-9][-+.eE0-9]*+|true|false)"
_MARK = "\x01"  # begins every text that was made here, and no JSON text that stood there


class NotPlain(Exception):
    """Some value needs to be read with care."""


class AsText:
    """Replaces the values of some keys, at any depth, by their compact JSON text as a marked string.

    Where a key's quotes stand in sound JSON they are those of a key: within a string they would be escaped. So the
    text is as sound as it was, and only the keys' own values differ. Raises NotPlain where Python must look closer.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        names = b"|".join(re.escape(orjson.dumps(key)) for key in sorted(keys))
        self._pattern = re.compile(rb"(?:" + names + rb")\s*+:\s*+" + _VALUE)

    def __call__(self, data: bytes) -> bytes:
        """The text with the values replaced."""
        if b"\\u0001" in data:
            raise NotPlain
        return self._pattern.sub(_replaced, data)


def unmarked(texts: pa.StringArray) -> pa.StringArray:
    """The JSON texts. Raises NotPlain if a string stands there that was not replaced: its key was written otherwise."""
    if not pc.all(pc.starts_with(texts, _MARK), min_count=0).as_py():
        raise NotPlain
    return pc.utf8_slice_codeunits(texts, 1)


def _replaced(match: re.Match[bytes]) -> bytes:
    if match.string[match.start() - 1 : match.start()] not in (b"{", b",", b" ", b"\t", b"\n", b"\r"):
        raise NotPlain
    raw = match[1]
    if _INEXACT.search(raw):
        raise NotPlain
    try:
        text = orjson.dumps(orjson.loads(raw)).decode()
    except (ValueError, TypeError):  # TypeError: more than 254 levels
        raise NotPlain from None
    return match.string[match.start() : match.start(1)] + orjson.dumps(_MARK + text)
