"""Being first to take an object: the ledger's verdicts, applied until they hold."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core import withdrawal
from chalicelib.core.ledger import Contested, Entry, Owner, Skipped, Verdict, Won
from chalicelib.core.objects import ObjectRef
from chalicelib.core.repeats import settled
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import tombstone
from chalicelib.errors import Throttled
from chalicelib.flows.ports import Jobs, Ledger

EMPTY: Mapping[str, Entry] = MappingProxyType({})
ROUNDS = 8  # each lost round means that somebody else won something


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a job won, in the order asked, and why it did not win the rest."""

    won: Mapping[Owner, Sequence[ObjectRef]]
    skipped: Mapping[str, Reason]


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims objects for the tasks of one job."""

    ledger: Ledger
    jobs: Jobs
    lease: timedelta
    leaving: bool = False  # to take their rows out, not to load them

    def take(self, pipeline: Pipeline, wanted: Mapping[Owner, Sequence[ObjectRef]], *, now: datetime) -> Claimed:
        """Claim each object for the task that is to load it; safe to repeat with the same arguments.

        An expired claim is taken over only after its task was found to be over, or was buried (protocol, step 3).
        """
        turn = _Turn({ref.key: (owner, ref) for owner, refs in wanted.items() for ref in refs})
        dead: set[Owner] = set()
        for _ in range(ROUNDS):
            verdicts = self._verdicts(pipeline, turn.undecided, now, dead)
            contested = {verdict.owner for verdict in verdicts.values() if isinstance(verdict, Contested)}
            dead |= {owner for owner in contested if self._is_over(owner, pipeline.name, now)}
            verdicts = {key: _resolved(verdict, dead) for key, verdict in verdicts.items()}
            writes = [entry for entry in map(_write, verdicts.values()) if entry is not None]
            lost = self.ledger.swap(writes) if writes else frozenset[str]()
            turn.settle({key: verdict for key, verdict in verdicts.items() if key not in lost})
            if not turn.undecided:
                return Claimed(turn.won, turn.skipped)
        raise Throttled(
            f"{len(turn.undecided)} objects changed hands {ROUNDS} times", where=f"ledger of {pipeline.name}"
        )

    def _verdicts(
        self, pipeline: Pipeline, undecided: Mapping[str, tuple[Owner, ObjectRef]], now: datetime, dead: Set[Owner]
    ) -> dict[str, Verdict]:
        entries = self.ledger.get(pipeline.name, undecided.keys())
        if self.leaving:
            return {
                key: withdrawal.take(entries.get(key), ref, owner, now=now, lease=self.lease, dead=dead)
                for key, (owner, ref) in undecided.items()
            }
        verdicts = {
            key: rules.claim(
                entries.get(key),
                ref,
                pipeline.name,
                owner,
                now=now,
                lease=self.lease,
                dead=dead,
                ignore_overwrites=pipeline.out.overwrite == "ignore",
                again=pipeline.out.replaces,
            )
            for key, (owner, ref) in undecided.items()
        }
        if pipeline.out.replaces:
            return verdicts  # whatever was there goes
        findable = pipeline.out.finds_rows_again
        return {key: settled(verdict, findable=findable, now=now) for key, verdict in verdicts.items()}

    def _is_over(self, owner: Owner, pipeline: str, now: datetime) -> bool:
        return self.jobs.bury(tombstone(owner.job, owner.task, pipeline, now=now))


def rewrite(
    ledger: Ledger,
    pipeline: str,
    keys: Collection[str],
    change: Callable[[Entry], Entry | None],
    known: Mapping[str, Entry] = EMPTY,
) -> None:
    """Store what `change` makes of each entry, again and again where somebody wrote in between.

    `known`: entries as they were a moment ago; those are read only if they are others by now.
    """
    left, seen = frozenset(keys), {key: known[key] for key in keys if key in known}
    for _ in range(ROUNDS):
        unseen = left - seen.keys()
        entries = [*seen.values(), *(ledger.get(pipeline, unseen).values() if unseen else ())]
        changed = [change(entry) for entry in entries]
        left, seen = ledger.swap([entry for entry in changed if entry is not None]), {}
        if not left:
            return
    raise Throttled(f"{len(left)} entries changed {ROUNDS} times", where=f"ledger of {pipeline}")


@dataclass(slots=True)
class _Turn:
    """The state of one `take`: what is not decided yet, and what is."""

    undecided: dict[str, tuple[Owner, ObjectRef]]
    won: dict[Owner, list[ObjectRef]] = field(default_factory=dict)
    skipped: dict[str, Reason] = field(default_factory=dict)

    def settle(self, verdicts: Mapping[str, Verdict]) -> None:
        """Take in verdicts that hold; what is still contested stays undecided."""
        for key, verdict in verdicts.items():
            if isinstance(verdict, Contested):
                continue
            owner, _ = self.undecided.pop(key)
            if isinstance(verdict, Won):
                self.won.setdefault(owner, []).append(verdict.entry.ref)
            else:
                self.skipped[key] = verdict.reason


def _resolved(verdict: Verdict, dead: Set[Owner]) -> Verdict:
    """A contested claim whose task lives is held, and renewed so that nobody asks again soon."""
    if isinstance(verdict, Contested) and verdict.owner not in dead:
        return Skipped(Reason.HELD, write=verdict.alive)
    return verdict


def _write(verdict: Verdict) -> Entry | None:
    match verdict:
        case Won(entry, write=True):
            return entry
        case Skipped(_, write=entry):
            return entry
        case _:
            return None
