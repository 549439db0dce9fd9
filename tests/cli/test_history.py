"""`history`, `job`, `objects`: what happened, shown as it was."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import wiring
from chalicelib.core.jobs import Job, JobKind
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.objects import ObjectRef
from chalicelib.core.parts import parts
from chalicelib.core.places import WHOLE, Span
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import (
    Begun,
    Division,
    Outcome,
    OutcomeKind,
    Progress,
    Staged,
    StagedFile,
    Tally,
    Task,
    TaskState,
)
from tests.cli.conftest import Run

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ODD = "in/[bold]a[/bold] :smile: é\x1b[31m.csv"


def ref(key: str) -> ObjectRef:
    return ObjectRef("acme-exports", key, "e1", 12, NOW)


@pytest.fixture
def ran(flights: Run) -> Run:
    """One job with one task of two objects, and what became of them."""
    outcomes = (
        Outcome("in/a.csv", OutcomeKind.LOADED, rows=3, rejects=1, read_at=NOW),
        Outcome(ODD, OutcomeKind.FAILED, "broken", "bad bytes"),
    )
    staged = Staged(outcomes, (), NOW, (StagedFile("s3://lake/rejects/1", 9, 4, ()),))
    members = (ref("in/a.csv"), ref(ODD))
    task = Task("j1", 0, "flights", "t", members, TaskState.COMMITTED, NOW, attempt=1, staged=staged, snapshot="s1")
    counts = {"loaded": 1, "broken": 1, "rows": 3, "rejects": 1, "bytes": 12}
    finished = NOW + timedelta(seconds=2.5)
    wiring.jobs().start(Job("j1", JobKind.ARRIVAL, "flights", NOW, 1, 0, 0, counts, finished, "bad bytes"), [task])
    wiring.jobs().start(Job("j2", JobKind.RECOVERY, "flights", finished, 1, 1, 1), [])
    done = Entry(
        "flights",
        ref("in/a.csv"),
        State.COMMITTED,
        NOW,
        owner=Owner("j1", 0),
        rows=3,
        rejects=1,
        committed_at=finished,
        snapshot="s1",
        revision=1,
    )
    failed = replace(
        done, ref=ref(ODD), state=State.FAILED, reason=Reason.BROKEN, error="bad bytes", committed_at=None, rows=0
    )
    assert not wiring.ledger().swap([done, failed])
    return flights


def test_the_newest_job_comes_first(ran: Run) -> None:
    newest, oldest = map(json.loads, ran("history", "flights", "--json").out.splitlines())
    assert (newest["job"], newest["state"], newest["took"]) == ("j2", "running", "")
    assert (oldest["job"], oldest["state"], oldest["took"]) == ("j1", "failed", "2.5 s")
    assert (oldest["loaded"], oldest["rows"], oldest["not loaded"]) == (1, 3, {"broken": 1})
    assert len(ran("history", "flights", "--limit", "1", "--json").out.splitlines()) == 1
    table = ran("history", "flights").out
    assert table.index("j2") < table.index("j1")
    assert "2026-11-22 12:00:00" in table
    assert "broken 1" in table
    assert "{}" not in table
    assert "rows_out" not in table, "nothing left the table"


def test_a_job_is_shown_with_its_tasks_and_their_objects(ran: Run) -> None:
    shown = json.loads(ran("job", "j1", "--json").out)
    (task,) = shown["tasks"]
    assert (shown["error"], task["snapshot"], task["rejects"]) == ("bad bytes", "s1", 4)
    assert [one["key"] for one in task["objects"]] == ["in/a.csv", ODD]
    assert [one["outcome"] for one in task["objects"]] == ["loaded", "failed"]
    assert "identity: e:e1" in ran("job", "j1").out


def test_a_job_tells_how_far_a_large_object_is(flights: Run) -> None:
    big, small = replace(ref("in/big.csv"), size=100), ref("in/a.csv")
    handed = Progress(3, "b", (Outcome("in/a.csv", OutcomeKind.LOADED, rows=3),), begun=come(WHOLE, 7))
    going = Task("j1", 0, "flights", "t", (small, big), TaskState.PLANNED, NOW, attempt=3, progress=handed)
    division = Division(1, "b", 25, (), NOW)
    divided = Task("j1", 1, "flights", "t", (big,), TaskState.DIVIDED, NOW, attempt=1, division=division)
    wiring.jobs().start(Job("j1", JobKind.ARRIVAL, "flights", NOW, 2, 2, 2), [going, divided])
    read, failing, *_ = parts(divided, due_at=NOW)
    read = replace(read, state=TaskState.READ, progress=Progress(1, "b", begun=come(Span(0, 25), 40)))
    failing = replace(failing, error="S3 is slow", progress=Progress(1, "b", begun=come(Span(25, 50), 2)))
    wiring.jobs().add([read, failing])
    first, second = json.loads(flights("job", "j1", "--json").out)["tasks"]
    assert (first["rows so far"], [one["rows"] for one in first["objects"]]) == (7, [3, None])
    assert "parts" not in first
    assert (second["parts"], second["parts read"], second["rows so far"]) == (4, 1, 42)
    assert second["error"] == "S3 is slow"


def come(span: Span, rows: int) -> Begun:
    return Begun(span, (), NOW, Tally(rows))


def test_objects_are_listed_by_state_and_prefix(ran: Run) -> None:
    def keys(*options: str) -> list[str]:
        return [json.loads(line)["key"] for line in ran("objects", "flights", *options, "--json").out.splitlines()]

    assert keys() == [ODD, "in/a.csv"]
    assert keys("--state", "committed") == ["in/a.csv"]
    assert keys("--prefix", "in/[") == [ODD]
    assert keys("--state", "committed", "--prefix", "in/[") == []
    assert keys("--limit", "1") == [ODD]


def test_an_object_is_shown_with_all_its_times(ran: Run) -> None:
    (shown,) = map(json.loads, ran("objects", "flights", "--state", "committed", "--json").out.splitlines())
    assert (shown["bucket"], shown["identity"], shown["job"], shown["task"]) == ("acme-exports", "e:e1", "j1", 0)
    assert shown["created_at"] == "2026-11-22T12:00:00+00:00"
    assert shown["committed_at"] == "2026-11-22T12:00:02.500000+00:00"


def test_a_key_is_shown_as_it_is_and_commands_nobodys_terminal(ran: Run) -> None:
    table = ran("objects", "flights").out
    assert "in/[bold]a[/bold] :smile: é\\x1b[31m.csv" in table
    assert "\x1b" not in table
    assert "2.5 s" in table
    assert "bad bytes" in table


def test_nothing_found_is_said(flights: Run) -> None:
    assert flights("history", "flights").out == "No jobs yet.\n"
    assert flights("objects", "flights").out == "No such objects.\n"
    assert flights("objects", "flights", "--json").out == ""


@pytest.mark.parametrize("command", ["history", "objects", "show", "delete"])
def test_a_mistyped_pipeline_is_an_error_that_names_the_right_ones(flights: Run, command: str) -> None:
    refused = flights(command, "fligths")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "Error: pipeline fligths: there is no pipeline of this name. There are: flights\n"


def test_a_deleted_pipeline_keeps_its_history(ran: Run) -> None:
    ran("delete", "flights")
    assert len(ran("history", "flights", "--json").out.splitlines()) == 2
    assert len(ran("objects", "flights", "--json").out.splitlines()) == 2
    assert ran("objects", "flights", "--prefix", "none/").out == "No such objects.\n"


def test_an_unknown_job_is_an_error_that_says_where_to_look(tidegate: Run) -> None:
    refused = tidegate("job", "nothing")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "Error: job nothing: there is no job of this id. `tidegate history` lists them\n"


def test_rows_that_left_the_table_are_no_objects_that_were_not_loaded(flights: Run) -> None:
    wiring.jobs().start(Job("u1", JobKind.UNDO, "flights", NOW, 1, 0, 0, {"undone": 2, "rows_out": 7}, NOW), [])
    (told,) = map(json.loads, flights("history", "flights", "--json").out.splitlines())
    assert (told["rows_out"], told["rejects_out"], told["not loaded"]) == (7, 0, {"undone": 2})
    table = flights("history", "flights").out
    assert "rows_out" in table
    assert "rejects_out" not in table


def test_what_is_long_stays_on_one_line(ran: Run) -> None:
    long = "the table stays as it was, since in/b.csv was not loaded: " + "why " * 40
    wiring.jobs().start(Job("j3", JobKind.SWEEP, "flights", NOW, 1, 0, 0, {"broken": 1}, NOW, long.strip()), [])
    assert f"error: '{long.strip()}'" in ran("job", "j3").out
