"""KMS: decrypting objects that S3 keeps encrypted with a key of the customer's own (F16, E29)."""

from typing import Any

from chalicelib.core.policies.parties import account_of, named, reader, seat
from chalicelib.core.policies.sheets import Facts, Kind, Place, Sheet
from chalicelib.core.policies.statements import allow, aws, one_or_more, policy

DELEGATED = (
    "Not needed where the key's policy leaves the decision to IAM policies of its account, as the default policy does."
)


def decrypting(facts: Facts) -> list[dict[str, Any]]:
    """What the reader must be allowed: to have S3 decrypt with these keys, and nothing by itself."""
    keys = facts.grant.connection.kms_keys
    if not keys:
        return []
    return [allow("DecryptObjects", "kms:Decrypt", one_or_more(keys), _through_s3(keys))]


def key_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """For each key what its own policy must say. Reading takes kms:Decrypt alone.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
    """
    reading = reader(facts)
    if reading is None or not reading.arns:
        return ()
    return tuple(
        _key_sheet(facts, key, reading.arns, needed=account_of(key) != reading.account)
        for key in facts.grant.connection.kms_keys
    )


def _key_sheet(facts: Facts, key: str, principals: tuple[str, ...], *, needed: bool) -> Sheet:
    # in a key's policy `*` is the key itself
    statement = allow(
        named(facts, "DecryptObjects"), "kms:Decrypt", "*", _through_s3((key,)), principal=aws(principals)
    )
    account = account_of(key)
    return Sheet(
        Kind.KMS,
        Place.KEY_POLICY,
        seat(account, facts),
        account,
        key,
        policy(statement),
        needed=needed,
        note="" if needed else DELEGATED,
    )


def _through_s3(keys: tuple[str, ...]) -> dict[str, Any]:
    """Only S3 may ask, on the reader's behalf: kms:ViaService names the service where the key is."""
    services = dict.fromkeys(_service(key) for key in keys)
    return {"StringEquals": {"kms:ViaService": one_or_more(services)}}


def _service(key: str) -> str:
    partition, region = key.split(":")[1], key.split(":")[3]
    return f"s3.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"
