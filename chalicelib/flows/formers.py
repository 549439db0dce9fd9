"""What goes from a table as a task's rows come: asked of the ledger, whose claims say whose turn it is."""

from collections.abc import Iterable, Mapping

from chalicelib.core import ledger as rules
from chalicelib.core import withdrawal
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.tasks import Former, Outcome, OutcomeKind, Task
from chalicelib.flows.ports import Ledger

Claims = Mapping[str, Entry]  # by key


def claims_of(ledger: Ledger, task: Task) -> Claims:
    """What the ledger says of the task's members; not asked where nothing comes or goes."""
    return claims_of_all(ledger, [task])[task.id]


def claims_of_all(ledger: Ledger, tasks: Iterable[Task]) -> dict[str, Claims]:
    """`claims_of` for each task, by its id; asked for all of a pipeline at once."""
    asked: dict[str, list[Task]] = {}
    for task in tasks:
        asked.setdefault(task.pipeline, []).append(task)
    found: dict[str, Claims] = {}
    for pipeline, some in asked.items():
        keys = {member.key for task in some if _asks(task) for member in task.members}
        entries = ledger.get(pipeline, keys) if keys else {}
        for task in some:
            mine = (member.key for member in task.members if _asks(task))
            found[task.id] = {key: entries[key] for key in mine if key in entries}
    return found


def owned(task: Task, entry: Entry | None) -> bool:
    """True if the claim is this task's still."""
    return entry is not None and entry.state is State.CLAIMED and entry.owner == Owner(task.job, task.number)


def formers(task: Task, claims: Claims, *, rejects: bool = False) -> tuple[Former, ...]:
    """What goes as the task's rows come; of the rejects table also where bad rows are all there is to show."""
    if task.staged is None or task.staged.out is None:
        return ()
    replacing = task.staged.out.overwrite == "replace"
    found = ((outcome, claims.get(outcome.key)) for outcome in task.staged.outcomes)
    return tuple(
        Former(entry.ref.bucket, entry.key, identity)
        for outcome, entry in found
        if entry is not None and owned(task, entry)
        for identity in _identities(outcome, entry, replacing=replacing, rejects=rejects)
    )


def _identities(outcome: Outcome, entry: Entry, *, replacing: bool, rejects: bool) -> tuple[str | None, ...]:
    """Of an object that leaves, as long as it does; else what its new rows replace."""
    if outcome.kind is OutcomeKind.REMOVED:
        return withdrawal.formers(entry) if entry.leaving is not None else ()
    if outcome.kind is OutcomeKind.LOADED or (rejects and outcome.rejects):
        return rules.formers(entry, replacing=replacing)
    return ()


def _asks(task: Task) -> bool:
    return task.staged is not None and any(_moves(outcome) for outcome in task.staged.outcomes)


def _moves(outcome: Outcome) -> bool:
    return bool(outcome.rows or outcome.rejects or outcome.read_at or outcome.kind is OutcomeKind.REMOVED)
