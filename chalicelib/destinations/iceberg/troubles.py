"""What the catalogue and the storage say, as errors of ours."""

from pyiceberg.exceptions import CommitFailedException

from chalicelib.errors import (
    AccessDenied,
    CommitConflict,
    ConfigError,
    SourceUnavailable,
    TidegateError,
)

TRIES = 4  # of one commit; then the queue tries again later


def given_up(where: str, failure: Exception) -> TidegateError:
    """What to say after the last try of a commit."""
    if isinstance(failure, CommitFailedException):
        return CommitConflict(
            f"other writers changed the table {TRIES} times in a row", where=where, remedy="It is tried again"
        )
    return SourceUnavailable(
        f"the catalogue did not confirm the commit ({type(failure).__name__}: {failure})",
        where=where,
        remedy="It is tried again, and looks first whether the rows are there",
    )


def storage_error(error: OSError, where: str) -> TidegateError:
    """What it means that a file could not be read or written."""
    if isinstance(error, FileNotFoundError):
        return ConfigError(
            f"a file that the table or the commit needs is gone ({error})",
            where=where,
            remedy="If it is a staged one, replay the job; check the bucket's lifecycle rules",
        )
    if "ACCESS_DENIED" in str(error):
        return AccessDenied(
            f"S3 refused a call of the table ({error})", where=where, remedy="Allow it on the warehouse's prefix"
        )
    return SourceUnavailable(f"the table's files could not be reached ({error})", where=where)
