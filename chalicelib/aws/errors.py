"""What AWS says, as our errors: one table, read by everything that calls AWS.

Retrying is not decided here: botocore and obstore have retried already when an error arrives, and the queue delivers
a TransientError once more.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ConfigError,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    SourceUnavailable,
    Throttled,
    TidegateError,
)

ANSWERS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})  # results to a store

_QUOTED = 300  # characters of AWS's own words that are repeated
_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}")


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of refusal: our error, our words, and what to do."""

    raises: type[TidegateError]
    what: str
    remedy: str
    quotes: bool = True  # False where AWS repeats the signed request, session token and all


_DENIED = Case(
    AccessDenied,
    "AWS refused the call",
    "Allow the action named here on this resource to whoever made the call, and look for an explicit Deny",
)
_OBJECT_DENIED = Case(
    AccessDenied,
    "S3 refused to give the object",
    "Allow s3:GetObject (and s3:GetObjectVersion) on this prefix to the role, and look for a Deny in the bucket "
    "policy. Without s3:ListBucket S3 answers the same for a key that is gone",
)
_TAGS_DENIED = Case(
    AccessDenied,
    "S3 refused to give the object's tags",
    "Allow s3:GetObjectTagging (and s3:GetObjectVersionTagging) on this prefix to the role, or set the parser's "
    "`tags` to false",
)
_LIST_DENIED = Case(
    AccessDenied,
    "S3 refused to list the bucket",
    "Allow s3:ListBucket on the bucket itself (not on /*) to the role; where the statement has a condition on "
    "s3:prefix, it must hold for the pipeline's path_prefix",
)
_KMS_DENIED = Case(
    AccessDenied,
    "KMS refused to decrypt the object",
    "Allow kms:Decrypt on the bucket's key to the role, in the role's policy and in the key's own policy",
)
_KMS_UNUSABLE = Case(
    AccessDenied, "The object's KMS key cannot be used", "Enable the key, or cancel its deletion, in the key's account"
)
_EXPIRED = Case(
    ConfigError,
    "The credentials have expired",
    "Sign in again, or take static session tokens out of the environment: they are not renewed",
    quotes=False,
)
_BAD_CREDENTIALS = Case(
    ConfigError,
    "AWS does not know the credentials, or they signed wrongly",
    "Check the profile or the access key in the environment, and the clock",
    quotes=False,
)
_NO_CREDENTIALS = Case(
    ConfigError, "There are no AWS credentials", "Sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID", quotes=False
)
_CLOCK = Case(ConfigError, "The clock differs from AWS's by too much", "Set the clock")
_NO_REGION = Case(ConfigError, "No AWS region is chosen", "Set AWS_REGION, or a region in the profile")
_NO_BUCKET = Case(BucketNotFound, "There is no such bucket", "Check the bucket's name")
_ELSEWHERE = Case(BucketNotFound, "The bucket lies in another region", "Set the connection's region to {region}")
_MISSING = Case(ObjectMissing, "The object is gone", "Nothing to do if it was deleted on purpose; else upload it again")
_CHANGED = Case(
    ObjectChanged, "The object is no longer the one that was claimed", "Its new content arrives as an object of its own"
)
_ARCHIVED = Case(ObjectArchived, "The object lies in an archive class", "Restore it; it is loaded once it is readable")
_NOT_DEPLOYED = Case(
    ConfigError, "A queue, table or database does not exist", "Check stack name and region, and that it is deployed"
)
_SLOWER = Case(Throttled, "AWS asked for fewer calls", "It is tried again")
_FOR_NOW = Case(SourceUnavailable, "AWS did not answer properly", "It is tried again")
_UNREACHABLE = Case(
    SourceUnavailable, "AWS could not be reached", "It is tried again; check endpoint and network if it stays"
)
_REFUSED = Case(ConfigError, "AWS did not accept the call", "Check the names and values in it")

