from traceback import format_exception

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from obstore.exceptions import GenericError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from chalicelib.aws.errors import ANSWERS, error_for, from_obstore, translated
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


def refusal(code: str, status: int, message: str = "because", operation: str = "GetObject") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


def seen(error: Exception) -> TidegateError:
    with pytest.raises(TidegateError) as caught, translated("s3://acme/a.csv"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDenied", 403, AccessDenied),
        ("403", 403, AccessDenied),
        ("NoSuchBucket", 404, BucketNotFound),
        ("PermanentRedirect", 301, BucketNotFound),
        ("AuthorizationHeaderMalformed", 400, BucketNotFound),
        ("NoSuchKey", 404, ObjectMissing),
        ("NoSuchVersion", 404, ObjectMissing),
        ("404", 404, ObjectMissing),
        ("MethodNotAllowed", 405, ObjectMissing),
        ("PreconditionFailed", 412, ObjectChanged),
        ("412", 412, ObjectChanged),
        ("InvalidRange", 416, ObjectChanged),
        ("InvalidObjectState", 403, ObjectArchived),
        ("SlowDown", 503, Throttled),
        ("503", 503, Throttled),
        ("ThrottlingException", 400, Throttled),
        ("ProvisionedThroughputExceededException", 400, Throttled),
        ("RequestLimitExceeded", 400, Throttled),
        ("TransactionConflictException", 400, Throttled),
        ("Unheard", 429, Throttled),
        ("InternalError", 500, SourceUnavailable),
        ("Unheard", 502, SourceUnavailable),
        ("ExpiredToken", 400, CredentialsExpired),
        ("InvalidAccessKeyId", 403, CredentialsRefused),
        ("RequestTimeTooSkewed", 403, ConfigError),
        ("RegionDisabledException", 403, RoleNotAssumable),
        ("PackedPolicyTooLarge", 400, ConfigError),
        ("MalformedPolicyDocument", 400, ConfigError),
        ("ResourceNotFoundException", 400, ConfigError),
        ("Unheard", 400, ConfigError),
    ],
)
def test_a_refusal_becomes_what_the_reader_must_do(code: str, status: int, expected: type[TidegateError]) -> None:
    error = seen(refusal(code, status))
    assert type(error) is expected
    assert error.where == "s3://acme/a.csv"
    assert error.remedy
    assert code in error.what


def test_a_refusal_without_a_known_code_goes_by_its_status() -> None:
    assert type(seen(refusal("Strange", 403))) is AccessDenied


def test_head_bucket_has_no_body_but_means_the_bucket() -> None:
    assert type(seen(refusal("404", 404, operation="HeadBucket"))) is BucketNotFound


@pytest.mark.parametrize("code", sorted(ANSWERS))
def test_the_answers_to_conditional_writes_pass_untouched(code: str) -> None:
    error = refusal(code, 400, operation="PutItem")
    with pytest.raises(ClientError) as caught, translated("table"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        HTTPClientError(error=ValueError("Invalid header value b'planted\\n'")),
        CredentialRetrievalError(provider="custom-process", error_msg="planted"),
    ],
)
def test_what_wraps_any_other_error_is_not_repeated_for_it_may_hold_keys(error: BotoCoreError) -> None:
    told = seen(error)
    assert type(error).__name__ in str(told)
    assert "planted" not in "".join(format_exception(told))


def test_a_denial_by_kms_is_told_from_one_by_s3() -> None:
    by_kms = seen(refusal("AccessDenied", 403, "User: x is not authorized to perform: kms:Decrypt on this resource"))
    by_s3 = seen(refusal("AccessDenied", 403, "Access Denied"))
    assert "kms:Decrypt" in by_kms.remedy
    assert "s3:GetObject" in by_s3.remedy
    assert "s3:ListBucket" in by_s3.remedy


def denial(action: str, why: str) -> str:
    return f"User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: {action} on resource: x {why}"


