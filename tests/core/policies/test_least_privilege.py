"""Rules that hold for whatever is asked for, among them that nobody gets more than he needs."""

from typing import Any
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config.access.way import Way
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.session import session
from chalicelib.core.policies.sheets import SHARED, Facts, Kind, Place, Read, Sheet, statements
from chalicelib.core.policies.statements import Policy, literal
from tests.core.policies.evaluation import allowed, listed, matches
from tests.core.policies.examples import THEIRS, facts

BUCKETS = st.sampled_from(["acme-exports", "acme-logs", "acme.photos"])
PREFIXES = st.text("ab/*?${}+ é", max_size=5)
READS = st.lists(st.builds(Read, BUCKETS, PREFIXES, st.booleans(), st.booleans()), max_size=4).map(tuple)
KEYS = st.text("ab/*?${}+ éx", max_size=7)
WAYS: list[dict[str, Any]] = [
    {},
    {"auth_method": "default"},
    {"auth_method": "basic", "bucket_owner": THEIRS},
    {"role_arn": "arn:aws:iam::111111111111:role/ingest", "bucket_owner": THEIRS},
]
NOTIFIED = st.sampled_from(["sqs", "sns", "eventbridge", "none"])
EXPECTED_ACTIONS = {
    "s3:ListBucket",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
    "kms:Decrypt",
    "sts:AssumeRole",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sqs:SendMessage",
    "sns:Publish",
    "sns:Subscribe",
}


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    ways = st.fixed_dictionaries(
        {"notify_by": NOTIFIED, "can_list": st.booleans()},
        optional={
            "buckets": st.lists(BUCKETS, min_size=1, max_size=2, unique=True),
            "prefixes": st.lists(PREFIXES.filter(bool), min_size=1, max_size=3),
            "kms_keys": st.just([f"arn:aws:kms:us-east-1:{THEIRS}:key/k"]),
        },
    )
    return facts(draw(st.sampled_from(WAYS)) | draw(ways), reads=draw(READS))


def of(made: tuple[Sheet, ...], kind: Kind, place: Place) -> list[Sheet]:
    return [sheet for sheet in made if sheet.kind is kind and sheet.place is place]


def reading(given: Facts) -> Policy:
    """What the reader is allowed by its own account."""
    [*_, last] = [s for s in sheets(given) if s.kind is Kind.ROLE and s.place in (Place.ROLE_POLICY, Place.USER_POLICY)]
    return last.document


def wanted(connection: Way, reads: tuple[Read, ...], bucket: str, key: str) -> bool:
    """What the connection is open to, in the words of its document."""
    if connection.buckets and bucket not in connection.buckets:
        return False
    own = tuple(read.prefix for read in reads if read.bucket == bucket)
    if not connection.buckets and reads and not own:
        return False
    return key.startswith(connection.prefixes or own or ("",))


@given(any_facts())
def test_every_statement_allows_named_actions_only_and_can_be_told_from_the_others(given: Facts) -> None:
    for sheet in sheets(given):
        if "Statement" not in sheet.document:
            continue
        sids = [statement["Sid"] for statement in statements(sheet)]
        assert len(sids) == len(set(sids))
        for statement in statements(sheet):
            assert statement["Sid"].isalnum()
            assert statement["Sid"].isascii()
            assert statement["Effect"] == "Allow"
            assert set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
            assert set(listed(statement["Action"])) <= EXPECTED_ACTIONS


@given(any_facts())
def test_every_statement_for_others_says_whom_it_lets_in_and_never_everybody(given: Facts) -> None:
    for sheet in sheets(given):
        for statement in sheet.document.get("Statement", ()):
            if sheet.place in (Place.ROLE_POLICY, Place.USER_POLICY):
                assert "Principal" not in statement
                continue
            [(kind, who)] = statement["Principal"].items()
            assert kind in ("AWS", "Service")
            assert "*" not in "".join(listed(who))
            assert kind == "AWS" or statement["Condition"], "a service speaks for all its customers"


@given(any_facts())
def test_statements_for_documents_that_others_write_into_tell_whose_they_are(given: Facts) -> None:
    for sheet in sheets(given):
        for statement in sheet.document.get("Statement", ()):
            reads = sheet.place is Place.ROLE_TRUST and sheet.kind is Kind.TRUST
            shared = sheet.place in SHARED or reads
            assert (statement["Sid"].startswith("Tidegate") and statement["Sid"].endswith("Acme")) is shared


