"""Escapes that JSON does not know, mended while the text streams by (F69, E40)."""

import re
from typing import Literal

from chalicelib.records.pages import Readable
from chalicelib.records.text.lookahead import MAX_RECORD, too_long

_STRING = re.compile(rb'"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+(\\?"?)')
_ESCAPE = re.compile(
    rb'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|([\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*+)?)',
)


class Mended:
    """The stream with `\\a` in strings as nothing (SKIP) or as `a` (UNESCAPE); a Readable.

    Escapes are valid before ", \\, /, b, f, n, r, t, and before u with four hexadecimal digits; those stay as they
    are, and so does everything outside strings. Only a string that is not yet closed is held back.
    """

    def __init__(self, body: Readable, mode: Literal["SKIP", "UNESCAPE"], *, longest: int = MAX_RECORD) -> None:
        self._body = body
        self._longest = longest
        self._with = b"" if mode == "SKIP" else rb"\2"
        self._rest = b""
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """About `size` bytes; b"" at the end. Raises ParseError for a string that is too long for a record."""
        while not self._ended:
            chunk = self._body.read(size)
            self._ended = not chunk
            mended = self._mended(self._rest + chunk)
            if mended:
                return mended
            if len(self._rest) > self._longest:
                raise too_long(self._longest)
        return b""

    def _mended(self, data: bytes) -> bytes:
        if b"\\" not in data and not self._ended:
            return self._up_to_open_string(data)
        held = len(data)

        def mend(match: re.Match[bytes]) -> bytes:
            nonlocal held
            if match.end() == len(data) and match[1] != b'"' and not self._ended:
                held = match.start()
                return b""
            return _ESCAPE.sub(self._valid_or_not, match[0]) if b"\\" in match[0] else match[0]

        mended = _STRING.sub(mend, data)
        self._rest = data[held:]
        return mended

    def _up_to_open_string(self, data: bytes) -> bytes:
        """Everything before a string that the end of `data` cuts, which lies on the last line."""
        line = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        quotes = data.count(b'"', line)
        end = data.rfind(b'"') if quotes % 2 else len(data)
        self._rest = data[end:]
        return data[:end]

    def _valid_or_not(self, escape: re.Match[bytes]) -> bytes:
        return escape[0] if escape[1] is not None else escape.expand(self._with)
