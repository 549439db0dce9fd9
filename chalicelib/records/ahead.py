"""Work on several items at once, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 2  # what a Lambda of 1.8 to 3.5 GB can run; Arrow lets go of the GIL while it parses


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work(item)` for each item, in the items' order; at most THREADS + 1 items are alive at any time."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
