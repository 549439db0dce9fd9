"""What lies in Tidegate's own bucket, and the only place from which anything of it is deleted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.core.orphans import Lying, OpenUpload
from chalicelib.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BATCH = 1000  # most that one DeleteObjects takes


@dataclass(frozen=True, slots=True)
class S3Leftovers:
    """Files and unfinished uploads below `warehouse`. Whatever lies elsewhere is refused, whoever asks (P9)."""

    client: "S3Client"
    warehouse: str  # s3 URI without a trailing slash

    def files(self, folder: str) -> Iterator[Lying]:
        """All files below a folder, in key order, page by page as they are asked for."""
        bucket, prefix = self._below(folder)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        with translated(f"list {folder}"):
            for page in pages:
                for each in page.get("Contents", []):
                    yield Lying(f"s3://{bucket}/{each['Key']}", each["Size"], each["LastModified"])

    def uploads(self, folder: str) -> Iterator[OpenUpload]:
        """The uploads below a folder that nobody has completed."""
        bucket, prefix = self._below(folder)
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        with translated(f"list uploads of {folder}"):
            for page in pages:
                for each in page.get("Uploads", []):
                    yield OpenUpload(f"s3://{bucket}/{each['Key']}", each["UploadId"], each["Initiated"])

    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Delete these files; returns those that S3 would not delete, with its reasons. What is gone is deleted."""
        found = [self._below(path) for path in paths]
        refused: dict[str, str] = {}
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            bucket = batch[0][0]
            with translated(f"deletions in {bucket}"):
                answer = self.client.delete_objects(
                    Bucket=bucket, Delete={"Objects": [{"Key": key} for _, key in batch], "Quiet": True}
                )
            refused |= {f"s3://{bucket}/{each['Key']}": each.get("Code", "") for each in answer.get("Errors", [])}
        return refused

    def abort(self, upload: OpenUpload) -> None:
        """Forget an upload and its parts; one that is completed or forgotten already is none."""
        bucket, key = self._below(upload.path)
        with translated(f"abort {upload.path}"):
            try:
                self.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload.upload_id)
            except self.client.exceptions.NoSuchUpload:
                return

    def _below(self, path: str) -> tuple[str, str]:
        """Bucket and key."""
        bucket, _, key = path.removeprefix("s3://").partition("/")
        parts = key.split("/")
        if not path.startswith(f"{self.warehouse}/") or not all(parts) or {".", ".."} & set(parts):
            raise ConfigError(
                "this is none of ours to list or to delete",
                where=path,
                remedy=f"Maintenance sees to what lies below {self.warehouse}/ only",
            )
        return bucket, key
