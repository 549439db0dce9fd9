"""Thousands of histories that nobody thought of, against all three ways in (P1, P2, P3, P7).

`TIDEGATE_HISTORIES=5000` tries that many; docs/testing.md says which planted bugs were found, and how soon.
"""

import os
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.jobs import JobState
from tests.flows.histories import FLIGHTS, Fault, History, Setup, Step

HISTORIES = int(os.environ.get("TIDEGATE_HISTORIES", "500"))
SWEEPS = 12  # more than any limit needs for all keys

CUSTOMERS = (
    *("new", "new", "new", "same", "empty", "upload", "complete"),
    *("delete", "remake", "archive", "restore", "announce", "lie"),
)
PEOPLE = ("trigger", "trigger", "trigger", "switch", "rewind", "backfill", "cancel")
MACHINES = ("arrive", "load_one", "turn", "commit_one", "again", "lose", "tick", "rounds", "rounds", "wait", "wait")
DELIVERIES = ("arrive", "load_one", "turn", "commit_one", "tick", "rounds", "trigger")

numbers = st.integers(0, 11)
setups = st.builds(
    Setup,
    versioned=st.booleans(),
    by_time=st.booleans(),
    ignore=st.sampled_from((False, False, True)),
    replace=st.booleans(),
    delete_rows=st.booleans(),
    overlap=st.sampled_from((600, 0)),
    limit=st.sampled_from((None, None, 1, 2)),
    per_task=st.sampled_from((500, 1, 2)),
    split=st.sampled_from((0, 6)),
    haste=st.booleans(),
)
tells = st.sampled_from((1, 0, 2))  # for what is delivered, 2 is twice, perhaps at the same time
dies = st.builds(Fault, st.integers(0, 20), st.sampled_from(("before", "after")))
others = st.sampled_from(CUSTOMERS + PEOPLE + MACHINES + DELIVERIES)
meanwhile = st.builds(Step, others, numbers, tells, st.one_of(st.none(), st.none(), dies))
waits = st.builds(
    Fault, st.integers(0, 20), st.just("meanwhile"), st.lists(meanwhile, min_size=1, max_size=5).map(tuple)
)
quiet = st.builds(Step, st.sampled_from(CUSTOMERS + PEOPLE + MACHINES), numbers, tells)
shaken = st.builds(Step, st.sampled_from(DELIVERIES), numbers, tells, st.one_of(dies, waits))


def motif(key: int, call: int, which: int) -> list[Step]:
    """Steps that say little one by one, and for which chance alone would need too long."""
    first, late = Step("new", key, 1), (Step("wait", 3), Step("rounds"))
    zombie = (Step("wait", 3), Step("tick"), Step("load_one", fault=Fault(call % 4 + 2, "before")))
    return [
        [Step("new", key), Step("archive", key), Step("trigger", 2), Step("rounds"), Step("rounds"), Step("restore")],
        [Step("upload", key), Step("wait", 2), Step("trigger"), Step("rounds"), Step("rounds"), Step("complete")],
        [Step("new", key), Step("new", key + 1), Step("trigger"), Step("rounds")],
        [first, Step("arrive"), Step("empty", key, 1), Step("arrive", 0), Step("rounds")],
        [first, Step("arrive", fault=Fault(call % 6, "meanwhile", late))],
        [first, Step("arrive"), Step("load_one", fault=Fault(call, "meanwhile", zombie))],
        [first, Step("arrive"), Step("load_one", tell=2, fault=Fault(call, "meanwhile", (Step("load_one"),)))],
        [Step("new", key), Step("new", key + 1), Step("trigger"), Step("turn", fault=Fault(call, "before"))],
        [Step("new", key), Step("trigger"), Step("turn"), Step("new", key), Step("rounds")],
        [first, Step("rounds"), Step("delete", key, 1), Step("rounds"), Step("rounds")],
        [first, Step("arrive"), Step("delete", key, 2), Step("arrive", fault=Fault(call % 6, "meanwhile", late))],
        [first, Step("rounds"), Step("delete", key, 1), Step("remake", key, 1), Step("arrive", call), Step("rounds")],
        [first, Step("rounds"), Step("delete", key, 1), Step("arrive"), Step("tick", fault=Fault(call, "before"))],
    ][which]


