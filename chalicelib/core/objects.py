"""ObjectRef: one S3 object and its identity."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time that nobody told: older than anything known."""


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
    listed_at: datetime | None = None  # set if a listing or a restore showed it: it was the latest at this time

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
        What a listing showed was the latest at that time, whatever its date in whole seconds says.
        """
        if self.sequencer and other.sequencer:
            return earlier(self.sequencer, other.sequencer)
        if self.listed_at is not None and other.listed_at is None:
            return self.listed_at <= other.created_at
        return (self.listed_at or self.created_at) < (other.listed_at or other.created_at)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


DOUBT = timedelta(minutes=1)
"""Between our clock, which dates listings, and S3's, which dates removals."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Word that an object, or one version of it, was deleted."""

    bucket: str
    key: str
    removed_at: datetime
    version_id: str | None = None  # set if one version was deleted for good, or of the delete marker
    marker: bool = False  # the bucket keeps versions: a delete marker hides them all
    sequencer: str | None = None

    @property
    def of_one_version(self) -> bool:
        """True if one version was deleted for good; else the key holds nothing any more."""
        return bool(self.version_id) and not self.marker

    def ends(self, ref: ObjectRef) -> bool:
        """True if `ref` is gone by this, and was not written later (F43).

        What was listed long after it is there again: a delete marker can be deleted too.
        """
        if (self.bucket, self.key) != (ref.bucket, ref.key):
            return False
        if self.of_one_version:
            return self.version_id == ref.version_id
        if self.sequencer and ref.sequencer:
            return earlier(ref.sequencer, self.sequencer)
        shown_since = ref.listed_at is not None and ref.listed_at > self.removed_at + DOUBT
        return ref.created_at <= self.removed_at and not shown_since

    def outlived_by(self, sighting: ObjectRef) -> bool:
        """True if word of an object of this key shows that it is there after all; where in doubt, it is tried."""
        if sighting.listed_at is not None:
            return sighting.listed_at > self.removed_at
        return not self.ends(sighting)

    def supersedes(self, other: "Removal") -> bool:
        """True if this says more than `other` of the same key: a whole key's removal beside a version's, or a later."""
        if self.of_one_version != other.of_one_version:
            return not self.of_one_version
        if self.sequencer and other.sequencer:
            return earlier(other.sequencer, self.sequencer)
        return other.removed_at < self.removed_at


def earlier(sequencer: str, other: str) -> bool:
    """True if the first of two sequencers of one key is the earlier; they may differ in length (E21)."""
    width = max(len(sequencer), len(other))
    return sequencer.ljust(width, "0").upper() < other.ljust(width, "0").upper()
