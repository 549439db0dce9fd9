"""Whether an object's bytes, versions and tags can be read, and decrypted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.config.connection import Connection
from chalicelib.core.diagnosis.answers import Answer, Refusal, Source, refusal
from chalicelib.core.diagnosis.candidates import candidates
from chalicelib.core.diagnosis.words import network, to_add, who_must_act
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.policies.sheets import Sheet

LIST, GET, VERSION, TAGS, DECRYPT = (
    "s3:ListBucket",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "kms:Decrypt",
)
SSE, KEY, SSE_C = (
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)
GONE = "The object may as well not exist: without s3:ListBucket S3 answers 403, not 404, for a key that is gone"  # E28
_CUSTOMER_KEY = (
    "If it is encrypted with a key of the customer's own (SSE-C), S3 wants that key with every request and Tidegate "
    "keeps none: have the objects copied to SSE-KMS or SSE-S3"
)  # F16
_MANAGED = (
    ". If it is a key that AWS manages (alias aws/s3), nobody can open it to another account: have the objects "
    "encrypted with a key of the customer's own, or be given a role of the customer's"
)
_ARN = re.compile(r"arn:[^:]+:kms:[^:]*:[0-9]{12}:key/")
_UNUSABLE = ("KMS.Disabled", "KMS.NotFound", "KMS.KMSInvalidState", "KMS.InvalidState")


@dataclass(frozen=True, slots=True)
class Probed:
    """One object and what S3 said of it."""

    connection: Connection
    bucket: str
    key: str
    head: Answer
    get: Answer
    tells: bool  # S3 tells us a missing key from a forbidden one: we may list, whatever the prefix
    shown: bool = False  # a listing showed it just now, so that it is there
    made_up: bool = False  # nobody claimed that the key exists: 404 shows that it might be read

    @property
    def subject(self) -> str:
        """The object."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def resource(self) -> str:
        """Its ARN."""
        return f"arn:{self.connection.partition}:s3:::{self.bucket}/{self.key}"


def headed(probed: Probed) -> Finding:
    """Whether S3 describes the object. Its refusal has no body, so that `get` says more."""
    answer = probed.head
    failed = network("head", answer, subject=probed.subject)
    if failed is not None:
        return failed
    if answer.ok:
        return Finding("head", Verdict.OK, _described(answer), subject=probed.subject)
    if probed.made_up and answer.status == 404:
        return Finding("head", Verdict.OK, "no object was there to ask for; S3 would tell", subject=probed.subject)
    if answer.status == 404:
        return Finding("head", Verdict.FAIL, "there is no such object", "Check the key", subject=probed.subject)
    if answer.status == 400:
        return Finding("head", Verdict.FAIL, answer.words, _CUSTOMER_KEY, subject=probed.subject)
    if probed.made_up:
        evidence = f"no object was there to ask for, and S3 gives no reason: {answer.words}"
        return Finding("head", Verdict.SKIPPED, evidence, "See get", subject=probed.subject)
    return Finding("head", Verdict.FAIL, answer.words, _gone(probed) or "See get", subject=probed.subject)


def got(probed: Probed, sheets: Sequence[Sheet]) -> Finding:
    """Whether S3 gives the object's first byte (F12). What KMS refuses is `decrypted`'s."""
    step, answer = "get", probed.get
    failed = network(step, answer, subject=probed.subject)
    if failed is not None:
        return failed
    why = _readable(probed)
    if why is not None:
        return Finding(step, Verdict.OK, why, subject=probed.subject)
    if answer.code == "InvalidObjectState":
        advice = "Restore it, or probe another object with --key"
        return Finding(step, Verdict.SKIPPED, f"it lies in an archive: {answer.words}", advice, (), probed.subject)
    if by_kms(probed):
        return Finding(step, Verdict.SKIPPED, "S3 lets us, KMS does not: see decrypt", subject=probed.subject)
    if answer.denied:
        return _denied(step, probed, sheets)
    advice = {400: _CUSTOMER_KEY, 404: "Check the key"}.get(answer.status, "Check endpoint and network")
    return Finding(step, Verdict.FAIL, answer.words, advice, subject=probed.subject)


def _readable(probed: Probed) -> str | None:
    """Why the object, or one in its place, can be read; None if it cannot."""
    if probed.get.ok:
        return "one byte was read"
    if probed.get.status == 416:
        return "the object is empty, and may be read"
    if probed.made_up and probed.get.status == 404:
        return "no readable object was there; S3 answers for one that is not as to somebody who may read it"
    return None


def _denied(step: str, probed: Probed, sheets: Sequence[Sheet]) -> Finding:
    told = refusal(probed.get).action
    if told == LIST:
        return _absent(step, probed)
    if probed.made_up and not probed.tells and not told:
        evidence = f"no readable object was there, and S3 does not say whether that is why: {probed.get.words}"
        return Finding(step, Verdict.SKIPPED, evidence, "Name an object: --key KEY", subject=probed.subject)
    return _refused(step, probed, probed.get, GET, sheets)


def _absent(step: str, probed: Probed) -> Finding:
    """S3 found no key, and looks for s3:ListBucket before it admits that: reading was not refused (E28)."""
    if probed.made_up:
        evidence = "no readable object was there; S3 refuses to say so, and not to read"
        return Finding(step, Verdict.OK, evidence, subject=probed.subject)
    advice = "Check the key: S3 asks for s3:ListBucket only to say that there is no such object"
    return Finding(step, Verdict.FAIL, f"there is no such object: {probed.get.words}", advice, subject=probed.subject)


