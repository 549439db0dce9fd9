"""Charsets as users name them."""


def known_charset(charset: str) -> str:
    """The charset. Raises ValueError if Python does not know it."""
    try:
        " ".encode(charset)  # refuses what codecs knows but what is no charset, such as base64
    except (LookupError, UnicodeError):
        raise ValueError(f"{charset!r} is no charset that is known, such as UTF-8 or cp1252") from None
    return charset