# Key: AWS's codes, or `operation:code` where the code alone does not tell. A HEAD has no body, so its code is a number.
_TABLE = {
    "AccessDenied AccessDeniedException AllAccessDisabled AccountProblem UnauthorizedOperation 403": _DENIED,
    "GetObject:AccessDenied GetObject:403 HeadObject:AccessDenied HeadObject:403": _OBJECT_DENIED,
    "GetObjectTagging:AccessDenied GetObjectTagging:403": _TAGS_DENIED,
    "ListObjectsV2:AccessDenied ListObjectsV2:403": _LIST_DENIED,
    "KMS:AccessDenied KMS:AccessDeniedException KMS.AccessDeniedException": _KMS_DENIED,
    "KMS.DisabledException KMS.NotFoundException KMS.KMSInvalidStateException KMS.InvalidStateException": _KMS_UNUSABLE,
    "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired": _EXPIRED,
    "InvalidAccessKeyId InvalidClientTokenId InvalidToken SignatureDoesNotMatch IncompleteSignature "
    "InvalidSignatureException UnrecognizedClientException MissingAuthenticationToken "
    "MissingAuthenticationTokenException AuthFailure NotSignedUp OptInRequired 401": _BAD_CREDENTIALS,
    "RequestTimeTooSkewed": _CLOCK,
    "NoSuchBucket HeadBucket:404": _NO_BUCKET,
    "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed "
    "IllegalLocationConstraintException 301 307": _ELSEWHERE,
    "NoSuchKey NoSuchVersion GetObject:404 HeadObject:404": _MISSING,
    "GetObjectTagging:MethodNotAllowed GetObjectTagging:405 GetObjectTagging:404": _MISSING,
    "GetObject:MethodNotAllowed GetObject:405 HeadObject:405": _MISSING,  # the version is a delete marker
    "PreconditionFailed 412 InvalidRange 416": _CHANGED,
    "InvalidObjectState": _ARCHIVED,
    "ResourceNotFoundException EntityNotFoundException QueueDoesNotExist "
    "AWS.SimpleQueueService.NonExistentQueue": _NOT_DEPLOYED,
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException SlowDown "
    "TooManyRequests TooManyRequestsException ProvisionedThroughputExceededException RequestLimitExceeded "
    "BandwidthLimitExceeded KmsThrottled KMS.ThrottlingException TransactionConflictException "
    "TransactionInProgressException OperationAborted ConditionalRequestConflict 429 503": _SLOWER,
    "InternalError InternalFailure InternalServerError ServiceUnavailable RequestTimeout RequestTimeoutException "
    "IDPCommunicationError IncompleteBody": _FOR_NOW,
}
CASES = {code: case for codes, case in _TABLE.items() for code in codes.split()}

# Classes of botocore, by name; the nearest of an error's ancestors decides.
_LOCAL = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "CredentialRetrievalError": _NO_CREDENTIALS,
    "ProfileNotFound": _NO_CREDENTIALS,
    "TokenRetrievalError": _NO_CREDENTIALS,
    "NoAuthTokenError": _NO_CREDENTIALS,
    "SSOError": _NO_CREDENTIALS,
    "LoginError": _NO_CREDENTIALS,
    "NoRegionError": _NO_REGION,
    "ConnectionError": _UNREACHABLE,
    "HTTPClientError": _UNREACHABLE,
    "IncompleteReadError": _UNREACHABLE,
    "FlexibleChecksumError": _UNREACHABLE,
    "BotoCoreError": _REFUSED,
}


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Calls to AWS whose errors leave as ours, with `where` in front.

    The answers to conditional writes (ANSWERS) pass untouched: a store expects them.
    """
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ANSWERS:
            raise
        raise from_client_error(error, where) from error
    except BotoCoreError as error:
        raise _from_botocore(error, where) from error


def error_for(code: str, where: str, message: str = "") -> TidegateError:
    """Our error for one of AWS's codes, where we found out without AWS saying so."""
    return _speak(CASES[code], where, code, message)


def from_client_error(error: ClientError, where: str) -> TidegateError:
    """Our error for a refusal that AWS sent."""
    said = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    region = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region") or str(said.get("Region") or "")
    code, status = str(said.get("Code", "")), int(meta.get("HTTPStatusCode") or 0)
    return _error(where, error.operation_name, code, status, str(said.get("Message", "")), region)


def from_obstore(error: Exception, where: str) -> TidegateError:
    """Our error for a failed GET by obstore, which gives S3's XML answer within its text and nothing else."""
    text = str(error).partition("\n\nDebug source:")[0]
    status = _found(r"status code: (\d{3})", text) or ("301" if "redirect without LOCATION" in text else "")
    code, region = _found(r"<Code>([\w.]+)</Code>", text), _found(r"<Region>([\w-]+)</Region>", text)
    if not status:
        return _speak(_UNREACHABLE, where, type(error).__name__, text.rpartition(" - ")[2])
    return _error(
        where, "GetObject", code or status, int(status), _found(r"(?s)<Message>(.*?)</Message>", text), region
    )


def _error(where: str, operation: str, code: str, status: int, message: str, region: str) -> TidegateError:
    case = _case(operation, code, status, message)
    return _speak(case, where, code or str(status), message, region=region or "its own")


def _case(operation: str, code: str, status: int, message: str) -> Case:
    if "kms:" in message and f"KMS:{code}" in CASES:  # a missing right to the key looks like one to the object (E29)
        return CASES[f"KMS:{code}"]
    for name in (f"{operation}:{code}", code, f"{operation}:{status}", str(status)):
        if name in CASES:
            return CASES[name]
    return _FOR_NOW if status >= 500 else _REFUSED


def _from_botocore(error: BotoCoreError, where: str) -> TidegateError:
    case = next(_LOCAL[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _LOCAL)
    return _speak(case, where, type(error).__name__, str(error))


def _speak(case: Case, where: str, code: str, message: str, *, region: str = "") -> TidegateError:
    words = message.strip().partition("\n")[0][:_QUOTED].rstrip(".")
    quoted = f"{code}: {_KEY_ID.sub('<access key>', words)}" if words and case.quotes else code
    return case.raises(f"{case.what} ({quoted})", where=where, remedy=case.remedy.format(region=region))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
