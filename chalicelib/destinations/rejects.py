"""Rows set aside by one attempt of one task: a file of JSON Lines in Tidegate's own bucket, named on the task.

Written as they come, so memory is bounded; an attempt without bad rows makes no file.
"""

import json
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.core.objects import ObjectRef
from chalicelib.destinations.ports import Lake, Sink


@dataclass(frozen=True, slots=True)
class Rejects:
    """Begins an attempt's file."""

    lake: Lake
    root: str  # URI without a trailing slash

    def __call__(self, task_id: str, attempt: int) -> "RejectFile":
        """The file of this attempt; no attempt can write another's."""
        return RejectFile(self.lake, f"{self.root}/{task_id}/{attempt}-{uuid4().hex}.jsonl")


@dataclass(slots=True)
class RejectFile:
    """One attempt's bad rows."""

    lake: Lake
    path: str
    sink: Sink | None = None

    def add(self, ref: ObjectRef, line: int | None, reason: str, text: str) -> None:
        """Set one row aside: where it stood, why, and what it said (F65)."""
        if self.sink is None:
            self.sink = self.lake.create(self.path, hidden=False)
        record = {
            "bucket": ref.bucket,
            "key": ref.key,
            "identity": ref.identity,
            "line": line,
            "reason": reason,
            "text": text,
        }
        self.sink.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def finish(self) -> str | None:
        """Where the rows are, or None if there were none."""
        if self.sink is None:
            return None
        self.sink.finish()
        return self.path

    def abandon(self) -> None:
        """Forget the file."""
        if self.sink is not None:
            self.sink.abort()
            self.sink = None
