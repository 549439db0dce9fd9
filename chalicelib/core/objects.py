"""ObjectRef: one S3 object and its identity."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object as a notification or a listing showed it.

    The identity is bucket, key and version id, or bucket, key and ETag where the bucket keeps no versions:
    the same key with other content is another object.
    """

    bucket: str
    key: str
    etag: str  # without quotes
    size: int  # bytes
    created_at: datetime  # when S3 says it was written, UTC
    version_id: str | None = None
    sequencer: str | None = None  # hexadecimal; comparable among events of one key only (E21)

    @property
    def identity(self) -> str:
        """What tells this content from other content under the same bucket and key."""
        return f"v:{self.version_id}" if self.version_id else f"e:{self.etag}"

    def same(self, other: "ObjectRef") -> bool:
        """True if both name the same bytes.

        A listing knows no version ids, so the ETag decides wherever one side lacks one.
        """
        if (self.bucket, self.key) != (other.bucket, other.key):
            return False
        if self.version_id and other.version_id:
            return self.version_id == other.version_id
        return self.etag == other.etag

    def older(self, other: "ObjectRef") -> bool:
        """True if this object was written before `other`, which has the same key.

        Sequencers decide where both have one: padded with zeros on the right to one length, then compared
        as text (E21, https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
        """
        if self.sequencer and other.sequencer:
            width = max(len(self.sequencer), len(other.sequencer))
            return self.sequencer.ljust(width, "0").upper() < other.sequencer.ljust(width, "0").upper()
        return self.created_at < other.created_at

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"
