"""Files on this machine that stand in for objects of a bucket."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from chalicelib import wiring
from chalicelib.config.parsers.objects import Objects
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ConfigError, DecodeError
from chalicelib.flows.guess import Opened
from chalicelib.flows.preview import Look
from chalicelib.records.stream import Entry, Setting, open_rows


class FileBody(io.FileIO):
    """A file as a body."""

    encoding: str | None = None  # files have no Content-Encoding

    @property
    def size(self) -> int:
        """In bytes."""
        return os.fstat(self.fileno()).st_size


def opened(files: Sequence[Path]) -> Iterator[Opened]:
    """The files, to be guessed from. Raises ConfigError for one that cannot be read."""
    for file in files:
        body = _body(file)
        yield Opened(str(file), body.size, body)


def looks(files: Sequence[Path], pipeline: Pipeline) -> Iterator[Look]:
    """The files' rows by this pipeline. Raises ConfigError for one that cannot be read."""
    if isinstance(pipeline.source.parser, Objects):
        raise ConfigError("type: objects is about objects of a bucket", remedy="Leave --sample out")
    return ((str(file), partial(_entries, file, pipeline)) for file in files)


@contextmanager
def _entries(file: Path, pipeline: Pipeline, breaks: list[DecodeError]) -> Iterator[Iterator[Entry]]:
    with closing(_body(file)) as body:
        written = datetime.fromtimestamp(os.fstat(body.fileno()).st_mtime, UTC)
        ref = ObjectRef(pipeline.source.bucket, file.as_posix(), "", body.size, written)
        setting = Setting(ref, wiring.now(), lambda name: wiring.secrets()(name))
        change = pipeline.out.schema_change
        yield open_rows(body, pipeline.source, pipeline.filters, setting, change=change, breaks=breaks)


def _body(file: Path) -> FileBody:
    try:
        return FileBody(file)
    except OSError as error:
        remedy = "Give files that can be read"
        raise ConfigError(f"it cannot be read ({error.strerror})", where=str(file), remedy=remedy) from None
