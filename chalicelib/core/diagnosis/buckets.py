"""Whether the bucket is there, whose it is, whether it can be listed, and what lies in it."""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.config.connection import Connection
from chalicelib.core.diagnosis.answers import Answer, Refusal, Source, refusal
from chalicelib.core.diagnosis.candidates import candidates
from chalicelib.core.diagnosis.words import network, to_add, who_must_act
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.policies.sheets import Sheet

LIST = "s3:ListBucket"
REGION = "x-amz-bucket-region"  # S3 tells it with a 403 and a 301 too
_ELSEWHERE = frozenset({"301", "307", "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"})


def bucket(connection: Connection, name: str, answer: Answer) -> Finding:
    """Whether there is such a bucket, and in the connection's region (F11, F15)."""
    subject = f"s3://{name}"
    failed = network("bucket", answer, subject=subject, keys=_keys(connection))
    if failed is not None:
        return failed
    region = answer.headers.get(REGION, "")
    if region and region != connection.region and connection.endpoint is None:
        advice = f"tidegate connection edit {connection.name} --region {region}"
        evidence = f"the bucket lies in {region}, the connection says {connection.region}"
        return Finding("bucket", Verdict.FAIL, evidence, advice, subject=subject)
    if answer.status == 404 or answer.code == "NoSuchBucket":
        return Finding(
            "bucket", Verdict.FAIL, f"there is no such bucket: {answer.words}", "Check the name", subject=subject
        )
    if answer.code in _ELSEWHERE:
        advice = "Set the connection's region to the bucket's: S3 did not say which it is"
        return Finding("bucket", Verdict.FAIL, f"it lies elsewhere: {answer.words}", advice, subject=subject)
    if answer.ok or (answer.denied and region):
        evidence = f"it is there, in {region}" if region else "it is there"
        return Finding("bucket", Verdict.OK, evidence, subject=subject)
    return Finding("bucket", Verdict.SKIPPED, f"S3 does not tell: {answer.words}", subject=subject)


def owner(connection: Connection, name: str, expected: str | None, without: Answer, with_it: Answer | None) -> Finding:
    """Whether the bucket is the account's that must own it: a deleted bucket's name is anybody's.

    The same call twice, with ExpectedBucketOwner and without: only the wrong owner makes a difference.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    step, subject = "bucket owner", f"s3://{name}"
    if expected is None or with_it is None:
        evidence = "nobody said which account must own the bucket"
        advice = f"tidegate connection edit {connection.name} --bucket-owner ACCOUNT, so that a stranger's is refused"
        if connection.bucket_owner == "any":
            return Finding(step, Verdict.SKIPPED, "the connection switches the check off", subject=subject)
        return Finding(step, Verdict.SKIPPED, evidence, advice, subject=subject)
    if not without.ok:
        return Finding(step, Verdict.SKIPPED, "nothing can be read, so that nobody can tell", subject=subject)
    if with_it.ok:
        return Finding(step, Verdict.OK, f"account {expected} owns it", subject=subject)
    advice = (
        f"If the bucket is the right one, set the connection's bucket_owner; if not, account {expected} has lost the "
        "name to somebody else: do not load from it"
    )
    evidence = f"another account than {expected} owns it: {with_it.words}"
    return Finding(step, Verdict.FAIL, evidence, advice, subject=subject)


def payer(connection: Connection, name: str, answer: Answer, paid: Answer | None) -> Finding:
    """Whether the bucket lets in only who pays. `paid`: the refused call, paid for by us; None: no need to ask."""
    step, subject = "requester pays", f"s3://{name}"
    if connection.requester_pays:
        return Finding(step, Verdict.OK, "we pay, as the connection says", subject=subject)
    if answer.ok:
        return Finding(step, Verdict.OK, "the bucket does not demand it", subject=subject)
    if paid is not None and paid.ok:
        advice = (
            f"tidegate connection edit {connection.name} --requester-pays: requests and transfer are then billed to us"
        )
        return Finding(step, Verdict.FAIL, "S3 refuses the listing unless we pay for it", advice, subject=subject)
    return Finding(step, Verdict.SKIPPED, "it is refused either way", subject=subject)


def listing(
    connection: Connection,
    name: str,
    prefix: str,
    answer: Answer,
    sheets: Sequence[Sheet],
    paid: Answer | None = None,
    *,
    whole: bool = False,
) -> Finding:
    """Whether the keys under a prefix can be listed (F12). `whole`: the bucket can, when no prefix is named."""
    subject = f"s3://{name}/{prefix}"
    failed = network("list", answer, subject=subject, keys=_keys(connection))
    if failed is not None:
        return failed
    if answer.ok:
        return Finding("list", Verdict.OK, _counted(answer), subject=subject)
    if paid is not None and paid.ok:
        return Finding("list", Verdict.SKIPPED, "see requester pays", subject=subject)
    if not connection.can_list:
        return Finding("list", Verdict.SKIPPED, "the connection says that we may not (can_list)", subject=subject)
    if not answer.denied:
        return Finding("list", Verdict.FAIL, answer.words, "Check bucket, region and endpoint", subject=subject)
    told = refusal(answer)
    act = who_must_act(told, whose=_whose(connection))
    if act is not None:
        return Finding("list", Verdict.FAIL, answer.words, act, subject=subject)
    arn = f"arn:{connection.partition}:s3:::{name}"
    missing = candidates(sheets, LIST, resource=arn, prefix=prefix, told=_likely(told))
    advice = to_add(missing, connection.name)
    if prefix:
        advice += f". Its condition on s3:prefix, if it has one, must hold for {prefix!r}"
        advice += ": without a prefix S3 lets us list, so that it is the condition" if whole else ""
    return Finding("list", Verdict.FAIL, answer.words, advice, missing, subject)


def archive(name: str, prefix: str, answer: Answer) -> Finding:
    """How much of what a listing shows cannot be read before somebody restores it (E9, F25)."""
    step, subject = "archive", f"s3://{name}/{prefix}"
    if not answer.ok or not answer.listed:
        return Finding(step, Verdict.SKIPPED, "no object was listed", subject=subject)
    archived = [each for each in answer.listed if each.archived]
    restored = sum(each.restored for each in answer.listed)
    size = sum(each.ref.size for each in archived)
    evidence = f"{len(archived)} of the first {len(answer.listed)} objects lie in an archive class"
    evidence += f" ({size} bytes)" if archived else ""
    evidence += f", {restored} have a restored copy" if restored else ""
    if len(archived) < len(answer.listed):
        return Finding(step, Verdict.OK, evidence, subject=subject)
    advice = "Nothing here can be read before it is restored; each object is loaded once it is"
    return Finding(step, Verdict.WARN, evidence, advice, subject=subject)


def _counted(answer: Answer) -> str:
    more = " at least" if answer.said.get("more") == "true" else ""
    return f"{len(answer.listed)} object{'' if len(answer.listed) == 1 else 's'}{more}"


def _likely(told: Refusal) -> Refusal:
    """Where AWS names an action and no policy, it is the identity's."""
    return replace(told, source=Source.IDENTITY) if told.source is Source.UNTOLD and told.action else told


def _whose(connection: Connection) -> str:
    return f"account {connection.account}" if connection.account else "the account of the bucket or the keys"


def _keys(connection: Connection) -> str:
    return f"Paste keys that hold: `tidegate connection edit {connection.name}`" if connection.needs_keys else ""