motifs = st.builds(motif, numbers, st.integers(0, 15), st.integers(0, 12))
single = st.one_of(quiet, quiet, quiet, shaken).map(lambda step: [step])
some = st.lists(st.one_of(single, single, single, motifs), max_size=12)
histories = st.tuples(some, some).map(lambda parts: [step for part in parts for steps in part for step in steps])


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(setups, histories)
def test_whatever_happens_every_object_is_loaded_once_and_no_cursor_passes_one_that_waits(
    setup: Setup, steps: list[Step]
) -> None:
    history = History(setup=setup)
    for step in steps:
        history.step(step)
    history.settle()
    history.check_told()
    before = history.cursors.get(FLIGHTS)
    swept(history, full=False)
    history.check_swept(before)
    swept(history, full=True)
    history.check_settled()
    rows = history.rows()
    history.rewind(Step("rewind", 0))
    for ref in history.refs:
        history.announce(Step("announce", history.refs.index(ref)))
    swept(history, full=False)
    swept(history, full=True)
    history.check_settled()
    latest = {(made.ref.key, made.number) for made in history.made.values() if made.number is not None}
    if not setup.versioned:  # there the same content may be another version, and have been announced only now
        assert all(history.rows()[each] == rows[each] for each in latest), "rewinding doubled rows"


def swept(history: History, *, full: bool) -> None:
    """Sweeps until none is cut short by a limit; a deployed schedule does no more."""
    for _ in range(SWEEPS):
        history.now += timedelta(minutes=2)
        assert history.sweep(full=full), "a sweep is still on"
        history.settle()
        history.check()
        if not history.sweeps.stored[FLIGHTS, "sweep"].cut:
            return
    raise AssertionError("a limit is never done")


# What random histories have found, in the fewest steps.


def at(call: int, *steps: Step) -> Fault:
    return Fault(call, "meanwhile", steps)


def after(*steps: Step, **setup: Any) -> History:
    history = History(setup=Setup(**setup))
    for step in steps:
        history.step(step)
    return history


def test_a_sweep_knows_that_what_it_lists_waits_already_as_a_successor() -> None:
    history = after(Step("new", tell=1), Step("new", tell=1), Step("arrive"), Step("arrive"), Step("trigger"))
    swept_once(history)
    assert history.cursors.get(FLIGHTS).last_path is None


def test_a_trigger_that_loses_against_another_leaves_no_job_behind() -> None:
    history = after(Step("trigger", 0, 0, at(1, Step("wait", 1), Step("trigger", 0))))
    history.settle()
    assert {job.state for job in history.jobs.jobs.values()} == {JobState.DONE}


@pytest.mark.parametrize("versioned", [False, True])
def test_late_word_of_what_was_overwritten_before_the_listing_brings_nothing_twice(versioned: bool) -> None:
    history = after(Step("new"), Step("new"), versioned=versioned)
    swept(history, full=True)
    history.announce(Step("announce", 0))
    history.announce(Step("announce", 1))
    swept(history, full=True)
    history.check_settled()
    assert history.rows() == {("in/a.csv", 1): 2}


def test_an_overwrite_within_the_second_of_the_first_content_is_found_by_a_sweep() -> None:
    history = after(Step("new", tell=1), Step("rounds"), Step("rewind"))
    history.now = history.made["in/a.csv"].ref.created_at
    history.step(Step("new"))
    swept(history, full=True)
    history.check_settled()


def test_by_time_what_is_put_within_the_second_after_the_listing_is_found_without_overlap() -> None:
    history = after(Step("trigger"), Step("turn"), Step("new"), by_time=True, overlap=0)
    history.settle()
    swept(history, full=False)
    assert history.rows() == {("in/a.csv", 0): 2}


def swept_once(history: History) -> None:
    history.step(Step("turn"))
    history.step(Step("turn"))
