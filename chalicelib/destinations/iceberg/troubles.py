"""What the catalogue and the storage say, as errors of ours."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pyiceberg.exceptions import CommitFailedException, ForbiddenError, RESTError, UnauthorizedError

from chalicelib.errors import (
    AccessDenied,
    CommitConflict,
    ConfigError,
    SchemaConflict,
    SourceUnavailable,
    TidegateError,
)

TRIES = 4  # of one commit; then the queue tries again later


@contextmanager
def ours(calls: Callable[[str], AbstractContextManager[object]], where: str) -> Iterator[None]:
    """What the catalogue or the storage refuses becomes an error of ours; `calls` does it for the client's own."""
    try:
        with calls(where):
            yield
    except (ForbiddenError, UnauthorizedError) as error:
        raise AccessDenied(
            f"the catalogue refused the call ({error})", where=where, remedy="Check the catalogue's permissions"
        ) from error
    except OSError as error:
        raise _storage_error(error, where) from error
    except RESTError as error:
        raise SourceUnavailable(f"the catalogue did not answer properly ({error})", where=where) from error


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


def not_to_be_made(where: str, what: str) -> SchemaConflict:
    """What to say where a table or database is missing that the pipeline may not make (F80)."""
    return SchemaConflict(
        f"there is no such {what}, and auto_create_{what} is false",
        where=where,
        remedy=f"Make the {what}, or allow it in the pipeline; then replay the objects",
    )


def _storage_error(error: OSError, where: str) -> TidegateError:
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
