"""A runtime that kills itself, as `kill -9` does, just before its Nth call to AWS. `python -m tests.local.mortal N`

The functions run in this very process, so that nothing of them survives. With N = 0 it lives until it is ended.
"""

import os
import signal
import sys
import time
from typing import Any

from chalicelib import wiring
from chalicelib.local.account import account_of
from chalicelib.local.project import Project
from chalicelib.local.runtime import Runtime
from chalicelib.local.stack import existing


def main() -> None:
    last = int(sys.argv[1])
    calls = 0

    def count(request: Any, **_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)

    wiring.sessions().base.register("before-send", count)
    stack = existing(account_of(os.environ), os.environ["TIDEGATE_STACK"])
    with Runtime(Project(), stack, workers=0, tick=1.0):
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