@given(any_facts())
def test_resources_name_a_bucket_unless_none_is_known(given: Facts) -> None:
    known = given.grant.connection.buckets or given.reads
    for sheet in sheets(given):
        for statement in sheet.document.get("Statement", ()):
            if statement["Action"] != "kms:Decrypt":
                assert "*" not in listed(statement.get("Resource", []))
            for arn in listed(statement.get("Resource", [])):
                assert not (known and arn.startswith("arn:aws:s3:::*"))


@given(any_facts(), BUCKETS, KEYS)
def test_the_reader_may_read_what_the_connection_is_open_to_and_nothing_else(
    given: Facts, bucket: str, key: str
) -> None:
    policy, open_to = reading(given), wanted(given.grant.connection, given.reads, bucket, key)
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        assert allowed(policy, action, bucket, key=key) is open_to
    assert allowed(policy, "s3:ListBucket", bucket, prefix=key) is (open_to and given.grant.connection.can_list)
    tags = any(read.tags and read.bucket == bucket and key.startswith(read.prefix) for read in given.reads)
    assert allowed(policy, "s3:GetObjectTagging", bucket, key=key) is tags


@given(any_facts(), BUCKETS, KEYS)
def test_a_bucket_lets_the_reader_do_what_its_own_account_does(given: Facts, bucket: str, key: str) -> None:
    [*own] = [sheet.document for sheet in of(sheets(given), Kind.BUCKET, Place.BUCKET_POLICY) if sheet.target == bucket]
    for document in own:
        for action, where in (("s3:GetObject", {"key": key}), ("s3:ListBucket", {"prefix": key})):
            assert allowed(document, action, bucket, **where) is allowed(reading(given), action, bucket, **where)


@given(any_facts(), BUCKETS, KEYS, st.data())
def test_a_session_is_never_wider_than_the_role(given: Facts, bucket: str, key: str, data: st.DataObject) -> None:
    reads = [read for read in given.reads if wanted(given.grant.connection, given.reads, read.bucket, read.prefix)]
    if not reads:
        return
    read = data.draw(st.sampled_from(reads))
    narrowed = session(read.bucket, read.prefix, tags=read.tags, owner=THEIRS)
    for name in (key, read.prefix + key):
        for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"):
            if allowed(narrowed, action, bucket, key=name):
                assert allowed(reading(given), action, bucket, key=name)
        if allowed(narrowed, "s3:ListBucket", bucket, prefix=name) and given.grant.connection.can_list:
            assert allowed(reading(given), "s3:ListBucket", bucket, prefix=name)
    assert allowed(narrowed, "s3:GetObject", read.bucket, key=read.prefix + key)
    assert allowed(narrowed, "s3:ListBucket", read.bucket, prefix=read.prefix)


@given(any_facts(), KEYS)
def test_a_bucket_tells_of_every_key_that_a_pipeline_reads_and_filters_never_overlap(given: Facts, key: str) -> None:
    for sheet in of(sheets(given), Kind.NOTIFICATION, Place.BUCKET_NOTIFICATION):
        entries = [entry for many in sheet.document.values() for entry in many]
        if not entries:
            continue  # EventBridge is told everything
        starts = [_start(entry) for entry in entries]
        for start in starts:
            assert sum(other.startswith(start) for other in starts) == 1
            assert "*" not in start
        for read in given.reads:
            if read.bucket == sheet.target:
                [entry] = [e for e in entries if (read.prefix + key).startswith(_start(e))]
                assert not read.removals or "s3:ObjectRemoved:*" in entry["Events"]


@given(any_facts(), KEYS)
def test_a_rule_passes_every_key_that_a_pipeline_reads(given: Facts, key: str) -> None:
    for read in given.reads:
        passing = [
            sheet.document["EventPattern"]
            for sheet in of(sheets(given), Kind.NOTIFICATION, Place.RULE)
            if read.bucket in sheet.document["EventPattern"]["detail"]["bucket"]["name"]
        ]
        for pattern in passing:
            keys = pattern["detail"].get("object", {"key": [{"prefix": ""}]})["key"]
            assert any((read.prefix + key).startswith(each["prefix"]) for each in keys)
            assert not read.removals or "Object Deleted" in pattern["detail-type"]
        assert len(passing) <= 1


@given(st.text("a*?${}"), st.text("a*?${}"))
def test_the_evaluation_of_these_tests_takes_literal_text_as_itself(text: str, other: str) -> None:
    assert matches(literal(text), other) is (text == other)


def _start(entry: dict[str, Any]) -> str:
    if "Filter" not in entry:
        return ""
    [rule] = entry["Filter"]["Key"]["FilterRules"]
    assert rule["Name"] == "prefix"
    return unquote_plus(rule["Value"])
