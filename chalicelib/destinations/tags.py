"""How a commit says whose rows it holds: task ids as one snapshot property.

JSON, job by job, with numbers in ranges: `{"a91f…":"0-3,7","b04c…":"0"}`. A backfill's ten thousand tasks are one
range; a hundred arrivals of one task each take 3 KB. People and `jq` can read it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable

PROPERTY = "tidegate.tasks"


def encode(task_ids: Iterable[str]) -> str:
    """The property's value for ids like `job/number`."""
    jobs = defaultdict(list)
    for task_id in task_ids:
        job, _, number = task_id.rpartition("/")
        jobs[job].append(int(number))
    return json.dumps({job: _ranges(sorted(set(jobs[job]))) for job in sorted(jobs)}, separators=(",", ":"))


def found(task_ids: Iterable[str], value: str) -> frozenset[str]:
    """Those of the ids that the property's value names."""
    jobs: dict[str, str] = json.loads(value)
    return frozenset(task_id for task_id in task_ids if _names(jobs, task_id))


def _names(jobs: dict[str, str], task_id: str) -> bool:
    job, _, number = task_id.rpartition("/")
    spans = (span.partition("-") for span in jobs.get(job, "").split(",") if span)
    return any(int(first) <= int(number) <= int(last or first) for first, _, last in spans)


def _ranges(numbers: list[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
