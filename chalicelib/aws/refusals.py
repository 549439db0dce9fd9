"""What AWS says, and what that means: one table of refusals with our error, our words and what to do about each."""

import re
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ConfigError,
    CredentialsExpired,
    CredentialsRefused,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    RoleNotAssumable,
    SourceUnavailable,
    Throttled,
    TidegateError,
)


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
_OWN_KEY = Case(
    ConfigError,
    "The object is encrypted with a key that its owner keeps (SSE-C)",
    "Tidegate takes no such keys: the object must be stored with SSE-S3 or SSE-KMS",
)
_HEAD_REFUSED = Case(
    ConfigError,
    "S3 did not accept the request for the object's description, and says no more",
    "Its credentials may have ended; or the object is encrypted with a key that its owner keeps (SSE-C), and Tidegate "
    "takes no such keys",
)
_EXPIRED = Case(
    CredentialsExpired,
    "The credentials have expired",
    "Sign in again, or take static session tokens out of the environment: they are not renewed",
    quotes=False,
)
_BAD_CREDENTIALS = Case(
    CredentialsRefused,
    "AWS does not know the credentials, or they signed wrongly",
    "Check the profile or the access key in the environment, and the clock",
    quotes=False,
)
_NO_CREDENTIALS = Case(
    CredentialsRefused, "There are no AWS credentials", "Sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID", quotes=False
)
_NO_PROFILE = Case(
    CredentialsRefused,
    "There is no such profile on this machine",
    "Write it into ~/.aws/config, or name another",
    quotes=False,
)
_CLOCK = Case(
    ConfigError,
    "This machine's clock differs from AWS's by too much",
    "Set the clock, or let it be set over the network: AWS takes no request that is five to fifteen minutes off",
)
_ROLE_DENIED = Case(
    RoleNotAssumable,
    "STS refused the role",
    "STS does not say which of these is wrong: the trust policy must name us as principal and hold this connection's "
    "external id, whatever session name it demands must be the connection's, role and account must exist, and our own "
    "policy must allow sts:AssumeRole on the role",
)  # E27
_SESSION_TOO_LONG = Case(
    RoleNotAssumable,
    "The role's sessions may not last that long",
    "Lower the connection's duration_in_seconds, or let the customer raise the role's maximum session duration",
)
_STS_IS_OFF = Case(
    RoleNotAssumable,
    "STS is not active in this region for the account",
    "Set the connection's sts_region to a region where it is, or activate the region's STS in the account settings of "
    "IAM",
)  # E30
_POLICY_TOO_LARGE = Case(
    ConfigError,
    "Session policy and session tags are larger than STS takes",
    "Shorten the pipeline's path_prefix, or take session_tags out of the connection",
)
_BAD_POLICY = Case(
    ConfigError,
    "STS does not understand the session policy",
    "Check the pipeline's bucket and path_prefix; if they are as they should be, report it",
)
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
UNREACHABLE = Case(
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
    "AssumeRole:AccessDenied AssumeRole:AccessDeniedException AssumeRole:403": _ROLE_DENIED,
    "RegionDisabledException": _STS_IS_OFF,
    "PackedPolicyTooLarge PackedPolicyTooLargeException": _POLICY_TOO_LARGE,
    "MalformedPolicyDocument MalformedPolicyDocumentException": _BAD_POLICY,
    "NoSuchBucket HeadBucket:404": _NO_BUCKET,
    "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed "
    "IllegalLocationConstraintException 301 307": _ELSEWHERE,
    "NoSuchKey NoSuchVersion GetObject:404 HeadObject:404": _MISSING,
    "GetObjectTagging:MethodNotAllowed GetObjectTagging:405 GetObjectTagging:404": _MISSING,
    "GetObject:MethodNotAllowed GetObject:405 HeadObject:405": _MISSING,  # the version is a delete marker
    "HeadObject:400": _HEAD_REFUSED,
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
    "ProfileNotFound": _NO_PROFILE,
    "TokenRetrievalError": _NO_CREDENTIALS,
    "NoAuthTokenError": _NO_CREDENTIALS,
    "SSOError": _NO_CREDENTIALS,
    "LoginError": _NO_CREDENTIALS,
    "NoRegionError": _NO_REGION,
    "ConnectionError": UNREACHABLE,
    "HTTPClientError": UNREACHABLE,
    "IncompleteReadError": UNREACHABLE,
    "FlexibleChecksumError": UNREACHABLE,
    "BotoCoreError": _REFUSED,
}


