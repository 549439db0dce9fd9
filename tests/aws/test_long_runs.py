"""Reads that last longer than the credentials they began with, by each of the three clients (F10, E53)."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.aws.customers.buckets import Buckets
from chalicelib.aws.customers.listing import Listing
from chalicelib.errors import AccessDenied, ConfigError, CredentialsExpired, RoleNotAssumable
from tests.examples import grant
from tests.fakes.gate import DATA, Gate, ref

GRANT = grant(bucket_owner="any", duration_in_seconds=900)  # obstore reads nothing before the owner is proved
ROLE = "arn:aws:iam::222222222222:role/reader"
PART = 500
CLIENTS = ["obstore", "botocore", "listing"]
KEYS = {"obstore": "in/a.bin", "botocore": "in//a.bin"}  # obstore cannot ask for the second

Meanwhile = Callable[[int], None]


def work(gate: Gate, client: str, meanwhile: Meanwhile) -> None:
    """Eleven requests one after the other, with something happening before each."""
    sessions = gate.sessions()
    if client == "listing":
        listing = Listing(sessions, gate.url, sleep=lambda _: None)
        for number in range(11):
            meanwhile(number)
            listing.page(GRANT, "acme-exports", "in/")
        return
    body = Buckets(sessions, gate.url, part=PART).open(GRANT, ref(KEYS[client]), prefix="in/")
    found = io.BytesIO()
    for number in range(11):
        if body._ahead is not None:
            body._ahead[2].exception()  # what is fetched ahead is there, so that the clock stands still meanwhile
        meanwhile(number)
        found.write(body.read(PART))
    assert found.getvalue() == DATA


@pytest.mark.parametrize("client", CLIENTS)
def test_a_read_outlasts_its_session(gate: Gate, client: str) -> None:
    work(gate, client, lambda _: gate.passes(6))
    assert len(gate.asked) >= 5, "each session was good for fifteen minutes of sixty-six"
    assert list(dict.fromkeys(gate.used)) == [f"KEY{number + 1}" for number in range(len(gate.asked))]
    assert gate.refused == 0, "none was used for too long"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_session_that_ends_early_is_renewed_and_nothing_is_lost(gate: Gate, client: str) -> None:
    def ends(number: int) -> None:
        if number == 5:
            gate.ends["KEY1"] = gate.now

    work(gate, client, ends)
    assert set(gate.used) == {"KEY1", "KEY2"}
    assert len(gate.asked) == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_sessions_that_never_hold_are_not_asked_for_for_ever(gate: Gate, client: str) -> None:
    gate.lifetime = timedelta(minutes=-1)
    gate.tells_time = False
    with pytest.raises(CredentialsExpired):
        work(gate, client, lambda _: None)
    assert len(gate.asked) <= 6


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("ahead", [False, True])
def test_a_role_that_is_revoked_meanwhile_ends_the_read(gate: Gate, client: str, ahead: bool) -> None:
    def revokes(number: int) -> None:
        if number == 3:
            gate.refuses[ROLE] = (403, "AccessDenied")
            if ahead:
                gate.ends = {"OURS": None} | {key: gate.now for key in gate.ends if key != "OURS"}
        gate.passes(0 if ahead else 2)

    with pytest.raises(RoleNotAssumable, match="role/reader"):
        work(gate, client, revokes)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_permission_that_is_taken_away_meanwhile_ends_the_read(gate: Gate, client: str) -> None:
    def denies(number: int) -> None:
        gate.denies = number >= 3

    with pytest.raises(AccessDenied):
        work(gate, client, denies)
    assert len(gate.asked) == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("late", [timedelta(minutes=14), timedelta(minutes=-14)])
def test_a_clock_that_is_off_does_not_change_how_long_sessions_are_used(
    gate: Gate, client: str, late: timedelta
) -> None:
    gate.late = late
    work(gate, client, lambda _: gate.passes(4))
    assert len(gate.asked) == 6, "every eight minutes, of forty-four"
    assert len(dict.fromkeys(gate.used)) == 6


@pytest.mark.parametrize("client", CLIENTS)
def test_a_clock_that_is_off_too_far_is_named(gate: Gate, client: str) -> None:
    def skews(number: int) -> None:
        gate.skewed = number >= 3

    with pytest.raises(ConfigError, match="clock"):
        work(gate, client, skews)
