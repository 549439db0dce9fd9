"""pyiceberg's access to files, with as few calls of S3 as a small file needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from pyarrow.fs import FileSystem
from pyiceberg.io import S3_RETRY_STRATEGY_IMPL, OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

NAME = f"{__name__}.LakeFiles"  # for the catalogue's property `py-io-impl`

_OPTIONS = ("s3.", "client.")  # what pyiceberg makes a file system of


@dataclass
class _Kept:
    """The file systems used last: a catalogue that gives out keys brings others again and again."""

    most: int
    found: dict[tuple[object, ...], FileSystem] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def get(self, key: tuple[object, ...], make: Callable[[], FileSystem]) -> FileSystem:
        with self.lock:
            kept = self.found.pop(key, None)
            self.found[key] = found = make() if kept is None else kept
            while len(self.found) > self.most:
                del self.found[next(iter(self.found))]
            return found


_KEPT = _Kept(8)


class LakeFiles(PyArrowFileIO):
    """Arrow's files, where a new small one is one PutObject.

    Arrow opens an upload in parts for any file, which is three calls in a row; pyiceberg asks before it whether there
    is such a file, which is two more, although it names all of its files at random. Of the 21 calls of S3 that a
    commit of one task made, 9 were these (bench/bench_control.py).
    """

    def new_output(self, location: str) -> "_NewFile":
        """A file to be written, over whatever is there."""
        scheme, netloc, path = self.parse_location(location, self.properties)
        return _NewFile(location, path, self.fs_by_scheme(scheme, netloc))

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:
        """One for all tables with the same options.

        pyiceberg makes one each time that it loads a table, with connections of its own: a hundred commits held 500
        open before they were collected, and a function may have 1,024.
        """
        options = ((name, str(value)) for name, value in self.properties.items() if name.startswith(_OPTIONS))
        return _KEPT.get((netloc, *sorted(options)), lambda: self._made(netloc))

    def _made(self, netloc: str | None) -> FileSystem:
        """As pyiceberg makes it, with the one option of Arrow's that it cannot be told."""
        made = super()._initialize_s3_fs(netloc)
        if S3_RETRY_STRATEGY_IMPL in self.properties:  # which Arrow does not tell of a file system
            return made
        again, (options,) = made.__reduce__()
        return again({**options, "allow_delayed_open": True})


class _NewFile(PyArrowFile):
    def create(self, overwrite: bool = True) -> OutputStream:
        """Opened for writing; nobody else knows its name."""
        return super().create(overwrite=True)
