"""Buckets: customers' objects as streams of bytes, each request pinned to one identity (P5).

Bodies come through obstore, which costs a fifteenth of botocore's CPU per request. It cannot ask for every key that
S3 can hold: it drops a slash at either end, and refuses empty, `.` and `..` segments and ASCII control characters.
Such keys go through botocore, with the same ranges and the same pins; `_ordinary` is the rule.

A body that breaks is asked for again from where it broke, with the same pins (F88), at most RETRIES times; what
fails then is raised. Nothing is read twice, and nothing from another identity.
"""

import io
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from chalicelib.aws.errors import error_for, from_obstore, translated
from chalicelib.aws.sessions import Sessions
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import AccessDenied, SourceUnavailable, TidegateError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.credentials import RefreshableCredentials
    from mypy_boto3_s3.client import S3Client
    from obstore import GetOptions
    from obstore.store import S3Config, S3Credential

PART = 8 * 2**20  # bytes of one range; two are held at most
RETRIES = 4  # of one range, within RETRY_FOR
RETRY_FOR = timedelta(seconds=60)
TIMEOUT = timedelta(seconds=60)  # of one range
ALWAYS_ASK = datetime(1970, 1, 1, tzinfo=UTC)  # over at once: obstore asks each time, and botocore knows when to renew


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of one range, and how many the whole object has."""

    data: memoryview
    total: int


Fetch = Callable[[int | None], Part]  # a part's bytes from this one; None: all, unless they are more than a part


class ObjectBody(io.RawIOBase):
    """An object's bytes from first to last. One range at most is fetched ahead of the reader.

    `size` is what the notification said; it only shapes the first request.

    Opening fetches the first range, so it raises what any read may raise: ObjectMissing, ObjectChanged,
    ObjectArchived, AccessDenied, BucketNotFound, Throttled, SourceUnavailable.
    """

    def __init__(self, fetch: Fetch, *, size: int, part: int = PART) -> None:
        self._ahead: Future[Part] | None = None
        self._pool: ThreadPoolExecutor | None = None
        first = fetch(0 if size > part else None)  # an empty object has no ranges
        self.size = first.total  # bytes, as S3 says
        self._rest = first.data
        self._fetch, self._part, self._asked = fetch, part, len(first.data)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, unless the object ends before."""
        if self.closed:
            raise ValueError("the object was closed")
        wanted = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(wanted) and self._has_more():
            taken = self._rest[: len(wanted) - filled]
            wanted[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._rest = self._rest[len(taken) :]
        return filled

    def close(self) -> None:
        """Forget what was fetched ahead; safe to call twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._rest, self._ahead = memoryview(b""), None
        super().close()

    def _has_more(self) -> bool:
        if len(self._rest) <= self._part // 2:
            self._look_ahead()
        if not self._rest and self._ahead is not None:
            self._rest = self._ahead.result().data
            self._ahead = None
        return bool(self._rest)

    def _look_ahead(self) -> None:
        if self._ahead is None and self._asked < self.size:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="range")
            self._ahead = self._pool.submit(self._fetch, self._asked)
            self._asked += self._part


@dataclass(frozen=True, slots=True)
class Buckets:
    """Reads objects over a connection; each reader gets credentials for its pipeline's bucket and prefix only.

    `endpoint`: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, which obstore, unlike botocore, has to be told.
    """

    sessions: Sessions
    endpoint: str | None = None
    part: int = PART
    _stores: dict[tuple[Grant, str, str], S3Store] = field(default_factory=dict, repr=False, compare=False)

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> ObjectBody:
        """The bytes of exactly this identity. `prefix`: the pipeline's, which the session is cut down to.

        Raises RoleNotAssumable, and what ObjectBody raises.
        """
        return ObjectBody(partial(self._fetch, grant, ref, prefix), size=ref.size, part=self.part)

    def _fetch(self, grant: Grant, ref: ObjectRef, prefix: str, start: int | None) -> Part:
        try:
            if not _ordinary(ref.key):
                return _by_botocore(self.sessions.customer(grant, ref.bucket, prefix), ref, start, self.part)
            credentials = self.sessions.assumed(grant, ref.bucket, prefix)
            credentials.get_frozen_credentials()  # renewed here if need be: obstore would swallow our errors
            return _by_obstore(self._store(grant, ref.bucket, prefix), ref, start, self.part)
        except AccessDenied as error:
            if self._gone(grant, ref, prefix):
                raise error_for("NoSuchKey", str(ref)) from error
            raise

    def _store(self, grant: Grant, bucket: str, prefix: str) -> S3Store:
        key = (grant, bucket, prefix)
        if key not in self._stores:
            credentials = self.sessions.assumed(grant, bucket, prefix)
            self._stores.setdefault(key, _store(bucket, grant.connection.region, self.endpoint, credentials))
        return self._stores[key]

    def _gone(self, grant: Grant, ref: ObjectRef, prefix: str) -> bool:
        """True if a listing shows that the key is not there.

        S3 says 403 for a missing key unless s3:ListBucket holds without a condition on the prefix (E28).
        """
        if ref.version_id:
            return False  # a listing tells of the latest version only
        try:
            client = self.sessions.customer(grant, ref.bucket, prefix)
            with translated(str(ref)):
                page = client.list_objects_v2(Bucket=ref.bucket, Prefix=ref.key, MaxKeys=1)
        except TidegateError:
            return False
        return all(found["Key"] != ref.key for found in page.get("Contents", ()))


def _ordinary(key: str) -> bool:
    """True if obstore asks for this very key."""
    return not {"", ".", ".."} & set(key.split("/")) and not re.search(r"[\x00-\x1f\x7f]", key)


def _store(bucket: str, region: str, endpoint: str | None, credentials: "RefreshableCredentials") -> S3Store:
    def give() -> "S3Credential":
        given = credentials.get_frozen_credentials()
        return {
            "access_key_id": given.access_key or "",
            "secret_access_key": given.secret_key or "",
            "token": given.token,
            "expires_at": ALWAYS_ASK,
        }

    if endpoint is None and region.startswith("cn-"):
        endpoint = f"https://s3.{region}.amazonaws.com.cn"
    config: S3Config = {
        "region": region,
        "virtual_hosted_style_request": endpoint is None and "." not in bucket,  # a dot fails AWS's certificate
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    return S3Store(
        bucket,
        config=config,
        credential_provider=give,
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": TIMEOUT,
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_FOR},
    )


def _by_obstore(store: S3Store, ref: ObjectRef, start: int | None, part: int) -> Part:
    options: GetOptions = {"if_match": f'"{ref.etag}"'}
    if ref.version_id:
        options["version"] = ref.version_id
    if start is not None:
        options["range"] = (start, start + part)
    try:
        result = obstore.get(store, ref.key, options=options)
        total = result.meta["size"]
        data = memoryview(result.bytes() if start is not None or total <= part else b"")
    except (BaseError, FileNotFoundError) as error:
        raise from_obstore(error, str(ref)) from error
    return _checked(ref, start, part, Part(data, total), result.meta["e_tag"])


def _by_botocore(client: "S3Client", ref: ObjectRef, start: int | None, part: int) -> Part:
    request: dict[str, Any] = {"Bucket": ref.bucket, "Key": ref.key, "IfMatch": f'"{ref.etag}"'}
    if ref.version_id:
        request["VersionId"] = ref.version_id
    if start is not None:
        request["Range"] = f"bytes={start}-{start + part - 1}"
    for _ in range(1 + RETRIES):
        with translated(str(ref)):
            answer = client.get_object(**request)
        total = int(answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"])
        with suppress(SourceUnavailable), translated(str(ref)), closing(answer["Body"]) as body:
            data = memoryview(body.read() if start is not None or total <= part else b"")
            return _checked(ref, start, part, Part(data, total), answer["ETag"])
    raise error_for("IncompleteBody", str(ref), f"the body broke {1 + RETRIES} times at byte {start or 0}")


def _checked(ref: ObjectRef, start: int | None, part: int, given: Part, etag: str | None) -> Part:
    """The part, if it is what was asked for; not every server that speaks S3 heeds If-Match."""
    if etag is not None and etag.strip('"') != ref.etag:
        raise error_for("PreconditionFailed", str(ref), "the answer has another ETag")
    expected = 0 if start is None and given.total > part else min(part, given.total - (start or 0))
    if len(given.data) != expected:
        raise error_for("IncompleteBody", str(ref), f"the answer came short at byte {start or 0}")
    return given
