"""One snapshot in which files come and files go."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile
from pyiceberg.table.snapshots import Operation, Summary, UpdateMetrics, update_snapshot_summaries
from pyiceberg.table.update.snapshot import _MergeAppendFiles
from pyiceberg.typedef import EMPTY_DICT

from chalicelib.destinations.iceberg.contents import Live, entries
from chalicelib.destinations.iceberg.once import Once

_ENTRIES = 2_000  # of one manifest: it is written again when one of its files goes, at 0.1 ms an entry


class Swap(_MergeAppendFiles):
    """One snapshot: some files come, others go, at the same instant for every reader.

    pyiceberg's own overwrite knows only the table's current partition spec, reads every manifest twice, and never
    merges manifests; its delete is a snapshot of its own. This one opens the manifests of the files that go, and no
    other: an append opens none.
    """

    def __init__(
        self, change: Once, table_io: FileIO, come: Sequence[DataFile], properties: Mapping[str, str] = EMPTY_DICT
    ) -> None:
        super().__init__(Operation.APPEND, change, table_io, snapshot_properties=dict(properties))
        self._added_data_files = list(come)
        self._gone: dict[str, set[str]] = {}  # paths of files by the path of their manifest
        self._everything = False
        self._metrics = UpdateMetrics()

    def without(self, gone: Iterable[Live]) -> "Swap":
        """These files go."""
        for each in gone:
            self._gone.setdefault(each.manifest.manifest_path, set()).add(each.file.file_path)
        self._operation = self._kind(bool(self._gone))
        return self

    def without_everything(self) -> "Swap":
        """All files go, whatever partitions they are in, and the deletes that other engines have made."""
        self._everything = True
        self._operation = self._kind(self._parent_snapshot_id is not None)
        return self

    def _kind(self, goes: bool) -> Operation:
        if not goes:
            return Operation.APPEND
        return Operation.OVERWRITE if self._added_data_files else Operation.DELETE

    def _manifests(self) -> list[ManifestFile]:
        for file in self._added_data_files:
            self._metrics.add_file(file)
        snapshot = self._transaction.table_metadata.snapshot_by_name(self._target_branch)
        before = snapshot.manifests(self._io) if snapshot is not None else []
        touched = [each for each in before if self._touches(each)]
        kept = [each for each in before if not self._touches(each)]
        kept = [each for each in kept if each.has_added_files() or each.has_existing_files()]
        changed = chain.from_iterable(
            self._changed(manifest, found) for manifest, found in zip(touched, entries(self._io, touched), strict=True)
        )
        return self._process_manifests([*self._come(), *changed, *kept])

    def _touches(self, manifest: ManifestFile) -> bool:
        return self._everything or manifest.manifest_path in self._gone

    def _changed(self, manifest: ManifestFile, found: list[ManifestEntry]) -> list[ManifestFile]:
        """The manifest without the files that go, and one that names those."""
        paths = self._gone.get(manifest.manifest_path, set())
        stays, goes = [], []
        for entry in found:
            if self._everything or entry.data_file.file_path in paths:
                self._metrics.remove_file(entry.data_file)
                goes.append(known_as(ManifestEntryStatus.DELETED, entry, self._snapshot_id))
            else:
                stays.append(known_as(ManifestEntryStatus.EXISTING, entry, entry.snapshot_id))
        if manifest.content == ManifestContent.DELETES:  # of which pyiceberg can write none
            return []
        return [*self._written(manifest.partition_spec_id, stays), *self._written(manifest.partition_spec_id, goes)]

    def _come(self) -> list[ManifestFile]:
        by_spec: dict[int, list[ManifestEntry]] = defaultdict(list)
        for file in self._added_data_files:
            added = ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED,
                snapshot_id=self._snapshot_id,
                sequence_number=None,
                file_sequence_number=None,
                data_file=file,
            )
            by_spec[file.spec_id].append(added)
        return [manifest for spec_id, some in by_spec.items() for manifest in self._written(spec_id, some)]

    def _written(self, spec_id: int, some: Sequence[ManifestEntry]) -> Iterator[ManifestFile]:
        for start in range(0, len(some), _ENTRIES):
            with self.new_manifest_writer(self.spec(spec_id)) as writer:
                for entry in some[start : start + _ENTRIES]:
                    writer.add_entry(entry)
            yield writer.to_manifest_file()

    def _summary(self, snapshot_properties: Mapping[str, str] = EMPTY_DICT) -> Summary:
        before = self._transaction.table_metadata.snapshot_by_name(self._target_branch)
        return update_snapshot_summaries(
            summary=Summary(operation=self._operation, **self._metrics.to_dict(), **snapshot_properties),
            previous_summary=before.summary if before is not None else None,
        )


def known_as(status: ManifestEntryStatus, entry: ManifestEntry, snapshot_id: int | None) -> ManifestEntry:
    """The entry of a file that is there already, in its new standing."""
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot_id,
        sequence_number=entry.sequence_number,
        file_sequence_number=entry.file_sequence_number,
        data_file=entry.data_file,
    )
