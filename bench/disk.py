"""Tidegate's own bucket on the local disk, for what is measured or compared without AWS."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chalicelib.core.tasks import Upload


@dataclass
class DiskLake:
    """Tidegate's own bucket, as a folder."""

    root: Path

    def create(self, path: str, *, hidden: bool) -> "DiskSink":
        file = self.root / path.removeprefix("s3://")
        file.parent.mkdir(parents=True, exist_ok=True)
        return DiskSink(file.open("wb"))

    def publish(self, path: str, upload: Upload) -> None:
        """Nothing is hidden here."""

    def exists(self, paths: Sequence[str]) -> frozenset[str]:
        return frozenset(paths)


@dataclass
class DiskSink:
    file: BinaryIO

    def write(self, data: bytes) -> int:
        return self.file.write(data)

    def finish(self) -> None:
        self.file.close()

    def abort(self) -> None:
        self.file.close()
