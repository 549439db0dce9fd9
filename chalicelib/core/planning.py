"""Objects to tasks of a size that one Lambda can finish."""

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.config.source import MAX_TASK_FILES
from chalicelib.core.objects import ObjectRef

MAX_TASKS = 90  # of one job: it is stored with all its tasks in one transaction of at most 100 items
MAX_NAMES = 150_000  # bytes of keys: a task is one DynamoDB item of at most 400 KB, and names each key twice


def plan(
    objects: Iterable[ObjectRef], *, min_task_size: int, max_objects: int = MAX_TASK_FILES, alone: int | None = None
) -> Iterator[Sequence[ObjectRef]]:
    """Groups of objects, in the order given: each as small as it can be with at least `min_task_size` bytes.

    A group also ends at `max_objects`, and where its task document would outgrow what the store can hold (F29). An
    object of `alone` bytes or more has a group of its own: only so is it read in parts (W7).
    """
    group: list[ObjectRef] = []
    size = names = 0
    for ref in objects:
        name = len(ref.key.encode()) + 200
        is_large = alone is not None and ref.size >= alone
        if group and (is_large or len(group) == max_objects or names + name > MAX_NAMES):
            yield group
            group, size, names = [], 0, 0
        group.append(ref)
        size, names = size + ref.size, names + name
        if is_large or size >= min_task_size:
            yield group
            group, size, names = [], 0, 0
    if group:
        yield group
