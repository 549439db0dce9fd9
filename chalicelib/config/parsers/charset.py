"""Charsets: what Python knows by a name that users may write."""

import codecs

_NO_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})
MAX_LENGTH = 100  # characters of a name


def known_charset(charset: str) -> str:
    """The charset. Raises ValueError if Python does not know it, or if it is a way of writing text in ASCII.

    Of the latter Python has some among its charsets; decoding punycode takes quadratic time.
    """
    if not _is_charset(charset):
        raise ValueError(f"{charset[:MAX_LENGTH]!r} is no charset that is known, such as UTF-8 or cp1252")
    return charset


def _is_charset(name: str) -> bool:
    try:
        " ".encode(name[:MAX_LENGTH])  # refuses what codecs knows but what is no charset, such as base64
        return codecs.lookup(name).name.replace("-", "_") not in _NO_CHARSETS
    except (LookupError, ValueError):  # ValueError: a null character in it
        return False
