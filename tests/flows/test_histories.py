"""Thousands of histories that nobody thought of, against all three ways in (P1, P2, P3, P7).

`TIDEGATE_HISTORIES=5000` tries that many; docs/testing.md says which planted bugs were found, and how soon.
"""

import os
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.histories import FLIGHTS, Fault, History, Setup, Step

HISTORIES = int(os.environ.get("TIDEGATE_HISTORIES", "300"))
SWEEPS = 12  # more than any limit needs for all keys

CUSTOMERS = ("new", "new", "new", "same", "empty", "upload", "complete", "delete", "archive", "restore", "announce")
PEOPLE = ("trigger", "trigger", "trigger", "switch", "rewind", "backfill", "cancel")
MACHINES = ("arrive", "load_one", "turn", "commit_one", "again", "lose", "tick", "rounds", "rounds", "wait", "wait")
DELIVERIES = ("arrive", "load_one", "turn", "commit_one", "tick", "rounds", "trigger")

numbers = st.integers(0, 11)
setups = st.builds(
    Setup,
    versioned=st.booleans(),
    by_time=st.booleans(),
    ignore=st.sampled_from((False, False, True)),
    overlap=st.sampled_from((600, 0)),
    limit=st.sampled_from((None, None, 1, 2)),
    per_task=st.sampled_from((500, 1, 2)),
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
some = st.lists(st.one_of(quiet, quiet, quiet, shaken), max_size=12)
histories = st.tuples(some, some, some).map(lambda parts: [step for part in parts for step in part])


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
