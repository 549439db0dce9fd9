"""Buckets: customers' objects as streams of bytes, each request pinned to one identity (P5).

Bodies come through obstore, which costs a fifteenth of botocore's CPU per request. It cannot ask for every key that
S3 can hold: it drops a slash at either end, and refuses empty, `.` and `..` segments and ASCII control characters.
Such keys go through botocore, with the same ranges and the same pins; `_ordinary` is the rule. So do all bodies over
connections with a proxy or an endpoint of their own, which `Network` guards, and from time to time the first range
from a bucket whose owner must be proved: obstore cannot sign the header that names the owner.

A body that breaks is asked for again from where it broke, with the same pins (F88), at most RETRIES times; what
fails then is raised. Nothing is read twice, and nothing from another identity.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from chalicelib.aws.customers.bodies import PART, ObjectBody, Part
from chalicelib.aws.customers.recent import Recent
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.errors import error_for, from_obstore, translated
from chalicelib.core.addresses import Address, address
from chalicelib.core.connections import Grant
from chalicelib.core.descriptions import Description
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import AccessDenied, SourceUnavailable, TidegateError

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef
    from obstore import GetOptions
    from obstore.store import S3Config, S3Credential

RETRIES = 4  # of one range, within RETRY_FOR
RETRY_FOR = timedelta(seconds=60)
TIMEOUT = timedelta(seconds=60)  # of one range
STORES = 64  # that are kept, each with connections of its own
OWNED_FOR = 300.0  # seconds after which a bucket's owner is asked for again: a name can change hands
ALWAYS_ASK = datetime(1970, 1, 1, tzinfo=UTC)  # over at once: obstore asks each time, and botocore knows when to renew


@dataclass(frozen=True, slots=True)
class Buckets:
    """Reads objects over a connection; each reader gets credentials for its pipeline's bucket and prefix only.

    `endpoint`: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, which obstore, unlike botocore, has to be told.
    """

    sessions: Sessions
    endpoint: str | None = None
    part: int = PART
    clock: Callable[[], float] = monotonic
    _stores: Recent[tuple[Grant, str, str], S3Store] = field(
        default_factory=partial(Recent, STORES), repr=False, compare=False
    )
    _owned: dict[tuple[Grant, str], float] = field(default_factory=dict, repr=False, compare=False)  # when it was seen

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> ObjectBody:
        """The bytes of exactly this identity. `prefix`: the pipeline's, which the session is cut down to.

        Raises RoleNotAssumable, and what ObjectBody raises.
        """
        return ObjectBody(partial(self._fetch, grant, ref, prefix), size=ref.size, part=self.part)

    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description:
        """What S3 tells of exactly this identity, also if it is archived; its tags too if asked for.

        Raises what `open` raises, but never ObjectArchived.
        """

        def described() -> Description:
            with self._told_from_gone(grant, ref, prefix), translated(str(ref)):
                client = self.sessions.customer(grant, ref.bucket, prefix, tags=tags)
                # In this order, so that the tags are of this identity too: only the other request can be pinned to it.
                labels = _tags(client, ref) if tags else None
                return _description(ref, client.head_object(**_pinned(ref)), labels)

        return self.sessions.attempt(grant, ref.bucket, prefix, described, tags=tags)

    def _fetch(self, grant: Grant, ref: ObjectRef, prefix: str, start: int | None, length: int) -> Part:
        return self.sessions.attempt(
            grant, ref.bucket, prefix, lambda: self._fetch_once(grant, ref, prefix, start, length)
        )

    def _fetch_once(self, grant: Grant, ref: ObjectRef, prefix: str, start: int | None, length: int) -> Part:
        with self._told_from_gone(grant, ref, prefix):
            plain = self.sessions.network.is_plain(grant.connection)
            if not plain or not _ordinary(ref) or not self._is_owned(grant, ref.bucket):
                part = _by_botocore(self.sessions.customer(grant, ref.bucket, prefix), ref, start, length)
                self._owned[grant, ref.bucket] = self.clock()
                return part
            credentials = self.sessions.credentials(grant, ref.bucket, prefix)
            if credentials is not None:
                credentials.get_frozen_credentials()  # renewed here if need be: obstore would swallow our errors
            return _by_obstore(self._store(grant, ref.bucket, prefix), ref, start, length)

    def _is_owned(self, grant: Grant, bucket: str) -> bool:
        """True if the bucket was seen a moment ago to belong to whom it must, or if that does not matter."""
        seen = self._owned.get((grant, bucket))
        fresh = seen is not None and self.clock() - seen < OWNED_FOR
        return fresh or self.sessions.network.owner(grant.connection) is None

    @contextmanager
    def _told_from_gone(self, grant: Grant, ref: ObjectRef, prefix: str) -> Iterator[None]:
        try:
            with self.sessions.network.owned(grant.connection):
                yield
        except AccessDenied as error:
            if self._gone(grant, ref, prefix):
                raise error_for("NoSuchKey", str(ref)) from error
            raise

    def _store(self, grant: Grant, bucket: str, prefix: str) -> S3Store:
        def made() -> S3Store:
            at = address(grant.connection, bucket, self.endpoint)
            credentials = self.sessions.credentials(grant, bucket, prefix)
            return _store(at, credentials, requester_pays=grant.connection.requester_pays)

        return self._stores.get((grant, bucket, prefix), made)

    def _gone(self, grant: Grant, ref: ObjectRef, prefix: str) -> bool:
        """True if a listing shows that the key is not there.

        S3 says 403 for a missing key unless s3:ListBucket holds without a condition on the prefix (E28).
        """
        if ref.version_id or not grant.connection.can_list:
            return False  # a listing tells of the latest version only
        try:
            client = self.sessions.customer(grant, ref.bucket, prefix)
            with translated(str(ref)):
                page = client.list_objects_v2(Bucket=ref.bucket, Prefix=ref.key, MaxKeys=1)
        except TidegateError:
            return False
        return all(found["Key"] != ref.key for found in page.get("Contents", ()))


def _ordinary(ref: ObjectRef) -> bool:
    """True if obstore asks for this very key; an ETag that no header can hold would end the process."""
    return not {"", ".", ".."} & set(ref.key.split("/")) and not re.search(r"[\x00-\x1f\x7f]", ref.key + ref.etag)


def _store(at: Address, credentials: "Credentials | None", *, requester_pays: bool) -> S3Store:
    def give() -> "S3Credential":
        assert credentials is not None
        given = credentials.get_frozen_credentials()
        return {
            "access_key_id": given.access_key or "",
            "secret_access_key": given.secret_key or "",
            "token": given.token,
            "expires_at": ALWAYS_ASK,
        }

    # All of it is said: what is left out, obstore would take from the environment.
    config: S3Config = {
        "region": at.region,
        "endpoint": at.endpoint,
        "aws_endpoint_url_s3": at.endpoint,
        "virtual_hosted_style_request": at.virtual,
        "skip_signature": credentials is None,
        "request_payer": requester_pays,
        "s3_express": False,
    }
    return S3Store(
        at.bucket,
        config=config,
        credential_provider=give if credentials is not None else None,
        client_options={
            "allow_http": at.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": TIMEOUT,
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_FOR},
    )


def _by_obstore(store: S3Store, ref: ObjectRef, start: int | None, length: int) -> Part:
    options: GetOptions = {"if_match": f'"{ref.etag}"'}
    if ref.version_id:
        options["version"] = ref.version_id
    if start is not None:
        options["range"] = (start, start + length)
    try:
        result = obstore.get(store, ref.key, options=options)
        total = result.meta["size"]
        data = memoryview(result.bytes() if start is not None or total <= length else b"")
    except (BaseError, FileNotFoundError) as error:
        raise from_obstore(error, str(ref)) from error
    part = Part(data, total, _packed(result.attributes.get("Content-Encoding")))
    return _checked(ref, start, length, part, result.meta["e_tag"])


def _by_botocore(client: "S3Client", ref: ObjectRef, start: int | None, length: int) -> Part:
    request = _pinned(ref)
    if start is not None:
        request["Range"] = f"bytes={start}-{start + length - 1}"
    for _ in range(1 + RETRIES):
        with translated(str(ref)):
            answer = client.get_object(**request)
        total = int(answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"])
        with suppress(SourceUnavailable), translated(str(ref)), closing(answer["Body"]) as body:
            data = memoryview(body.read() if start is not None or total <= length else b"")
            part = Part(data, total, _packed(answer.get("ContentEncoding")))
            return _checked(ref, start, length, part, answer["ETag"])
    raise error_for("IncompleteBody", str(ref), f"the body broke {1 + RETRIES} times at byte {start or 0}")


def _pinned(ref: ObjectRef) -> dict[str, Any]:
    request = {"Bucket": ref.bucket, "Key": ref.key, "IfMatch": f'"{ref.etag}"'}
    return request | ({"VersionId": ref.version_id} if ref.version_id else {})


def _packed(encoding: str | None) -> str | None:
    """Content-Encoding without aws-chunked, which is how an upload travelled and not how the object is packed."""
    steps = [step.strip().lower() for step in (encoding or "").split(",")]
    return ", ".join(step for step in steps if step not in ("", "aws-chunked")) or None


def _checked(ref: ObjectRef, start: int | None, length: int, given: Part, etag: str | None) -> Part:
    """The part, if it is what was asked for; not every server that speaks S3 heeds If-Match."""
    _check_identity(ref, etag)
    expected = 0 if start is None and given.total > length else min(length, given.total - (start or 0))
    if len(given.data) != expected:
        raise error_for("IncompleteBody", str(ref), f"the answer came short at byte {start or 0}")
    return given


def _check_identity(ref: ObjectRef, etag: str | None) -> None:
    if etag is not None and etag.strip('"') != ref.etag:
        raise error_for("PreconditionFailed", str(ref), "the answer has another ETag")


def _tags(client: "S3Client", ref: ObjectRef) -> dict[str, str]:
    request = _pinned(ref)
    del request["IfMatch"]  # which this call does not know
    return {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(**request)["TagSet"]}


def _description(ref: ObjectRef, answer: "HeadObjectOutputTypeDef", tags: dict[str, str] | None) -> Description:
    _check_identity(ref, answer["ETag"])
    return Description(
        ref,
        size=answer["ContentLength"],
        last_modified=answer["LastModified"].astimezone(UTC),
        storage_class=answer.get("StorageClass", "STANDARD"),  # S3 does not say it of the usual one
        content_type=answer.get("ContentType"),
        content_encoding=_packed(answer.get("ContentEncoding")),
        metadata=answer["Metadata"],
        tags=tags,
        sse=answer.get("ServerSideEncryption"),
        kms_key=answer.get("SSEKMSKeyId"),
        restore=answer.get("Restore"),
        archive_status=answer.get("ArchiveStatus"),
    )
