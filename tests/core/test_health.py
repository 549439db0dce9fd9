"""A connection's state of access, move by move (F13, W15)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.core.health import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MAX_TRIES,
    RETRIES,
    Health,
    failed,
    recovered,
    retrying,
    try_again,
    wanted,
)
from tests.examples import START

MINUTE = timedelta(minutes=1)
SOUND = Health("acme")
FAILING = Health("acme", failing_since=START, reason="refused", next_try_at=START + MINUTE, revision=1)
TRIED = replace(FAILING, trial="t1", tried_at=START + MINUTE, next_try_at=START + 2 * MINUTE, revision=2)


@pytest.mark.parametrize(
    ("health", "any_job", "trial"), [(SOUND, True, True), (FAILING, False, False), (TRIED, False, True)]
)
def test_a_failing_connection_lets_its_trial_in_and_nobody_else(health: Health, any_job: bool, trial: bool) -> None:
    assert (health.lets("a1"), health.lets("t1")) == (any_job, trial)


@pytest.mark.parametrize(
    ("health", "seconds", "due"),
    [(SOUND, 9999, False), (FAILING, 59, False), (FAILING, 60, True), (TRIED, 60, False), (TRIED, 120, True)],
)
def test_only_a_failing_connection_is_due_and_only_after_its_pause(health: Health, seconds: int, due: bool) -> None:
    assert health.is_due(START + timedelta(seconds=seconds)) is due


def test_a_sound_connection_that_fails_rests_for_a_minute() -> None:
    assert failed(SOUND, "a1", "refused", now=START) == FAILING


def test_a_job_that_was_not_let_in_says_nothing() -> None:
    assert failed(FAILING, "a2", "refused", now=START) is None
    assert failed(TRIED, "a2", "refused", now=START) is None


def test_a_trial_is_one_jobs_and_if_it_never_ends_another_has_its_turn() -> None:
    trial = try_again(FAILING, "t1", now=START + MINUTE)
    assert trial == TRIED
    later = try_again(trial, "t2", now=START + 2 * MINUTE)
    assert (later.lets("t1"), later.lets("t2"), later.tries) == (False, True, 0)


def test_a_failed_trial_keeps_the_time_of_the_first_failure_and_the_newest_reason() -> None:
    after = failed(TRIED, "t1", "denied", now=START + 2 * MINUTE)
    assert after is not None
    assert (after.failing_since, after.reason, after.tries, after.trial) == (START, "denied", 1, None)
    assert after.next_try_at == START + 4 * MINUTE


def test_the_pause_doubles_up_to_an_hour() -> None:
    health, now, pauses = FAILING, START, []
    for number in range(60):
        assert health.next_try_at is not None
        pauses.append(health.next_try_at - now)
        now = health.next_try_at
        trial = try_again(health, f"t{number}", now=now)
        after = failed(trial, f"t{number}", "refused", now=now)
        assert after is not None
        health = after
    assert pauses[:7] == [FIRST_PAUSE * 2**number for number in range(6)] + [LONGEST_PAUSE]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


def test_a_trial_that_loads_makes_it_sound_and_the_next_failure_starts_anew() -> None:
    after = recovered(replace(TRIED, tries=7))
    assert after == Health("acme", tried_at=TRIED.tried_at, revision=TRIED.revision + 1)
    again = failed(after, "a9", "refused", now=START)
    assert again is not None
    assert (again.tries, again.next_try_at) == (0, START + FIRST_PAUSE)


def test_what_was_sound_anyway_is_not_written() -> None:
    assert recovered(SOUND) is None
    assert recovered(Health("acme", tried_at=START, revision=9)) is None


def test_each_move_is_a_revision_of_its_own() -> None:
    moves = [FAILING, try_again(FAILING, "t", now=START)]
    after = failed(moves[-1], "t", "refused", now=START)
    assert after is not None
    assert [move.revision for move in (*moves, after)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("tried_at", "attempts", "minutes_ago", "again"),
    [
        (None, 1, 0, False),
        (None, 1, 1, True),
        (None, 3, 3, False),
        (None, 3, 4, True),
        (None, MAX_TRIES - 1, 59, False),
        (None, MAX_TRIES - 1, 60, True),
        (None, MAX_TRIES, 10_000, False),
        (START, MAX_TRIES, 1, True),  # denied while nothing was let in
        (START, MAX_TRIES, 0, False),  # denied although others were let in
    ],
)
def test_an_object_by_itself_has_ten_tries_further_and_further_apart_and_an_outage_takes_none(
    tried_at: datetime | None, attempts: int, minutes_ago: int, again: bool
) -> None:
    health = Health("acme", tried_at=tried_at)
    assert wanted(health, attempts, START - minutes_ago * MINUTE, now=START) is again


def test_what_is_denied_by_itself_says_nothing_of_a_sound_connection() -> None:
    health = retrying(SOUND, ["r1", "r2"])
    assert failed(health, "r1", "refused", now=START) is None
    assert failed(health, "r2.3", "refused", now=START) is None
    assert failed(health, "a1", "refused", now=START) is not None


def test_such_a_job_may_still_be_the_trial_of_a_failing_one() -> None:
    health = try_again(replace(FAILING, retries=("r1",)), "r1", now=START)
    after = failed(health, "r1", "refused", now=START)
    assert after is not None
    assert after.tries == 1


def test_only_the_newest_jobs_of_denied_objects_are_remembered() -> None:
    health = SOUND
    for number in range(RETRIES + 5):
        health = retrying(health, [f"r{number}"])
    assert health.retries == tuple(f"r{number}" for number in range(5, RETRIES + 5))
    failing = failed(health, "a1", "refused", now=START)
    assert failing is not None
    after = recovered(failing)
    assert after is not None
    assert after.retries == health.retries
