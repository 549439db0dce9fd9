"""Refusals to the ledger: what is not loaded is remembered with its reason (P2)."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import ledger as rules
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import UNRECORDED, Reason
from chalicelib.errors import SourceUnavailable
from chalicelib.flows.ports import Ledger


def record(ledger: Ledger, pipeline: Pipeline, refused: Mapping[ObjectRef, Reason], *, now: datetime) -> None:
    """Remember each refusal that cannot be recomputed from the pipeline alone.

    Where overwrites replace, an object that is empty now takes the rows of its key out; the tick sees to it.

    Raises SourceUnavailable if somebody else wrote the same entries; the message or turn comes again.
    """
    wanted = {ref: reason for ref, reason in refused.items() if reason not in UNRECORDED}
    if not wanted:
        return
    known = ledger.get(pipeline.name, [ref.key for ref in wanted])
    refuse = partial(rules.refuse, now=now, replacing=empties(pipeline.out))
    entries = [refuse(known.get(ref.key), ref, pipeline.name, reason) for ref, reason in wanted.items()]
    if ledger.swap([entry for entry in entries if entry is not None]):
        raise SourceUnavailable("somebody else wrote the same entries", where=f"ledger of {pipeline.name}")


def empties(out: Iceberg | Parquet) -> bool:
    """True if an object that is empty now takes the rows of its key out."""
    return out.overwrite == "replace" and not out.replaces