@pytest.mark.parametrize(
    ("action", "why", "said"),
    [
        ("s3:GetObject", "with an explicit deny in a service control policy", "service control policy"),
        ("s3:GetObject", "because no service control policy allows the s3:GetObject action", "service control policy"),
        ("kms:Decrypt", "with an explicit deny in a service control policy", "service control policy"),
        ("s3:GetObject", "with an explicit deny in a resource control policy", "resource control policy"),
        ("s3:GetObject", "because no permissions boundary allows the s3:GetObject action", "permissions boundary"),
        ("s3:GetObject", "with an explicit deny in a permissions boundary", "permissions boundary"),
        ("s3:GetObject", "because no VPC endpoint policy allows the s3:GetObject action", "VPC endpoint"),
        ("s3:GetObject", "with an explicit deny in a VPC endpoint policy", "VPC endpoint"),
        ("s3:GetObject", "because no session policy allows the s3:GetObject action", "session's own policy"),
        ("s3:GetObject", "with an explicit deny in an identity-based policy", "Deny in a policy of the role"),
        ("s3:GetObject", "with an explicit deny in a resource-based policy", "Deny in the policy of the bucket"),
        ("s3:GetObject", "because no resource-based policy allows the s3:GetObject action", "bucket's policy"),
        ("s3:GetObject", "because no identity-based policy allows the s3:GetObject action", "refused to give"),
        ("kms:Decrypt", "because no identity-based policy allows the kms:Decrypt action", "in the role's policy"),
        ("kms:Decrypt", "because no resource-based policy allows the kms:Decrypt action", "in the key's own policy"),
        ("kms:Decrypt", "", "in the role's policy and in the key's own policy"),
    ],
)
def test_a_denial_names_the_policy_that_it_comes_from(action: str, why: str, said: str) -> None:
    by_botocore = seen(refusal("AccessDenied", 403, denial(action, why)))
    text = obstore_text("403 Forbidden", "AccessDenied", denial(action, why))
    for error in (by_botocore, from_obstore(PermissionDeniedError(text), "s3://acme/a.csv")):
        assert type(error) is AccessDenied
        assert said in str(error)


@pytest.mark.parametrize(
    ("code", "status", "message", "said"),
    [
        ("AccessDenied", 403, denial("sts:AssumeRole", ""), "trust policy must name us"),
        ("AccessDenied", 403, denial("sts:AssumeRole", "because no identity-based policy allows it"), "who made the"),
        ("AccessDenied", 403, denial("sts:AssumeRole", "because no role trust policy allows it"), "refuses us"),
        ("AccessDenied", 403, denial("sts:AssumeRole", "because no resource-based policy allows it"), "refuses us"),
        ("ValidationError", 400, "The requested DurationSeconds exceeds the MaxSessionDuration", "duration_in_seconds"),
        ("RegionDisabledException", 403, "STS is not activated in this region", "sts_region"),
    ],
)
def test_a_refused_role_says_what_sts_tells(code: str, status: int, message: str, said: str) -> None:
    assert said in str(seen(refusal(code, status, message, operation="AssumeRole")))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("SignatureDoesNotMatch", "Signature expired: 20261122T120000Z is now earlier than 20261122T130000Z"),
        ("InvalidSignatureException", "Signature not yet current: 20261122T120000Z is still later than 2026"),
    ],
)
def test_a_clock_that_is_wrong_is_named(code: str, message: str) -> None:
    assert "clock" in seen(refusal(code, 403, message)).what


def test_what_is_encrypted_with_its_owners_key_says_so() -> None:
    message = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided"
    assert "SSE-C" in seen(refusal("InvalidRequest", 400, message)).what
    assert "SSE-C" in seen(refusal("400", 400, "Bad Request", operation="HeadObject")).remedy  # it has no words


def test_words_in_what_is_no_refusal_decide_nothing() -> None:
    assert type(seen(refusal("NoSuchKey", 404, "session policy"))) is ObjectMissing


def test_a_denial_of_tags_is_told_from_one_of_the_object() -> None:
    assert "s3:GetObjectTagging" in seen(refusal("AccessDenied", 403, operation="GetObjectTagging")).remedy
    gone = refusal("MethodNotAllowed", 405, operation="GetObjectTagging")  # the version is a delete marker
    assert isinstance(seen(gone), ObjectMissing)


