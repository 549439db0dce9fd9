"""A stream put on the temporary disk, for what needs to be read in any order."""

import tempfile
from typing import BinaryIO

from chalicelib.errors import DecodeError
from chalicelib.records.pages import Readable

LIMIT = 400 << 20  # bytes; a Lambda has 512 MiB in /tmp unless it is given more
CHUNK = 1 << 20


def spooled(body: Readable, what: str, limit: int = LIMIT) -> BinaryIO:
    """All of the body as a file at its start, which has no name and is gone when it is closed.

    `what` is being read, for the message: "the zip archive inside gzip data". Raises DecodeError if it is larger
    than `limit` bytes, or than the disk.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        _fill(file, body, what, limit)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _fill(file: BinaryIO, body: Readable, what: str, limit: int) -> None:
    size = 0
    while data := body.read(CHUNK):
        size += len(data)
        if size > limit:
            raise DecodeError(
                f"{what} must be read in any order, for which it is put on the temporary disk, and it is larger than "
                f"{limit >> 20} MiB",
                remedy="Store it as an object of its own, not packed in something else",
            )
        try:
            file.write(data)
        except OSError as error:
            raise DecodeError(
                f"{what} does not fit on the temporary disk ({error.strerror})",
                remedy="Store it as an object of its own, not packed in something else, or give the function more disk",
            ) from None
