"""Pasted: keys in the forms in which AWS's tools print them. No error here repeats anything of what was pasted."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError

LONGEST = 64 * 1024  # characters; session tokens have a few thousand at most
NAMES = {  # a name in lower case without `_` and `-`, and the prefix `aws`
    "accesskeyid": "access_key_id",
    "secretaccesskey": "secret_access_key",
    "sessiontoken": "session_token",
    "securitytoken": "session_token",
    "expiration": "expires_at",
    "credentialexpiration": "expires_at",
    "expiresat": "expires_at",
    "proxypassword": "proxy_password",
}
WRAPPERS = ("Credentials", "AccessKey")  # of `aws sts …`, and of `aws iam create-access-key`
LINE = re.compile(r"(?:export\s+|set\s+|setx\s+|\$env:)?([A-Za-z_-]+)\s*[=:]\s*(.*?)\s*;?", re.IGNORECASE)


def pasted(text: str, *, where: str) -> Keys:
    """The keys in what `aws sts get-session-token`, `assume-role` or `aws configure export-credentials` print.

    Lines as in ~/.aws/credentials or for a shell are taken too. Raises ConfigError if there are none, if one comes
    twice, or if what stands there cannot be one.
    """
    if len(text) > LONGEST:
        raise _faulty(f"it is longer than {LONGEST} characters", where)
    found: dict[str, str] = {}
    for name, value in _pairs(text.strip().lstrip("\ufeff"), where):
        field = NAMES.get(re.sub(r"[_-]", "", name.lower()).removeprefix("aws"))
        if field is None:
            continue
        if field in found and found[field] != value:
            raise _faulty(f"it has more than one {field}", where)
        found[field] = value
    if not found:
        raise _faulty("there are no keys in it", where)
    ends = found.pop("expires_at", "")
    return Keys(
        **{name: plain(value, name, where=where) for name, value in found.items()}, expires_at=moment(ends, where)
    )


def plain(value: str, name: str, *, where: str) -> str:
    """One secret without the blanks around it. Raises ConfigError if it holds what none has."""
    text = value.strip()
    if len(text) > LONGEST or not all(" " < char <= "~" or (char == " " and name == "proxy_password") for char in text):
        raise _faulty(f"{name} holds characters that it cannot have, or is too long", where)
    return text


def moment(text: str, where: str) -> datetime | None:
    """A time as AWS writes it, in UTC; None of an empty one. Raises ConfigError."""
    if not text.strip():
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _faulty("the expiry is no time like 2026-11-22T12:00:00Z", where) from None


def _pairs(text: str, where: str) -> Iterator[tuple[str, str]]:
    if not text.startswith("{"):
        yield from _lines(text)
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _faulty("it begins like JSON and is none", where) from None
    inner = next((document[name] for name in WRAPPERS if isinstance(document.get(name), dict)), document)
    yield from _texts(inner)


def _texts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for name, value in fields.items() if isinstance(value, str))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """The assignments in lines of a shell or of an ini file; other lines mean nothing here."""
    for line in text.splitlines():
        found = LINE.fullmatch(line.strip())
        if found is not None:
            yield found[1], found[2].strip().strip("\"'")


def _faulty(what: str, where: str) -> ConfigError:
    return ConfigError(what, where=where, remedy="Paste what `aws sts get-session-token` prints; nothing was changed")
