"""Which keys a connection needs, and how new ones go over the old (F9, F14; InfoSum: an empty secret is kept)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.connection import Connection, parse_connection
from chalicelib.core.keeping import carried, combined, kept, masked, needed
from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError
from tests.examples import START

ROLE = "arn:aws:iam::222222222222:role/reader"
USER = {"through": {"type": "user", "user_arn": "arn:aws:iam::111122223333:user/dataloop"}}
PROXY = {"http_proxy": {"host": "proxy.example", "user": "u"}}
LATER = START + timedelta(hours=6)
SESSION_KEYS = Keys("ASIAEXAMPLEEXAMPLE12", "secret-one", "token-one", LATER)
PAIR = Keys("AKIAEXAMPLEEXAMPLE12", "secret-one")
PAIR_NAMES = ("access_key_id", "secret_access_key")


def made(method: str, **fields: Any) -> Connection:
    role = {"role_arn": ROLE} if method == "assume_role" else {}
    return parse_connection({"name": "acme", "auth_method": method, **role, **fields}, where="test")


@pytest.mark.parametrize(
    ("connection", "names"),
    [
        (made("assume_role"), ()),
        (made("assume_role", **USER), PAIR_NAMES),
        (made("session"), (*PAIR_NAMES, "session_token")),
        (made("basic"), PAIR_NAMES),
        (made("basic", **PROXY), (*PAIR_NAMES, "proxy_password")),
        (made("anonymous"), ()),
        (made("default"), ()),
        (made("profile"), ()),
        (made("env"), ()),
        (made("anonymous", **PROXY), ("proxy_password",)),
        (made("anonymous", http_proxy={"host": "proxy.example"}), ()),
    ],
)
def test_each_method_needs_its_own_secrets(connection: Connection, names: tuple[str, ...]) -> None:
    assert needed(connection) == names
    assert connection.needs_keys is bool(names)


@pytest.mark.parametrize(
    ("method", "keys", "words"),
    [
        ("session", Keys(), "access_key_id and secret_access_key and session_token must be given"),
        ("session", Keys("ASIAEXAMPLEEXAMPLE12", "s"), "session_token must be given"),
        ("session", Keys("AKIAEXAMPLEEXAMPLE12", "s", "t"), "auth_method basic"),
        ("session", Keys("ASIAEXAMPLEEXAMPLE12", "s", "t", START), "these keys ended at 2026-11-22 12:00 UTC"),
        ("basic", Keys("ASIAEXAMPLEEXAMPLE12", "s"), "auth_method session"),
        ("basic", Keys("AKIAEXAMPLEEXAMPLE12", "s", "t"), "no use for session_token"),
        ("basic", Keys("AKIAEXAMPLEEXAMPLE12", "s", None, LATER), "no use for expires_at"),
        ("anonymous", PAIR, "no use for access_key_id and secret_access_key"),
        ("assume_role", PAIR, "no use for access_key_id"),
        ("basic", Keys("AKIAEXAMPLEEXAMPLE12", "s", proxy_password="p"), "no use for proxy_password"),
    ],
)
def test_keys_that_do_not_fit_the_method_are_refused(method: str, keys: Keys, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        combined(made(method), None, keys, now=START)
    assert words in str(caught.value)
    assert "EXAMPLE" not in str(caught.value)


def test_an_empty_secret_keeps_the_old_one_field_by_field() -> None:
    through = made("basic", **PROXY)
    old = Keys(PAIR.access_key_id, "secret-one", proxy_password="p1")
    for new, after in [
        (None, old),
        (Keys(), old),
        (Keys(secret_access_key="secret-two"), Keys(PAIR.access_key_id, "secret-two", proxy_password="p1")),
        (Keys(proxy_password="p2"), Keys(PAIR.access_key_id, "secret-one", proxy_password="p2")),
        (Keys("AKIAEXAMPLEEXAMPLE99", "s9"), Keys("AKIAEXAMPLEEXAMPLE99", "s9", proxy_password="p1")),
    ]:
        assert combined(through, old, new, now=START) == after


def test_another_access_key_id_does_not_take_the_old_ones_secret_or_token() -> None:
    with pytest.raises(ConfigError, match="secret_access_key and session_token must be given"):
        combined(made("session"), SESSION_KEYS, Keys("ASIAEXAMPLEEXAMPLE99"), now=START)


def test_an_end_is_that_of_its_own_keys() -> None:
    session = made("session")
    fresh = Keys("ASIAEXAMPLEEXAMPLE99", "s", "t")
    assert combined(session, SESSION_KEYS, fresh, now=START) == fresh, "a new token has no end unless one is given"
    told = combined(session, SESSION_KEYS, Keys(expires_at=LATER + timedelta(hours=1)), now=START)
    assert told is not None
    assert (told.session_token, told.expires_at) == ("token-one", LATER + timedelta(hours=1))


def test_old_keys_may_have_ended_while_something_else_is_changed() -> None:
    assert combined(made("session"), SESSION_KEYS, None, now=LATER + timedelta(days=1)) == SESSION_KEYS


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        (made("basic"), made("basic", region="eu-west-1"), ("access_key_id", "secret_access_key")),
        (made("session"), made("basic"), ()),
        (made("basic", **PROXY), made("basic", http_proxy={"host": "evil.example", "user": "u"}), PAIR_NAMES),
        (made("basic", **PROXY), made("basic", http_proxy={"host": "proxy.example", "user": "w"}), PAIR_NAMES),
        (made("basic", **PROXY), made("basic", requester_pays=True, **PROXY), (*PAIR_NAMES, "proxy_password")),
        (
            made("assume_role", **USER),
            made("assume_role", through={"type": "user", "user_arn": "arn:aws:iam::111122223333:user/other"}),
            (),
        ),
    ],
)
def test_keys_stay_only_for_the_user_and_the_proxy_they_were_given_for(
    before: Connection, after: Connection, stays: tuple[str, ...]
) -> None:
    old = Keys("AKIAEXAMPLEEXAMPLE12", "s", None, None, "p" if before.http_proxy else None)
    left = carried(before, after, old)
    assert left is not None
    names = (*PAIR_NAMES, "session_token", "proxy_password")
    assert tuple(name for name in names if getattr(left, name)) == stays


TEXT = st.one_of(st.just(""), st.text("abcXYZ/+=", min_size=1, max_size=8))


@settings(max_examples=100)
@given(TEXT, TEXT, TEXT, TEXT)
def test_what_is_kept_is_complete_and_never_a_mixture_of_two_ids(i: str, s: str, old_i: str, old_s: str) -> None:
    old, new = Keys(old_i, old_s), Keys(i, s)
    try:
        keys = combined(made("basic"), old, new, now=START)
    except ConfigError:
        return
    assert keys is not None
    assert keys.access_key_id
    assert keys.secret_access_key
    assert keys.access_key_id != i or i == old_i or keys.secret_access_key == s


def test_of_an_access_key_four_characters_are_told() -> None:
    assert masked("AKIAEXAMPLEEXAMPLE12") == "****LE12"
    assert masked("short") == "****"
    assert masked("") == ""
    told = kept(SESSION_KEYS, now=START)
    assert told is not None
    assert (told.access_key, told.at, told.expires_at) == ("****LE12", START, LATER)
    assert "secret-one" not in repr(told)
    assert "token-one" not in repr(told)
    assert kept(None, now=datetime(2026, 1, 1, tzinfo=UTC)) is None
