"""What S3 and KMS say of an object, as findings."""

from typing import Any

import pytest

from chalicelib.core.diagnosis import objects
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.objects import KEY, SSE, Probed
from chalicelib.core.findings import Verdict
from tests.core.diagnosis import words
from tests.core.diagnosis.wards import BUCKET, ward
from tests.core.diagnosis.words import denied, explicit, fine, implicit

OBJECT = f"arn:aws:s3:::{BUCKET}/in/a.csv"
NO_BODY = Answer(403, "403", "Forbidden")
ENCRYPTED = fine(headers={SSE: "aws:kms", KEY: words.KEY})
ACROSS = (
    f"User: {words.THEM} is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext "
    "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based "
    "policy explicitly denies access"
)


def probed(
    head: Answer, get: Answer, *, tells: bool = True, shown: bool = False, made_up: bool = False, **changes: Any
) -> Probed:
    connection, _ = ward(**changes)
    return Probed(connection, BUCKET, "in/a.csv", head, get, tells, shown, made_up)


def test_an_object_that_can_be_read_is_fine() -> None:
    found = probed(fine(headers={"content-length": "4"}), fine())
    assert objects.headed(found).evidence == "4 bytes, STANDARD"
    assert {objects.headed(found).verdict, objects.got(found, ()).verdict} == {Verdict.OK}
    assert objects.decrypted(found, ()).verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (denied(implicit("s3:GetObject", OBJECT, "identity-based policy")), "ReadObjects"),
        (denied(), "ReadObjects"),
        (denied(implicit("s3:GetObject", OBJECT, "resource-based policy")), "TidegateReadObjectsAcme"),
    ],
)
def test_a_refused_object_names_the_statement_likeliest_to_be_missing(answer: Answer, first: str) -> None:
    _, printed = ward()
    finding = objects.got(probed(NO_BODY, answer), printed)
    assert (finding.verdict, finding.missing[0].sid) == (Verdict.FAIL, first)
    assert objects.GONE not in finding.advice


def test_without_a_listing_a_refused_object_may_not_be_there_at_all() -> None:
    _, printed = ward()
    found = probed(NO_BODY, denied(), tells=False)
    assert "not exist" in objects.headed(found).advice
    assert "not exist" in objects.got(found, printed).advice
    assert objects.got(found, printed).missing[0].sid == "ReadObjects"
    assert "not exist" not in objects.got(probed(NO_BODY, denied(), tells=False, shown=True), printed).advice


def test_s3_asks_for_the_right_to_list_only_to_say_that_a_key_is_not_there() -> None:
    _, printed = ward()
    answer = denied(implicit("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", "identity-based policy"))
    finding = objects.got(probed(NO_BODY, answer, tells=False), printed)
    assert (finding.verdict, finding.missing) == (Verdict.FAIL, ())
    assert "there is no such object" in finding.evidence
    assert objects.got(probed(NO_BODY, answer, tells=False, made_up=True), printed).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (denied(explicit("s3:GetObject", OBJECT, "resource-based policy")), "Deny"),
        (denied(explicit("s3:GetObject", OBJECT, "service control policy")), "organization"),
        (denied(implicit("s3:GetObject", OBJECT, "permissions boundary")), "boundary"),
        (denied(explicit("s3:GetObject", OBJECT, "VPC endpoint policy")), "VPC endpoint"),
    ],
)
def test_what_no_statement_of_ours_mends_says_who_must_act(answer: Answer, said: str) -> None:
    _, printed = ward()
    finding = objects.got(probed(NO_BODY, answer), printed)
    assert (finding.verdict, finding.missing, said in finding.advice) == (Verdict.FAIL, (), True)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(404, "NoSuchKey", "The specified key does not exist."), Verdict.FAIL),
        (Answer(416, "InvalidRange"), Verdict.OK),
        (Answer(403, "InvalidObjectState", "not valid for the object's storage class"), Verdict.SKIPPED),
        (Answer(0, "ReadTimeoutError", "timed out"), Verdict.FAIL),
        (Answer(500, "InternalError", "We encountered an internal error"), Verdict.FAIL),
    ],
)
def test_other_answers_are_not_blamed_on_policies(answer: Answer, verdict: Verdict) -> None:
    _, printed = ward()
    finding = objects.got(probed(fine(), answer), printed)
    assert (finding.verdict, finding.missing) == (verdict, ())


def test_a_key_that_nobody_claimed_shows_by_its_404_that_it_might_be_read() -> None:
    _, printed = ward()
    gone = Answer(404, "NoSuchKey", "The specified key does not exist.")
    found = probed(Answer(404, "404", "Not Found"), gone, made_up=True)
    assert {objects.headed(found).verdict, objects.got(found, printed).verdict} == {Verdict.OK}
    assert objects.got(probed(NO_BODY, denied(), made_up=True), printed).missing[0].sid == "ReadObjects"


def test_a_plain_refusal_of_a_key_that_nobody_claimed_tells_nothing_unless_we_may_list() -> None:
    _, printed = ward()
    finding = objects.got(probed(NO_BODY, denied(), tells=False, made_up=True), printed)
    assert (finding.verdict, "--key" in finding.advice) == (Verdict.SKIPPED, True)
    named = denied(implicit("s3:GetObject", OBJECT, "identity-based policy"))
    found = probed(NO_BODY, named, tells=False, made_up=True)
    assert objects.got(found, printed).missing[0].sid == "ReadObjects"
    assert objects.headed(found).verdict is Verdict.SKIPPED


