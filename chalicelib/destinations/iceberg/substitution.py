"""Files in the place of others, with the same rows: the operation `replace` of Iceberg."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.typedef import EMPTY_DICT

from chalicelib.destinations.iceberg.once import Once
from chalicelib.destinations.iceberg.swap import Swap, known_as

SMALL = 256 * 1024  # bytes of a manifest; such become few


class Substitution(Swap):
    """A swap that changes no row. Readers of increments skip it, and small manifests become few at the same time."""

    def __init__(
        self, change: Once, table_io: FileIO, come: Sequence[DataFile], properties: Mapping[str, str] = EMPTY_DICT
    ) -> None:
        super().__init__(change, table_io, come, properties)
        self._entries: defaultdict[tuple[int, bool], list[ManifestEntry]] = defaultdict(list)  # by spec; True: they go

    def _touches(self, manifest: ManifestFile) -> bool:
        small = manifest.content == ManifestContent.DATA and manifest.manifest_length < SMALL
        return small or super()._touches(manifest)

    def _changed(self, manifest: ManifestFile, found: list[ManifestEntry]) -> list[ManifestFile]:
        """Nothing yet: what stays of all manifests is written together."""
        paths = self._gone.get(manifest.manifest_path, set())
        for entry in found:
            goes = entry.data_file.file_path in paths
            if goes:
                self._metrics.remove_file(entry.data_file)
                entry = known_as(ManifestEntryStatus.DELETED, entry, self._snapshot_id)
            else:
                entry = known_as(ManifestEntryStatus.EXISTING, entry, entry.snapshot_id)
            self._entries[manifest.partition_spec_id, goes].append(entry)
        return []

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        gathered = (each for (spec_id, _), some in self._entries.items() for each in self._written(spec_id, some))
        return [*manifests, *gathered]

    def _summary(self, snapshot_properties: Mapping[str, str] = EMPTY_DICT) -> Summary:
        counted = super()._summary(snapshot_properties)  # as an overwrite: pyiceberg counts no `replace`
        return Summary(Operation.REPLACE, **counted.additional_properties)
