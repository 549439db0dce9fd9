"""The files that a table's current snapshot names, found without reading any of them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, ManifestContent, ManifestEntry, ManifestFile
from pyiceberg.table.delete_file_index import DeleteFileIndex
from pyiceberg.table.metadata import TableMetadata

_MANIFESTS = 8  # read at once; one of the usual 8 MiB holds about 20,000 files


@dataclass(frozen=True, slots=True)
class Live:
    """A data file of the current snapshot."""

    manifest: ManifestFile
    entry: ManifestEntry
    deletes: frozenset[DataFile] = frozenset()  # files by which other engines took some of its rows out
    by_value: bool = False  # some of them tell the rows by their values, which nobody here can read

    @property
    def file(self) -> DataFile:
        """What the manifest says of it."""
        return self.entry.data_file


def live(table_io: FileIO, metadata: TableMetadata, wanted: Callable[[DataFile], bool]) -> list[Live]:
    """The wanted data files, each with the deletes of other engines that belong to it.

    Memory is that of the wanted files and of a few manifests.
    """
    snapshot = metadata.current_snapshot()
    manifests = snapshot.manifests(table_io) if snapshot is not None else []
    data = [manifest for manifest in manifests if manifest.content == ManifestContent.DATA]
    found = [
        Live(manifest, entry)
        for manifest, entries in _read(table_io, data)
        for entry in entries
        if wanted(entry.data_file)
    ]
    deletes = [manifest for manifest in manifests if manifest.content == ManifestContent.DELETES]
    return (
        _with_deletes(found, [entry for _, entries in _read(table_io, deletes) for entry in entries]) if found else []
    )


def entries(table_io: FileIO, manifests: Iterable[ManifestFile]) -> Iterator[list[ManifestEntry]]:
    """What still counts of each manifest, in their order."""
    return (found for _, found in _read(table_io, list(manifests)))


def _read(table_io: FileIO, manifests: list[ManifestFile]) -> Iterator[tuple[ManifestFile, list[ManifestEntry]]]:
    with ThreadPoolExecutor(_MANIFESTS) as pool:
        for start in range(0, len(manifests), _MANIFESTS):
            some = manifests[start : start + _MANIFESTS]
            yield from zip(some, pool.map(lambda each: each.fetch_manifest_entry(table_io), some), strict=True)


def _with_deletes(found: list[Live], deletes: list[ManifestEntry]) -> list[Live]:
    if not deletes:
        return found
    positions, values = DeleteFileIndex(), []
    for entry in deletes:
        if entry.data_file.content == DataFileContent.POSITION_DELETES:
            positions.add_delete_file(entry, entry.data_file.partition)
        else:
            values.append(entry.sequence_number or 0)
    newest = max(values, default=0)
    return [
        Live(
            each.manifest,
            each.entry,
            frozenset(positions.for_data_file(each.entry.sequence_number or 0, each.file, each.file.partition)),
            newest > (each.entry.sequence_number or 0),
        )
        for each in found
    ]
