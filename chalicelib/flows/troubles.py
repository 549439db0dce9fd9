"""Steps of which none may keep the others waiting (P6)."""

from collections.abc import Callable, Iterable

from chalicelib.errors import TidegateError
from chalicelib.flows.ports import Metrics


def try_all(steps: Iterable[Callable[[], object]], metrics: Metrics) -> None:
    """Take every step, whatever becomes of the ones before; the first trouble is raised at the end."""
    troubles: list[TidegateError] = []
    for step in steps:
        try:
            step()
        except TidegateError as error:
            metrics.count("TickTroubles", 1)
            troubles.append(error)
    if troubles:
        raise troubles[0]