def versioned(probed: Probed, answer: Answer | None, sheets: Sequence[Sheet]) -> Finding:
    """Whether a named version can be read too, as loads from buckets with versions do (P5)."""
    step = "get a version"
    if answer is None:
        evidence = "the bucket keeps no versions" if probed.get.ok else "no object was read"
        return Finding(step, Verdict.SKIPPED, evidence, subject=probed.subject)
    if answer.ok or answer.status == 416:
        return Finding(step, Verdict.OK, "one byte of the named version was read", subject=probed.subject)
    if not answer.denied:
        return Finding(step, Verdict.FAIL, answer.words, "Try again", subject=probed.subject)
    return _refused(step, probed, answer, VERSION, sheets)


def tagged(probed: Probed, answer: Answer, sheets: Sequence[Sheet]) -> Finding:
    """Whether the object's tags can be read, for the pipelines that take them."""
    step = "tags"
    if answer.ok or (probed.made_up and answer.status == 404):
        return Finding(step, Verdict.OK, "they may be read", subject=probed.subject)
    if not answer.denied:
        return Finding(step, Verdict.FAIL, answer.words, "Check the key", subject=probed.subject)
    return _refused(step, probed, answer, TAGS, sheets)


def by_kms(probed: Probed) -> bool:
    """True if KMS refused, and not S3: it says so, or S3 describes the object and gives no byte of it (E29)."""
    answer = probed.get
    if answer.ok or answer.silent:
        return False
    if "kms:" in answer.message.lower() or answer.code.startswith("KMS."):
        return True
    return answer.denied and probed.head.ok and bool(probed.head.headers.get(KEY))


def key_of(probed: Probed) -> str | None:
    """The ARN of the customer's key that encrypts the object."""
    key, sse = probed.head.headers.get(KEY, ""), probed.head.headers.get(SSE, "")
    return key if sse.startswith("aws:kms") and _ARN.match(key) else None  # other stores name keys in their own way


def decrypted(probed: Probed, sheets: Sequence[Sheet]) -> Finding:
    """Whether KMS gives the object's key, if one of the customer's encrypts it (F16, E29)."""
    step, key = "decrypt", key_of(probed)
    if not by_kms(probed):
        if key is None or not probed.get.ok:
            evidence = "no key of KMS is in the way" if probed.head.ok else "no object was described"
            return Finding(step, Verdict.SKIPPED, evidence, subject=probed.subject)
        if key in probed.connection.kms_keys:
            return Finding(step, Verdict.OK, f"{key} decrypts for us", subject=probed.subject)
        advice = f"Name it: {_naming(probed, key)}, for what `policy` prints"
        return Finding(step, Verdict.OK, f"{key} decrypts for us", advice, subject=probed.subject)
    answer = probed.get
    if answer.code.startswith(_UNUSABLE):
        advice = "Enable the key, or cancel its deletion, in the key's account"
        return Finding(step, Verdict.FAIL, answer.words, advice, subject=probed.subject)
    told = refusal(answer)
    act = who_must_act(told, whose=_whose(probed.connection))
    if act is not None:
        return Finding(step, Verdict.FAIL, answer.words, act, subject=probed.subject)
    missing = candidates(sheets, DECRYPT, resource=key or "", told=told)
    advice = to_add(missing, probed.connection.name)
    advice += f" (the key is {key})" if key else ""
    if key is not None and key not in probed.connection.kms_keys:
        advice += f". `tidegate policy` prints it once you have named the key: {_naming(probed, key)}"
    advice += _MANAGED if key and _account(key) != probed.connection.account else ""
    return Finding(step, Verdict.FAIL, answer.words, advice, missing, probed.subject)


def _refused(step: str, probed: Probed, answer: Answer, action: str, sheets: Sequence[Sheet]) -> Finding:
    told = refusal(answer)
    act = who_must_act(told, whose=_whose(probed.connection))
    if act is not None:
        return Finding(step, Verdict.FAIL, answer.words, act, subject=probed.subject)
    missing = candidates(sheets, action, resource=probed.resource, told=_likely(told))
    advice = to_add(missing, probed.connection.name)
    if _gone(probed):
        advice += f". {GONE}"
    return Finding(step, Verdict.FAIL, answer.words, advice, missing, probed.subject)


def _naming(probed: Probed, key: str) -> str:
    """The command that names one more key; what is given takes the place of what was there."""
    named = " ".join(f"--kms-key {each}" for each in (*probed.connection.kms_keys, key))
    return f"`tidegate connection edit {probed.connection.name} {named}`"


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _gone(probed: Probed) -> str:
    """That the key may not be there, where S3 would not say so."""
    return "" if probed.tells or probed.shown or probed.head.ok else GONE


def _likely(told: Refusal) -> Refusal:
    return replace(told, source=Source.IDENTITY) if told.source is Source.UNTOLD and told.action else told


def _described(answer: Answer) -> str:
    told = [f"{answer.headers.get('content-length', '?')} bytes", answer.headers.get("x-amz-storage-class", "STANDARD")]
    if SSE in answer.headers:
        told.append(answer.headers[SSE])
    return ", ".join(told)


def _whose(connection: Connection) -> str:
    return f"account {connection.account}" if connection.account else "the account of the bucket or the keys"
