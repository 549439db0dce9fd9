"""A lake in a folder. `file://` paths are used as they are; `s3://bucket/key` lies at `<root>/bucket/key`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from chalicelib.core.tasks import Upload
from chalicelib.errors import StagedFileMissing


@dataclass(slots=True)
class FakeLake:
    """Hidden files wait in `uploads`, open ones count in `open_sinks`."""

    root: Path
    uploads: dict[str, bytes] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    open_sinks: int = 0
    _ids: "count[int]" = field(default_factory=count)

    def create(self, path: str, *, hidden: bool) -> "FakeSink":
        self.created.append(path)
        self.open_sinks += 1
        return FakeSink(self, path, hidden)

    def publish(self, path: str, upload: Upload) -> None:
        data = self.uploads.pop(upload.upload_id, None)
        if data is not None:
            self.put(path, data)
        elif not self.file(path).exists():
            raise StagedFileMissing("the staged file is gone", where=path, remedy="Replay the job")

    def exists(self, paths: Sequence[str]) -> frozenset[str]:
        return frozenset(path for path in paths if self.file(path).exists())

    def file(self, path: str) -> Path:
        return Path(path.removeprefix("file://")) if path.startswith("file://") else self.root / path[5:]

    def read(self, path: str) -> bytes:
        return self.file(path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        """At one instant, as S3 does."""
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        half = self.file(path).with_name(f".{self.file(path).name}.half")
        half.write_bytes(data)
        half.rename(self.file(path))

    def next_id(self) -> str:
        return f"upload-{next(self._ids)}"


@dataclass(slots=True)
class FakeSink:
    lake: FakeLake
    path: str
    hidden: bool
    data: bytearray = field(default_factory=bytearray)
    upload: Upload | None = None
    open: bool = True

    def write(self, data: bytes) -> int:
        assert self.open, "written after its end"
        self.data += data
        return len(data)

    def finish(self) -> Upload | None:
        self._close()
        if not self.hidden:
            self.lake.put(self.path, bytes(self.data))
            return None
        self.upload = Upload(self.lake.next_id(), ("etag",))
        self.lake.uploads[self.upload.upload_id] = bytes(self.data)
        return self.upload

    def abort(self) -> None:
        self._close()
        if self.upload is not None:
            self.lake.uploads.pop(self.upload.upload_id, None)

    def _close(self) -> None:
        self.lake.open_sinks -= self.open
        self.open = False
