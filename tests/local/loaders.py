"""Many loaders in one process, each a thread that takes tasks as a Lambda does: `python -m tests.local.loaders N GO`.

They begin together, once the file GO exists, and go on until they are ended.
"""

import os
import sys
import threading
import time
from pathlib import Path

from chalicelib.local.account import account_of
from chalicelib.local.invoker import Inline
from chalicelib.local.poller import Poller, open_queue
from chalicelib.local.project import Project
from chalicelib.local.stack import existing


def main() -> None:
    count, go = int(sys.argv[1]), Path(sys.argv[2])
    stack, project = existing(account_of(os.environ), os.environ["TIDEGATE_STACK"]), Project()
    source = next(each for each in project.queues(stack.name) if each.queue == stack.queue("tasks"))
    project.app()  # imported once, before there is a race

    def load() -> None:
        invoker = Inline(project, source.function, stack, os.environ, threading.Lock())
        poller = Poller(source, open_queue(stack, source.queue), invoker)
        while not go.exists():
            time.sleep(0.05)
        while True:
            poller.step()

    threads = [threading.Thread(target=load) for _ in range(count)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
