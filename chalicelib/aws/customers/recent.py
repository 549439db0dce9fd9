"""Recent: what is costly to make, as much of it as is likely to be wanted again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Made = TypeVar("Made")


class Recent(Generic[Key, Made]):
    """Keeps `limit` things, and forgets the one that was not asked for the longest. Threads may share one."""

    def __init__(self, limit: int) -> None:
        self._limit, self._kept, self._lock = limit, OrderedDict[Key, Made](), Lock()

    def get(self, key: Key, make: Callable[[], Made]) -> Made:
        """What is kept under the key, else what `make` gives; two threads may both make one, and get the same."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return kept

    def __len__(self) -> int:
        return len(self._kept)
