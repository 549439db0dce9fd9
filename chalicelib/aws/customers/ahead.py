"""Ahead: objects that are opened before they are asked for, several at once."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 16  # requests; obstore lets go of the GIL, and S3 takes some 20 ms for the first byte of each
WAITING = 16 << 20  # bytes of objects that were opened, or are about to be, before they are asked for
MOST = 64  # and how many of them: decoded, each may be as large as a MiB


def ahead(wanted: Iterable[tuple[int, Callable[[], T]]]) -> Generator[Callable[[], T], None, None]:
    """For each of `wanted`, an object's bytes and what opens it, what gives or raises what that did; in their order.

    The first are opened one by one, until one has shown that the way in is open: where it is shut, it is tried once,
    and whatever is found out on the way is known to those that go at the same time.
    """
    waiting: deque[tuple[int, Future[T]]] = deque()
    wanted = iter(wanted)
    yield from _until_one_is_open(wanted)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="object")
    try:
        held = 0
        for size, open_it in wanted:
            while waiting and (held + size > WAITING or len(waiting) >= MOST):
                held -= waiting[0][0]
                yield waiting.popleft()[1].result
            waiting.append((size, pool.submit(open_it)))
            held += size
        while waiting:
            yield waiting.popleft()[1].result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _until_one_is_open(wanted: Iterator[tuple[int, Callable[[], T]]]) -> Iterator[Callable[[], T]]:
    for _, open_it in wanted:
        done: Future[T] = Future()
        try:
            done.set_result(open_it())
        except Exception as error:
            done.set_exception(error)
        yield done.result
        if done.exception() is None:
            return
