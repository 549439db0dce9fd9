"""Behind: one job at a time, done while its caller goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress


class Behind:
    """Parquet is written in a thread of its own while the next rows are parsed; one row group at most is under way."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._job: Future[None] | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Begin the job once the one before it is done. Raises what that one has raised."""
        self.settle()
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._job = self._pool.submit(job)

    def settle(self) -> None:
        """Wait for the job. Raises what it has raised, once."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def end(self) -> None:
        """Wait for the job, whatever becomes of it, and let the thread go; another job begins a new one."""
        with suppress(Exception):
            self.settle()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
