"""A lake that forgets what is written."""

from chalicelib.core.tasks import Upload
from chalicelib.destinations.ports import Sink
from tests.fakes.lake import FakeLake


class Discard(FakeLake):
    """Files that nobody reads, for tests of memory."""

    def create(self, path: str, *, hidden: bool) -> Sink:  # type: ignore[override]
        self.created.append(path)
        return Nothing()


class Nothing:
    def write(self, data: bytes) -> int:
        return len(data)

    def finish(self) -> Upload | None:
        return None

    def abort(self) -> None:
        return
