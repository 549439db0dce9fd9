"""Objects opened before they are asked for."""

from collections.abc import Callable
from threading import Event, Lock, current_thread

import pytest

from chalicelib.aws.customers import ahead as rules
from chalicelib.aws.customers.ahead import ahead
from chalicelib.errors import AccessDenied


class Openings:
    """Counts what is going on."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.begun: list[int] = []
        self.threads: set[str] = set()

    def of(self, number: int, fails: bool = False) -> Callable[[], int]:
        def open_it() -> int:
            with self.lock:
                self.begun.append(number)
                self.threads.add(current_thread().name)
            if fails:
                raise AccessDenied("no", where=str(number))
            return number

        return open_it


def test_everything_comes_in_order_and_each_error_where_it_belongs() -> None:
    openings = Openings()
    given: list[object] = []
    for result in ahead((1, openings.of(number, fails=number % 7 == 3)) for number in range(300)):
        try:
            given.append(result())
        except AccessDenied as error:
            given.append(error.where)
    assert given == [str(number) if number % 7 == 3 else number for number in range(300)]
    assert sorted(openings.begun) == list(range(300))


def test_they_are_opened_by_several_threads_once_one_has_been_opened() -> None:
    openings, many = Openings(), Event()

    def opened() -> int:
        many.set()
        return 1

    def waits() -> int:
        assert many.wait(10), "another thread goes on meanwhile"
        return 0

    results = ahead([(1, openings.of(0)), (1, waits), (1, opened)])
    assert next(results)() == 0
    assert openings.threads == {current_thread().name}
    assert [result() for result in results] == [0, 1]


def test_a_way_in_that_is_shut_is_tried_once_at_a_time() -> None:
    openings = Openings()
    results = ahead((1, openings.of(number, fails=True)) for number in range(5))
    for number in range(3):
        with pytest.raises(AccessDenied):
            next(results)()
        assert openings.begun == list(range(number + 1)), "nobody has asked for the next"
    results.close()


@pytest.mark.parametrize("size", [1, rules.WAITING // 4, 2 * rules.WAITING])
def test_no_more_are_opened_ahead_than_fit(size: int) -> None:
    openings = Openings()
    asked: list[int] = []

    def wanted() -> object:
        for number in range(500):
            asked.append(number)
            yield size, openings.of(number)

    results = ahead(wanted())  # type: ignore[arg-type]
    for taken in range(1, 200):
        next(results)()
        waiting = len(asked) - taken
        assert waiting <= max(1, min(rules.MOST, rules.WAITING // size)) + 1
    results.close()


def test_who_stops_early_waits_for_nobody() -> None:
    openings, never = Openings(), Event()
    results = ahead([(1, openings.of(0)), (1, openings.of(1)), *((1, never.wait) for _ in range(40))])
    assert [next(results)(), next(results)()] == [0, 1]
    results.close()
    never.set()
