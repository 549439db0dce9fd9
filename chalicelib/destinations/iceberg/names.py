"""Every file that a table names: in any snapshot that can still be read, and in its metadata."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table

READERS = 16  # manifests and manifest lists that are read at once


class Names:
    """The files that the table names; grows with every `again`, and never shrinks."""

    def __init__(self, load: Callable[[], Table]) -> None:
        self._load = load
        self._known: set[str] = set()  # manifest lists and manifests that were read
        self._names: set[str] = set()
        self.location = ""  # of the table, without a trailing slash
        self.again()

    def __contains__(self, path: object) -> bool:
        """True if the table names the file."""
        return isinstance(path, str) and plain(path) in self._names

    def again(self) -> None:
        """Look at the table as it is now; what was read before is not read again."""
        table = self._load()
        self.location = plain(table.location()).rstrip("/")
        self._names.update(map(plain, _of_metadata(table)))
        lists = [each for each in table.metadata.snapshots if each.manifest_list not in self._known]
        with ThreadPoolExecutor(READERS) as pool:
            manifests = {
                m.manifest_path: m for found in pool.map(lambda s: s.manifests(table.io), lists) for m in found
            }
            fresh = [manifest for path, manifest in manifests.items() if path not in self._known]
            for paths in pool.map(lambda manifest: _paths(table.io, manifest), fresh):
                self._names.update(paths)
        self._names.update(map(plain, manifests))
        self._known.update(manifests)
        self._known.update(snapshot.manifest_list for snapshot in lists)


def plain(path: str) -> str:
    """The path as our own listings write it: other engines say s3a or s3n."""
    return re.sub(r"^s3[an]://", "s3://", path)


def _of_metadata(table: Table) -> Iterator[str]:
    metadata = table.metadata
    yield table.metadata_location
    yield from (entry.metadata_file for entry in metadata.metadata_log)
    yield from (snapshot.manifest_list for snapshot in metadata.snapshots)
    yield from (each.statistics_path for each in (*metadata.statistics, *metadata.partition_statistics))


def _paths(table_io: FileIO, manifest: ManifestFile) -> list[str]:
    """The files that are alive in it."""
    return [plain(entry.data_file.file_path) for entry in manifest.fetch_manifest_entry(table_io)]
