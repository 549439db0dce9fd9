"""Which snapshots of a table may be forgotten.

Exactly-once looks for the tags of staged tasks in the table's history, newest first, so that the history must stay
whole back to the oldest staged task: what goes is always the oldest end of a branch, never something between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.config.maintenance import Maintenance

YOUNG = timedelta(hours=1)  # what is younger stays: readers may be at it, and clocks differ


@dataclass(frozen=True, slots=True)
class History:
    """The snapshots of a table by id: when each was made, and which one it follows."""

    made: Mapping[int, datetime]
    parents: Mapping[int, int | None]
    branches: Mapping[int, "Branch"]  # by their newest snapshot
    tags: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Branch:
    """What a branch itself asks to be kept, beyond the table's rules."""

    keep: int = 0  # snapshots
    age: timedelta = timedelta(0)


def expired(history: History, rules: Maintenance, *, now: datetime, needed_since: datetime) -> frozenset[int]:
    """The snapshots that go. Heads of branches and what tags name stay; so does what was made at or after
    `needed_since`, and whatever is younger than an hour."""
    floor = min(needed_since, now - YOUNG)
    aged = min(floor, now - timedelta(seconds=rules.snapshot_age))
    kept = set(history.tags)
    of_branches: set[int] = set()
    for head, branch in history.branches.items():
        line = _line(history, head)
        of_branches.update(line)
        kept.update(line[: _kept(history, line, branch, rules, floor=floor, aged=min(aged, now - branch.age))])
    loose = {id_ for id_, made in history.made.items() if id_ not in of_branches and made >= aged}
    return frozenset(history.made) - kept - loose


def _line(history: History, head: int) -> list[int]:
    """A branch's snapshots, newest first, as far as they are known."""
    line: list[int] = []
    id_: int | None = head
    while id_ is not None and id_ in history.made:
        line.append(id_)
        id_ = history.parents.get(id_)
    return line


def _kept(
    history: History, line: Sequence[int], branch: Branch, rules: Maintenance, *, floor: datetime, aged: datetime
) -> int:
    """How many of the line stay: up to the oldest one that some rule keeps."""
    asked = max(rules.keep_snapshots, branch.keep)
    stays = 0
    for number, id_ in enumerate(line, start=1):
        made = history.made[id_]
        if number <= asked or made >= floor or (number <= rules.max_snapshots and made >= aged):
            stays = number
    return stays
