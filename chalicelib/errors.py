"""Every error Tidegate raises, sorted by what the reader must do.

    TidegateError
    ├─ ConfigError       change something: the job fails now and is not retried
    │  ├─ RoleNotAssumable    the customer's role refuses us
    │  ├─ CredentialsRefused  keys are missing, or AWS does not take them
    │  │  └─ CredentialsExpired   … because they have ended
    │  ├─ AccessDenied        a call was refused (S3, KMS, a queue, a table)
    │  ├─ BucketNotFound      the bucket does not exist, or lies elsewhere
    │  ├─ PipelineMismatch    parser or filters do not fit an object's columns
    │  └─ SchemaConflict      the table and the rows cannot be brought together
    ├─ DataError         set it aside: this message, object or row is bad, the rest goes on
    │  ├─ BadMessage          not a notification that anybody could understand
    │  ├─ ObjectArchived      the bytes lie in an archive class and cannot be read now
    │  ├─ ObjectMissing       deleted before it was read
    │  ├─ ObjectChanged       overwritten before or while it was read
    │  ├─ StagedFileMissing   a file that a commit needs was deleted while it waited
    │  ├─ DecodeError         the compression is broken or not what was declared
    │  ├─ ParseError          the layout is broken beyond a single row
    │  └─ TooManyBadRows      more rows of an object are bad than its parser allows
    └─ TransientError    try again: let it rise, the queue delivers it once more
       ├─ Throttled           AWS asked us to slow down
       ├─ SourceUnavailable   the network or a service failed for the moment
       ├─ LeaseLost           somebody else has taken this task over
       └─ CommitConflict      another writer changed the table first

Each carries where, what and remedy, so that a message can be acted on without the source code.
"""


class TidegateError(Exception):
    """Base of all errors. `str()` gives `where: what. remedy` on one line."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class ConfigError(TidegateError):
    """Somebody must change something before this can work."""


class RoleNotAssumable(ConfigError):
    """STS refused AssumeRole: trust policy, external id, our own policy, session length, region (E27, E30)."""


class CredentialsRefused(ConfigError):
    """Keys are missing, or AWS does not take them: a connection's own, or ours (F11)."""


class CredentialsExpired(CredentialsRefused):
    """Credentials have ended, and cannot be renewed by us (F11)."""


class AccessDenied(ConfigError):
    """AWS refused a call for lack of permission."""


class BucketNotFound(ConfigError):
    """There is no such bucket where we looked."""


class SchemaConflict(ConfigError):
    """Rows and table disagree on a column's type."""


class PipelineMismatch(ConfigError):
    """A pipeline's parser or filters ask for what an object does not have."""


class DataError(TidegateError):
    """This message, object or row is bad; everything else goes on (P6)."""


class BadMessage(DataError):
    """A queue message that is no S3 notification in any envelope."""


class ObjectArchived(DataError):
    """The object lies in an archive class or tier; it stays eligible (E9, E10, F35)."""


class ObjectMissing(DataError):
    """The object is gone (E51)."""


class ObjectChanged(DataError):
    """The object is no longer the identity that was claimed (P5, E22)."""


class StagedFileMissing(DataError):
    """A staged file is gone or damaged: a lifecycle rule or somebody touched it before its commit."""


class RunSuperseded(DataError):
    """A run that started later has replaced the table's content already; this one's rows are older."""


class DecodeError(DataError):
    """The bytes are not what the decoder expects, or end too soon."""


class ParseError(DataError):
    """The layout cannot be followed any further."""


class TooManyBadRows(DataError):
    """An object has more bad rows than its parser allows (F64)."""


class TransientError(TidegateError):
    """Trying again later may help; nothing has to change."""


class Throttled(TransientError):
    """AWS asked for fewer calls."""


class SourceUnavailable(TransientError):
    """A service or the network failed for the moment."""


class LeaseLost(TransientError):
    """The task went to a later attempt; this one must stop (P7)."""


class CommitConflict(TransientError):
    """Another writer committed to the table between our read and our write."""