def test_an_object_under_the_customers_own_key_says_what_that_takes() -> None:
    answer = Answer(400, "InvalidRequest", "The object was stored using a form of Server Side Encryption.")
    found = probed(Answer(400, "400", "Bad Request"), answer)
    for finding in (objects.headed(found), objects.got(found, ())):
        assert finding.verdict is Verdict.FAIL
        assert "SSE-C" in finding.advice


@pytest.mark.parametrize(
    ("message", "first"),
    [
        (implicit("kms:Decrypt", words.KEY, "identity-based policy"), "DecryptObjects"),
        (implicit("kms:Decrypt", words.KEY, "resource-based policy"), "TidegateDecryptObjectsAcme"),
        (ACROSS, "TidegateDecryptObjectsAcme"),
    ],
)
def test_kms_is_told_from_s3_and_the_role_from_the_key(message: str, first: str) -> None:
    _, printed = ward(kms_keys=[words.KEY])
    found = probed(ENCRYPTED, denied(message), kms_keys=[words.KEY])
    assert objects.got(found, printed).verdict is Verdict.SKIPPED
    finding = objects.decrypted(found, printed)
    assert (finding.verdict, finding.missing[0].sid) == (Verdict.FAIL, first)
    assert {each.sid for each in finding.missing} == {"DecryptObjects", "TidegateDecryptObjectsAcme"}
    assert words.KEY in finding.advice


def test_a_key_that_aws_manages_cannot_be_opened_to_another_account() -> None:
    printed = ward(kms_keys=[words.KEY])[1]
    ours = "arn:aws:iam::111111111111:role/ingest"
    across = probed(ENCRYPTED, denied(ACROSS), kms_keys=[words.KEY], role_arn=ours, bucket_owner="222222222222")
    assert "alias aws/s3" in objects.decrypted(across, printed).advice
    within = probed(ENCRYPTED, denied(ACROSS), kms_keys=[words.KEY])
    assert "alias aws/s3" not in objects.decrypted(within, printed).advice


def test_what_is_no_keys_arn_is_not_taken_for_one() -> None:
    odd = fine(headers={SSE: "aws:kms", KEY: "alias/theirs"})
    assert objects.key_of(probed(odd, fine())) is None
    assert (
        objects.decrypted(probed(odd, denied(implicit("kms:Decrypt", "x", "identity-based policy"))), ()).verdict
        is Verdict.FAIL
    )


def test_an_encrypted_object_that_is_described_and_not_given_is_kms_word_or_not() -> None:
    _, printed = ward(kms_keys=[words.KEY])
    finding = objects.decrypted(probed(ENCRYPTED, denied(), kms_keys=[words.KEY]), printed)
    assert finding.verdict is Verdict.FAIL
    assert finding.missing


def test_a_key_that_decrypts_and_is_not_named_is_worth_a_word() -> None:
    named = objects.decrypted(probed(ENCRYPTED, fine(), kms_keys=[words.KEY]), ())
    unnamed = objects.decrypted(probed(ENCRYPTED, fine()), ())
    assert (named.verdict, named.advice) == (Verdict.OK, "")
    assert unnamed.verdict is Verdict.OK
    assert f"--kms-key {words.KEY}" in unnamed.advice


def test_a_key_that_the_connection_does_not_name_is_named_first_and_those_that_it_names_stay() -> None:
    other = words.KEY[:-1] + ("1" if words.KEY[-1] != "1" else "2")
    message = implicit("kms:Decrypt", words.KEY, "identity-based policy")
    _, printed = ward(kms_keys=[other, words.KEY])
    unnamed = objects.decrypted(probed(ENCRYPTED, denied(message), kms_keys=[other]), printed)
    assert f"`tidegate connection edit acme --kms-key {other} --kms-key {words.KEY}`" in unnamed.advice
    named = objects.decrypted(probed(ENCRYPTED, denied(message), kms_keys=[other, words.KEY]), printed)
    assert "connection edit" not in named.advice


@pytest.mark.parametrize("code", ["KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException"])
def test_a_key_that_nobody_can_use_is_no_policys_fault(code: str) -> None:
    _, printed = ward(kms_keys=[words.KEY])
    finding = objects.decrypted(probed(ENCRYPTED, Answer(400, code, "is disabled.")), printed)
    assert (finding.verdict, finding.missing) == (Verdict.FAIL, ())
    assert "Enable the key" in finding.advice


def test_versions_and_tags_have_permissions_of_their_own() -> None:
    _, printed = ward()
    found = probed(fine(), fine())
    assert objects.versioned(found, None, printed).verdict is Verdict.SKIPPED
    assert objects.versioned(found, fine(), printed).verdict is Verdict.OK
    refused = objects.versioned(found, denied(), printed)
    assert (refused.verdict, refused.missing[0].sid) == (Verdict.FAIL, "ReadObjects")
    assert "s3:GetObjectVersion" in refused.missing[0].statement["Action"]
    assert objects.tagged(found, fine(), printed).verdict is Verdict.OK
    assert objects.tagged(found, denied(), printed).missing[0].sid == "ReadObjectTags"


def test_hostile_words_are_made_visible() -> None:
    finding = objects.got(probed(NO_BODY, denied("\x1b[31mgive\x1b[0m me")), ())
    assert "\x1b" not in finding.evidence
    assert "\\x1b[31mgive" in finding.evidence