def test_the_remedy_for_a_wrong_region_names_the_right_one() -> None:
    error = refusal("PermanentRedirect", 301)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-bucket-region": "eu-west-1"}
    assert "eu-west-1" in seen(error).remedy


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), SourceUnavailable),
        (ConnectTimeoutError(endpoint_url="http://x"), SourceUnavailable),
        (ReadTimeoutError(endpoint_url="http://x"), SourceUnavailable),
        (ResponseStreamingError(error="cut"), SourceUnavailable),
        (NoCredentialsError(), CredentialsRefused),
        (NoRegionError(), ConfigError),
        (ParamValidationError(report="Missing"), ConfigError),
    ],
)
def test_what_fails_on_our_side_is_told_apart_too(error: BotoCoreError, expected: type[TidegateError]) -> None:
    assert type(seen(error)) is expected


def test_our_own_errors_pass_untouched() -> None:
    error = ConfigError("mine")
    assert seen(error) is error


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SignatureDoesNotMatch", "The Canonical String was\n'GET\nx-amz-security-token:SECRET'"),
        ("IncompleteSignature", "Authorization header: 'Credential=SECRET'"),
        ("ExpiredToken", "The provided token SECRET has expired"),
        ("ValidationError", "Bad request\n\nx-amz-security-token:SECRET"),
        ("ValidationError", "Key ASIASECRETSECRETSEC1 is odd"),
    ],
)
def test_no_message_repeats_a_secret(code: str, message: str) -> None:
    assert "SECRET" not in str(seen(refusal(code, 400, message)))


def test_no_traceback_repeats_a_secret() -> None:
    error = seen(refusal("SignatureDoesNotMatch", 403, "The Canonical String was\nx-amz-security-token:SECRET"))
    assert "SECRET" not in "".join(format_exception(error))


def obstore_text(status: str, code: str, message: str = "because") -> str:
    said = f"<Code>{code}</Code><Message>{message}</Message><Region>eu-west-1</Region>"
    answer = f'Server returned non-2xx status code: {status}: <?xml version="1.0"?>\n<Error>{said}</Error>'
    return f"Generic S3 error: Error performing GET http://x/a in 1ms - {answer}\n\nDebug source:\nSECRET"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(obstore_text("404 Not Found", "NoSuchKey")), ObjectMissing),
        (FileNotFoundError(obstore_text("404 Not Found", "NoSuchBucket")), BucketNotFound),
        (PermissionDeniedError(obstore_text("403 Forbidden", "AccessDenied")), AccessDenied),
        (PermissionDeniedError(obstore_text("403 Forbidden", "InvalidObjectState")), ObjectArchived),
        (PreconditionError(obstore_text("412 Precondition Failed", "PreconditionFailed")), ObjectChanged),
        (GenericError(obstore_text("503 Service Unavailable", "SlowDown")), Throttled),
        (GenericError(obstore_text("500 Internal Server Error", "InternalError")), SourceUnavailable),
        (GenericError(obstore_text("400 Bad Request", "ExpiredToken")), CredentialsExpired),
        (GenericError("Received redirect without LOCATION, this normally indicates …"), BucketNotFound),
        (GenericError("Generic S3 error: HTTP error: error sending request"), SourceUnavailable),
        (UnauthenticatedError("External AWS credential provider: ValueError"), SourceUnavailable),
    ],
)
def test_obstore_speaks_of_the_same_things(error: Exception, expected: type[TidegateError]) -> None:
    translation = from_obstore(error, "s3://acme/a.csv")
    assert type(translation) is expected
    assert "SECRET" not in str(translation)


def test_obstore_tells_kms_and_regions_too() -> None:
    kms = PermissionDeniedError(obstore_text("403 Forbidden", "AccessDenied", "not authorized to perform: kms:Decrypt"))
    region = GenericError(obstore_text("400 Bad Request", "AuthorizationHeaderMalformed"))
    assert "kms:Decrypt" in from_obstore(kms, "").remedy
    assert "eu-west-1" in from_obstore(region, "").remedy


def test_what_we_found_out_ourselves_is_spoken_of_alike() -> None:
    error = error_for("NoSuchKey", "s3://acme/a.csv")
    assert type(error) is ObjectMissing
    assert str(error).startswith("s3://acme/a.csv: The object is gone (NoSuchKey). ")
