"""What lies in a lake in a folder. Sits the exam of its S3 twin in tests/contracts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chalicelib.core.orphans import Lying, OpenUpload
from chalicelib.errors import ConfigError
from tests.fakes.lake import FakeLake


@dataclass
class FakeLeftovers:
    lake: FakeLake
    warehouse: str
    held: set[str] = field(default_factory=set)  # files that cannot be deleted
    open: list[OpenUpload] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def files(self, folder: str) -> Iterator[Lying]:
        self._below(folder)
        top = self.lake.file(folder)
        for file in sorted(top.rglob("*")):
            if file.is_file():
                told = file.stat()
                path = f"{folder}/{file.relative_to(top).as_posix()}"
                yield Lying(path, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))

    def uploads(self, folder: str) -> Iterator[OpenUpload]:
        self._below(folder)
        yield from sorted(
            (each for each in self.open if each.path.startswith(f"{folder}/")), key=lambda each: each.path
        )

    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        for path in paths:
            self._below(path)
        for path in paths:
            if path not in self.held:
                self.lake.file(path).unlink(missing_ok=True)
                self.deleted.append(path)
        return dict.fromkeys(self.held & set(paths), "AccessDenied")

    def abort(self, upload: OpenUpload) -> None:
        self._below(upload.path)
        self.open = [each for each in self.open if each != upload]

    def _below(self, path: str) -> None:
        parts = path.removeprefix("s3://").removeprefix("file:///").split("/")
        if not path.startswith(f"{self.warehouse}/") or not all(parts) or ".." in parts:
            raise ConfigError("this is none of ours to list or to delete", where=path, remedy="Look elsewhere")
