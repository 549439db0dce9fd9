"""Small documents in Tidegate's own bucket, each written only over the version that its writer has read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws.errors import translated
from chalicelib.aws.lake import split

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})  # what S3 says to a second writer


@dataclass(frozen=True, slots=True)
class S3Documents:
    """Objects at `s3://` URIs, by S3's conditional writes. `client` may be shared by threads."""

    client: "S3Client"

    def get(self, path: str) -> tuple[bytes, str] | None:
        """The document and its version, which is its ETag; None if there is none."""
        bucket, key = split(path)
        with translated(f"read {path}"):
            try:
                answer = self.client.get_object(Bucket=bucket, Key=key)
            except self.client.exceptions.NoSuchKey:
                return None
            return answer["Body"].read(), answer["ETag"]

    def put(self, path: str, data: bytes, over: str | None) -> bool:
        """Write it over this version, or where there is none yet; False if somebody wrote in between.

        False may also follow a write of our own whose answer was lost and that botocore repeated: look again.
        """
        bucket, key = split(path)
        with translated(f"write {path}"):
            try:
                if over is None:
                    self.client.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
                else:
                    self.client.put_object(Bucket=bucket, Key=key, Body=data, IfMatch=over)
            except ClientError as error:
                if error.response["Error"]["Code"] in _LOST:
                    return False
                raise
        return True
