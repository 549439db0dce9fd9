"""Time zones as users write them: a place in the IANA database, UTC, or an offset."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

MAX_LENGTH = 100  # characters of a name
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?")
_CITIES = {  # where most people who write the abbreviation mean; only ever suggested, never assumed (E43)
    "AEDT": "Australia/Sydney",
    "AEST": "Australia/Sydney",
    "BST": "Europe/London",
    "CDT": "America/Chicago",
    "CEST": "Europe/Paris",
    "CET": "Europe/Paris",
    "CST": "America/Chicago",
    "EDT": "America/New_York",
    "EEST": "Europe/Athens",
    "EET": "Europe/Athens",
    "EST": "America/New_York",
    "HKT": "Asia/Hong_Kong",
    "HST": "Pacific/Honolulu",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MDT": "America/Denver",
    "MSK": "Europe/Moscow",
    "MST": "America/Denver",
    "NZDT": "Pacific/Auckland",
    "NZST": "Pacific/Auckland",
    "PDT": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "SGT": "Asia/Singapore",
    "WEST": "Europe/Lisbon",
    "WET": "Europe/Lisbon",
}
_NO_PLACE = "abbreviations mean several places and know nothing of summer time"
ABBREVIATION = re.compile(rf"\b(?:{'|'.join(_CITIES)})\b")


def city(abbreviation: str) -> str:
    """A Region/City that may be meant by the abbreviation."""
    return _CITIES.get(abbreviation.upper(), "America/Los_Angeles")


def place(name: str) -> str:
    """The name, if it is UTC or one of the IANA database with a place in it (F46, E52); raises ValueError if not."""
    if name == "UTC":
        return name
    if "/" not in name:
        raise ValueError(f"{name!r} is no Region/City: {_NO_PLACE}; write UTC, or a city like {city(name)}")
    if not _is_place(name):
        near = _nearest(name)
        hint = f"did you mean {near}?" if near else "write a city like Europe/London"
        raise ValueError(f"{name!r} is not in the IANA time zone database; {hint}")
    return name


def zone(name: str) -> str:
    """The name, if it is UTC, a Region/City, or an offset like +09:00 (F68); raises ValueError if not."""
    if len(name) > MAX_LENGTH:
        raise ValueError(f"{name[:20]!r}… is no time zone: it has {len(name)} characters")
    if offset(name) is not None:
        return name
    if re.match(r"[+-]?[0-9]", name):
        raise ValueError(f"{name!r} is no offset from UTC; write it like +09:00 or -0330")
    if "/" not in name and name != "UTC":
        raise ValueError(
            f"{name!r} is no time zone: {_NO_PLACE}; write UTC, an offset like +09:00, or a city like {city(name)}"
        )
    return place(name)


def offset(text: str) -> timedelta | None:
    """How far `+09:00`, `+0900` or `+09` is ahead of UTC; None for any other text."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return -ahead if found[1] == "-" else ahead


@lru_cache(maxsize=64)
def clock(name: str) -> tzinfo:
    """The time zone of a name that `zone` takes."""
    ahead = offset(name)
    if ahead is not None:
        return timezone(ahead)
    return UTC if name == "UTC" else ZoneInfo(name)


def _is_place(name: str) -> bool:
    if name.startswith(("posix/", "right/")):
        return False  # copies that only some machines have; the latter count leap seconds
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _nearest(name: str) -> str | None:
    known = {zone.lower(): zone for zone in available_timezones()}
    found = get_close_matches(name.lower(), known, n=1)
    return known[found[0]] if found else None
