"""What the words of a refusal tell."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.diagnosis.answers import QUOTED, Answer, Refusal, Source, is_of, quoted, refusal
from tests.core.diagnosis.words import KEY, THEM, denied, explicit, implicit, unauthorized

OBJECT = "arn:aws:s3:::acme-exports/in/a.csv"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Access Denied", Refusal()),
        (unauthorized("sts:AssumeRole", "arn:aws:iam::222222222222:role/x"), Refusal("sts:AssumeRole")),
        (implicit("s3:GetObject", OBJECT, "identity-based policy"), Refusal("s3:GetObject", Source.IDENTITY)),
        (implicit("kms:Decrypt", KEY, "resource-based policy"), Refusal("kms:Decrypt", Source.RESOURCE)),
        (implicit("s3:GetObject", OBJECT, "service control policy"), Refusal("s3:GetObject", Source.SCP)),
        (implicit("s3:GetObject", OBJECT, "permissions boundary"), Refusal("s3:GetObject", Source.BOUNDARY)),
        (implicit("s3:GetObject", OBJECT, "session policy"), Refusal("s3:GetObject", Source.SESSION)),
        (implicit("s3:GetObject", OBJECT, "VPC endpoint policy"), Refusal("s3:GetObject", Source.ENDPOINT)),
        (explicit("s3:GetObject", OBJECT, "VPC endpoint policy"), Refusal("s3:GetObject", Source.ENDPOINT, True)),
        (explicit("s3:GetObject", OBJECT, "resource-based policy"), Refusal("s3:GetObject", Source.RESOURCE, True)),
        (explicit("s3:ListBucket", "x", "service control policy"), Refusal("s3:ListBucket", Source.SCP, True)),
        (explicit("s3:ListBucket", "x", "resource control policy"), Refusal("s3:ListBucket", Source.RCP, True)),
        (
            f"User: {THEM} is not authorized to perform: s3:GetObject on resource: x with an explicit deny in an "
            "identity-based policy: arn:aws:iam::222222222222:policy/no",
            Refusal("s3:GetObject", Source.IDENTITY, True),
        ),
        (
            "User: arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole because no role trust policy "
            "allows the sts:AssumeRole action",
            Refusal("sts:AssumeRole", Source.TRUST),
        ),
    ],
)
def test_a_refusal_is_read_as_far_as_it_tells(message: str, told: Refusal) -> None:
    assert replace(refusal(denied(message)), who="") == told


def test_a_refusal_names_who_was_refused() -> None:
    found = refusal(denied(implicit("s3:GetObject", OBJECT, "identity-based policy")))
    assert found.who == THEM
    assert is_of(found.who, "arn:aws:iam::222222222222:role/path/reader")
    assert not is_of(found.who, "arn:aws:iam::333333333333:role/reader")
    assert not is_of(found.who, "the user or role whose keys are used")


@pytest.mark.parametrize(
    ("answer", "ok", "is_denied", "expired", "stranger", "skewed"),
    [
        (Answer(200), True, False, False, False, False),
        (Answer(206), True, False, False, False, False),
        (Answer(403, "403", "Forbidden"), False, True, False, False, False),
        (Answer(403, "AccessDenied"), False, True, False, False, False),
        (Answer(400, "ExpiredToken"), False, False, True, False, False),
        (Answer(403, "InvalidClientTokenId"), False, False, False, True, False),
        (Answer(403, "RequestTimeTooSkewed"), False, False, False, False, True),
        (
            Answer(403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"),
            False,
            False,
            False,
            True,
            True,
        ),
        (Answer(404, "NoSuchBucket"), False, False, False, False, False),
    ],
)
def test_answers_are_told_apart_by_code(
    answer: Answer, ok: bool, is_denied: bool, expired: bool, stranger: bool, skewed: bool
) -> None:
    found = (answer.ok, answer.denied, answer.expired, answer.stranger, answer.skewed)
    assert found == (ok, is_denied, expired, stranger, skewed)


def test_access_keys_are_masked_but_for_their_end() -> None:
    shown = quoted("The key ASIAIOSFODNN7EXAMPLE is not yours")
    assert shown == "The key …MPLE is not yours"


@given(st.text(max_size=2 * QUOTED))
def test_evidence_is_one_line_that_no_terminal_obeys(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert quoted("\x1b[2J\u202e") == "\\x1b[2J\\u202e"


def test_evidence_is_short() -> None:
    assert len(quoted("x" * 10_000)) == QUOTED + 1
