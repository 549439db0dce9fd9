"""What S3 says besides keys, and what is no listing at all."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import BotoCoreError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from chalicelib.aws.customers.listing import PAUSE, TRIES, Listing
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.access.roles import AssumeRole
from chalicelib.core.connections import Grant
from chalicelib.core.listing import Page
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ConfigError,
    CredentialsExpired,
    CredentialsRefused,
    RoleNotAssumable,
    SourceUnavailable,
    Throttled,
    TidegateError,
)
from tests.fakes.serving import serving
from tests.fakes.wire import GRANT, NOW
from tests.wired import session

WRITTEN = "2026-01-01T00:00:00.000Z"
SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


def contents(key: str, *, more: str = "<StorageClass>STANDARD</StorageClass>", written: str = WRITTEN) -> str:
    fields = f"<Key>{key}</Key><LastModified>{written}</LastModified><ETag>&quot;e-2&quot;</ETag><Size>5</Size>"
    return f"<Contents>{fields}{more}</Contents>"


def result(*objects: str, truncated: str = "false", encoding: str = "<EncodingType>url</EncodingType>") -> str:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    head = f"<Name>acme</Name><Prefix></Prefix>{encoding}<IsTruncated>{truncated}</IsTruncated>"
    return f'<?xml version="1.0"?><ListBucketResult xmlns="{space}">{head}{"".join(objects)}</ListBucketResult>'


def said(code: str, more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>because</Message>{more}</Error>"


@dataclass
class Answers:
    """Stands in for the network: the answers to come, the last of them for ever, and the requests that came."""

    coming: list[tuple[int, str] | BotoCoreError]
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[AWSPreparedRequest] = field(default_factory=list)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        self.requests.append(request)
        answer = self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]
        if isinstance(answer, BotoCoreError):
            raise answer
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = value
        raw = type("Raw", (), {"stream": lambda *_: iter([answer[1].encode()])})()
        return AWSResponse(request.url, answer[0], headers, raw)


@dataclass
class Sts:
    """Gives credentials, or refuses to."""

    given: int = 0
    refuses: bool = False

    def answer(self, **event: Any) -> Any:
        self.given += 1
        status, text = (403, said("AccessDenied")) if self.refuses else (200, self.granted())
        raw = type("Raw", (), {"stream": lambda *_: iter([text.encode()])})()
        return AWSResponse(event["request"].url, status, HTTPHeaders(), raw)

    def granted(self) -> str:
        key = f"<AccessKeyId>KEY{self.given}</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
        end = "<SessionToken>T</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        answer = f"<Credentials>{key}{end}</Credentials>"
        return f"<AssumeRoleResponse><AssumeRoleResult>{answer}</AssumeRoleResult></AssumeRoleResponse>"


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def sessions(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    base = session()
    base.register("before-send.sts.AssumeRole", sts.answer)
    return Sessions(base)


@dataclass
class Look:
    """A listing over `answers`, and how long it paused."""

    sessions: Sessions
    pauses: list[float] = field(default_factory=list)

    def page(self, answers: Answers, *, bucket: str = "acme", grant: Grant = GRANT, **bounds: Any) -> Page:
        listing = Listing(self.sessions, http=answers, sleep=self.pauses.append)
        return listing.page(grant, bucket, "in/", **bounds)

    def at(self, text: str) -> Page:
        return self.page(Answers([(200, text)]))

    def fails(self, *coming: tuple[int, str] | BotoCoreError, **headers: str) -> TidegateError:
        answers = Answers(list(coming), {name.replace("_", "-"): value for name, value in headers.items()})
        with pytest.raises(TidegateError) as caught:
            self.page(answers)
        assert caught.value.where == "s3://acme/in/"
        return caught.value


@pytest.fixture
def look(sessions: Sessions) -> Look:
    return Look(sessions)


def test_an_object_is_read_from_the_answer(look: Look) -> None:
    [listed] = look.at(result(contents("in/a"))).objects
    assert listed.ref == ObjectRef("acme", "in/a", "e-2", 5, NOW)
    assert (listed.storage_class, listed.restored) == ("STANDARD", False)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("in/a+b%2Bc%20d", "in/a b+c d"),
        ("in/%E6%97%A5%F0%9F%98%80", "in/日😀"),
        ("in/100%25%2541", "in/100%%41"),
        ("in/%26amp%3B%3C", "in/&amp;<"),
        ("in/%00%0D%0A%01", "in/\0\r\n\1"),
        ("in/日", "in/日"),
    ],
)
def test_keys_are_decoded_once(look: Look, written: str, key: str) -> None:
    assert look.at(result(contents(written))).objects[0].ref.key == key


def test_keys_of_a_server_that_does_not_encode_are_taken_as_they_are(look: Look) -> None:
    page = look.at(result(contents("in/a+b%20&amp;&lt;c"), encoding=""))
    assert page.objects[0].ref.key == "in/a+b%20&<c"


def test_names_need_no_namespace(look: Look) -> None:
    text = result(contents("in/a"), truncated="true").replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', "")
    page = look.at(text)
    assert ([each.ref.key for each in page.objects], page.next_after) == (["in/a"], "in/a")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-02T03:04:05.000Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+09:00", datetime(2026, 1, 1, 18, 4, 5, tzinfo=UTC)),
    ],
)
def test_times_are_in_utc(look: Look, written: str, read: datetime) -> None:
    created = look.at(result(contents("in/a", written=written))).objects[0].ref.created_at
    assert (created, created.tzinfo) == (read, UTC)


RESTORING = "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"
RESTORED = (
    "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
    "<RestoreExpiryDate>2026-02-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus>"
)


@pytest.mark.parametrize(
    ("storage", "status", "archived"),
    [
        ("GLACIER", "", True),
        ("GLACIER", RESTORING, True),
        ("GLACIER", RESTORED, False),
        ("DEEP_ARCHIVE", "", True),
        ("DEEP_ARCHIVE", RESTORED, False),
        ("GLACIER_IR", "", False),
        ("INTELLIGENT_TIERING", "", False),
        ("STANDARD", "", False),
        ("COLD_LINE", "", False),
    ],
)
def test_archived_is_what_must_be_restored_first(look: Look, storage: str, status: str, archived: bool) -> None:
    more = f"{status}<StorageClass>{storage}</StorageClass>"
    [listed] = look.at(result(contents("in/a", more=more))).objects
    assert (listed.storage_class, listed.archived, listed.restored) == (storage, archived, status == RESTORED)


@pytest.mark.parametrize("more", ["", "<StorageClass/>"])
def test_an_object_without_a_class_is_readable(look: Look, more: str) -> None:
    [listed] = look.at(result(contents("in/a", more=more))).objects
    assert (listed.storage_class, listed.archived) == ("", False)


def test_a_page_is_one_call_that_says_all(look: Look) -> None:
    answers = Answers([(200, result())])
    look.page(answers, start_after="in/é +", limit=7)
    [request] = answers.requests
    assert parse_qs(urlsplit(request.url).query) == {
        "encoding-type": ["url"],
        "list-type": ["2"],
        "max-keys": ["7"],
        "prefix": ["in/"],
        "start-after": ["in/é +"],
    }
    assert request.headers["x-amz-optional-object-attributes"] == "RestoreStatus"


def test_a_call_is_signed_with_the_credentials_of_the_role(look: Look, sts: Sts) -> None:
    answers = Answers([(200, result())])
    tokyo = Grant(
        AssumeRole(name="acme", role_arn=GRANT.connection.role, region="ap-northeast-1"), "e" * 64, GRANT.created_at
    )
    look.page(answers, grant=tokyo)
    look.page(answers, grant=tokyo)
    for request in answers.requests:
        signed = request.headers["Authorization"]
        assert "Credential=KEY1/" in signed
        assert "/ap-northeast-1/s3/aws4_request" in signed
        assert "x-amz-optional-object-attributes" in signed
        assert request.headers["X-Amz-Security-Token"] == "T"
    assert sts.given == 1


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "start"),
    [
        ("acme", "eu-west-1", None, "https://acme.s3.eu-west-1.amazonaws.com/?"),
        ("acme", "cn-north-1", None, "https://acme.s3.cn-north-1.amazonaws.com.cn/?"),
        ("acme.exports", "eu-west-1", None, "https://s3.eu-west-1.amazonaws.com/acme.exports?"),
        ("Acme_Old", "us-east-1", None, "https://s3.us-east-1.amazonaws.com/Acme_Old?"),
        ("acme", "us-east-1", "http://127.0.0.1:4566", "http://127.0.0.1:4566/acme?"),
        ("acme", "us-east-1", "https://store.example/s3/", "https://store.example/s3/acme?"),
    ],
)
def test_the_bucket_is_called_where_it_is(
    sessions: Sessions, bucket: str, region: str, endpoint: str | None, start: str
) -> None:
    answers = Answers([(200, result())])
    grant = Grant(AssumeRole(name="acme", role_arn=GRANT.connection.role, region=region), "e" * 64, GRANT.created_at)
    Listing(sessions, endpoint, http=answers).page(grant, bucket, "")
    assert answers.requests[0].url.startswith(start)


def test_a_page_that_is_not_the_last_says_after_which_key_to_go_on(look: Look) -> None:
    assert look.at(result(contents("in/a"), contents("in/b%20"), truncated="true")).next_after == "in/b "
    assert look.at(result(contents("in/a"), contents("in/b"))).next_after is None


@pytest.mark.parametrize(("until", "keys", "goes_on"), [("in/b", ["in/a"], None), ("in/c", ["in/a", "in/b"], "in/b")])
def test_a_bound_cuts_a_page_and_ends_it(look: Look, until: str, keys: list[str], goes_on: str | None) -> None:
    text = result(contents("in/a"), contents("in/b"), truncated="true")
    page = look.page(Answers([(200, text)]), until=until)
    assert ([each.ref.key for each in page.objects], page.next_after) == (keys, goes_on)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>It works</body></html>",
        "<ListAllMyBucketsResult/>",
        result(contents("in/a"))[:-1],
        result(contents("in/a"))[:200],
        result(truncated="true"),
        result(contents("in/a").replace("Size", "Length")),
        result(contents("in/a").replace("ETag", "Tag")),
        result(contents("")),
        result(contents("in/a").replace(">5<", ">five<")),
        result(contents("in/a", written="yesterday")),
        said("InternalError"),
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + result(contents("&b;")).partition("?>")[2],
    ],
)
def test_what_is_no_whole_listing_is_never_an_empty_one(look: Look, text: str) -> None:
    assert type(look.fails((200, text))) is SourceUnavailable


@pytest.mark.parametrize(
    ("keys", "start_after"), [(["in/b", "in/a"], ""), (["in/a", "in/a"], ""), (["in/a"], "in/a"), (["in/a"], "in/b")]
)
def test_a_listing_out_of_order_is_refused(look: Look, keys: list[str], start_after: str) -> None:
    with pytest.raises(ConfigError, match="order"):
        look.page(Answers([(200, result(*map(contents, keys)))]), start_after=start_after)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", AccessDenied),
        (403, "AllAccessDisabled", AccessDenied),
        (404, "NoSuchBucket", BucketNotFound),
        (403, "InvalidAccessKeyId", CredentialsRefused),
        (400, "ExpiredToken", CredentialsExpired),
        (400, "Unheard", ConfigError),
    ],
)
def test_a_refusal_is_not_asked_twice(look: Look, status: int, code: str, expected: type[TidegateError]) -> None:
    error = look.fails((status, said(code)))
    assert type(error) is expected
    assert code in error.what
    assert error.remedy
    assert look.pauses == []


def test_a_bucket_elsewhere_is_named_with_its_region(look: Look) -> None:
    moved = look.fails((301, said("PermanentRedirect")), x_amz_bucket_region="eu-west-1")
    signed = look.fails((400, said("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")))
    for error in (moved, signed):
        assert type(error) is BucketNotFound
        assert "eu-west-1" in error.remedy


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((503, SLOW_DOWN), Throttled),
        ((200, SLOW_DOWN), Throttled),
        ((503, "<html>busy</html>"), Throttled),
        ((500, said("InternalError")), SourceUnavailable),
        ((502, ""), SourceUnavailable),
        ((200, "cut"), SourceUnavailable),
        (EndpointConnectionError(endpoint_url="http://x"), SourceUnavailable),
        (ReadTimeoutError(endpoint_url="http://x"), SourceUnavailable),
        (ConnectionClosedError(endpoint_url="http://x"), SourceUnavailable),
    ],
)
def test_what_fails_for_the_moment_is_tried_again_a_few_times(
    look: Look, answer: tuple[int, str] | BotoCoreError, expected: type[TidegateError]
) -> None:
    answers = Answers([answer, answer, (200, result(contents("in/a")))])
    assert len(look.page(answers).objects) == 1
    assert len(look.pauses) == 2
    look.pauses.clear()
    assert type(look.fails(answer)) is expected
    assert len(look.pauses) == TRIES - 1
    assert all(0 <= pause <= PAUSE * 2**tried for tried, pause in enumerate(look.pauses))


def test_a_probe_asks_for_one_key_and_tells_what_is_wrong(sessions: Sessions) -> None:
    answers = Answers([(200, result())])
    Listing(sessions, http=answers).probe(GRANT, "acme", "in/")
    assert "max-keys=1&" in answers.requests[0].url
    with pytest.raises(AccessDenied):
        Listing(sessions, http=Answers([(403, said("AccessDenied"))])).probe(GRANT, "acme", "in/")


def test_a_role_that_cannot_be_assumed_is_named(look: Look, sts: Sts) -> None:
    sts.refuses = True
    answers = Answers([(200, result())])
    with pytest.raises(RoleNotAssumable):
        look.page(answers)
    assert (answers.requests, look.pauses) == ([], [])


class Server(BaseHTTPRequestHandler):
    """One page, cut off as often as `cuts` says; counts connections."""

    protocol_version = "HTTP/1.1"
    cuts: list[int]
    connections: list[Any]

    def setup(self) -> None:
        super().setup()
        self.connections.append(self.client_address)

    def do_GET(self) -> None:
        body = result(contents("in/a")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        given = self.cuts.pop() if self.cuts else len(body)
        self.wfile.write(body[:given])
        self.close_connection = given < len(body)


@pytest.fixture
def served() -> Any:
    def serve(*cuts: int) -> tuple[str, list[Any]]:
        connections: list[Any] = []
        return servers.enter_context(serving(Server, cuts=list(cuts), connections=connections)), connections

    with ExitStack() as servers:
        yield serve


Serve = Callable[..., tuple[str, list[Any]]]


def test_one_connection_serves_many_pages(sessions: Sessions, served: Serve) -> None:
    url, connections = served()
    listing = Listing(sessions, url)
    for _ in range(5):
        assert len(listing.page(GRANT, "acme", "in/").objects) == 1
    assert len(connections) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(sessions: Sessions, served: Serve) -> None:
    url, connections = served(0, 300)
    pauses: list[float] = []
    page = Listing(sessions, url, sleep=pauses.append).page(GRANT, "acme", "in/")
    assert (len(page.objects), len(pauses), len(connections)) == (1, 2, 3)


def test_a_server_that_nobody_runs_is_an_error(sessions: Sessions) -> None:
    pauses: list[float] = []
    with pytest.raises(SourceUnavailable):
        Listing(sessions, "http://127.0.0.1:1", sleep=pauses.append).page(GRANT, "acme", "in/")
    assert len(pauses) == TRIES - 1
