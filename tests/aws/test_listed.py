"""A listing is read by a pattern or by ElementTree, and nobody can tell which from what comes out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import ParseError, fromstring

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.aws.customers.listed import Answer, answered
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef

SPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
WRITTEN = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
CHECKSUM = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
OWNER = "<Owner><ID>79a59df9</ID></Owner>"
EXPIRY = "<RestoreExpiryDate>2026-02-01T00:00:00.000Z</RestoreExpiryDate>"
RESTORED = f"<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>{EXPIRY}</RestoreStatus>"
RESTORING = "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"


def contents(*, key: str = "in/a", etag: str = "&quot;e-2&quot;", size: str = "5", after: str = "") -> str:
    fields = f"<Key>{key}</Key>{WRITTEN}<ETag>{etag}</ETag>{CHECKSUM}<Size>{size}</Size>"
    return f"<Contents>{fields}{after}<StorageClass>GLACIER</StorageClass></Contents>"


def listing(*objects: str, declared: str = DECLARED, space: str = SPACE, encoding: str = "url") -> bytes:
    head = f"<Name>acme</Name><EncodingType>{encoding}</EncodingType><IsTruncated>true</IsTruncated>"
    return f"{declared}<ListBucketResult{space}>{head}{''.join(objects)}</ListBucketResult>".encode()


def outcome(answer: Answer | None) -> object:
    """All that a listing says, or why it says nothing."""
    if answer is None:
        return "no XML"
    try:
        return answer.name, answer.said.keys() - {"Contents"}, answer.truncated, answer.objects("acme")
    except ValueError as error:
        return str(error)


def by_definition(body: bytes) -> object:
    try:
        return outcome(Answer(fromstring(body)))
    except (ParseError, LookupError, ValueError):
        return "no XML"


def is_plain(body: bytes) -> bool:
    answer = answered(body)
    return answer is not None and answer.rows is not None


@pytest.mark.parametrize(
    ("more", "restored"),
    [("", False), (OWNER, False), (RESTORED, True), (RESTORING, False), (OWNER + RESTORED, True)],
)
def test_what_s3_writes_is_read_by_the_pattern(more: str, restored: bool) -> None:
    body = listing(contents(after=more), contents(key="in/b%20+%C3%A9", after=more))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    keys = ("in/a", "in/b  é")
    expected = [Listed(ObjectRef("acme", key, "e-2", 5, at), "GLACIER", restored) for key in keys]
    assert is_plain(body)
    assert outcome(answered(body)) == by_definition(body)
    answer = answered(body)
    assert answer is not None
    assert answer.objects("acme") == expected


ODD: Sequence[bytes] = [
    listing(),
    listing(contents(key="in/a&amp;b")),
    listing(contents(key="in/&#97;")),
    listing(contents(key="in/\x01")),
    listing(contents(key="in/\uffff")),
    listing(contents(key="in/a]]>b")),
    listing(contents(key="<![CDATA[in/a]]>")),
    listing(f"<!-- {contents()} -->"),
    listing(contents(), f"<!-- {contents(key='in/b')} -->", contents(key="in/c")),
    listing(f"<!--{contents()}", f"{contents(key='in/b')}-->"),
    listing(contents(), "<?x y?>"),
    listing(f"<?x {contents()}", f"{contents(key='in/b')}?>"),
    listing(f"<Group>{contents()}</Group>", contents(key="in/b")),
    listing(f'<Group xmlns="other">{contents()}</Group>'),
    listing(f'<Group xmlns="other">{contents()}</Group>', contents(key="in/b")),
    listing(contents().replace("<Contents>", '<Contents xmlns="other">'), contents(key="in/b")),
    listing(contents(), " ", contents(key="in/b")),
    listing(contents(after="<Key>in/other</Key>")),
    listing(contents(after="<Unheard><Size>7</Size></Unheard>")),
    listing(contents(after=RESTORED + RESTORING)),
    listing(contents(after=RESTORED.replace("RestoreExpiryDate", "Other"))),
    listing(contents(after=f"<RestoreStatus>{EXPIRY[:-1]}</RestoreStatus>")),
    listing(contents(size="1_0")),
    listing(contents(size="-1")),
    listing(contents(size="")),
    listing(contents(size="9" * 30)),
    listing(contents(etag="")),
    listing(contents(etag='"e"')),
    listing(contents(etag='&quot;"e')),
    listing(contents(key="")),
    listing(contents(key="in/%FF")),
    listing(contents(key="in/%")),
    listing(contents(key="in%2Fa%2Fb+c/%2B")),
    listing(contents(key="in/a+b%20"), encoding="none"),
    listing(contents(), space=""),
    listing(contents(), declared=""),
    listing(contents(), declared="\ufeff"),
    listing(contents(), declared="\ufeff" + DECLARED),
    listing(contents(key="in/é"), declared='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    listing(contents(), declared='<?xml version="1.0" encoding="unheard"?>'),
    listing(contents(), declared='<?xml version="1.0" encoding="shift_jis"?>'),
    listing(contents(), declared='<?xml version="1.1"?>'),
    listing(contents(), declared='<!DOCTYPE x [<!ENTITY a "b">]>'),
    listing(contents())[:-1],
    listing(contents()) + b"<more/>",
    listing(contents()).replace(b"</Contents>", b"</Contents"),
    listing(contents()).replace(b"</ChecksumType>", b"</ChecksumAlgorithm>"),
    listing(contents()).replace(b"<Name>", b"<Name attribute='<Contents>'>"),
    listing(contents(key="in/é")).replace("é".encode(), "é".encode()[:1]),
    listing(contents()).replace(b"ListBucketResult", b"a:ListBucketResult").replace(b"xmlns", b"xmlns:a"),
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_what_is_written_otherwise_means_what_xml_says(body: bytes) -> None:
    assert outcome(answered(body)) == by_definition(body)


FIELDS = (OWNER, RESTORED, RESTORING, CHECKSUM, WRITTEN, "<Key>in/z</Key>", "<Size>6</Size>", 'xmlns="x"', "%C3%A9")
SIGNS = ("</Contents>", "<Contents>", "<Contents/>", "<!--", "-->", "<?", "?>", "&quot;", "<![CDATA[", "]]>", "é")
PIECES = st.sampled_from([*"<>&\"' \n]/", *SIGNS, *FIELDS])


@settings(max_examples=300)
@given(
    objects=st.lists(st.builds(contents, key=st.text("ab/+%20é", max_size=5), after=st.sampled_from(["", OWNER]))),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), st.just("") | PIECES), max_size=3),
)
@example(objects=[contents(), contents()], cuts=[])
def test_no_listing_however_damaged_is_read_in_two_ways(objects: list[str], cuts: list[tuple[int, int, str]]) -> None:
    text = listing(*objects).decode()
    for place, length, piece in cuts:
        start = place % len(text)
        text = text[:start] + piece + text[start + length :]
    body = text.encode()
    assert outcome(answered(body)) == by_definition(body)
