"""Listing: customers' buckets, page by page, at a tenth of what botocore's parser costs.

Requests are signed by botocore and sent over connections that are kept; aws.customers.listed reads the XML. A page
goes on after a key, not by S3's token, so that any process can go on from any key.

What is not a complete, ordered list of keys is an error, never a short or empty page (E49).
"""

import operator
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from chalicelib.aws.customers.listed import Answer, answered
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.aws.customers.wires import Http
from chalicelib.aws.errors import error_for, from_client_error, translated
from chalicelib.core.addresses import address
from chalicelib.core.connections import Grant
from chalicelib.core.listing import Listed, Page, unlisted
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import ConfigError, ObjectMissing, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

LIMIT = 1000  # keys of a page, more than S3 ever gives
TRIES = 4  # of a page; what fails then is left to the queue
PAUSE = 1.0  # seconds at most before the second try, doubled for each one after it
HEADERS = {"User-Agent": "tidegate", "x-amz-optional-object-attributes": "RestoreStatus"}


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that may be tried again: each time with a signature of its own, unless the connection is anonymous."""

    http: Http
    url: str
    headers: Mapping[str, str]
    signer: S3SigV4Auth | None


class Listing:
    """Lists buckets over connections, each with credentials for its pipeline's bucket and prefix only.

    `endpoint`: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL. Threads may share one.
    """

    def __init__(
        self,
        sessions: Sessions,
        endpoint: str | None = None,
        *,
        http: Http | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sessions, self._endpoint, self._sleep, self._http = sessions, endpoint, sleep, http

    def page(
        self,
        grant: Grant,
        bucket: str,
        prefix: str,
        *,
        start_after: str = "",
        until: str | None = None,
        limit: int = LIMIT,
        exact: bool = False,
    ) -> Page:
        """Up to `limit` objects whose keys start with `prefix`, lie after `start_after` and before `until`.

        One call to S3, more only if it fails for the moment. `start_after` need not be a key; nor need `until`.
        `exact`: only the key `prefix` itself matters, so that this works without s3:ListBucket too (F7).

        Raises RoleNotAssumable, AccessDenied, BucketNotFound, Throttled, SourceUnavailable; ConfigError for a bucket
        that is not listed in key order, as S3's directory buckets are, and for a connection that may not list.
        """
        if not grant.connection.can_list:
            return self._single(grant, bucket, prefix, start_after, until, exact=exact)
        query = {"encoding-type": "url", "list-type": "2", "max-keys": str(limit), "prefix": prefix}
        if start_after:
            query["start-after"] = start_after
        answer = self._sessions.attempt(grant, bucket, prefix, lambda: self._ask(grant, bucket, prefix, query))
        page = _page(answer, bucket, start_after, _where(bucket, prefix))
        if until is None or not page.objects or page.objects[-1].ref.key < until:
            return page
        return Page(tuple(each for each in page.objects if each.ref.key < until), None)

    def probe(self, grant: Grant, bucket: str, prefix: str) -> None:
        """One page of one key, to see whether access works; raises what `page` raises.

        Over a connection that may not list nothing can be asked without a key: then only credentials are got.
        """
        if grant.connection.can_list:
            self.page(grant, bucket, prefix, limit=1)
        elif (credentials := self._sessions.credentials(grant, bucket, prefix)) is not None:
            credentials.get_frozen_credentials()

    def _single(self, grant: Grant, bucket: str, key: str, start_after: str, until: str | None, *, exact: bool) -> Page:
        """The page of one key, by a HEAD."""
        if not exact:
            raise unlisted(grant.connection.name, _where(bucket, key))
        if key <= start_after or (until is not None and key >= until):
            return Page((), None)
        where = _where(bucket, key)
        try:
            with self._sessions.network.owned(grant.connection), translated(where):
                answer = self._sessions.customer(grant, bucket, key).head_object(Bucket=bucket, Key=key)
        except ObjectMissing:
            return Page((), None)
        return Page((_headed(bucket, key, answer),), None)

    def _ask(self, grant: Grant, bucket: str, prefix: str, query: Mapping[str, str]) -> Answer:
        network, where = self._sessions.network, _where(bucket, prefix)
        at = address(grant.connection, bucket, self._endpoint)
        # Good for five minutes, which is longer than all tries take unless bytes trickle.
        credentials = self._sessions.credentials(grant, bucket, prefix)
        call = _Call(
            self._http or network.wire(grant.connection, at.url),
            f"{at.url}{'/' if at.virtual else ''}?{_encoded(query)}",
            HEADERS | network.headers(grant.connection),
            S3SigV4Auth(credentials.get_frozen_credentials(), "s3", at.region) if credentials is not None else None,
        )
        with network.owned(grant.connection):
            for tried in range(TRIES - 1):
                try:
                    return _tried(call, where)
                except TransientError:
                    # Not all at once, so that many do not come back together.
                    self._sleep(random.uniform(0, PAUSE * 2**tried))  # noqa: S311
            return _tried(call, where)


def _tried(call: _Call, where: str) -> Answer:
    request = AWSRequest(method="GET", url=call.url, headers=call.headers)
    if call.signer is not None:
        call.signer.add_auth(request)
    with translated(where):
        answer = call.http.send(request.prepare())
    said = answered(answer.content)
    if answer.status_code == 200 and said is not None and said.name == "ListBucketResult":
        return said
    if answer.status_code == 200 and (said is None or said.name != "Error"):
        raise error_for("IncompleteBody", where, "the answer is no listing, or only a part of one")
    raise from_client_error(_refusal(answer.status_code, answer.headers, said), where)


def _headed(bucket: str, key: str, answer: "HeadObjectOutputTypeDef") -> Listed:
    """What a listing would show of it."""
    written = answer["LastModified"].astimezone(UTC)
    ref = ObjectRef(bucket, key, answer["ETag"].strip('"'), answer["ContentLength"], written)
    restored = 'ongoing-request="false"' in answer.get("Restore", "")
    return Listed(ref, answer.get("StorageClass", "STANDARD"), restored)  # S3 does not say it of the usual one


def _encoded(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())


def _where(bucket: str, prefix: str) -> str:
    return f"s3://{bucket}/{prefix}"


def _refusal(status: int, headers: Mapping[str, str], answer: Answer | None) -> ClientError:
    said = answer.said if answer is not None else {}
    meta = {"HTTPStatusCode": status, "HTTPHeaders": {name.lower(): value for name, value in headers.items()}}
    return ClientError({"Error": said, "ResponseMetadata": meta}, "ListObjectsV2")  # type: ignore[typeddict-item]


def _page(answer: Answer, bucket: str, start_after: str, where: str) -> Page:
    try:
        found = tuple(answer.objects(bucket))
    except ValueError as error:
        raise error_for("IncompleteBody", where, f"the listing cannot be understood: {error}") from error
    if answer.truncated and not found:
        raise error_for("IncompleteBody", where, "S3 says that there are more keys, and gives none")
    keys = [start_after, *(each.ref.key for each in found)]
    if any(map(operator.ge, keys, keys[1:])):
        remedy = "Directory buckets and some other stores cannot be listed from a key on: use a general purpose bucket"
        raise ConfigError("the listing is not in key order", where=where, remedy=remedy)
    return Page(found, keys[-1] if answer.truncated else None)