def _denied(what: str, remedy: str) -> Case:
    return Case(AccessDenied, what, remedy)


_BY = "(because no|explicit deny in an?)"  # not just the policy's name, which a key may have too
_FINAL = "what a role's or a bucket's policy allows cannot overrule it"
# What AWS's words tell where its code does not; the first pattern that is found decides.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_SAID = {
    "DurationSeconds exceeds": _SESSION_TOO_LONG,
    "Signature expired|Signature not yet current|Request is expired": _CLOCK,
    "form of Server Side Encryption": _OWN_KEY,
    f"{_BY} service control policy": _denied(
        "A service control policy of the organization refused the call",
        f"Who manages the organization must allow it: {_FINAL}",
    ),
    f"{_BY} resource control policy": _denied(
        "A resource control policy of the owner's organization refused the call",
        f"Who manages that organization must let us in: {_FINAL}",
    ),
    f"{_BY} permissions boundary": _denied(
        "The permissions boundary of the role or user refused the call",
        f"Allow the action in the boundary too, or take the boundary off: {_FINAL}",
    ),
    f"{_BY} VPC endpoint policy": _denied(
        "The policy of a VPC endpoint refused the call",
        "Allow the action on this resource in the endpoint's policy, where the call leaves the network",
    ),
    f"{_BY} session policy": _denied(
        "The session's own policy refused the call",
        "A session reads its pipeline's bucket and path_prefix only, and only if the connection's bucket_owner owns "
        "the bucket: correct these",
    ),
    "explicit deny in an identity-based policy": _denied(
        "A Deny in a policy of the role or user refused the call",
        "Take the statement out, or except from it what is named here; no Allow overrules it",
    ),
    "explicit deny in (a resource-based policy|the role trust policy)": _denied(
        "A Deny in the policy of the bucket, the key or the role itself refused the call",
        "Except whoever made the call from the Deny; no Allow overrules it",
    ),
    "kms:.*because no identity-based policy": _denied(
        "KMS refused to decrypt the object", "Allow kms:Decrypt on the bucket's key in the role's policy"
    ),
    "kms:.*because no resource-based policy": _denied(
        "KMS refused to decrypt the object", "Allow kms:Decrypt to the role in the key's own policy"
    ),
    "sts:AssumeRole.*because no identity-based policy": _denied(
        "Whoever assumes the role is not allowed to",
        "Allow sts:AssumeRole on the role in the policy of who made the call",
    ),
    "sts:AssumeRole.*because no (resource-based|role trust) policy": _denied(
        "The role's trust policy refuses us",
        "It must name us as principal, and hold this connection's external id and session name",
    ),
    "s3:.*because no resource-based policy": _denied(
        "The bucket's policy does not allow the call", "Allow the action named here in the bucket's policy"
    ),
}
_REFUSAL = re.compile(
    "AccessDenied|UnauthorizedOperation|ValidationError|InvalidRequest|Signature|RequestExpired|Forbidden|^403$"
)


def case_of(operation: str, code: str, status: int, message: str) -> Case:
    """What it means that AWS answered an operation with this."""
    if _REFUSAL.search(code):
        for pattern, said in _SAID.items():
            if re.search(pattern, message):
                return said
    if "kms:" in message and f"KMS:{code}" in CASES:  # a missing right to the key looks like one to the object (E29)
        return CASES[f"KMS:{code}"]
    for name in (f"{operation}:{code}", code, f"{operation}:{status}", str(status)):
        if name in CASES:
            return CASES[name]
    return _FOR_NOW if status >= 500 else _REFUSED


def case_of_botocore(error: BotoCoreError) -> Case:
    """What it means that botocore failed without an answer of AWS."""
    return next(_LOCAL[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _LOCAL)
