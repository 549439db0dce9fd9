"""Buckets: customers' objects as streams of bytes, each request pinned to one identity (P5).

Bodies come through obstore, which costs a fifteenth of botocore's CPU per request. It cannot ask for every key that
S3 can hold: it drops a slash at either end, and refuses empty, `.` and `..` segments and ASCII control characters.
Such keys go through botocore, with the same ranges and the same pins; `_ordinary` is the rule.

A body that breaks is asked for again from where it broke, with the same pins (F88), at most RETRIES times; what
fails then is raised. Nothing is read twice, and nothing from another identity.
"""

import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
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
from chalicelib.core.descriptions import Description
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import AccessDenied, SourceUnavailable, TidegateError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.credentials import RefreshableCredentials
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef
    from obstore import GetOptions
    from obstore.store import S3Config, S3Credential

PART = 8 * 2**20  # bytes of one range; two are held at most
SMALL = 32  # what part of a part is fetched at least: 256 KiB
RETRIES = 4  # of one range, within RETRY_FOR
RETRY_FOR = timedelta(seconds=60)
TIMEOUT = timedelta(seconds=60)  # of one range
ALWAYS_ASK = datetime(1970, 1, 1, tzinfo=UTC)  # over at once: obstore asks each time, and botocore knows when to renew


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of one range, how many the whole object has, and how those say they are packed."""

    data: memoryview
    total: int
    encoding: str | None = None  # Content-Encoding


Fetch = Callable[[int | None, int], Part]  # so many bytes from this one; None: all, unless they are more than that


@dataclass(frozen=True, slots=True)
class _Window:
    """Bytes that are here."""

    start: int
    data: memoryview

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def has(self, place: int) -> bool:
        return self.start <= place < self.end


class ObjectBody(io.RawIOBase):
    """An object's bytes, in any order (records.pages.Seekable).

    Read from first to last, they come in whole parts, one of which at most is fetched ahead of the reader. A read
    elsewhere fetches what it asks for, at least a SMALL of a part and at most a part at a time; as long as reads go
    on from there the ranges double until they are parts again. The last two ranges are kept, so that whoever goes
    back and forth between two places, such as a footer and the data it tells of, asks once for each.

    `size` is what the notification said; it only shapes the first request.

    Opening fetches the first range, so it raises what any read may raise: ObjectMissing, ObjectChanged,
    ObjectArchived, AccessDenied, BucketNotFound, Throttled, SourceUnavailable.
    """

    def __init__(self, fetch: Fetch, *, size: int, part: int = PART) -> None:
        self._ahead: tuple[int, int, Future[Part]] | None = None  # start, end
        self._pool: ThreadPoolExecutor | None = None
        self._windows: list[_Window] = []  # the one in use first
        first = fetch(0 if size > part else None, part)  # an empty object has no ranges
        self.size = first.total  # bytes, as S3 says
        self.encoding = first.encoding
        self._windows.append(_Window(0, first.data))
        self._fetch, self._part, self._stride, self._place = fetch, part, part, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The place of the next byte that is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is fetched before the next read. Raises ValueError for one before the start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"byte {base + offset} is before the object")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, unless the object ends before."""
        if self.closed:
            raise ValueError("the object was closed")
        wanted = memoryview(buffer).cast("B")
        wanted = wanted[: max(0, self.size - self._place)]
        filled = 0
        while filled < len(wanted):
            window = self._at_hand(len(wanted) - filled)
            begin = self._place - window.start
            taken = window.data[begin : begin + len(wanted) - filled]
            wanted[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._place += len(taken)
            self._look_ahead(window, len(wanted) - filled)
        return filled

    def close(self) -> None:
        """Forget what was fetched ahead; safe to call twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._windows, self._ahead = [], None
        super().close()

    def _at_hand(self, needed: int) -> _Window:
        """The window with the next byte, fetched if need be; `needed`: bytes that are about to be read from there."""
        current = next((window for window in self._windows if window.has(self._place)), None)
        if current is None:
            current = self._arrived() or self._fetched(needed)
        else:
            self._windows.remove(current)
        self._windows = [current, *self._windows[:1]]
        return current

    def _arrived(self) -> _Window | None:
        if self._ahead is None:
            return None
        (start, end, future), self._ahead = self._ahead, None
        if start <= self._place < end:
            if self._stride == self._part:
                self._windows = []  # whoever reads on does not come back
            return _Window(start, future.result().data)
        future.cancel()
        return None

    def _fetched(self, needed: int) -> _Window:
        goes_on = bool(self._windows) and self._place == self._windows[0].end
        self._stride = min(self._part, 2 * self._stride) if goes_on else -(-self._part // SMALL)
        length = min(self._part, max(self._stride, needed), self.size - self._place)
        return _Window(self._place, self._fetch(self._place, length).data)

    def _look_ahead(self, window: _Window, needed: int) -> None:
        """Fetch what follows the window, if it is certain to be read, or likely."""
        start = window.end
        likely = self._stride == self._part and start - self._place <= self._part // 2
        if self._ahead is not None or start >= self.size or not (needed or likely):
            return
        if any(kept.has(start) for kept in self._windows):
            return
        length = min(self._part if likely else needed, self._part, self.size - start)
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="range")
        self._ahead = (start, start + length, self._pool.submit(self._fetch, start, length))


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

    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description:
        """What S3 tells of exactly this identity, also if it is archived; its tags too if asked for.

        Raises what `open` raises, but never ObjectArchived.
        """
        with self._told_from_gone(grant, ref, prefix), translated(str(ref)):
            client = self.sessions.customer(grant, ref.bucket, prefix, tags=tags)
            # In this order, so that the tags are of this identity too: only the second request can be pinned to it.
            labels = _tags(client, ref) if tags else None
            answer = client.head_object(**_pinned(ref))
        return _description(ref, answer, labels)

    def _fetch(self, grant: Grant, ref: ObjectRef, prefix: str, start: int | None, length: int) -> Part:
        with self._told_from_gone(grant, ref, prefix):
            if not _ordinary(ref.key):
                return _by_botocore(self.sessions.customer(grant, ref.bucket, prefix), ref, start, length)
            credentials = self.sessions.credentials(grant, ref.bucket, prefix)
            assert credentials is not None
            credentials.get_frozen_credentials()  # renewed here if need be: obstore would swallow our errors
            return _by_obstore(self._store(grant, ref.bucket, prefix), ref, start, length)

    @contextmanager
    def _told_from_gone(self, grant: Grant, ref: ObjectRef, prefix: str) -> Iterator[None]:
        try:
            yield
        except AccessDenied as error:
            if self._gone(grant, ref, prefix):
                raise error_for("NoSuchKey", str(ref)) from error
            raise

    def _store(self, grant: Grant, bucket: str, prefix: str) -> S3Store:
        key = (grant, bucket, prefix)
        if key not in self._stores:
            credentials = self.sessions.credentials(grant, bucket, prefix)
            assert credentials is not None
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
