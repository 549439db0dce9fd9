"""A connection as it is kept: how it stands, in a few words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant, Kept, ends_soon, standing
from chalicelib.core.health import Health
from tests.examples import START, grant

SOUND = Health("acme")
FAILING = Health("acme", failing_since=START - timedelta(hours=3), reason="refused")
NEEDY = Grant(parse_connection({"name": "acme", "auth_method": "session"}, where="test"), "ab" * 32, START)


def session(**left: Any) -> Grant:
    return replace(NEEDY, kept=Kept("****LE12", START, START + timedelta(**left) if left else None))


@pytest.mark.parametrize(
    ("granted", "health", "words"),
    [
        (grant(), SOUND, "ok"),
        (grant(), FAILING, "failing since 2026-11-22 09:00 UTC"),
        (NEEDY, SOUND, "keys missing"),
        (session(), SOUND, "ok"),
        (session(minutes=59), SOUND, "ok, expires in 59 min"),
        (session(hours=3, minutes=59), SOUND, "ok, expires in 3 h"),
        (session(hours=36), SOUND, "ok, expires in 36 h"),
        (session(days=12), SOUND, "ok, expires in 12 d"),
        (session(hours=3), FAILING, "failing since 2026-11-22 09:00 UTC"),
        (session(minutes=-5), FAILING, "keys ended 5 min ago"),
        (session(seconds=0), SOUND, "keys ended 0 min ago"),
    ],
)
def test_how_a_connection_stands(granted: Grant, health: Health, words: str) -> None:
    assert standing(granted, health, START) == words


@pytest.mark.parametrize(
    ("left", "soon"), [(timedelta(hours=2), True), (timedelta(hours=2, seconds=1), False), (timedelta(), False)]
)
def test_keys_end_soon_in_their_last_two_hours(left: timedelta, soon: bool) -> None:
    granted = replace(NEEDY, kept=Kept("", START, START + left))
    assert ends_soon(granted, START) is soon
    assert not ends_soon(session(), START)
