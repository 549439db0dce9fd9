"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def soon(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether `condition` comes true; the limit is far beyond what it takes, so that it times nothing."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
