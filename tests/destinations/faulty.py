"""A catalogue whose every call may go wrong: those to it, and those of a commit to the storage."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar

from pyiceberg.io import InputFile, OutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO

from tests.destinations.scripted import ScriptedCatalog


class Dead(BaseException):
    """The process is gone: no handler of ours runs any more."""


@dataclass
class Trouble:
    """Counts calls, and raises at one of them: before it takes effect, or after."""

    at: int
    error: Callable[[], BaseException]
    after: bool = False
    calls: int = 0
    happened: str = ""

    def meet(self, what: str, action: Callable[[], Any]) -> Any:
        with _LOCK:
            number, self.calls = self.calls, self.calls + 1
        if number != self.at:
            return action()
        self.happened = what
        if self.after:
            action()
        raise self.error()


_LOCK = Lock()


class FaultyIO(PyArrowFileIO):
    """The storage as the commit sees it."""

    trouble: ClassVar[Trouble | None] = None

    def new_input(self, location: str) -> InputFile:  # type: ignore[override]
        return self._meet(f"read {location}", lambda: super(FaultyIO, self).new_input(location))

    def new_output(self, location: str) -> OutputFile:  # type: ignore[override]
        return self._meet(f"write {location}", lambda: super(FaultyIO, self).new_output(location))

    def _meet(self, what: str, action: Callable[[], Any]) -> Any:
        return FaultyIO.trouble.meet(what, action) if FaultyIO.trouble else action()


class FaultyCatalog(ScriptedCatalog):
    """SQLite, with calls that count."""

    def __init__(self, name: str, **properties: str) -> None:
        super().__init__(name, **properties | {"py-io-impl": f"{FaultyIO.__module__}.{FaultyIO.__name__}"})

    def load_table(self, identifier: Any) -> Any:
        return self._meet("load", lambda: super(FaultyCatalog, self).load_table(identifier))

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        return self._meet("commit", lambda: super(FaultyCatalog, self).commit_table(*args, **kwargs))

    def _meet(self, what: str, action: Callable[[], Any]) -> Any:
        return FaultyIO.trouble.meet(what, action) if FaultyIO.trouble else action()
