"""Tidegate's own bucket: files written part by part, at once or held back as an open multipart upload."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws.errors import translated
from chalicelib.core.tasks import Upload
from chalicelib.errors import ConfigError, StagedFileMissing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 8 * 1024 * 1024  # bytes; S3 wants 5 MiB at least, and 10,000 parts at most: 80 GB a file
_CALLS = 8  # HEADs at once; below botocore's pool of 10 connections


@dataclass(frozen=True, slots=True)
class S3Lake:
    """The bucket behind `s3://` URIs. `client` may be shared by threads."""

    client: "S3Client"

    def create(self, path: str, *, hidden: bool) -> "S3Sink":
        """A new file; small ones that are not hidden cost one PutObject."""
        return S3Sink(self.client, path, hidden=hidden)

    def publish(self, path: str, upload: Upload) -> None:
        """Complete the upload. Its id is unknown after the first time; then the file itself is the proof."""
        with translated(f"publish {path}"):
            try:
                _complete(self.client, path, upload)
            except self.client.exceptions.NoSuchUpload:
                self._must_exist(path)

    def exists(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of the paths that exist; one HEAD each, a few at once."""
        with ThreadPoolExecutor(_CALLS) as pool:
            return frozenset(path for path, there in zip(paths, pool.map(self._is_there, paths), strict=True) if there)

    def _must_exist(self, path: str) -> None:
        if not self._is_there(path):
            raise StagedFileMissing(
                "the staged file is gone: its upload was never completed and is no longer open",
                where=path,
                remedy="Let the bucket's lifecycle keep incomplete uploads for a week or more, and replay the job",
            )

    def _is_there(self, path: str) -> bool:
        bucket, key = split(path)
        with translated(f"look for {path}"):
            try:
                self.client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return True


class S3Sink:
    """One file on its way; holds less than one part in memory between writes."""

    def __init__(self, client: "S3Client", path: str, *, hidden: bool) -> None:
        self._client = client
        self._path = path
        self._bucket, self._key = split(path)
        self._hidden = hidden
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._etags: list[str] = []

    def write(self, data: bytes) -> int:
        """Take more bytes; whole parts leave at once."""
        self._buffer += data
        while len(self._buffer) >= PART:
            self._send(bytes(self._buffer[:PART]))
            del self._buffer[:PART]
        return len(data)

    def finish(self) -> Upload | None:
        """All bytes are in: the file exists, or its upload is returned if it is hidden."""
        if self._upload_id is None and not self._hidden:
            with translated(f"write {self._path}"):
                self._client.put_object(Bucket=self._bucket, Key=self._key, Body=bytes(self._buffer))
            return None
        if self._buffer or not self._etags:
            self._send(bytes(self._buffer))
            self._buffer.clear()
        assert self._upload_id is not None, "a part was sent"
        upload = Upload(self._upload_id, tuple(self._etags))
        if self._hidden:
            return upload
        with translated(f"write {self._path}"):
            _complete(self._client, self._path, upload)
        self._upload_id = None
        return None

    def abort(self) -> None:
        """Take back what does not exist yet."""
        self._buffer.clear()
        upload_id, self._upload_id = self._upload_id, None
        if upload_id is None:
            return
        with translated(f"abort {self._path}"):
            try:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)
            except self._client.exceptions.NoSuchUpload:
                return

    def _send(self, part: bytes) -> None:
        with translated(f"write {self._path}"):
            upload_id = self._upload_id or self._open()
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=upload_id, PartNumber=len(self._etags) + 1, Body=part
            )
        self._etags.append(answer["ETag"])

    def _open(self) -> str:
        self._upload_id = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)["UploadId"]
        return self._upload_id


def _complete(client: "S3Client", path: str, upload: Upload) -> None:
    bucket, key = split(path)
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(upload.parts, start=1)]
    client.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload.upload_id,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )


def split(path: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI; raises ConfigError if it is none."""
    match = re.fullmatch(r"s3://([^/]+)/(.+)", path)
    if match is None:
        raise ConfigError("not an S3 URI", where=path, remedy="The warehouse must start with s3:// and a bucket")
    return match[1], match[2]
