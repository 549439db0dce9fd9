import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
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
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
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
        ("ExpiredToken", 400, ConfigError),
        ("InvalidAccessKeyId", 403, ConfigError),
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


def test_a_denial_by_kms_is_told_from_one_by_s3() -> None:
    by_kms = seen(refusal("AccessDenied", 403, "User: x is not authorized to perform: kms:Decrypt on this resource"))
    by_s3 = seen(refusal("AccessDenied", 403, "Access Denied"))
    assert "kms:Decrypt" in by_kms.remedy
    assert "s3:GetObject" in by_s3.remedy
    assert "s3:ListBucket" in by_s3.remedy


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
        (NoCredentialsError(), ConfigError),
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
        (GenericError(obstore_text("400 Bad Request", "ExpiredToken")), ConfigError),
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
